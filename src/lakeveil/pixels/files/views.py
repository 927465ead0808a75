"""The other pictures that a viewer can make of a frame's numbers, so that they are looked at too.

A viewer that manages colours shows what the colour profile makes of them; one of scientific or
medical pictures stretches their range; a browser follows a PNG's gamma.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lakeveil.pixels.files import colour_profile

Pixels = NDArray[np.uint8]

LEAST_LEVELS = 64
"""Of 256. A frame that uses fewer is also looked at with its range stretched. On the demo photos
the detector finds every face at a quarter and at an eighth of the contrast too, so a quarter leaves
room."""
MOST_SHIFT, MOST_SLOPE, MOST_MEAN = 28, 3, 28
"""In levels of 256: a profile is like sRGB that moves no grey by more than `MOST_SHIFT`, draws no
two neighbouring greys further apart than `MOST_SLOPE`, and moves colours by less than `MOST_MEAN`
on average. Measured: Adobe RGB 9, 2 and 11; Display P3 9, 2 and 12; ProPhoto 19, 2 and 25, and the
same faces are found in either view of the demo photos. Linear light (73, 13 and 44) is not like it,
nor are curves made to hide something."""
_OUTLIERS = (0.5, 99.5)
_SAMPLES = 500
_SCREEN = 2.2
_LIKE_SCREEN = 1.35


def managed(pixels: Pixels, icc: bytes) -> Pixels:
    """(height, width, 3) uint8 as they look by their profile of RGB or grey, in sRGB.

    Raises:
        PyCMSError: the profile cannot be used.
    """
    mode = colour_profile.space(icc)
    image = Image.fromarray(pixels if mode == "RGB" else np.ascontiguousarray(pixels[:, :, 0]))
    made = colour_profile.to_srgb(mode, icc).apply(image)
    return np.asarray(made)


@lru_cache(maxsize=64)
def is_like_srgb(icc: bytes) -> bool:
    """Whether no frame can look materially different through a profile of curves and a matrix.

    Curves have one value for each level, so looking at every grey and a grid of colours looks at
    all that they do. Of tables, which can do anything between the grid's colours, it says no.
    """
    if b"A2B0" in icc[132:260]:
        return False
    greys = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    shown = managed(greys, icc).astype(int)
    if np.abs(shown - greys).max() > MOST_SHIFT or np.diff(shown, axis=1).max() > MOST_SLOPE:
        return False
    steps = np.arange(0, 256, 17, dtype=np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
    if colour_profile.space(icc) != "RGB":
        return True
    return float(np.abs(managed(grid, icc).astype(int) - grid).mean()) <= MOST_MEAN


def stretched(values: NDArray[np.uint8] | NDArray[np.uint16]) -> Pixels | None:
    """Values of (height, width, channels) over all of 8 bits; None where they fill it well."""
    low, high = _range(values)
    whole = np.iinfo(values.dtype).max + 1
    if high - low < 1 or high - low >= LEAST_LEVELS / 256 * whole:
        return None
    table = np.clip((np.arange(whole) - low) * (255 / (high - low)), 0, 255)
    return np.asarray(table.astype(np.uint8)[values])


def is_dim(pixels: Pixels) -> bool:
    """Whether a frame uses few of its levels, or one."""
    low, high = _range(pixels)
    return high - low < LEAST_LEVELS


def _range(values: NDArray[np.uint8] | NDArray[np.uint16]) -> tuple[float, float]:
    """The darkest and the brightest but a few: a white dot would hide the rest in the dark."""
    step = max(1, min(values.shape[:2]) // _SAMPLES)
    low, high = np.percentile(values[::step, ::step], _OUTLIERS)
    return float(low), float(high)


def with_gamma(pixels: Pixels, gamma: float) -> Pixels | None:
    """What a browser makes of a PNG's gamma (section 13.13); None where it is a screen's."""
    exponent = 1 / max(gamma * _SCREEN, 1e-3)
    if 1 / _LIKE_SCREEN < exponent < _LIKE_SCREEN:
        return None
    table = np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)
    return np.asarray(table[pixels])
