"""The numbers about a face, in Rekognition's shape."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageFilter

from lakeveil.core.faces import Face, Landmarks
from lakeveil.core.geometry import Box
from lakeveil.pixels.finding.face_details import (
    brightness,
    face_details,
    plausible,
    pose,
    sharpness,
)
from tests.real_faces import Pixels, bundled, upright

PORTRAITS = ("portrait.jpg", "thumbnail.jpg")
STRAIGHT = Landmarks(
    eye_left=(30, 40), eye_right=(70, 40), nose=(50, 62), mouth_left=(35, 80), mouth_right=(65, 80)
)
FACE = Face(box=Box(10, 10, 90, 110), confidence=0.875, network="yunet", landmarks=STRAIGHT)


def measured(photo: Pixels) -> Face:
    """The one face of a photo, with its landmarks placed exactly."""
    (face,) = bundled().measuring().detect(photo, min_confidence=0.5).faces
    return face


def pose_of(photo: Pixels) -> dict[str, float]:
    marks = measured(photo).landmarks
    assert marks is not None
    return pose(marks)


def leaning(photo: Pixels, degrees: float) -> Pixels:
    """The photo turned clockwise, on a larger canvas."""
    image = Image.fromarray(photo)
    return np.asarray(image.rotate(-degrees, Image.Resampling.BICUBIC, expand=True))


def turned_head(photo: Pixels, degrees: float) -> Pixels:
    """The face as if on an upright cylinder that was turned to the viewer's right."""
    box = measured(photo).box
    centre, radius = (box.left + box.right) / 2, box.width * 0.75
    width = photo.shape[1]
    offset = (np.arange(width) - centre) / radius
    on_head = np.abs(offset) < 1
    angle = np.arcsin(np.clip(offset, -1, 1)) - math.radians(degrees)
    source = np.where(on_head, centre + radius * np.sin(angle), np.arange(width))
    return photo[:, np.clip(np.round(source), 0, width - 1).astype(int)]


@pytest.mark.parametrize("name", PORTRAITS)
@pytest.mark.parametrize("degrees", [-40, -25, -10, 10, 25, 40])
def test_roll_is_right_within_five_degrees(name: str, degrees: int) -> None:
    photo = upright(name)
    straight = pose_of(photo)["Roll"]
    assert abs(straight) < 5
    assert pose_of(leaning(photo, degrees))["Roll"] - straight == pytest.approx(degrees, abs=5)


@pytest.mark.parametrize("name", PORTRAITS)
def test_yaw_has_the_sign_of_the_turned_head(name: str) -> None:
    photo = upright(name)
    left, straight, right = (pose_of(turned_head(photo, d))["Yaw"] for d in (-25, 0, 25))
    assert left < -5 < straight < 5 < right


def test_yaw_of_a_mirrored_group_is_mirrored() -> None:
    photo = upright("group.jpg")
    seen = bundled().measuring().detect(photo, min_confidence=0.5).faces
    mirrored = bundled().measuring().detect(photo[:, ::-1], min_confidence=0.5).faces
    turned = 0
    for face in seen:
        box = Box(500 - face.box.right, face.box.top, 500 - face.box.left, face.box.bottom)
        other = max(mirrored, key=lambda f: f.box.iou(box))
        assert face.landmarks is not None
        assert other.landmarks is not None
        yaw, back = pose(face.landmarks)["Yaw"], pose(other.landmarks)["Yaw"]
        if abs(yaw) > 12:
            turned += 1
            assert yaw * back < 0
    assert turned >= 1


def test_pitch_is_positive_for_a_nose_held_high() -> None:
    up, level, down = (pose(replace(STRAIGHT, nose=(50, y)))["Pitch"] for y in (52, 62, 72))
    assert down < -5 < level < 5 < up


def test_roll_is_positive_when_the_viewers_right_eye_is_lower() -> None:
    # As in the service's own examples.
    assert pose(replace(STRAIGHT, eye_right=(70, 50)))["Roll"] > 0


def test_a_looking_straight_face_has_no_angles() -> None:
    assert pose(STRAIGHT) == pytest.approx({"Roll": 0, "Yaw": 0, "Pitch": 0}, abs=1e-6)


@pytest.mark.parametrize("name", PORTRAITS)
def test_brightness_falls_as_a_photo_darkens(name: str) -> None:
    photo = upright(name)
    face = measured(photo)
    levels = [brightness(face, (photo * k).astype(np.uint8)) for k in (1, 0.8, 0.6, 0.4, 0.2, 0)]
    assert all(b < a for a, b in pairwise(levels))
    assert levels[-1] == 0
    assert levels[0] <= 100


@pytest.mark.parametrize("name", PORTRAITS)
def test_sharpness_falls_as_a_photo_blurs(name: str) -> None:
    photo = upright(name)
    face = measured(photo)
    image = Image.fromarray(photo)
    levels = [
        sharpness(face, np.asarray(image.filter(ImageFilter.GaussianBlur(sigma))))
        for sigma in (0, 0.7, 1.5, 3, 6)
    ]
    assert all(b < a for a, b in pairwise(levels))
    assert 0 <= levels[-1] < levels[0] <= 100


@pytest.mark.parametrize("name", PORTRAITS)
def test_sharpness_does_not_rise_as_a_photo_darkens(name: str) -> None:
    photo = upright(name)
    face = measured(photo)
    levels = [sharpness(face, (photo * k).astype(np.uint8)) for k in (1, 0.7, 0.4)]
    assert levels == sorted(levels, reverse=True)


def test_a_flat_patch_is_neither_sharp_nor_an_error() -> None:
    photo = np.full((120, 100, 3), 60, np.uint8)
    assert sharpness(FACE, photo) == 0
    assert brightness(FACE, photo) == pytest.approx(60 / 255 * 100, abs=0.01)


def test_details_have_the_services_shape() -> None:
    details = face_details(FACE, np.zeros((200, 400, 3), np.uint8))
    assert details["BoundingBox"] == {"Left": 0.025, "Top": 0.05, "Width": 0.2, "Height": 0.5}
    assert details["Confidence"] == 87.5
    assert {m["Type"]: (m["X"], m["Y"]) for m in details["Landmarks"]} == {
        "eyeLeft": (0.075, 0.2),
        "eyeRight": (0.175, 0.2),
        "mouthLeft": (0.0875, 0.4),
        "mouthRight": (0.1625, 0.4),
        "nose": (0.125, 0.31),
    }
    assert set(details["Pose"]) == {"Roll", "Yaw", "Pitch"}
    assert set(details["Quality"]) == {"Brightness", "Sharpness"}


@pytest.mark.parametrize(
    "marks",
    [
        None,
        replace(STRAIGHT, nose=(400, 62)),
        replace(STRAIGHT, mouth_left=(35, 38), mouth_right=(65, 38)),
        replace(STRAIGHT, eye_left=(50, 40), eye_right=(51, 40)),
    ],
)
def test_a_face_without_plausible_landmarks_claims_no_pose(marks: Landmarks | None) -> None:
    face = replace(FACE, landmarks=marks)
    assert not plausible(face)
    details = face_details(face, np.zeros((200, 400, 3), np.uint8))
    assert "Landmarks" not in details
    assert "Pose" not in details


def test_where_no_face_is_seen_no_landmarks_are_made_up() -> None:
    from lakeveil.pixels.finding.landmarks import with_exact_landmarks

    photo = np.full((300, 300, 3), 120, np.uint8)
    face = replace(FACE, box=Box(250, 250, 300, 300))
    (found,) = with_exact_landmarks(photo, bundled().networks(), [face])
    assert found.landmarks is None
