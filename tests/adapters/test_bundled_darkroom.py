"""The darkroom as the settings open it, with the real detectors."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

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


def upright(data: bytes) -> NDArray[np.int64]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"), np.int64)


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("name", ["portrait.jpg", "rotated.jpg", "thumbnail.jpg"])
def test_the_face_of_a_photo_is_gone_and_its_corners_are_not(
    darkroom: IsolatedDarkroom, name: str, style: Style
) -> None:
    policy = RedactionPolicy(style=style)
    rendition = darkroom.develop(photo(name), policy=policy, instructions=Instructions())
    assert rendition.face_count == 1
    assert rendition.content_type == "image/jpeg"
    box = rendition.detections[0].faces[0].box
    change = np.abs(upright(photo(name)) - upright(rendition.data)).mean(axis=2)
    assert change[box.top : box.bottom, box.left : box.right].mean() > 15
    assert change[-20:, :20].mean() < 3


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


@pytest.mark.parametrize("tag", [1, 3, 6, 8])
@pytest.mark.parametrize("turns", [0, 1])
def test_a_wrong_orientation_tag_hides_no_face_from_the_detector(
    darkroom: IsolatedDarkroom, tag: int, turns: int
) -> None:
    with Image.open(PHOTOS / "group.jpg") as opened:
        pixels = np.rot90(np.asarray(opened.convert("RGB")), turns)
    exif = Image.Exif()
    exif[0x0112] = tag
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=92, exif=exif)
    rendition = darkroom.develop(
        file.getvalue(), policy=RedactionPolicy(), instructions=Instructions()
    )
    assert rendition.face_count >= 5
