"""Landmarks exact enough to measure a pose by.

YuNet draws landmarks as if every face were nearly upright, CenterFace leans the same way beyond
some 20 degrees. So CenterFace looks at each face, the crop is turned by the roll it sees, and it
looks again: near upright its points are good to a few degrees. For the redaction they do not
matter, so this is only done where details are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from lakeveil.core.faces import Face, Landmarks, Point
from lakeveil.pixels.finding import centerface
from lakeveil.pixels.finding.candidates import Array, Candidates
from lakeveil.pixels.finding.face_details import roll
from lakeveil.pixels.finding.looks import Networks
from lakeveil.pixels.finding.scaling import Photo

CELL, FACE = 192, 96
TURNINGS = 3
LEAST = 0.2
"""Raw score below which CenterFace does not see the face, and its points are worth nothing."""
AT_ONCE = 4


def with_exact_landmarks(
    photo: Photo, networks: Networks, faces: Sequence[Face]
) -> tuple[Face, ...]:
    """The same faces with their landmarks placed anew; None where CenterFace sees no face.

    Raises:
        DetectorFailed: it could not run.
    """
    result: list[Face] = []
    for start in range(0, len(faces), AT_ONCE):
        batch = faces[start : start + AT_ONCE]
        crops = [_crop(photo, face) for face in batch]
        rolls = [0.0] * len(batch)
        marks: list[Landmarks | None] = [None] * len(batch)
        for _ in range(TURNINGS):
            turned = [_turned(crop, angle) for crop, angle in zip(crops, rolls, strict=True)]
            marks = _points(networks, turned)
            rolls = [
                angle + roll(m) if m is not None else angle
                for angle, m in zip(rolls, marks, strict=True)
            ]
        # The last look was at a crop turned by less than `rolls` say now.
        for face, m, angle in zip(batch, marks, rolls, strict=True):
            back = None if m is None else _back(m, face, angle - roll(m))
            result.append(replace(face, landmarks=back))
    return tuple(result)


def _points(networks: Networks, crops: Sequence[Image.Image]) -> list[Landmarks | None]:
    blob = np.concatenate([centerface.blob(np.asarray(crop)) for crop in crops])
    outputs = networks.centerface(blob)
    at, found = centerface.proposals(outputs, blob.shape, least=LEAST)
    return [_middle_one(found.where(at == i)) for i in range(len(crops))]


def _middle_one(candidates: Candidates) -> Landmarks | None:
    """Of the most confident face that holds the middle of the crop, relative to that middle."""
    middle = np.float32(CELL / 2)
    holds = (candidates.boxes[:, :2] < middle).all(1) & (candidates.boxes[:, 2:] > middle).all(1)
    if not holds.any():
        return None
    best = int((candidates.scores * holds).argmax())
    points: Array = candidates.landmarks[best] - middle
    named = [(float(x), float(y)) for x, y in points]
    return Landmarks(
        eye_left=named[0],
        eye_right=named[1],
        nose=named[2],
        mouth_left=named[3],
        mouth_right=named[4],
    )


def _crop(photo: Photo, face: Face) -> Image.Image:
    """Around the face, `FACE` pixels large, with room to turn; black beyond the frame."""
    half = _half(face)
    (x, y), height, width = _centre(face), *photo.shape[:2]
    left, top = math.floor(x - half), math.floor(y - half)
    right, bottom = math.ceil(x + half), math.ceil(y + half)
    inside = photo[max(0, top) : min(height, bottom), max(0, left) : min(width, right)]
    whole = Image.new("RGB", (right - left, bottom - top))
    whole.paste(Image.fromarray(inside), (max(0, -left), max(0, -top)))
    exact = (x - half - left, y - half - top, x + half - left, y + half - top)
    side = round(CELL * math.sqrt(2))
    return whole.resize((side, side), Image.Resampling.BILINEAR, box=exact, reducing_gap=2.0)


def _turned(crop: Image.Image, angle: float) -> Image.Image:
    turned = crop.rotate(angle, Image.Resampling.BICUBIC)
    edge = (crop.width - CELL) / 2
    return turned.transform(
        (CELL, CELL), Image.Transform.EXTENT, (edge, edge, edge + CELL, edge + CELL)
    )


def _back(marks: Landmarks, face: Face, angle: float) -> Landmarks:
    """From a crop that was turned counter-clockwise by `angle` degrees to the photo."""
    radians = math.radians(angle)
    cos, sin = math.cos(radians), math.sin(radians)
    x, y = _centre(face)
    step = 2 * _half(face) / round(CELL * math.sqrt(2))

    def point(p: Point) -> Point:
        return (x + (p[0] * cos - p[1] * sin) * step, y + (p[0] * sin + p[1] * cos) * step)

    return Landmarks(
        eye_left=point(marks.eye_left),
        eye_right=point(marks.eye_right),
        nose=point(marks.nose),
        mouth_left=point(marks.mouth_left),
        mouth_right=point(marks.mouth_right),
    )


def _half(face: Face) -> float:
    return max(face.box.width, face.box.height) * CELL / FACE / 2 * math.sqrt(2)


def _centre(face: Face) -> Point:
    box = face.box
    return ((box.left + box.right) / 2, (box.top + box.bottom) / 2)
