"""What every face detector must do, whoever it is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from lakeveil.adapters.rekognition_faces import open_rekognition
from lakeveil.core.geometry import Box
from lakeveil.ports import FaceDetector
from tests.real_faces import bundled, upright
from tests.rekognition_server import rekognition_server


@pytest.fixture(params=["fast", "default", "thorough", "rekognition"])
def detector(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FaceDetector]:
    if request.param != "rekognition":
        yield bundled(request.param)
        return
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with rekognition_server() as server:
        yield open_rekognition(region="eu-west-1", endpoint=server.url)


def test_it_finds_the_faces_of_a_group(detector: FaceDetector) -> None:
    found = detector.detect(upright("group.jpg"), min_confidence=0.5)
    assert len(found.faces) == 5
    assert (found.width, found.height) == (500, 347)


def test_no_face_is_a_result(detector: FaceDetector) -> None:
    found = detector.detect(upright("no-face.jpg"), min_confidence=0.5)
    assert found.faces == ()
    assert (found.width, found.height) == (256, 171)


def test_it_says_who_looked(detector: FaceDetector) -> None:
    found = detector.detect(upright("portrait.jpg"), min_confidence=None)
    assert found.detector == detector.name
    assert found.fingerprint == detector.fingerprint
    assert len(detector.fingerprint) == 64


def test_boxes_and_confidences_are_sane(detector: FaceDetector) -> None:
    for face in detector.detect(upright("group.jpg"), min_confidence=None).faces:
        assert face.box.clipped(500, 347) == face.box
        assert 0 < face.confidence <= 1


def test_the_confidence_that_is_asked_for_is_kept(detector: FaceDetector) -> None:
    found = detector.detect(upright("group.jpg"), min_confidence=0.9)
    assert all(face.confidence >= 0.9 for face in found.faces)


def test_left_and_right_are_the_viewers(detector: FaceDetector) -> None:
    (face,) = detector.detect(upright("portrait.jpg"), min_confidence=0.5).faces
    marks = face.landmarks
    assert marks is not None
    assert marks.eye_left[0] < marks.eye_right[0]
    assert marks.mouth_left[0] < marks.mouth_right[0]
    assert marks.eye_left[1] < marks.nose[1] < marks.mouth_left[1]


def test_a_photo_on_its_side_is_found_with_the_probe(detector: FaceDetector) -> None:
    photo = np.rot90(upright("group.jpg"), 1)
    found = detector.detect(photo, min_confidence=0.5, probe_orientation=True)
    assert len(found.faces) >= 5
    assert (found.width, found.height) == (347, 500)
    assert all(face.box.clipped(347, 500) == face.box for face in found.faces)


def test_the_photo_is_not_written_to(detector: FaceDetector) -> None:
    photo = upright("group.jpg").copy()
    detector.detect(photo, min_confidence=None, probe_orientation=True)
    assert (photo == upright("group.jpg")).all()


def test_looking_again_sees_what_is_left_and_nothing_elsewhere(detector: FaceDetector) -> None:
    photo = upright("group.jpg").copy()
    faces = detector.detect(photo, min_confidence=0.5).faces
    first, *others = sorted(faces, key=lambda face: face.box.left)
    for face in others:
        box = face.box.padded(0.25)
        photo[box.top : box.bottom, box.left : box.right] = 128
    again = detector.look_again(photo, [f.box for f in faces], min_confidence=0.5)
    assert any(face.box.iou(first.box) > 0.5 for face in again)
    assert all(face.box.touches(first.box) for face in again)
    elsewhere = detector.look_again(photo, [Box(250, 200, 300, 250)], min_confidence=0.5)
    assert elsewhere == ()
