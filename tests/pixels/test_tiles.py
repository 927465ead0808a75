from __future__ import annotations

from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from lakeveil.core.geometry import Box
from lakeveil.pixels.finding.tiles import tiles

lengths = st.integers(1, 6000)


@given(lengths, lengths)
def test_tiles_cover_every_pixel_and_none_is_too_large(width: int, height: int) -> None:
    found = tiles(width, height, most=1280, overlap=96)
    for edge in ((0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)):
        assert any(t.left <= edge[0] < t.right and t.top <= edge[1] < t.bottom for t in found)
    assert all(t.width <= 1280 and t.height <= 1280 for t in found)
    assert all(t.clipped(width, height) == t for t in found)
    columns = sorted({(t.left, t.right) for t in found})
    assert all(b[0] < a[1] for a, b in pairwise(columns))


@given(lengths, lengths, st.integers(1, 96), st.data())
def test_a_face_up_to_the_overlap_lies_whole_in_one_tile(
    width: int, height: int, side: int, data: st.DataObject
) -> None:
    assume(side <= min(width, height))
    left = data.draw(st.integers(0, width - side))
    top = data.draw(st.integers(0, height - side))
    face = Box(left, top, left + side, top + side)
    found = tiles(width, height, most=1280, overlap=96)
    assert any(face.intersection(t) == face.area for t in found)


def test_a_small_photo_is_one_tile() -> None:
    assert tiles(640, 480, most=1280, overlap=96) == [Box(0, 0, 640, 480)]
