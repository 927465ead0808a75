"""`lakeveil serve` as a process, on a real store, queue, database and the real detectors."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from lakeveil.adapters.metrics import Meter
from tests.adapters.collector import collecting
from tests.doors.running import Door, photo, signed
from tests.stack_fixture import Nats, Weed

PHOTOS = Path(__file__).parent.parent / "photos"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running `lakeveil serve` and where it writes its log."""

    process: subprocess.Popen[str]
    door: Door
    log: Path
    weed: Weed

    def rekognition(self, identity: str = "reader") -> Any:
        """A boto3 client with one of the installation's keys."""
        key = self.weed.credentials.s3[identity]
        return self.door.boto3(key.access_key_id, key.secret_access_key)


def environment(weed: Weed, nats_url: str, token_file: Path, **more: str) -> dict[str, str]:
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith(("LAKEVEIL_", "AWS_"))},
        "LAKEVEIL_HOME": str(weed.home),
        "LAKEVEIL_PORTS__S3": str(weed.ports.s3),
        "LAKEVEIL_PORTS__HTTP": "0",
        "LAKEVEIL_QUEUE__URL": nats_url,
        "LAKEVEIL_QUEUE__TOKEN_FILE": str(token_file),
        "LAKEVEIL_LOG__FORMAT": "json",
        **more,
    }


def command() -> list[str]:
    return [sys.executable, "-m", "lakeveil", "--json", "serve"]


@contextmanager
def serving(weed: Weed, env: dict[str, str], directory: Path) -> Iterator[Server]:
    log = directory / "serve.log"
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            command(), env=env, cwd=directory, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, log.read_text()
            door = Door(url=json.loads(line)["url"], meter=Meter())
            yield Server(process=process, door=door, log=log, weed=weed)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def server(weed: Weed, nats: Nats, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("serve")
    token = directory / "token"
    token.write_text(nats.token)
    with serving(weed, environment(weed, nats.url, token), directory) as running:
        yield running


def test_everything_it_needs_answers(server: Server) -> None:
    answer = httpx.get(f"{server.door.url}/readyz", timeout=20)

    assert answer.json()["status"] == "ready", answer.text
    assert set(answer.json()["checks"]) == {"store", "queue", "database", "models"}


def test_metrics_show_the_queue_and_what_is_ready(server: Server) -> None:
    page = httpx.get(f"{server.door.url}/metrics", timeout=20).text.splitlines()

    assert any(line.startswith("lakeveil_queue_depth ") for line in page)
    assert any(line.startswith("lakeveil_dead_letters ") for line in page)
    for check in ("store", "queue", "database", "models"):
        assert f'lakeveil_ready{{check="{check}"}} 1.0' in page


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("portrait.jpg", 1, 1), ("group.jpg", 3, 20), ("no-face.jpg", 0, 0), ("rotated.jpg", 1, 3)],
)
def test_faces_of_real_photos_are_found(server: Server, name: str, least: int, most: int) -> None:
    answer = server.rekognition().detect_faces(
        Image={"Bytes": (PHOTOS / name).read_bytes()}, Attributes=["ALL"]
    )

    assert least <= len(answer["FaceDetails"]) <= most
    for face in answer["FaceDetails"]:
        assert set(face) == {"BoundingBox", "Confidence", "Landmarks", "Pose", "Quality"}
        assert 0 < face["Confidence"] <= 100
        assert {mark["Type"] for mark in face["Landmarks"]} == {
            "eyeLeft",
            "eyeRight",
            "mouthLeft",
            "mouthRight",
            "nose",
        }
        assert set(face["Pose"]) == {"Roll", "Yaw", "Pitch"}
        assert set(face["Quality"]) == {"Brightness", "Sharpness"}
        assert 0 < face["BoundingBox"]["Width"] <= 1


def test_an_object_is_looked_at_with_the_callers_own_rights(server: Server) -> None:
    key = "serve/portrait of a+b.jpg"
    data = (PHOTOS / "portrait.jpg").read_bytes()
    for bucket in ("photos", "photos-released"):
        server.weed.s3().put_object(Bucket=bucket, Key=key, Body=data)
    reader = server.rekognition("reader")

    image = {"S3Object": {"Bucket": "photos-released", "Name": key}}
    assert len(reader.detect_faces(Image=image)["FaceDetails"]) == 1
    with pytest.raises(reader.exceptions.InvalidS3ObjectException):
        reader.detect_faces(Image={"S3Object": {"Bucket": "photos", "Name": key}})


