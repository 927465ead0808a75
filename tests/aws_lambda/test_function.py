"""The whole function as the template's environment opens it: real photos, real detection."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lakeveil.aws_lambda import answer
from lakeveil.core.events import to_s3_notification
from lakeveil.core.object_event import Change, ObjectEvent
from lakeveil.errors import SetupError
from lakeveil.settings import load_settings
from lakeveil.wiring.photo_function import open_function
from tests.aws_lambda.function_bench import REGION, batch
from tests.aws_lambda.rekognition_server import RekognitionServer, running_rekognition
from tests.stack_fixture import Weed

PHOTOS = Path(__file__).parents[1] / "photos"


@pytest.fixture(scope="module")
def rekognition() -> Iterator[RekognitionServer]:
    with running_rekognition() as service:
        yield service


class Deployed:
    """A function over the session's store, with a prefix of its own."""

    def __init__(self, weed: Weed, sqs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        key = weed.credentials.s3["service"]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key.access_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key.secret_access_key)
        self.weed = weed
        self.sqs = sqs
        self.prefix = f"function-{uuid.uuid4().hex[:8]}/"
        self.dead_url = sqs.create_queue(QueueName=uuid.uuid4().hex)["QueueUrl"]

    def upload(self, name: str, data: bytes | None = None) -> str:
        body = (PHOTOS / name).read_bytes() if data is None else data
        key = self.prefix + name
        self.weed.s3("uploader").put_object(Bucket="photos", Key=key, Body=body)
        change = ObjectEvent(change=Change.CREATED, bucket="photos", key=key)
        return to_s3_notification(change).decode()

    def invoke(self, *bodies: str, memory_mib: int = 1024, **policy: Any) -> list[int]:
        collection = {
            "name": "photos",
            "source": f"s3://photos/{self.prefix}",
            "release": "s3://photos-released",
            "policy": policy,
        }
        settings, _ = load_settings(
            environ={
                "LAKEVEIL_STORE__ENDPOINT": self.weed.endpoint,
                "LAKEVEIL_STORE__REGION": REGION,
                "LAKEVEIL_QUEUE__KIND": "sqs",
                "LAKEVEIL_QUEUE__DEAD_LETTER_URL": self.dead_url,
                "LAKEVEIL_WORKER__TIMEOUT_S": "25",
                "LAKEVEIL_COLLECTIONS": json.dumps([collection]),
            }
        )
        with closing(open_function(settings, function_memory_mib=memory_mib)) as function:
            response = answer(
                batch(list(bodies)), function, remaining_s=lambda: 60.0, invocation="one"
            )
        return [int(item["itemIdentifier"]) for item in response["batchItemFailures"]]

    def releases(self) -> dict[str, dict[str, str]]:
        """Metadata of every release, by name."""
        s3 = self.weed.s3()
        listed = s3.list_objects_v2(Bucket="photos-released", Prefix=self.prefix)
        return {
            found["Key"].removeprefix(self.prefix): s3.head_object(
                Bucket="photos-released", Key=found["Key"]
            )["Metadata"]
            for found in listed.get("Contents", [])
        }


@pytest.fixture
def deployed(weed: Weed, sqs: Any, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    return Deployed(weed, sqs, monkeypatch)


def test_a_batch_with_a_broken_file_releases_all_others(deployed: Deployed) -> None:
    bodies = [
        deployed.upload("group.jpg"),
        deployed.upload("broken.jpg", b"\xff\xd8\xff\xe0 no photo"),
        deployed.upload("no-face.jpg"),
    ]

    # The smallest memory that the template allows.
    assert deployed.invoke(*bodies, memory_mib=1024) == []

    releases = deployed.releases()
    assert {name: said["lakeveil-outcome"] for name, said in releases.items()} == {
        "group.jpg": "released",
        "no-face.jpg": "unchanged",
    }
    (letter,) = deployed.sqs.receive_message(QueueUrl=deployed.dead_url)["Messages"]
    assert "broken.jpg" in letter["Body"]


def test_rekognition_finds_the_faces_where_the_policy_says_so(
    deployed: Deployed, rekognition: RekognitionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_REKOGNITION", rekognition.url)
    before = rekognition.asked

    assert deployed.invoke(deployed.upload("portrait.jpg"), detector="rekognition") == []

    said = deployed.releases()["portrait.jpg"]
    assert (said["lakeveil-detector"], said["lakeveil-outcome"]) == ("rekognition", "released")
    assert rekognition.asked > before


@pytest.mark.parametrize(
    "error",
    [(400, "AccessDeniedException"), (400, "ThrottlingException"), (500, "InternalServerError")],
    ids=lambda error: error[1],
)
def test_nothing_is_released_when_rekognition_does_not_look(
    deployed: Deployed,
    rekognition: RekognitionServer,
    monkeypatch: pytest.MonkeyPatch,
    error: tuple[int, str],
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_REKOGNITION", rekognition.url)
    monkeypatch.setattr(rekognition, "error", error)

    # The published sample answered such an error with "no faces", and released the photo.
    assert deployed.invoke(deployed.upload("portrait.jpg"), detector="rekognition") == [0]

    assert deployed.releases() == {}


def test_the_child_that_decodes_has_no_keys_unless_it_asks_rekognition(
    deployed: Deployed,
) -> None:
    settings, _ = load_settings(environ={"LAKEVEIL_STORE__ENDPOINT": deployed.weed.endpoint})
    with closing(open_function(settings, function_memory_mib=None)) as function:
        (child,) = function.path.darkroom.children  # type: ignore[attr-defined]
        environ = Path(f"/proc/{child}/environ").read_bytes()
    assert b"PYTHONPATH" in environ
    assert b"AWS_" not in environ


def test_a_function_without_its_models_does_not_begin(deployed: Deployed, tmp_path: Path) -> None:
    settings, _ = load_settings(
        environ={
            "LAKEVEIL_STORE__ENDPOINT": deployed.weed.endpoint,
            "LAKEVEIL_MODELS__DIR": str(tmp_path),
        }
    )
    with pytest.raises(SetupError, match="face detector"):
        open_function(settings, function_memory_mib=2048)
