"""The veil: looks like a soft blurred face, and is made of what lies around the faces.

Inside the masks stands a smooth membrane (a solution of Laplace's equation) spanned between the
pixels outside *every* mask, so a face's neighbour never bleeds in either. In the middle of each
mask it bulges towards one tint: the face's mean colour with four bits a channel. At most these
12 bits of a face survive; without tint, none.

The membrane is computed on cells of several pixels. A cell that any mask touches counts as
unknown, so no average ever mixes a masked pixel in; where nothing is known, mid grey stands in.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lakeveil.core.geometry import Box, enclosing
from lakeveil.pixels.mask import Mask, touching

Colour = tuple[int, int, int] | tuple[int]
"""One value per colour channel, 0 to 255."""

Surface = NDArray[np.float32]
"""Colours of cells, (rows, columns, colour channels)."""

CELLS_ACROSS = 24
"""Cells across a mask: fine enough for a soft look, coarse enough to cost next to nothing."""
MAX_CELLS = 384
"""Most cells along a side of a group of masks; a crowd gets coarser cells, not more of them."""
MID_GREY = 128
TINT_STRENGTH = 0.85
_RING = 3
_SWEEPS = 4


def tint_of(pixels: NDArray[np.uint8], box: Box) -> Colour:
    """The mean colour of `box` (which lies on the photo), quantised to 4 bits a channel."""
    area = pixels[box.top : box.bottom, box.left : box.right]
    sums = area.sum(axis=0, dtype=np.uint64).sum(axis=0)[: _colour_channels(pixels)]
    # 16 levels, each shown by its middle.
    return tuple(int(s) // box.area // 16 * 16 + 8 for s in sums)  # type: ignore[return-value]


def lay_veil(
    target: NDArray[np.uint8],
    photo: NDArray[np.uint8],
    masks: Sequence[Mask],
    tints: Sequence[Colour | None],
    known_outside: Sequence[Mask],
) -> None:
    """Cover `masks` in `target` with a veil made from `photo`, both (height, width, channels).

    `known_outside` are all masks of the frame, these included: nothing within any of them is
    read. `tints` holds one colour, or None, per mask.
    """
    for group in touching(masks):
        chosen = [masks[i] for i in group]
        cell, at = _cells(chosen, photo.shape[1], photo.shape[0])
        grid = _averages(photo, at, cell)
        known = np.ones(grid.shape[:2], np.bool_)
        for mask in known_outside:
            if mask.bounds.touches(at):
                rows, columns, touched = mask.touched_cells(at, cell)
                part = known[rows, columns]
                part &= ~touched[: part.shape[0], : part.shape[1]]
        surface = _membrane(grid, known)
        for mask, tint in ((masks[i], tints[i]) for i in group):
            if tint is not None:
                _bulge(surface, mask, tint, at, cell)
        rounded = np.clip(np.rint(surface), 0, 255).astype(np.uint8)
        for mask in chosen:
            mask.paste(target, _enlarged(rounded, at, cell, mask.bounds), mask.bounds)


def _cells(masks: Sequence[Mask], width: int, height: int) -> tuple[int, Box]:
    """The side of a cell in pixels, and the part of the frame to look at."""
    bounds = enclosing(m.bounds for m in masks)
    smallest = min(min(m.bounds.width, m.bounds.height) for m in masks)
    longest = max(bounds.width, bounds.height)
    cell = max(1, smallest // CELLS_ACROSS, -(-longest // MAX_CELLS))
    ring = _RING * cell
    around = Box(
        max(0, bounds.left - ring),
        max(0, bounds.top - ring),
        min(width, bounds.right + ring),
        min(height, bounds.bottom + ring),
    )
    return cell, around


def _averages(photo: NDArray[np.uint8], at: Box, cell: int) -> Surface:
    """Mean colours of the cells, (rows, columns, colour channels)."""
    channels = _colour_channels(photo)
    part = photo[at.top : at.bottom, at.left : at.right, :channels]
    image = Image.fromarray(np.ascontiguousarray(part if channels > 1 else part[:, :, 0]))
    grid = np.asarray(image.reduce(cell), np.float32)
    return grid.reshape(grid.shape[0], grid.shape[1], channels)


def _membrane(grid: Surface, known: NDArray[np.bool_]) -> Surface:
    """Known cells as they are, a harmonic surface between them. Coarse to fine, then relaxed."""
    if not known.any():
        return np.full_like(grid, MID_GREY)
    # Unknown cells are dropped by replacing, not by weighing, so that nothing of them remains.
    grid = np.where(known[:, :, None], grid, np.float32(0))
    if known.all():
        return grid
    if min(grid.shape[:2]) > 1 or max(grid.shape[:2]) > 2:  # noqa: PLR2004 - 1 x 2 is coarsest
        sums, weights = _halved(grid), _halved(known[:, :, None].astype(np.float32))
        coarse = (sums / np.maximum(weights, 1)).astype(np.float32, copy=False)
        guess = _doubled(_membrane(coarse, weights[:, :, 0] > 0), grid.shape)
    else:
        mean = grid.sum(axis=(0, 1)) / np.float32(known.sum())
        guess = np.broadcast_to(mean, grid.shape).astype(np.float32)
    surface = np.where(known[:, :, None], grid, guess)
    for _ in range(_SWEEPS):
        surface = np.where(known[:, :, None], grid, _neighbour_mean(surface))
    return surface


def _neighbour_mean(surface: Surface) -> Surface:
    """Each cell's mean with its four neighbours; at the border it is its own neighbour."""
    # By hand: for the small surfaces of a crowd, numpy.pad takes longer than all the rest.
    total = surface + surface
    total[1:] += surface[:-1]
    total[0] += surface[0]
    total[:-1] += surface[1:]
    total[-1] += surface[-1]
    total[:, 1:] += surface[:, :-1]
    total[:, 0] += surface[:, 0]
    total[:, :-1] += surface[:, 1:]
    total[:, -1] += surface[:, -1]
    return (total - surface) / np.float32(5)


