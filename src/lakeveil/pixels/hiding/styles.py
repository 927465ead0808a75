"""`blur`, `pixelate` and `fill`: the covers that people know. See `veil` for the default.

`blur` and `pixelate` are made of the face itself and keep what at most 8 blocks across the mask
can say: an attacker who treats his own gallery the same way can often still match it. `fill`
keeps nothing.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lakeveil.core.geometry import Box
from lakeveil.pixels.hiding.mask import Mask

FILL_GREY = 128
PIXELS_PER_BLOCK = 12
"""A mask smaller than `blocks` times this gets fewer blocks: a tiny face has no detail to keep."""
NOISE = 10.0
"""Standard deviation of the noise on the brightness of each block of `blur`, in levels of 255."""


def blur(target: NDArray[np.uint8], mask: Mask, blocks: int) -> None:
    """Average to at most `blocks` blocks across, add noise, smooth up again.

    The noise comes from a generator seeded with the frame's size, the mask's place and the block
    averages: the same photo gives the same release, byte for byte. It hides nothing from somebody
    who holds the very same photo; it is there so that averages cannot be read off exactly.
    """
    averages = _block_averages(target, mask.bounds, blocks)
    place = np.array([*target.shape, *_corners(mask.bounds), *_corners(mask.box)], np.int64)
    seed = hashlib.sha256(place.tobytes() + averages.tobytes()).digest()
    noise = np.random.default_rng(int.from_bytes(seed)).normal(0.0, NOISE, averages.shape[:2])
    noisy = np.clip(np.rint(averages + noise[:, :, None]), 0, 255).astype(np.uint8)
    mask.paste(target, _resized(noisy, mask.bounds, Image.Resampling.BICUBIC), mask.bounds)


def pixelate(target: NDArray[np.uint8], mask: Mask, blocks: int) -> None:
    """Average to at most `blocks` square-ish blocks across, drawn as such."""
    averages = _block_averages(target, mask.bounds, blocks)
    mask.paste(target, _resized(averages, mask.bounds, Image.Resampling.NEAREST), mask.bounds)


def fill(target: NDArray[np.uint8], mask: Mask) -> None:
    """One mid grey, whatever was there."""
    channels = _colour_channels(target)
    shape = (mask.bounds.height, mask.bounds.width, channels)
    mask.paste(target, np.broadcast_to(np.uint8(FILL_GREY), shape), mask.bounds)


def _block_averages(photo: NDArray[np.uint8], at: Box, blocks: int) -> NDArray[np.uint8]:
    """(rows, columns, colour channels); `blocks` along the longer side at most."""
    longest = max(at.width, at.height)
    side = longest / max(1, min(blocks, longest // PIXELS_PER_BLOCK))
    size = (max(1, round(at.width / side)), max(1, round(at.height / side)))
    channels = _colour_channels(photo)
    part = np.ascontiguousarray(photo[at.top : at.bottom, at.left : at.right, :channels])
    # BOX is the plain mean of the pixels under a block; reducing first makes it quick.
    image = Image.fromarray(part if channels > 1 else part[:, :, 0])
    small = image.resize(size, Image.Resampling.BOX)
    return np.asarray(small).reshape(size[1], size[0], channels)


def _resized(blocks: NDArray[np.uint8], at: Box, resampling: Image.Resampling) -> NDArray[np.uint8]:
    channels = blocks.shape[2]
    image = Image.fromarray(blocks if channels > 1 else blocks[:, :, 0])
    large = np.asarray(image.resize((at.width, at.height), resampling))
    return large.reshape(at.height, at.width, channels)


def _corners(box: Box) -> tuple[int, int, int, int]:
    return box.left, box.top, box.right, box.bottom


def _colour_channels(photo: NDArray[np.uint8]) -> int:
    return 1 if photo.shape[2] <= 2 else 3  # noqa: PLR2004 - grey, or grey with alpha
