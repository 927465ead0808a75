"""Which pixels a redaction covers: an outline around a box, as row spans. No pixel is read here.

A pixel is covered when its centre lies within the outline. An ellipse circumscribes its box (half
axes times the square root of two), so it covers every pixel of the box and reaches beyond it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lakeveil.core.geometry import Box
from lakeveil.core.photos import Shape


@dataclass(frozen=True, slots=True)
class Mask:
    """The outline of one redaction on a frame; `bounds` is clipped to the frame, never empty."""

    box: Box
    """What must be covered, in pixels; may reach beyond the frame."""
    shape: Shape
    bounds: Box
    """The smallest box on the frame that holds every covered pixel."""

    def half_axes(self) -> tuple[float, float]:
        """Half the outline's width and height, in pixels."""
        stretch = math.sqrt(2) if self.shape is Shape.ELLIPSE else 1.0
        return self.box.width / 2 * stretch, self.box.height / 2 * stretch

    def centre(self) -> tuple[float, float]:
        """(x, y) in pixels; may lie outside the frame."""
        return (self.box.left + self.box.right) / 2, (self.box.top + self.box.bottom) / 2

    def spans(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First covered column and first one after, for each row of `bounds`; equal: none."""
        rows = np.arange(self.bounds.top, self.bounds.bottom)
        if self.shape is Shape.BOX:
            starts = np.full(len(rows), self.bounds.left)
            return starts, np.full(len(rows), self.bounds.right)
        (x, y), (a, b) = self.centre(), self.half_axes()
        squared = 1.0 - ((rows + 0.5 - y) / b) ** 2
        half = np.where(squared < 0.0, -1.0, a * np.sqrt(np.abs(squared)))
        starts = np.ceil(x - half - 0.5).astype(np.int64)
        stops = np.floor(x + half - 0.5).astype(np.int64) + 1
        starts = np.clip(starts, self.bounds.left, self.bounds.right)
        return starts, np.maximum(starts, np.clip(stops, self.bounds.left, self.bounds.right))

    def covered(self, box: Box) -> NDArray[np.bool_]:
        """Which pixels of `box` are covered: (box.height, box.width)."""
        inside = np.zeros((box.height, box.width), np.bool_)
        top, bottom = max(box.top, self.bounds.top), min(box.bottom, self.bounds.bottom)
        if top < bottom:
            starts, stops = (
                s[top - self.bounds.top : bottom - self.bounds.top, None] for s in self.spans()
            )
            columns = np.arange(box.left, box.right)
            inside[top - box.top : bottom - box.top] = (columns >= starts) & (columns < stops)
        return inside

    def covers(self, point: tuple[float, float]) -> bool:
        """Whether the pixel that holds `point` (x, y) is covered."""
        left, top = math.floor(point[0]), math.floor(point[1])
        pixel = Box(left, top, left + 1, top + 1)
        return pixel.intersection(self.bounds) > 0 and bool(self.covered(pixel)[0, 0])

    def paste(self, target: NDArray[np.uint8], colours: NDArray[np.uint8], at: Box) -> None:
        """Replace the covered pixels of `target`; `colours` holds the pixels of `at`.

        Nothing of a covered pixel stays: colours are replaced whole, never blended, and an alpha
        channel becomes opaque there (its outline would be the head's own).
        """
        box, channels = self.bounds, colours.shape[2]
        part = target[box.top : box.bottom, box.left : box.right]
        new = colours[box.top - at.top : box.bottom - at.top, box.left - at.left :][:, : box.width]
        inside = self.covered(box)
        # A channel at a time: a mask spread over the last axis is several times slower.
        for channel in range(part.shape[2]):
            value = new[:, :, channel] if channel < channels else np.uint8(255)
            np.copyto(part[:, :, channel], value, where=inside)

    def touched_cells(self, at: Box, cell: int) -> tuple[slice, slice, NDArray[np.bool_]]:
        """The cells (`cell` pixels square, counted from `at`) in which any pixel may be covered.

        Returns the rows and columns of cells around the mask and, for those, whether each is
        touched. It errs on the side of touching.
        """
        rows = slice(
            max(0, (self.bounds.top - at.top) // cell),
            max(0, -((at.top - self.bounds.bottom) // cell)),
        )
        columns = slice(
            max(0, (self.bounds.left - at.left) // cell),
            max(0, -((at.left - self.bounds.right) // cell)),
        )
        height, width = max(0, rows.stop - rows.start), max(0, columns.stop - columns.start)
        if self.shape is Shape.BOX:
            return rows, columns, np.ones((height, width), np.bool_)
        (x, y), (a, b) = self.centre(), self.half_axes()
        # The point of a cell that is nearest to the centre decides, in units of the half axes.
        across = at.left + cell * (np.arange(width) + columns.start + 0.5)
        down = at.top + cell * (np.arange(height) + rows.start + 0.5)
        dx = np.maximum(0.0, np.abs(across - x) - cell / 2) / a
        dy = np.maximum(0.0, np.abs(down - y) - cell / 2) / b
        return rows, columns, dx[None, :] ** 2 + dy[:, None] ** 2 <= 1.0


def mask_of(box: Box, shape: Shape, width: int, height: int) -> Mask | None:
    """The outline around `box` on a frame of `width` x `height`; None where it covers nothing."""
    if box.clipped(width, height) is None:
        return None
    reach = box
    if shape is Shape.ELLIPSE:
        beyond = (math.sqrt(2) - 1) / 2
        reach = box.padded(beyond)
    bounds = reach.clipped(width, height)
    return None if bounds is None else Mask(box, shape, bounds)


def covered_share(box: Box, masks: Sequence[Mask]) -> float:
    """The share (0 to 1) of the pixels of `box` that lie in any of `masks`."""
    inside = np.zeros((box.height, box.width), np.bool_)
    for mask in masks:
        if mask.bounds.touches(box):
            inside |= mask.covered(box)
    return float(inside.mean())


def edges_of(masks: Sequence[Mask]) -> NDArray[np.int64]:
    """Left, top, right and bottom of each mask's bounds, (n, 4)."""
    edges = [(m.bounds.left, m.bounds.top, m.bounds.right, m.bounds.bottom) for m in masks]
    return np.array(edges, np.int64).reshape(-1, 4)


def reaching(box: Box, edges: NDArray[np.int64]) -> list[int]:
    """Which of the masks with these `edges` (see `edges_of`) overlap `box` by their bounds."""
    left, top, right, bottom = edges.T
    over = (left < box.right) & (box.left < right) & (top < box.bottom) & (box.top < bottom)
    return np.flatnonzero(over).tolist()


def touching(masks: Sequence[Mask]) -> list[list[int]]:
    """Groups of masks (as indices) whose bounds overlap, directly or through others."""
    if not masks:
        return []
    left, top, right, bottom = edges_of(masks).T
    label = np.arange(len(masks))
    for i in range(len(masks)):
        near = (left[i] < right) & (left < right[i]) & (top[i] < bottom) & (top < bottom[i])
        # Each group is known by its smallest label; overlapping ones merge into one.
        joined = set(label[near].tolist())
        for name in joined:
            label[label == name] = min(joined)
    return [list(np.flatnonzero(label == name)) for name in sorted(set(label.tolist()))]