def _halved(values: Surface) -> Surface:
    """Sums of 2 x 2 cells; a missing last row or column counts as zero."""
    height, width = values.shape[:2]
    if height % 2 or width % 2:
        even = np.zeros((height + height % 2, width + width % 2, values.shape[2]), np.float32)
        even[:height, :width] = values
        values = even
    return values[::2, ::2] + values[1::2, ::2] + values[::2, 1::2] + values[1::2, 1::2]


def _doubled(values: Surface, shape: tuple[int, ...]) -> Surface:
    return values.repeat(2, axis=0).repeat(2, axis=1)[: shape[0], : shape[1]]


def _bulge(surface: Surface, mask: Mask, tint: Colour, at: Box, cell: int) -> None:
    """Draw `surface` towards `tint`: fully in the middle of the mask, not at all at its edge."""
    rows, columns, touched = mask.touched_cells(at, cell)
    part = surface[rows, columns]
    (x, y), (a, b) = mask.centre(), mask.half_axes()
    down = at.top + cell * (np.arange(part.shape[0]) + rows.start + 0.5)
    across = at.left + cell * (np.arange(part.shape[1]) + columns.start + 0.5)
    radius = np.sqrt(((across - x) / a)[None, :] ** 2 + ((down - y) / b)[:, None] ** 2)
    slope = np.clip((1.0 - radius) / 0.75, 0.0, 1.0)
    weight = TINT_STRENGTH * slope * slope * (3.0 - 2.0 * slope)
    weight = np.where(touched[: part.shape[0], : part.shape[1]], weight, 0.0)
    part += weight[:, :, None].astype(np.float32) * (np.array(tint, np.float32) - part)


def _enlarged(surface: NDArray[np.uint8], at: Box, cell: int, wanted: Box) -> NDArray[np.uint8]:
    """The pixels of `wanted`, interpolated between the middles of the cells that start at `at`."""
    left, top = wanted.left - at.left, wanted.top - at.top
    right, bottom = left + wanted.width, top + wanted.height
    if cell == 1:
        return surface[top:bottom, left:right]
    channels = surface.shape[2]
    image = Image.fromarray(surface if channels > 1 else surface[:, :, 0])
    large = image.resize(
        (wanted.width, wanted.height),
        Image.Resampling.BILINEAR,
        box=(left / cell, top / cell, right / cell, bottom / cell),
    )
    return np.asarray(large).reshape(wanted.height, wanted.width, channels)


def _colour_channels(photo: NDArray[np.uint8]) -> int:
    """Grey and grey with alpha have one colour channel; RGB and RGBA three."""
    return 1 if photo.shape[2] <= 2 else 3  # noqa: PLR2004 - see above
