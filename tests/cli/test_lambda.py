"""`lakeveil lambda invoke`: the handler on an event, from a file or a pipe."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from lakeveil.cli.main import invoke
from lakeveil.core.events import to_s3_notification
from lakeveil.core.object_event import Change, ObjectEvent
from tests.aws_lambda.function_bench import batch
from tests.stack_fixture import Weed

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT / "tests/photos"
EVENTS = ROOT / "deploy/aws/events"


@pytest.fixture
def environment(weed: Weed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings for the test's store, as the environment gives them to a function."""
    monkeypatch.chdir(tmp_path)
    key = weed.credentials.s3["service"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key.secret_access_key)
    monkeypatch.setenv("LAKEVEIL_STORE__ENDPOINT", weed.endpoint)
    monkeypatch.setenv(
        "LAKEVEIL_COLLECTIONS",
        json.dumps(
            [{"name": "x", "source": "s3://photos/cli/", "release": "s3://photos-released"}]
        ),
    )


def _event(name: str) -> dict[str, Any]:
    change = ObjectEvent(change=Change.CREATED, bucket="photos", key=f"cli/{name}")
    event: dict[str, Any] = batch([to_s3_notification(change).decode()])
    return event


@pytest.mark.usefixtures("environment")
def test_a_photo_is_released_by_the_handler_with_real_detection(
    weed: Weed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    s3 = weed.s3("uploader")
    s3.put_object(Bucket="photos", Key="cli/group.jpg", Body=(PHOTOS / "group.jpg").read_bytes())
    file = tmp_path / "event.json"
    file.write_text(json.dumps(_event("group.jpg")))

    assert invoke(["lambda", "invoke", "-e", str(file)]) == 0

    assert "done" in capsys.readouterr().out
    released = weed.s3("reader").get_object(Bucket="photos-released", Key="cli/group.jpg")
    assert released["Metadata"]["lakeveil-outcome"] == "released"
    assert int(released["Metadata"]["lakeveil-faces"]) > 1
    assert released["Metadata"]["lakeveil-detector"] == "lakeveil/default"


@pytest.mark.usefixtures("environment")
def test_an_event_is_read_from_a_pipe_and_what_comes_back_is_named(
    weed: Weed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weed.s3("uploader").put_object(Bucket="photos", Key="cli/broken.jpg", Body=b"\xff\xd8\xff")
    piped = io.TextIOWrapper(io.BytesIO(json.dumps(_event("broken.jpg")).encode()))
    monkeypatch.setattr("sys.stdin", piped)

    # There is no queue for dead letters here, so it has to come back.
    assert invoke(["lambda", "invoke", "--json"]) == 1

    answer = json.loads(capsys.readouterr().out)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    listed = weed.s3().list_objects_v2(Bucket="photos-released", Prefix="cli/broken")
    assert "Contents" not in listed


@pytest.mark.usefixtures("environment")
def test_the_test_event_of_s3_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["lambda", "invoke", "-e", str(EVENTS / "test-event.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"batchItemFailures": []}


@pytest.mark.parametrize("text", ["", "no json", "[1, 2]"])
def test_what_is_no_event_is_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "event.json"
    file.write_text(text)
    assert invoke(["lambda", "invoke", "-e", str(file)]) == 2
    assert "is not an event" in capsys.readouterr().err


@pytest.mark.usefixtures("environment")
def test_missing_models_end_the_command_before_anything_is_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAKEVEIL_MODELS__DIR", str(tmp_path / "nothing"))
    assert invoke(["lambda", "invoke", "-e", str(EVENTS / "put.json")]) == 1
    assert "lakeveil models install" in capsys.readouterr().err
