"""Rectangles on a photo, in pixels. Origin top-left, half-open: left <= x < right. Never empty."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Turn = Literal[0, 1, 2, 3]
"""Quarter turns counter-clockwise that were applied to a photo, as in `numpy.rot90`."""


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """A rectangle of whole pixels, half-open, never empty."""

    left: int
    top: int
    right: int
    bottom: int

    def __post_init__(self) -> None:
        if self.left >= self.right or self.top >= self.bottom:
            raise ValueError(f"a box is never empty: {self}")

    @property
    def width(self) -> int:
        """In pixels, at least 1."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """In pixels, at least 1."""
        return self.bottom - self.top

    @property
    def area(self) -> int:
        """In pixels, at least 1."""
        return self.width * self.height

    def padded(self, fraction: float) -> Box:
        """Grow each side by `fraction` of the box's own size, rounding outward.

        >>> Box(10, 10, 20, 30).padded(0.25)
        Box(left=7, top=5, right=23, bottom=35)
        """
        dx, dy = math.ceil(self.width * fraction), math.ceil(self.height * fraction)
        return Box(self.left - dx, self.top - dy, self.right + dx, self.bottom + dy)

    def clipped(self, width: int, height: int) -> Box | None:
        """The part on a photo of `width` x `height`, or None where nothing is.

        >>> Box(-5, -5, 5, 5).clipped(100, 100)
        Box(left=0, top=0, right=5, bottom=5)
        """
        # Half-open: clip to width, not width - 1, or the last column stays visible.
        left, top = max(0, self.left), max(0, self.top)
        right, bottom = min(width, self.right), min(height, self.bottom)
        if left >= right or top >= bottom:
            return None
        return Box(left, top, right, bottom)

    def intersection(self, other: Box) -> int:
        """The shared area in pixels."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0, width) * max(0, height)

    def iou(self, other: Box) -> float:
        """Intersection over union, 0 to 1."""
        shared = self.intersection(other)
        return shared / (self.area + other.area - shared)

    def touches(self, other: Box, gap: int = 0) -> bool:
        """Whether the two overlap or lie at most `gap` pixels apart."""
        return (
            self.left - gap < other.right
            and other.left - gap < self.right
            and self.top - gap < other.bottom
            and other.top - gap < self.bottom
        )


def enclosing(boxes: Iterable[Box]) -> Box:
    """The smallest box that holds all of `boxes` (at least one)."""
    every = list(boxes)
    return Box(
        min(b.left for b in every),
        min(b.top for b in every),
        max(b.right for b in every),
        max(b.bottom for b in every),
    )


def clusters(boxes: Sequence[Box], gap: int = 0) -> list[list[Box]]:
    """Groups of boxes that touch each other directly or through others; order is kept."""
    groups: list[list[Box]] = []
    for box in boxes:
        near = [g for g in groups if any(box.touches(other, gap) for other in g)]
        merged = [b for g in near for b in g] + [box]
        groups = [g for g in groups if g not in near] + [merged]
    return groups


def unturned(box: Box, turn: Turn, width: int, height: int) -> Box:
    """Map a box found on `numpy.rot90(photo, turn)` back onto the photo of `width` x `height`.

    >>> unturned(Box(0, 0, 2, 3), 1, width=10, height=20)
    Box(left=7, top=0, right=10, bottom=2)
    """
    if turn == 0:
        return box
    if turn == 1:
        return Box(width - box.bottom, box.left, width - box.top, box.right)
    if turn == 2:  # noqa: PLR2004 - a half turn
        return Box(width - box.right, height - box.bottom, width - box.left, height - box.top)
    return Box(box.top, height - box.right, box.bottom, height - box.left)
