from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from lakeveil.adapters.rekognition_faces import RekognitionFaces, open_rekognition
from lakeveil.errors import DetectorFailed, Unavailable
from tests.real_faces import bundled, on_canvas, upright
from tests.rekognition_server import RekognitionServer, rekognition_server


@pytest.fixture
def server() -> Iterator[RekognitionServer]:
    with rekognition_server() as running:
        yield running


@pytest.fixture
def detector(server: RekognitionServer, monkeypatch: pytest.MonkeyPatch) -> RekognitionFaces:
    # boto3 reads its credentials from here, as in production.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    return open_rekognition(region="eu-west-1", endpoint=server.url, timeout_s=10)


def test_it_finds_the_faces_the_service_finds(detector: RekognitionFaces) -> None:
    photo = upright("group.jpg")
    found = detector.detect(photo, min_confidence=None)
    expected = bundled().detect(photo, min_confidence=0.5).faces
    assert len(found.faces) == len(expected) == 5
    for face in found.faces:
        assert max(face.box.iou(other.box) for other in expected) > 0.6
        assert face.network == "rekognition"
        assert face.landmarks is not None


def test_a_big_photo_is_sent_whole_and_in_tiles(
    detector: RekognitionFaces, server: RekognitionServer
) -> None:
    photo = on_canvas(upright("group.jpg"), 4000, 3000, 3300, 2500)
    found = detector.detect(photo, min_confidence=0.5)
    assert len(found.faces) == 5
    assert max(max(size) for size in server.sizes) <= 1920
    assert len(server.sizes) == 1 + 3 * 2


def test_a_tiny_photo_is_framed(detector: RekognitionFaces, server: RekognitionServer) -> None:
    found = detector.detect(upright("group.jpg")[60:130, 240:310], min_confidence=0.3)
    assert server.sizes == [(80, 80)]
    assert len(found.faces) == 1
    assert found.faces[0].box.right <= 70


def test_a_full_answer_is_not_believed_to_be_complete(
    detector: RekognitionFaces, server: RekognitionServer
) -> None:
    crowd = np.tile(upright("group.jpg")[60:150, 70:460], (21, 3, 1))[:1890, :1170]
    expected = len(bundled().detect(crowd, min_confidence=0.5).faces)
    assert expected > 200
    found = detector.detect(crowd, min_confidence=0.5)
    assert len(found.faces) > 0.9 * expected
    assert len(server.sizes) > 3


def test_a_crowd_too_dense_to_report_is_no_look(
    detector: RekognitionFaces, server: RekognitionServer
) -> None:
    face = {"BoundingBox": {"Left": 0.1, "Top": 0.1, "Width": 0.1, "Height": 0.1}, "Confidence": 99}
    server.answer = {"FaceDetails": [face] * 100}
    with pytest.raises(DetectorFailed, match="every face"):
        detector.detect(upright("group.jpg"), min_confidence=None)


@pytest.mark.parametrize("code", ["ThrottlingException", "ProvisionedThroughputExceededException"])
def test_an_overloaded_service_is_asked_again_later(
    detector: RekognitionFaces, server: RekognitionServer, code: str
) -> None:
    server.failure = code
    with pytest.raises(Unavailable, match="did not answer"):
        detector.detect(upright("portrait.jpg"), min_confidence=None)


@pytest.mark.parametrize("code", ["AccessDeniedException", "InvalidImageFormatException"])
def test_a_refusal_is_no_look(
    detector: RekognitionFaces, server: RekognitionServer, code: str
) -> None:
    server.failure = code
    with pytest.raises(DetectorFailed, match="refused") as failure:
        detector.detect(upright("portrait.jpg"), min_confidence=None)
    assert code in failure.value.why
    with pytest.raises(DetectorFailed):
        detector.look_again(
            upright("portrait.jpg"),
            [f.box for f in bundled().detect(upright("portrait.jpg"), min_confidence=0.5).faces],
            min_confidence=None,
        )


def test_a_service_that_is_away_is_asked_again_later() -> None:
    with rekognition_server() as server:
        url = server.url
    away = open_rekognition(region="eu-west-1", endpoint=url, timeout_s=2)
    with pytest.raises(Unavailable):
        away.detect(upright("portrait.jpg"), min_confidence=None)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"FaceDetails": [{"Confidence": 99.0}]},
        {
            "FaceDetails": [
                {
                    "BoundingBox": {"Left": 0.1, "Top": 0.1, "Width": 0.1, "Height": 0.1},
                    "Confidence": 400.0,
                }
            ]
        },
    ],
)
def test_an_answer_that_cannot_be_is_no_look(
    detector: RekognitionFaces, server: RekognitionServer, answer: dict[str, Any]
) -> None:
    server.answer = answer
    with pytest.raises(DetectorFailed, match="cannot be right"):
        detector.detect(upright("portrait.jpg"), min_confidence=None)
