"""Resize photos for a network: every pixel counts when shrinking, and memory stays bounded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Photo = NDArray[np.uint8]
_STRIP_PIXELS = 2_000_000


def resized(photo: Photo, long_side: int) -> tuple[Photo, float]:
    """The photo with its longer side at `long_side` pixels, and the scale (theirs / ours).

    Shrinking averages every pixel (none is skipped, so nothing aliases); enlarging interpolates.
    """
    height, width = photo.shape[:2]
    scale = long_side / max(height, width)
    if scale == 1:
        return photo, 1.0
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    factor = int(1 / scale / 2)
    source = _averaged(photo, factor) if factor > 1 else photo
    picture = Image.fromarray(source)
    # The last block may hang over the edge; `box` keeps the geometry exact.
    box = (0.0, 0.0, width / max(factor, 1), height / max(factor, 1))
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR, box=box)), scale


def _averaged(photo: Photo, factor: int) -> Photo:
    """Blocks of `factor` x `factor` pixels averaged, some rows at a time."""
    height, width = photo.shape[:2]
    rows = max(1, _STRIP_PIXELS // (width * factor)) * factor
    strips = [
        np.asarray(Image.fromarray(photo[top : top + rows]).reduce(factor))
        for top in range(0, height, rows)
    ]
    return np.concatenate(strips)
