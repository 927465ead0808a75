"""The darkroom as the settings open it, with the real detectors."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from lakeveil.adapters.darkroom import IsolatedDarkroom
from lakeveil.adapters.model_store import default_directory, states
from lakeveil.core.photos import Instructions, Preset, RedactionPolicy, Style
from lakeveil.errors import BadPhoto, DetectorFailed, SetupError
from lakeveil.settings import Models, PhotoLimits, Settings, Worker
from lakeveil.wiring.darkroom import open_darkroom
from tests.planted_faces import file_of

PHOTOS = Path(__file__).parents[1] / "photos"

pytestmark = pytest.mark.skipif(
    any(s.state != "ok" for s in states(default_directory())),
    reason="the detectors' weights are not installed: lakeveil models install",
)


@pytest.fixture(scope="module")
def darkroom() -> Iterator[IsolatedDarkroom]:
    with open_darkroom(Settings()) as room:
        yield room


def photo(name: str) -> bytes:
    return (PHOTOS / name).read_bytes()


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize(("name", "faces"), [("portrait.jpg", 1), ("rotated.jpg", 1)])
def test_no_detector_finds_the_face_of_a_release(
    darkroom: IsolatedDarkroom, name: str, faces: int, style: Style
) -> None:
    policy = RedactionPolicy(style=style)
    rendition = darkroom.develop(photo(name), policy=policy, instructions=Instructions())
    assert rendition.face_count == faces
    assert rendition.content_type == "image/jpeg"
    again = darkroom.examine(rendition.data, policy=RedactionPolicy(min_confidence=0.5))
    where = rendition.detections[0].faces[0].box
    assert not [f for f in again.detections[0].faces if f.box.iou(where) > 0.3]


def test_the_preset_of_each_policy_looks(darkroom: IsolatedDarkroom) -> None:
    names = [
        darkroom.examine(photo("no-face.jpg"), policy=RedactionPolicy(preset=preset))
        .detections[0]
        .detector
        for preset in (Preset.FAST, Preset.DEFAULT, Preset.FAST)
    ]
    assert names == ["lakeveil/fast", "lakeveil/default", "lakeveil/fast"]


def test_an_examination_measures_each_face(darkroom: IsolatedDarkroom) -> None:
    found = darkroom.examine(photo("group.jpg"), policy=RedactionPolicy())
    assert len(found.face_details[0]) == len(found.detections[0].faces) == 5
    with Image.open(io.BytesIO(photo("group.jpg"))) as image:
        assert (found.width, found.height) == image.size
    assert all(50 < f["Confidence"] <= 100 for f in found.face_details[0])


def test_the_limits_of_the_settings_hold_in_the_child() -> None:
    small = Settings(limits=PhotoLimits(max_frame_pixels=10_000))
    with open_darkroom(small) as room, pytest.raises(BadPhoto) as caught:
        room.develop(photo("portrait.jpg"), policy=RedactionPolicy(), instructions=Instructions())
    assert caught.value.code == "too_many_pixels"


def test_a_detector_that_runs_into_the_memory_limit_is_told_apart_from_one_that_fails() -> None:
    big = file_of(np.full((5000, 7000, 3), 90, np.uint8))
    tight = Settings(worker=Worker(memory_size_mib=560))
    with open_darkroom(tight) as room:
        with pytest.raises(BadPhoto) as caught:
            room.develop(big, policy=RedactionPolicy(), instructions=Instructions())
        assert caught.value.code == "out_of_memory"
        policy = RedactionPolicy()
        done = room.develop(photo("portrait.jpg"), policy=policy, instructions=Instructions())
        assert done.redacted


def test_a_darkroom_without_weights_does_not_open(tmp_path: Path) -> None:
    nowhere = msgspec.structs.replace(Settings(), models=Models(dir=str(tmp_path)))
    with pytest.raises(SetupError) as caught:
        open_darkroom(nowhere)
    assert caught.value.fix == "lakeveil models install"


def test_a_policy_that_wants_rekognition_is_never_looked_at_by_another_detector() -> None:
    wants = RedactionPolicy(detector="rekognition")
    with open_darkroom(Settings()) as room, pytest.raises(DetectorFailed) as refusal:
        room.develop(photo("portrait.jpg"), policy=wants, instructions=Instructions())
    assert "Rekognition cannot be asked" in refusal.value.what
