"""Looking again around many places at once: crops on sheets, none of them forgotten."""

from __future__ import annotations

import numpy as np
import pytest

from lakeveil.core.geometry import Box
from lakeveil.core.photos import Preset
from lakeveil.pixels.finding.around import find_faces_around
from lakeveil.pixels.finding.presets import PLANS
from tests.real_faces import bundled, on_canvas, upright

PLAN = PLANS[Preset.DEFAULT]


def _squares(count: int) -> list[Box]:
    return [Box(x, y, x + 24, y + 24) for x in range(0, 40 * count, 40) for y in range(0, 1200, 40)]


@pytest.mark.parametrize("place", [0, 57, 299])
def test_a_face_is_seen_wherever_its_crop_lies_on_the_sheets(place: int) -> None:
    photo = on_canvas(upright("portrait.jpg"), 3000, 2000, 2000, 1500)
    (face,) = bundled().detect(upright("portrait.jpg"), min_confidence=0.5).faces
    box = face.box
    there = Box(box.left + 2000, box.top + 1500, box.right + 2000, box.bottom + 1500)
    # Each as large as the face, so that none comes before it by its size.
    other = [
        Box(x, y, x + there.width, y + there.height)
        for x in range(0, 1900, 100)
        for y in range(0, 1300, 80)
    ]
    regions = [*other[:place], there, *other[place:]]
    found = find_faces_around(photo, regions, bundled().networks(), PLAN, least=0.3)
    assert any(f.box.iou(there) > 0.5 for f in found)
    assert all(f.box.intersection(there) for f in found)


def test_a_small_place_inside_a_large_ones_surroundings_is_looked_at() -> None:
    photo = upright("group.jpg")
    faces = bundled().detect(photo, min_confidence=0.5).faces
    small = faces[0].box
    large = small.padded(4.0).clipped(photo.shape[1], photo.shape[0])
    assert large is not None
    found = find_faces_around(photo, [large, small], bundled().networks(), PLAN, least=0.3)
    assert any(f.box.iou(small) > 0.5 for f in found)


def test_quiet_ground_shows_nothing_however_many_places_are_asked_for() -> None:
    photo = np.full((1200, 1600, 3), 128, np.uint8)
    assert find_faces_around(photo, _squares(30), bundled().networks(), PLAN, least=0.3) == ()
