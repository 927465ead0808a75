"""FaceDetector over Amazon Rekognition's DetectFaces. Photos leave this installation for AWS.

The service's limits (Developer Guide, "Guidelines and quotas"): 5 MB of image bytes, at least 80
pixels a side, the 100 largest faces of an image, and no face smaller than about 40 pixels in an
image of 1920 x 1080. So a larger frame is sent whole, scaled down, and again in tiles that keep
its own pixels; an answer with 100 faces is not believed to be complete: that part is sent anew in
quarters.
"""

from __future__ import annotations

import hashlib
import io
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import boto3
import numpy as np
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from numpy.typing import NDArray
from PIL import Image

from lakeveil.core.faces import Detections, Face, Landmarks, Point
from lakeveil.core.geometry import Box, Turn, clusters, enclosing, unturned
from lakeveil.errors import DetectorFailed, Unavailable
from lakeveil.pixels.finding.candidates import best_of_each
from lakeveil.pixels.finding.scaling import Photo, resized
from lakeveil.pixels.finding.tiles import tiles

MAX_BYTES, MIN_SIDE, MAX_FACES = 5 * 2**20, 80, 100
SIDE, TILE_OVERLAP = 1920, 240
MIN_CONFIDENCE = 0.5
SAME_FACE = 0.4
_QUALITIES = (95, 85, 70)
_TURNS: tuple[Turn, ...] = (0, 1, 2, 3)
_TRY_AGAIN = frozenset(
    {
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "InternalServerError",
        "ServiceUnavailable",
        "RequestTimeout",
    }
)
_LANDMARKS = {
    "eyeLeft": "eye_left",
    "eyeRight": "eye_right",
    "nose": "nose",
    "mouthLeft": "mouth_left",
    "mouthRight": "mouth_right",
}


class RekognitionClient(Protocol):
    """The one call of boto3's client that is made."""

    def detect_faces(self, *, Image: Mapping[str, bytes]) -> Mapping[str, Any]:  # noqa: N803 - boto3's own name
        """See the API reference, DetectFaces."""
        ...


def open_rekognition(
    *, region: str, endpoint: str | None = None, timeout_s: float = 20.0
) -> RekognitionFaces:
    """A detector that asks the service in `region`, with boto3's usual credentials.

    `endpoint` is another service of the same interface. Nothing is sent yet.
    """
    settings = Config(
        connect_timeout=timeout_s,
        read_timeout=timeout_s,
        retries={"mode": "standard", "total_max_attempts": 2},
    )
    client = boto3.client("rekognition", region_name=region, endpoint_url=endpoint, config=settings)
    return RekognitionFaces(client)


class RekognitionFaces:
    """Asks Rekognition. Thread-safe, as boto3's clients are."""

    name = "rekognition"

    def __init__(self, client: RekognitionClient) -> None:
        self._client = client
        rules = f"DetectFaces {SIDE} {TILE_OVERLAP} {MIN_CONFIDENCE}"
        self.fingerprint = hashlib.sha256(rules.encode()).hexdigest()

    def detect(
        self,
        photo: NDArray[np.uint8],
        *,
        min_confidence: float | None,
        probe_orientation: bool = False,
    ) -> Detections:
        """Look at a whole frame: (height, width, 3) uint8 sRGB, upright, any size.

        `confidence` is the service's own, which AWS does not document as calibrated.

        Raises:
            DetectorFailed: the service refused, or answered what cannot be.
            Unavailable: it is overloaded or did not answer; trying again may work.
        """
        started = time.perf_counter()
        least = MIN_CONFIDENCE if min_confidence is None else min_confidence
        height, width = photo.shape[:2]
        turns: tuple[Turn, ...] = self._likely_turns(photo) if probe_orientation else (0,)
        found = [
            _unturned(face, turn, width, height)
            for turn in turns
            for face in self._whole(np.rot90(photo, turn))
        ]
        took = (time.perf_counter() - started) * 1e3
        return Detections(
            width=width,
            height=height,
            faces=_distinct(found, least),
            detector=self.name,
            fingerprint=self.fingerprint,
            timings_ms={"detect": round(took, 2)},
        )

    def look_again(
        self, photo: NDArray[np.uint8], regions: Sequence[Box], *, min_confidence: float | None
    ) -> tuple[Face, ...]:
        """Faces found on crops around `regions` only: one request for each group of them.

        Raises:
            DetectorFailed: the service refused, or answered what cannot be.
            Unavailable: it is overloaded or did not answer; trying again may work.
        """
        least = MIN_CONFIDENCE if min_confidence is None else min_confidence
        height, width = photo.shape[:2]
        around = [region.padded(1.0).clipped(width, height) for region in regions]
        found: list[Face] = []
        for group in clusters([box for box in around if box is not None]):
            found += self._part(photo, enclosing(group))
        return _distinct(found, least)

    def _likely_turns(self, photo: Photo) -> tuple[Turn, ...]:
        height, width = photo.shape[:2]
        seen = [
            sum(
                f.confidence for f in self._part(np.rot90(photo, turn), _frame(turn, width, height))
            )
            for turn in _TURNS
        ]
        best = _TURNS[int(np.argmax(seen))]
        return (0,) if best == 0 else (0, best)

    def _whole(self, photo: Photo) -> list[Face]:
        height, width = photo.shape[:2]
        found = self._part(photo, Box(0, 0, width, height))
        if max(height, width) > SIDE:
            for tile in tiles(width, height, most=SIDE, overlap=TILE_OVERLAP):
                found += self._part(photo, tile)
        return found

    def _part(self, photo: Photo, part: Box) -> list[Face]:
        """Faces on a part of the frame, sent with at most `SIDE` pixels a side."""
        pixels = photo[part.top : part.bottom, part.left : part.right]
        scaled, scale = resized(pixels, SIDE) if max(pixels.shape[:2]) > SIDE else (pixels, 1.0)
        details, sent = self._ask(scaled)
        if len(details) >= MAX_FACES:
            return [face for quarter in _quarters(part) for face in self._part(photo, quarter)]
        faces = (_face(detail, sent, scale, part, photo) for detail in details)
        return [face for face in faces if face is not None]

    def _ask(self, photo: Photo) -> tuple[Sequence[Mapping[str, Any]], tuple[int, int]]:
        """One request: the answer's `FaceDetails`, and the size (width, height) it refers to."""
        data, size = _encoded(photo)
        try:
            answer = self._client.detect_faces(Image={"Bytes": data})
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _TRY_AGAIN:
                raise _unavailable(code) from error
            raise DetectorFailed(
                "Amazon Rekognition refused to look at a photo",
                why=f"it answered `{code}`",
                fix="check the credentials' permission rekognition:DetectFaces and the region",
                code="rekognition_refused",
            ) from error
        except BotoCoreError as error:
            raise _unavailable(type(error).__name__) from error
        details = answer.get("FaceDetails")
        if not isinstance(details, list):
            raise _nonsense("it holds no `FaceDetails`")
        return details, size


