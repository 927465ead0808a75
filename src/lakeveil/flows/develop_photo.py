"""One photo from untrusted bytes to a rendition that may be released.

    inspect -> decode -> look for faces on every frame
        nothing to hide: the file with its metadata cleaned
        else, frame by frame: redact -> look again around the redactions -> redact harder -> ...
             -> encode; what still shows at the last look is never released

Whatever errs raises `CannotLook`: there is no way through this file around the detector.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lakeveil.core.faces import Detections, Face
from lakeveil.core.geometry import Box
from lakeveil.core.photos import Instructions, RedactionPolicy
from lakeveil.errors import BadPhoto, CannotLook, DetectorFailed, Unavailable
from lakeveil.pixels.files.decode import Decoded, Frame, decode
from lakeveil.pixels.files.encode import encode
from lakeveil.pixels.files.limits import Header, Limits, inspect
from lakeveil.pixels.files.metadata import clean
from lakeveil.pixels.files.refusals import bad
from lakeveil.pixels.files.sniff import Format
from lakeveil.pixels.hiding.mask import covered_share
from lakeveil.pixels.hiding.redact import Cover, covers, hidden, hide_under, still_visible
from lakeveil.pixels.hiding.veil import Veils
from lakeveil.pixels.rendition import RedactedFrame, Rendition
from lakeveil.ports import FaceDetector

T = TypeVar("T")

LOOKS = 4
"""Looks after a redaction. Each but the last may lead to a harder one; in a crowd a closer look
finds faces that the first one missed, and around them perhaps yet another."""
LEAST_AGAIN = 0.2
"""Confidence from which a find counts when looking again, unless the policy says otherwise. More
than at the first look: a cover with hair around it is a face to a detector that is not very sure,
and all that it sees now is covers with hair around them."""
NEW_FACE_SHARE = 0.5
"""A face found again that is less covered than this was missed, not badly hidden."""
SAME_FACE_IOU = 0.5


def develop(
    data: bytes,
    *,
    policy: RedactionPolicy,
    instructions: Instructions,
    detector: FaceDetector,
    limits: Limits,
) -> Rendition:
    """Examine and redact one file.

    `timings_ms` of the result holds one figure a stage: inspect, decode, detect, redact,
    look_again, encode or clean. It runs in a process that can be killed: see
    `lakeveil.adapters.darkroom`.

    Raises:
        BadPhoto: the file is damaged or over its limits, or a face still showed at the last look
            (`face_still_visible`; a reviewer's `approved` takes responsibility for that).
        DetectorFailed: the detector raised; no face was looked for.
    """
    watch = Stopwatch()
    with watch.stage("inspect"):
        header = inspect(data, limits)
    with watch.stage("decode"):
        decoded = decode(data, header)
    looks, only = _look_at_every_frame(decoded, policy, detector, watch)
    also = _of_neighbours(looks, policy, instructions, header)
    if not any(
        covers(look, policy, instructions, also=boxes)
        for look, boxes in zip(looks, also, strict=True)
    ):
        with watch.stage("clean"):
            cleaned = clean(data, header, policy.keep_metadata)
        return _rendition(cleaned, header.release_content_type, header, looks, watch)
    # A single frame is still here; of an animation's, only one at a time is ever in memory.
    shots = iter([only]) if only is not None else watch.each("decode", decoded.frames())
    hiding = _Hiding(policy=policy, instructions=instructions, detector=detector, watch=watch)
    developed: list[Detections] = []

    def redacted() -> Iterator[RedactedFrame]:
        for shot, look, boxes in zip(shots, looks, also, strict=True):
            frame = hiding.hide(shot, look, boxes)
            developed.append(frame.detections)
            yield frame

    with watch.stage("encode"):
        encoded = encode(decoded, redacted(), keep=policy.keep_metadata)
    return _rendition(encoded.data, encoded.content_type, header, developed, watch, redacted=True)


def look_at(shot: Frame, policy: RedactionPolicy, detector: FaceDetector) -> Detections:
    """The faces on one frame, in every picture that a viewer could make of it.

    Quarter turns are tried if the policy wants, even where the file says which way is up: software
    that turns pixels and leaves the old tag behind is common, and what is found more does no harm.

    Raises:
        DetectorFailed: the detector raised, whatever it raised, or looked at something else.
    """
    probe = policy.probe_orientation
    with _asking():
        seen = [
            detector.detect(view, min_confidence=policy.min_confidence, probe_orientation=probe)
            for view in shot.views()
        ]
    size = (shot.pixels.shape[1], shot.pixels.shape[0])
    if any((d.width, d.height) != size for d in seen):
        raise DetectorFailed(
            "the detector looked at another picture than it was given",
            why=f"it was given {size[0]} x {size[1]} pixels",
            fix="report this with the detector's name",
        )
    return replace(seen[0], faces=_merged(d.faces for d in seen))


def _look_at_every_frame(
    decoded: Decoded, policy: RedactionPolicy, detector: FaceDetector, watch: Stopwatch
) -> tuple[list[Detections], Frame | None]:
    """Detections of each frame in order; with them the frame itself, if there is only one."""
    looks: list[Detections] = []
    only: Frame | None = None
    for shot in watch.each("decode", decoded.frames()):
        with watch.stage("detect"):
            looks.append(look_at(shot, policy, detector))
        only = shot if len(looks) == 1 else None
    if not looks:
        raise bad("undecodable", "it holds no frame")
    return looks, only


def _of_neighbours(
    looks: Sequence[Detections],
    policy: RedactionPolicy,
    instructions: Instructions,
    header: Header,
) -> list[tuple[Box, ...]]:
    """What was found on the frame before and the frame after, so that no face flashes up.

    A face that a detector misses on up to two frames in a row is hidden there all the same.
    Pages of a TIFF have nothing to do with each other.
    """
    if header.format is Format.TIFF:
        return [()] * len(looks)
    found = [
        tuple(f.box.padded(policy.margin) for f in hidden(d.faces, instructions)) for d in looks
    ]
    framed = [(), *found, ()]
    return [before + after for before, after in zip(framed[:-2], framed[2:], strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hiding:
    """How the frames of one file are redacted."""

    policy: RedactionPolicy
    instructions: Instructions
    detector: FaceDetector
    watch: Stopwatch

    def hide(self, shot: Frame, look: Detections, also: tuple[Box, ...]) -> RedactedFrame:
        """Redact, and look again until nothing shows.

        Raises:
            BadPhoto: `face_still_visible`.
            DetectorFailed: it could not look again.
        """
        pixels = shot.layers
        harder: tuple[Face, ...] = ()
        veils: Veils = {}
        frame, every = self._redacted(pixels, look, also, harder, veils)
        unchecked = frame.regions
        for last in (*[False] * (LOOKS - 1), True):
            if not unchecked:
                break
            showing = self._showing(_views(frame, shot), unchecked, every)
            if not showing or (last and self.instructions.approved):
                break
            if last:
                raise _still_visible(showing)
            masks = [c.mask for c in every]
            missed = tuple(f for f in showing if covered_share(f.box, masks) < NEW_FACE_SHARE)
            harder += tuple(f for f in showing if f not in missed)
            look = replace(look, faces=look.faces + missed)
            frame, every = self._redacted(pixels, look, also, harder, veils)
            unchecked = tuple(f.box for f in showing)
        return frame

    def _redacted(
        self,
        pixels: NDArray[np.uint8],
        look: Detections,
        also: tuple[Box, ...],
        harder: tuple[Face, ...],
        veils: Veils,
    ) -> tuple[RedactedFrame, list[Cover]]:
        with self.watch.stage("redact"):
            every = covers(look, self.policy, self.instructions, also=also, harder=harder)
            return hide_under(every, pixels, look, self.policy, veils=veils), every

    def _showing(
        self, views: Sequence[NDArray[np.uint8]], regions: Sequence[Box], every: Sequence[Cover]
    ) -> tuple[Face, ...]:
        wanted = self.policy.min_confidence
        least = LEAST_AGAIN if wanted is None else wanted
        with self.watch.stage("look_again"), _asking():
            found = _merged(
                self.detector.look_again(view, regions, min_confidence=least) for view in views
            )
        height, width = views[0].shape[:2]
        on_frame = (replace(f, box=box) for f in found if (box := f.box.clipped(width, height)))
        return still_visible(on_frame, every, self.instructions)


def _views(frame: RedactedFrame, shot: Frame) -> tuple[NDArray[np.uint8], ...]:
    """What viewers could make of a redacted frame, as of the frame that it was made from."""
    colours, alpha = frame.pixels[:, :, :3], frame.pixels[:, :, 3:]
    return Frame(
        pixels=np.ascontiguousarray(colours),
        alpha=alpha[:, :, 0] if alpha.size else None,
        icc=shot.icc,
    ).views()


def _merged(found: Iterable[Iterable[Face]]) -> tuple[Face, ...]:
    """The faces of several views of one frame, each once: of two that are the same, the first."""
    every: list[Face] = []
    for faces in found:
        known = tuple(every)
        every += [f for f in faces if all(f.box.iou(k.box) < SAME_FACE_IOU for k in known)]
    return tuple(every)


def _still_visible(showing: Sequence[Face]) -> BadPhoto:
    box = showing[0].box
    return BadPhoto(
        "a face still shows after the redaction",
        why=f"the last look found {len(showing)}, the first one at "
        f"{box.left},{box.top},{box.width},{box.height} (left, top, width, height)",
        fix="hide it with `lakeveil photo redact --box`, or release the photo as it is "
        "with `lakeveil photo release`",
        code="face_still_visible",
    )


@contextmanager
def _asking() -> Iterator[None]:
    """Whatever a detector raises means that it did not look."""
    try:
        yield
    except (CannotLook, Unavailable, MemoryError):
        raise
    except Exception as error:
        raise DetectorFailed(
            "the face detector failed",
            why=f"{type(error).__name__}: {error}",
            fix="retry the photo; if it happens again, check the weights with `lakeveil doctor`",
        ) from error


def _rendition(
    data: bytes,
    content_type: str,
    header: Header,
    looks: Sequence[Detections],
    watch: Stopwatch,
    *,
    redacted: bool = False,
) -> Rendition:
    return Rendition(
        data=data,
        content_type=content_type,
        width=header.width,
        height=header.height,
        detections=tuple(looks),
        redacted=redacted,
        timings_ms=watch.milliseconds(),
    )


class Stopwatch:
    """Wall-clock time by stage. Stages nest: an inner one's time is not also its outer one's."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._running: list[str] = []
        self._since = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Charge what happens inside to `name`."""
        self._charge()
        self._running.append(name)
        try:
            yield
        finally:
            self._charge()
            self._running.pop()

    def each(self, name: str, values: Iterator[T]) -> Iterator[T]:
        """The same values; what it takes to produce them is charged to `name`."""
        while True:
            with self.stage(name):
                try:
                    value = next(values)
                except StopIteration:
                    return
            yield value

    def milliseconds(self) -> dict[str, float]:
        """Stage -> milliseconds, in the order in which the stages first ended."""
        return {name: round(1e3 * s, 2) for name, s in self._seconds.items()}

    def _charge(self) -> None:
        now = time.perf_counter()
        if self._running:
            running = self._running[-1]
            self._seconds[running] = self._seconds.get(running, 0.0) + now - self._since
        self._since = now
