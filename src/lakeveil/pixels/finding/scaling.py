"""Resize photos for a network: every pixel counts when shrinking, and memory stays bounded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Photo = NDArray[np.uint8]
_STRIP_PIXELS = 2_000_000
_SMOOTH = Image.Resampling.BILINEAR
SHARED = 1024
"""Long side of the reduction of a big photo from which its smaller ones are made."""


class Pyramid:
    """A frame and its reductions, each made once, from the smallest that is large enough."""

    def __init__(self, photo: Photo) -> None:
        self.photo = photo
        self._made = [photo]

    @property
    def longest(self) -> int:
        """The longer side of the frame in pixels."""
        longest: int = max(self.photo.shape[:2])
        return longest

    def at(self, long_side: int) -> tuple[Photo, float]:
        """The frame with its longer side at `long_side`, and the scale (theirs / the frame's)."""
        if long_side < SHARED <= self.longest // 2:
            self._reduced(SHARED)
        return self._reduced(long_side), long_side / self.longest

    def fine_enough(self, scale: float) -> tuple[Photo, float]:
        """The smallest version made so far that shows at least `scale` pixels per pixel."""
        made = ((p, max(p.shape[:2]) / self.longest) for p in self._made)
        return min((m for m in made if m[1] >= min(scale, 1.0)), key=lambda m: m[1])

    def _reduced(self, long_side: int) -> Photo:
        enough = [p for p in self._made if max(p.shape[:2]) >= long_side] or [self.photo]
        scaled, scale = resized(min(enough, key=np.size), long_side)
        if scale < 1:
            self._made.append(scaled)
        return scaled


def resized(photo: Photo, long_side: int) -> tuple[Photo, float]:
    """The photo with its longer side at `long_side` pixels, and the scale (theirs / ours).

    Shrinking averages every pixel (none is skipped, so nothing aliases); enlarging interpolates.
    """
    height, width = photo.shape[:2]
    scale = long_side / max(height, width)
    if scale == 1:
        return photo, 1.0
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    factor = int(1 / scale)
    if factor <= 1 or width * height <= _STRIP_PIXELS:
        picture = Image.fromarray(photo)
        # The same as below, when it fits into memory whole.
        return np.asarray(picture.resize(size, _SMOOTH, reducing_gap=1.0)), scale
    picture = Image.fromarray(_averaged(photo, factor))
    # The last block may hang over the edge; `box` keeps the geometry exact.
    box = (0.0, 0.0, width / factor, height / factor)
    return np.asarray(picture.resize(size, _SMOOTH, box=box)), scale


def _averaged(photo: Photo, factor: int) -> Photo:
    """Blocks of `factor` x `factor` pixels averaged, some rows at a time."""
    height, width = photo.shape[:2]
    rows = max(1, _STRIP_PIXELS // (width * factor)) * factor
    strips = [
        np.asarray(Image.fromarray(photo[top : top + rows]).reduce(factor))
        for top in range(0, height, rows)
    ]
    return np.concatenate(strips)