def _encoded(photo: Photo) -> tuple[bytes, tuple[int, int]]:
    """A JPEG within the service's limits; a photo too small is framed in black."""
    height, width = photo.shape[:2]
    picture = Image.fromarray(photo)
    if min(width, height) < MIN_SIDE:
        framed = Image.new("RGB", (max(width, MIN_SIDE), max(height, MIN_SIDE)))
        framed.paste(picture)
        picture = framed
    for quality in _QUALITIES:
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=quality)
        if out.tell() <= MAX_BYTES:
            return out.getvalue(), picture.size
    raise DetectorFailed(
        "a part of the photo cannot be sent to Amazon Rekognition",
        why=f"it has more than {MAX_BYTES} bytes however it is compressed",
        fix="use the bundled detector for this collection",
        code="rekognition_too_large",
    )


def _face(
    detail: Mapping[str, Any], sent: tuple[int, int], scale: float, part: Box, photo: Photo
) -> Face | None:
    try:
        ratios = [float(detail["BoundingBox"][k]) for k in ("Left", "Top", "Width", "Height")]
        confidence = float(detail["Confidence"]) / 100
        points = {
            _LANDMARKS[mark["Type"]]: _point(float(mark["X"]), float(mark["Y"]), sent, scale, part)
            for mark in detail.get("Landmarks", [])
            if mark["Type"] in _LANDMARKS
        }
    except (KeyError, TypeError, ValueError) as error:
        raise _nonsense("a face lacks its box or confidence") from error
    if not all(map(math.isfinite, [*ratios, confidence])) or not 0 <= confidence <= 1:
        raise _nonsense("a face's box or confidence is not a number")
    left, top = _point(ratios[0], ratios[1], sent, scale, part)
    right, bottom = _point(ratios[0] + ratios[2], ratios[1] + ratios[3], sent, scale, part)
    box = Box(
        math.floor(left),
        math.floor(top),
        max(math.ceil(right), math.floor(left) + 1),
        max(math.ceil(bottom), math.floor(top) + 1),
    ).clipped(photo.shape[1], photo.shape[0])
    if box is None:
        return None
    marks = Landmarks(**points) if len(points) == len(_LANDMARKS) else None
    return Face(box=box, confidence=confidence, network="rekognition", landmarks=marks)


def _point(x: float, y: float, sent: tuple[int, int], scale: float, part: Box) -> Point:
    return (part.left + x * sent[0] / scale, part.top + y * sent[1] / scale)


def _quarters(part: Box) -> list[Box]:
    if min(part.width, part.height) < 4 * MIN_SIDE:
        raise DetectorFailed(
            "Amazon Rekognition could not report every face",
            why=f"it reports {MAX_FACES} faces at most, and a part of the photo holds more",
            fix="use the bundled detector for this collection",
            code="rekognition_too_many_faces",
        )
    halves = tiles(
        part.width,
        part.height,
        most=max(part.width, part.height) * 5 // 8,
        overlap=max(part.width, part.height) // 4,
    )
    return [
        Box(part.left + b.left, part.top + b.top, part.left + b.right, part.top + b.bottom)
        for b in halves
    ]


def _distinct(faces: Sequence[Face], least: float) -> tuple[Face, ...]:
    sure = [face for face in faces if face.confidence >= least]
    edges = [(f.box.left, f.box.top, f.box.right, f.box.bottom) for f in sure]
    boxes = np.array(edges, np.float32).reshape(-1, 4)
    scores = np.array([f.confidence for f in sure], np.float32)
    return tuple(sure[i] for i in best_of_each(boxes, scores, SAME_FACE))


def _unturned(face: Face, turn: Turn, width: int, height: int) -> Face:
    if turn == 0:
        return face
    # Landmarks named on a turned photo would name the wrong eye here; the box is what counts.
    return Face(
        box=unturned(face.box, turn, width, height),
        confidence=face.confidence,
        network=face.network,
    )


def _frame(turn: Turn, width: int, height: int) -> Box:
    return Box(0, 0, width, height) if turn in {0, 2} else Box(0, 0, height, width)


def _unavailable(why: str) -> Unavailable:
    return Unavailable(
        "Amazon Rekognition did not answer",
        why=why,
        fix="it is tried again by itself; raise the account's quota if it stays so",
        code="rekognition_unavailable",
    )


def _nonsense(why: str) -> DetectorFailed:
    return DetectorFailed(
        "Amazon Rekognition gave an answer that cannot be right",
        why=why,
        code="detector_nonsense",
    )
