"""Masks cover what they must, and what they say they touch is never less than what they cover."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.core.geometry import Box
from lakeveil.core.photos import Shape
from lakeveil.pixels.hiding.mask import covered_share, mask_of, touching

WIDTH, HEIGHT = 60, 40
FRAME = Box(0, 0, WIDTH, HEIGHT)

sides = st.tuples(st.integers(-20, 70), st.integers(-20, 50))
boxes = st.builds(
    lambda at, size: Box(at[0], at[1], at[0] + size[0], at[1] + size[1]),
    sides,
    st.tuples(st.integers(1, 70), st.integers(1, 60)),
)
shapes = st.sampled_from(Shape)


@given(boxes, shapes)
def test_every_pixel_of_the_box_is_covered(box: Box, shape: Shape) -> None:
    inside = box.clipped(WIDTH, HEIGHT)
    mask = mask_of(box, shape, WIDTH, HEIGHT)
    assert (mask is None) == (inside is None)
    if mask is not None and inside is not None:
        assert mask.covered(inside).all()


@given(boxes, shapes)
def test_bounds_hold_every_covered_pixel_and_lie_on_the_frame(box: Box, shape: Shape) -> None:
    mask = mask_of(box, shape, WIDTH, HEIGHT)
    if mask is None:
        return
    assert mask.bounds.clipped(WIDTH, HEIGHT) == mask.bounds
    assert mask.covered(FRAME).sum() == mask.covered(mask.bounds).sum()
    if shape is Shape.BOX:
        assert mask.bounds == box.clipped(WIDTH, HEIGHT)


@given(boxes)
def test_an_ellipse_is_the_one_through_the_corners_of_the_box(box: Box) -> None:
    mask = mask_of(box, Shape.ELLIPSE, WIDTH, HEIGHT)
    if mask is None:
        return
    x, y = mask.centre()
    (a, b) = (box.width / math.sqrt(2), box.height / math.sqrt(2))
    columns, rows = np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5
    expected = ((columns - x) / a)[None, :] ** 2 + ((rows - y) / b)[:, None] ** 2
    covered = mask.covered(FRAME)
    assert covered[expected < 1 - 1e-9].all()
    assert not covered[expected > 1 + 1e-9].any()


@given(boxes, shapes, st.integers(1, 9), boxes)
def test_no_covered_pixel_lies_in_an_untouched_cell(
    box: Box, shape: Shape, cell: int, around: Box
) -> None:
    mask, at = mask_of(box, shape, WIDTH, HEIGHT), around.clipped(WIDTH, HEIGHT)
    if mask is None or at is None:
        return
    grid = np.zeros((-(-at.height // cell), -(-at.width // cell)), np.bool_)
    rows, columns, touched = mask.touched_cells(at, cell)
    part = grid[rows, columns]
    part |= touched[: part.shape[0], : part.shape[1]]
    pixels = grid.repeat(cell, axis=0).repeat(cell, axis=1)[: at.height, : at.width]
    assert not (mask.covered(at) & ~pixels).any()


@given(boxes, shapes, st.floats(-30, 80), st.floats(-30, 60))
def test_a_point_is_covered_when_its_pixel_is(box: Box, shape: Shape, x: float, y: float) -> None:
    mask = mask_of(box, shape, WIDTH, HEIGHT)
    if mask is None:
        return
    column, row = math.floor(x), math.floor(y)
    inside = 0 <= column < WIDTH and 0 <= row < HEIGHT
    assert mask.covers((x, y)) == (inside and bool(mask.covered(FRAME)[row, column]))


def test_covered_share_counts_what_any_mask_covers_once() -> None:
    masks = [
        m
        for b in (Box(0, 0, 10, 10), Box(5, 0, 15, 10))
        if (m := mask_of(b, Shape.BOX, WIDTH, HEIGHT))
    ]
    assert covered_share(Box(0, 0, 20, 10), masks) == 0.75
    assert covered_share(Box(30, 0, 40, 10), masks) == 0.0


def test_masks_that_overlap_through_a_third_are_one_group() -> None:
    masks = [
        m
        for b in (Box(0, 0, 10, 10), Box(20, 0, 30, 10), Box(40, 20, 50, 30), Box(8, 5, 22, 9))
        if (m := mask_of(b, Shape.BOX, WIDTH, HEIGHT))
    ]
    assert [[int(i) for i in g] for g in touching(masks)] == [[0, 1, 3], [2]]
    assert touching([]) == []