def test_broken_and_foreign_files_are_refused_by_the_real_decoders(server: Server) -> None:
    client = server.rekognition()
    whole = (PHOTOS / "portrait.jpg").read_bytes()

    for broken in (whole[: len(whole) // 2], b"%PDF-1.7 no photo", whole[:2] + b"\0" * 500):
        with pytest.raises(client.exceptions.InvalidImageFormatException):
            client.detect_faces(Image={"Bytes": broken})


def test_png_and_webp_are_looked_at_too(server: Server) -> None:
    for form in ("PNG", "WEBP"):
        answer = server.rekognition().detect_faces(Image={"Bytes": photo(form, (200, 150))})
        assert answer["FaceDetails"] == []


def test_the_log_tells_of_calls_and_holds_no_secret(server: Server) -> None:
    server.rekognition().detect_faces(Image={"Bytes": photo()})

    text = server.log.read_text()
    calls = [json.loads(line) for line in text.splitlines()]
    assert any(c["event"] == "call" and c["operation"] == "DetectFaces" for c in calls)
    for secret in server.weed.credentials.secrets():
        assert secret not in text


def test_a_queue_that_is_away_makes_it_unready_but_not_dead(weed: Weed, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("token")
    with serving(weed, environment(weed, "nats://127.0.0.1:9", token), tmp_path) as alone:
        answer = httpx.get(f"{alone.door.url}/readyz", timeout=20)
        page = httpx.get(f"{alone.door.url}/metrics", timeout=20).text

        assert answer.status_code == 503
        checks = answer.json()["checks"]
        assert {name: state["ok"] for name, state in checks.items()} == {
            "store": True,
            "queue": False,
            "database": True,
            "models": True,
        }
        assert "lakeveil_queue_depth" not in page
        assert httpx.get(f"{alone.door.url}/healthz").status_code == 200
        assert alone.rekognition().detect_faces(Image={"Bytes": photo()})["FaceDetails"] == []

        alone.process.send_signal(signal.SIGTERM)
        assert alone.process.wait(20) == 0


def test_what_is_being_answered_is_finished_before_it_stops(
    weed: Weed, nats: Nats, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(nats.token)
    data = (PHOTOS / "group.jpg").read_bytes()
    with serving(weed, environment(weed, nats.url, token), tmp_path) as server:
        answers: list[Any] = []
        client = server.rekognition()
        caller = threading.Thread(
            target=lambda: answers.append(client.detect_faces(Image={"Bytes": data}))
        )
        before = _ticks(server)
        caller.start()
        deadline = time.monotonic() + 20
        while _ticks(server) == before and caller.is_alive() and time.monotonic() < deadline:
            time.sleep(0.001)
        server.process.send_signal(signal.SIGTERM)
        caller.join(30)
        code = server.process.wait(20)

    assert answers
    assert len(answers[0]["FaceDetails"]) >= 3
    assert code == 0


def test_a_callers_trace_goes_on_in_here(weed: Weed, tmp_path: Path) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    parent = "b7ad6b7169203331"
    with collecting() as collector:
        env = environment(
            weed,
            "nats://127.0.0.1:9",
            tmp_path / "token",
            LAKEVEIL_TELEMETRY__OTLP_ENDPOINT=collector.url,
        )
        (tmp_path / "token").write_text("token")
        with serving(weed, env, tmp_path) as server:
            key = weed.credentials.s3["reader"]
            body = json.dumps({"Image": {"Bytes": base64.b64encode(photo()).decode()}}).encode()
            request = signed(
                server.door.url,
                body,
                key=key.access_key_id,
                secret=key.secret_access_key,
                headers={"traceparent": f"00-{trace}-{parent}-01"},
            )
            answer = httpx.post(server.door.url, content=body, headers=dict(request.headers))
            assert answer.status_code == 200, answer.text
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(20) == 0

    call, look = collector.spans["POST /"], collector.spans["examine"]
    assert call.trace_id.hex() == look.trace_id.hex() == trace
    assert call.parent_span_id.hex() == parent
    assert look.parent_span_id == call.span_id


def _ticks(server: Server) -> int:
    """Processor time that its children, the darkroom's, have used so far."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == str(server.process.pid):
            ticks += int(fields[11])
    return ticks


def test_without_weights_it_does_not_start(weed: Weed, nats: Nats, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(nats.token)
    env = environment(weed, nats.url, token, LAKEVEIL_MODELS__DIR=str(tmp_path / "none"))
    done = subprocess.run(
        command(), env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 1
    assert json.loads(done.stderr.splitlines()[-1])["error"]["fix"] == "lakeveil models install"
    assert done.stdout == ""


def test_a_port_that_is_taken_is_said_plainly(weed: Weed, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        env = environment(
            weed,
            "nats://127.0.0.1:9",
            tmp_path / "token",
            LAKEVEIL_PORTS__HTTP=str(taken.getsockname()[1]),
        )
        done = subprocess.run(
            command(),
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.returncode == 1
    assert json.loads(done.stderr.splitlines()[-1])["error"]["code"] == "port_taken"
