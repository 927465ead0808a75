"""A small real detector, and photos for it: a face is a square of pure magenta.

It looks at the pixels like any other, so what was hidden from it is hidden, and what was missed
can be found again. Wrappers around it go wrong in the ways that detectors do.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lakeveil.core.faces import Detections, Face
from lakeveil.core.geometry import Box

Pixels = NDArray[np.uint8]
MAGENTA = (255, 0, 255)
BACKGROUND = (40, 120, 60)


class MagentaFaces:
    """Finds areas of at least 4 x 4 magenta pixels; areas must not share rows *and* columns."""

    name = "planted/magenta"
    fingerprint = "5" * 64

    def __init__(self) -> None:
        self.probed: list[bool] = []
        self.looked_again: list[tuple[Box, ...]] = []

    def detect(
        self, photo: Pixels, *, min_confidence: float | None, probe_orientation: bool = False
    ) -> Detections:
        """All faces of a frame."""
        del min_confidence
        self.probed.append(probe_orientation)
        return Detections(
            width=photo.shape[1],
            height=photo.shape[0],
            faces=tuple(face(box) for box in magenta_areas(photo)),
            detector=self.name,
            fingerprint=self.fingerprint,
        )

    def look_again(
        self, photo: Pixels, regions: Sequence[Box], *, min_confidence: float | None
    ) -> tuple[Face, ...]:
        """Those that lie within twice the size of a region around it."""
        del min_confidence
        self.looked_again.append(tuple(regions))
        around = [r.padded(1.0) for r in regions]
        return tuple(
            face(b) for b in magenta_areas(photo) if any(b.intersection(a) for a in around)
        )


def face(box: Box) -> Face:
    """A face that somebody is quite sure of."""
    return Face(box=box, confidence=0.9, network="planted")


def magenta_areas(photo: Pixels) -> list[Box]:
    """Boxes around the magenta areas."""
    red, green, blue = (photo[:, :, i].astype(int) for i in range(3))
    return _cut(np.minimum(red, blue) - green > 160, 0, 0)


def _cut(found: NDArray[np.bool_], left: int, top: int) -> list[Box]:
    """Split at empty rows and columns until there is nothing left to split."""
    boxes: list[Box] = []
    for first, last in _runs(found.any(axis=1)):
        band = found[first:last]
        for start, stop in _runs(band.any(axis=0)):
            part = band[:, start:stop]
            if part.shape != found.shape:
                boxes += _cut(part, left + start, top + first)
            elif min(part.shape) >= 4:
                boxes.append(Box(left, top, left + part.shape[1], top + part.shape[0]))
    return boxes


def _runs(which: Any) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.r_[0, which.astype(np.int8), 0]))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def picture(width: int, height: int, *faces: Box) -> Pixels:
    """A green surface with magenta squares."""
    pixels = np.full((height, width, 3), BACKGROUND, np.uint8)
    for box in faces:
        pixels[box.top : box.bottom, box.left : box.right] = MAGENTA
    return pixels


def file_of(*frames: Pixels, format: str = "PNG", **options: object) -> bytes:  # noqa: A002 - Pillow's own name
    """The frames as a file; several make an animation or a document of pages."""
    out = io.BytesIO()
    first, *others = (Image.fromarray(f) for f in frames)
    more = {"save_all": True, "append_images": others} if others else {}
    first.save(out, format, **more, **options)
    return out.getvalue()


def frames_of(data: bytes) -> list[Pixels]:
    """The frames of a file, RGB."""
    with Image.open(io.BytesIO(data)) as image:
        frames = []
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            frames.append(np.asarray(image.convert("RGB")))
        return frames
