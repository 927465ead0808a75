"""Finding faces on a frame: the real networks, and networks that go wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from lakeveil.core.geometry import Box
from lakeveil.core.photos import Preset
from lakeveil.errors import DetectorFailed
from lakeveil.pixels.finding.around import find_faces_around
from lakeveil.pixels.finding.candidates import Array
from lakeveil.pixels.finding.closer import look_closer
from lakeveil.pixels.finding.detect import find_faces
from lakeveil.pixels.finding.looks import Networks
from lakeveil.pixels.finding.orientation import likely_turns
from lakeveil.pixels.finding.presets import PLANS
from lakeveil.pixels.finding.scaling import Pyramid
from tests.real_faces import bundled, on_canvas, upright

# Every proposal gets a closer look.
DOUBTFUL = replace(PLANS[Preset.DEFAULT], undecided=(0.0, 1.0))
FACES = {"portrait.jpg": 1, "thumbnail.jpg": 1, "rotated.jpg": 1, "group.jpg": 5, "no-face.jpg": 0}


class Broken:
    """The real networks until the `at`-th run, whose answer is spoilt."""

    def __init__(self, at: int) -> None:
        self.real: Networks = bundled().networks()
        self.at, self.runs = at, 0

    def yunet(self, blob: Array) -> Mapping[str, Array]:
        return self._spoilt(self.real.yunet(blob))

    def centerface(self, blob: Array) -> Mapping[str, Array]:
        return self._spoilt(self.real.centerface(blob))

    def _spoilt(self, outputs: Mapping[str, Array]) -> Mapping[str, Array]:
        self.runs += 1
        if self.runs == self.at:
            return {name: output * np.float32(np.nan) for name, output in outputs.items()}
        return outputs


@pytest.mark.parametrize("preset", ["default", "thorough"])
@pytest.mark.parametrize(("name", "faces"), FACES.items())
def test_every_face_of_the_test_photos_is_found(preset: str, name: str, faces: int) -> None:
    assert len(bundled(preset).detect(upright(name), min_confidence=0.5).faces) == faces


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_look_that_fails_fails_the_photo(at: int) -> None:
    broken = Broken(at)
    with pytest.raises(DetectorFailed):
        find_faces(Pyramid(upright("group.jpg")), broken, DOUBTFUL, least=0.1)
    assert broken.runs == at


def test_at_least_four_runs_look_at_that_photo() -> None:
    # Keeps the test above honest: each of its cases must exist.
    unbroken = Broken(0)
    find_faces(Pyramid(upright("group.jpg")), unbroken, DOUBTFUL, least=0.1)
    assert unbroken.runs >= 4


@pytest.mark.parametrize(
    ("left", "top"),
    [(0, 0), (1050, 700), (1120, 1000), (1180, 420), (2744, 1744)],
)
def test_a_small_face_is_found_anywhere_on_a_big_photo(left: int, top: int) -> None:
    portrait = upright("portrait.jpg")
    photo = on_canvas(portrait, 3000, 2000, left, top)
    faces = bundled("fast").detect(photo, min_confidence=0.5).faces
    (alone,) = bundled("fast").detect(portrait, min_confidence=0.5).faces
    expected = Box(
        alone.box.left + left,
        alone.box.top + top,
        alone.box.right + left,
        alone.box.bottom + top,
    )
    assert any(face.box.iou(expected) > 0.6 for face in faces)


def test_a_face_that_fills_a_big_photo_is_found() -> None:
    portrait = upright("portrait.jpg")[20:110, 60:160]
    photo = portrait.repeat(25, axis=0).repeat(25, axis=1)
    faces = bundled().detect(photo, min_confidence=0.5).faces
    assert any(face.box.height > photo.shape[0] / 3 for face in faces)


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (7, 5), (3000, 40)])
def test_odd_sizes_are_looked_at_too(size: tuple[int, int]) -> None:
    photo = np.full((*size, 3), 90, np.uint8)
    assert bundled().detect(photo, min_confidence=None).faces == ()


def test_a_higher_confidence_asks_for_more() -> None:
    photo = upright("group.jpg")
    some = bundled("fast").detect(photo, min_confidence=0.02).faces
    sure = bundled("fast").detect(photo, min_confidence=0.9).faces
    assert all(face.confidence >= 0.9 for face in sure)
    assert {f.box for f in sure} < {f.box for f in some}
    assert list(some) == sorted(some, key=lambda face: -face.confidence)


def test_boxes_lie_on_the_photo() -> None:
    photo = upright("portrait.jpg")[:, 110:]
    height, width = photo.shape[:2]
    faces = bundled().detect(photo, min_confidence=0.02).faces
    assert faces
    assert all(face.box.clipped(width, height) == face.box for face in faces)


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_photo_on_its_side_needs_the_probe(turn: int) -> None:
    photo = np.rot90(upright("group.jpg"), turn)
    without = bundled().detect(photo, min_confidence=0.5).faces
    probed = bundled().detect(photo, min_confidence=0.5, probe_orientation=True).faces
    assert len(without) < 5 <= len(probed)
    (height, width) = photo.shape[:2]
    assert all(face.box.clipped(width, height) == face.box for face in probed)
    for face in probed:
        assert face.landmarks is not None
        x, y = face.landmarks.nose
        assert face.box.left <= x <= face.box.right
        assert face.box.top <= y <= face.box.bottom


def test_the_probe_leaves_an_upright_photo_alone() -> None:
    networks = bundled().networks()
    assert likely_turns(Pyramid(upright("group.jpg")), networks).turns == (0,)
    assert likely_turns(Pyramid(upright("no-face.jpg")), networks).turns == (0,)


def test_the_probe_sees_small_faces_on_a_big_photo() -> None:
    group = upright("group.jpg").repeat(3, axis=0).repeat(3, axis=1)
    photo = np.rot90(on_canvas(group, 4000, 3000, 900, 1200), 1)
    assert likely_turns(Pyramid(photo), bundled().networks()).turns == (0, 3)


def test_looking_again_sees_a_face_that_was_left() -> None:
    photo = upright("group.jpg").copy()
    faces = bundled().detect(photo, min_confidence=0.5).faces
    regions = [face.box.padded(0.2) for face in faces]
    for region in regions[1:]:
        photo[region.top : region.bottom, region.left : region.right] = 128
    again = bundled().look_again(photo, regions, min_confidence=0.3)
    assert [face.box.iou(faces[0].box) > 0.5 for face in again] == [True]


def test_looking_again_at_nothing_finds_nothing() -> None:
    assert bundled().look_again(upright("group.jpg"), [], min_confidence=None) == ()


def test_looking_again_at_a_region_beyond_the_photo_finds_nothing() -> None:
    outside = [Box(9000, 9000, 9050, 9050)]
    assert bundled().look_again(upright("group.jpg"), outside, min_confidence=None) == ()


def test_looking_again_fails_like_the_first_look() -> None:
    with pytest.raises(DetectorFailed):
        find_faces_around(
            upright("group.jpg"),
            [Box(80, 100, 120, 140)],
            Broken(1),
            PLANS[Preset.DEFAULT],
            least=0.1,
        )


@pytest.mark.parametrize(
    "box", [(-1e6, -1e6, 1e6, 1e6), (5, 5, 5, 5), (400, 300, 900, 900), (-90, -90, -50, -50)]
)
def test_a_closer_look_at_an_absurd_box_stays_small(box: tuple[float, ...]) -> None:
    boxes = np.array([box], np.float32)
    scores, own = look_closer(Pyramid(upright("group.jpg")), bundled().networks(), boxes)
    assert scores.shape == (1,)
    assert own.shape == (1, 4)
