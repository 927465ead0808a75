"""The veil: looks like a soft blurred face, and is made of what lies around the faces.

Inside the masks stands a smooth membrane (a solution of Laplace's equation) spanned between the
pixels outside *every* mask, so a face's neighbour never bleeds in either. In the middle of each
mask it bulges towards one tint: the face's mean colour with four bits a channel. At most these
12 bits of a face survive; without tint, none.

The membrane is computed on cells of several pixels. A cell that any mask touches counts as
unknown, so no average ever mixes a masked pixel in; where nothing is known, mid grey stands in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lakeveil.core.geometry import Box, enclosing
from lakeveil.pixels.hiding.mask import Mask, edges_of, reaching, touching

Colour = tuple[int, int, int] | tuple[int]
"""One value per colour channel, 0 to 255."""

Surface = NDArray[np.float32]
"""Colours of cells, (rows, columns, colour channels); of several surfaces, (n, ...)."""

CELLS_ACROSS = 24
"""Cells across a mask: fine enough for a soft look, coarse enough to cost next to nothing."""
MAX_CELLS = 384
"""Most cells along a side of a group of masks; a crowd gets coarser cells, not more of them."""
MID_GREY = 128
TINT_STRENGTH = 0.85
_RING = 3
_SWEEPS = 4
_ROUND_UP, _TOGETHER = 16, 32
"""Surfaces whose sides are equal after rounding up to so many cells are worked out together."""


def tint_of(pixels: NDArray[np.uint8], box: Box) -> Colour:
    """The mean colour of `box` (which lies on the photo), quantised to 4 bits a channel."""
    area = pixels[box.top : box.bottom, box.left : box.right]
    # A column of 16 million pixels would still fit.
    sums = area.sum(axis=0, dtype=np.uint32).sum(axis=0, dtype=np.uint64)[
        : _colour_channels(pixels)
    ]
    # 16 levels, each shown by its middle.
    return tuple(int(s) // box.area // 16 * 16 + 8 for s in sums)  # type: ignore[return-value]


def lay_veil(
    target: NDArray[np.uint8],
    photo: NDArray[np.uint8],
    masks: Sequence[Mask],
    tints: Sequence[Colour | None],
    known_outside: Sequence[Mask],
    *,
    made: Veils | None = None,
) -> None:
    """Cover `masks` in `target` with a veil made from `photo`, both (height, width, channels).

    `known_outside` are all masks of the frame, these included: nothing within any of them is
    read. `tints` holds one colour, or None, per mask. `made` keeps what was laid: a later call for
    the same `photo` (with more masks, say) takes from there what would come out the same.
    """
    made = {} if made is None else made
    edges = edges_of(known_outside)
    grounds = [
        _ground_of(photo, [masks[i] for i in g], [tints[i] for i in g], known_outside, edges)
        for g in touching(masks)
    ]
    new = [ground for ground in grounds if ground not in made]
    for ground, surface in zip(new, _membranes(photo, new), strict=True):
        made[ground] = _patches(surface, ground)
    for ground in grounds:
        for mask, patch in zip(ground.masks, made[ground], strict=True):
            mask.paste(target, patch, mask.bounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """What a group of masks is spanned over: all that its veil depends on but the photo."""

    masks: tuple[Mask, ...]
    tints: tuple[Colour | None, ...]
    unknown: tuple[Mask, ...]
    """Every mask of the frame that reaches into `at`."""
    cell: int
    """The side of a cell in pixels."""
    at: Box


Veils = dict[_Ground, list[NDArray[np.uint8]]]
"""Veils laid on one photo; for each mask the pixels of its bounds."""


def _ground_of(
    photo: NDArray[np.uint8],
    masks: Sequence[Mask],
    tints: Sequence[Colour | None],
    known_outside: Sequence[Mask],
    edges: NDArray[np.int64],
) -> _Ground:
    cell, at = _cells(masks, photo.shape[1], photo.shape[0])
    unknown = tuple(known_outside[i] for i in reaching(at, edges))
    return _Ground(masks=tuple(masks), tints=tuple(tints), unknown=unknown, cell=cell, at=at)


def _grid(photo: NDArray[np.uint8], ground: _Ground) -> tuple[Surface, NDArray[np.bool_]]:
    """The colours of the cells, zero where unknown, and which are known (rows, columns)."""
    grid = _averages(photo, ground.at, ground.cell)
    known = np.ones(grid.shape[:2], np.bool_)
    for mask in ground.unknown:
        rows, columns, touched = mask.touched_cells(ground.at, ground.cell)
        part = known[rows, columns]
        part &= ~touched[: part.shape[0], : part.shape[1]]
    # Unknown cells are dropped by replacing, not by weighing, so that nothing of them remains.
    return np.where(known[:, :, None], grid, np.float32(0)), known


def _patches(surface: Surface, ground: _Ground) -> list[NDArray[np.uint8]]:
    at, cell = ground.at, ground.cell
    for mask, tint in zip(ground.masks, ground.tints, strict=True):
        if tint is not None:
            _bulge(surface, mask, tint, at, cell)
    rounded = np.clip(np.rint(surface), 0, 255).astype(np.uint8)
    return [_enlarged(rounded, at, cell, mask.bounds) for mask in ground.masks]


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


def _membranes(photo: NDArray[np.uint8], grounds: Sequence[_Ground]) -> list[Surface]:
    """The surface over each, in order. Those of about one size are worked out together.

    A crowd has hundreds of small ones, and a step takes as long for one as for ten.
    """
    every = [_grid(photo, ground) for ground in grounds]
    surfaces = [grid for grid, _ in every]
    for shape, members in _of_one_size([grid.shape[:2] for grid in surfaces]):
        grids = np.zeros((len(members), *shape, _colour_channels(photo)), np.float32)
        known = np.zeros((len(members), *shape, 1), np.bool_)
        for k, i in enumerate(members):
            height, width = every[i][1].shape
            grids[k, :height, :width], known[k, :height, :width, 0] = every[i]
        spanned = _membrane(grids, known)
        for k, i in enumerate(members):
            height, width = every[i][1].shape
            surfaces[i] = spanned[k, :height, :width]
    return surfaces


def _of_one_size(
    shapes: Sequence[tuple[int, ...]],
) -> Iterator[tuple[tuple[int, ...], list[int]]]:
    """Rounded-up shapes, and the indices of those that have them."""
    sizes: dict[tuple[int, ...], list[int]] = {}
    for i, shape in enumerate(shapes):
        rounded = tuple(-(-length // _ROUND_UP) * _ROUND_UP for length in shape)
        sizes.setdefault(rounded, []).append(i)
    for rounded, members in sizes.items():
        for start in range(0, len(members), _TOGETHER):
            yield rounded, members[start : start + _TOGETHER]


def _membrane(grids: Surface, known: NDArray[np.bool_]) -> Surface:
    """Known cells as they are, a harmonic surface between them. Coarse to fine, then relaxed.

    grids: (n, rows, columns, colour channels), zero where `known` (n, rows, columns, 1) is False.
    Where nothing at all is known, mid grey.
    """
    if grids.shape[1] > 1 or grids.shape[2] > 1:
        sums, weights = _halved(grids), _halved(known.astype(np.float32))
        coarse = (sums / np.maximum(weights, 1)).astype(np.float32, copy=False)
        guess = _doubled(_membrane(coarse, weights > 0), grids.shape)
    else:
        guess = np.full_like(grids, MID_GREY)
    surface = np.where(known, grids, guess)
    for _ in range(_SWEEPS):
        surface = _neighbour_mean(surface)
        np.copyto(surface, grids, where=known)
    return surface


def _neighbour_mean(surface: Surface) -> Surface:
    """Each cell's mean with its four neighbours; at the border it is its own neighbour."""
    # By hand: for the small surfaces of a crowd, numpy.pad takes longer than all the rest.
    total = surface.copy()
    total[:, 1:] += surface[:, :-1]
    total[:, 0] += surface[:, 0]
    total[:, :-1] += surface[:, 1:]
    total[:, -1] += surface[:, -1]
    total[:, :, 1:] += surface[:, :, :-1]
    total[:, :, 0] += surface[:, :, 0]
    total[:, :, :-1] += surface[:, :, 1:]
    total[:, :, -1] += surface[:, :, -1]
    total *= np.float32(0.2)
    return total


def _halved(values: Surface) -> Surface:
    """Sums of 2 x 2 cells; a missing last row or column counts as zero."""
    count, height, width, channels = values.shape
    if height % 2 or width % 2:
        even = np.zeros((count, height + height % 2, width + width % 2, channels), np.float32)
        even[:, :height, :width] = values
        values = even
    rows = values[:, ::2] + values[:, 1::2]
    halved: Surface = rows[:, :, ::2] + rows[:, :, 1::2]
    return halved


def _doubled(values: Surface, shape: tuple[int, ...]) -> Surface:
    return values.repeat(2, axis=1).repeat(2, axis=2)[:, : shape[1], : shape[2]]


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
