"""Cut a big photo into overlapping tiles of about equal size: bounded memory, no pixel lost."""

from __future__ import annotations

import math
from itertools import pairwise

from lakeveil.core.geometry import Box

ALIGN = 32


def tiles(width: int, height: int, *, most: int, overlap: int) -> list[Box]:
    """Tiles of at most `most` pixels a side that cover everything, neighbours sharing `overlap`.

    A face of up to `overlap` pixels lies whole in at least one of them. Equal sizes waste less
    than full tiles with a narrow rest, and one size lets the runtime reuse its memory.

    >>> tiles(100, 50, most=64, overlap=16)
    [Box(left=0, top=0, right=64, bottom=50), Box(left=36, top=0, right=100, bottom=50)]
    """
    return [
        Box(left, top, right, bottom)
        for top, bottom in _spans(height, most, overlap)
        for left, right in _spans(width, most, overlap)
    ]


def _spans(length: int, most: int, overlap: int) -> list[tuple[int, int]]:
    if length <= most:
        return [(0, length)]
    count = math.ceil((length - overlap) / (most - overlap))
    even = math.ceil((length + (count - 1) * overlap) / count / ALIGN) * ALIGN
    size = min(length, most, even)
    starts = [round(i * (length - size) / (count - 1)) for i in range(count)]
    assert all(b - a <= size - overlap for a, b in pairwise(starts))  # noqa: S101 - a law, tested
    return [(start, start + size) for start in starts]
