from __future__ import annotations

import numpy as np
import pytest

from lakeveil.pixels.finding.scaling import Pyramid, resized


@pytest.mark.parametrize(("size", "to"), [((300, 400), 200), ((3001, 2003), 512), ((40, 30), 90)])
def test_the_longer_side_becomes_what_was_asked_for(size: tuple[int, int], to: int) -> None:
    scaled, scale = resized(np.zeros((*size, 3), np.uint8), to)
    assert max(scaled.shape[:2]) == to
    assert scale == to / max(size)
    assert scaled.shape[0] / scaled.shape[1] == pytest.approx(size[0] / size[1], rel=0.02)


def test_shrinking_averages_every_pixel() -> None:
    board = np.indices((1024, 1024)).sum(axis=0) % 2 * 255
    photo = np.repeat(board[:, :, None], 3, axis=2).astype(np.uint8)
    scaled, _ = resized(photo, 100)
    assert scaled.min() > 120
    assert scaled.max() < 135


def test_things_stay_where_they_are() -> None:
    photo = np.zeros((1501, 2777, 3), np.uint8)
    photo[1200:1300, 2600:2700] = 255
    scaled, scale = resized(photo, 300)
    rows, columns = np.nonzero(scaled[:, :, 0] > 127)
    # Within a pixel of the small one.
    assert columns.mean() / scale == pytest.approx(2650, abs=1 / scale)
    assert rows.mean() / scale == pytest.approx(1250, abs=1 / scale)


def test_nothing_to_do_returns_the_photo_itself() -> None:
    photo = np.zeros((30, 40, 3), np.uint8)
    scaled, scale = resized(photo, 40)
    assert scaled is photo
    assert scale == 1


@pytest.mark.parametrize("sizes", [(512, 768), (768, 512), (100, 1024, 300)])
def test_a_pyramid_gives_what_was_asked_for_in_any_order(sizes: tuple[int, ...]) -> None:
    photo = np.zeros((1500, 3000, 3), np.uint8)
    photo[600:900, 1200:1800] = 200
    frame = Pyramid(photo)
    for long_side in sizes:
        scaled, scale = frame.at(long_side)
        assert max(scaled.shape[:2]) == long_side
        assert scale == long_side / 3000
        rows, columns = np.nonzero(scaled[:, :, 0] > 100)
        assert columns.mean() / scale == pytest.approx(1500, abs=1 / scale)
        assert rows.mean() / scale == pytest.approx(750, abs=1 / scale)


def test_what_is_fine_enough_is_the_smallest_that_was_made() -> None:
    photo = np.zeros((1000, 2000, 3), np.uint8)
    frame = Pyramid(photo)
    frame.at(1000)
    frame.at(500)
    assert [frame.fine_enough(s)[1] for s in (0.1, 0.25, 0.3, 0.6, 3.0)] == [0.25, 0.25, 0.5, 1, 1]
