"""`lakeveil up` is one command: it starts all, keeps all running, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import create_server
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from lakeveil.adapters.credentials import load_credentials
from lakeveil.adapters.listeners import is_free
from lakeveil.wiring.stack import wanted_ports
from tests.stack.installation import Installation, new_installation
from tests.stack.listening import descendants, tcp_listeners
from tests.stack.test_back_doors import MARK, Original, anybody, ask

PHOTO = Path(__file__).parent.parent / "photos" / "no-face.jpg"
PARTS = {
    "weed": "weed -logtostderr=true mini",
    "nats": "nats-server --config",
    "bridge": "run bridge",
    "keys": "run keys",
    "reconcile": "run reconcile",
    "worker-1": "run worker",
    "http": " serve",
}
"""Name -> what its command line holds."""
LABELS = {
    "weed": "object store",
    "nats": "queue",
    "bridge": "event bridge",
    "keys": "key keeper",
    "reconcile": "reconciler",
    "worker-1": "worker-1",
    "http": "HTTP server",
}


class Up:
    """A running `lakeveil up`."""

    def __init__(self, installation: Installation, process: subprocess.Popen[str]) -> None:
        self.installation = installation
        self.process = process
        self.ready: Mapping[str, Any] = {}

    def said(self) -> str:
        """Its standard error so far."""
        return (self.installation.config.parent / "stderr").read_text()

    def pid(self, name: str) -> int:
        """The process of one part, as it runs now."""
        for pid in descendants(self.process.pid):
            if PARTS[name] in " ".join(command_line(pid)) and parent_of(pid) == self.process.pid:
                return pid
        raise AssertionError(f"no process of {name}")


@contextmanager
def running_up(installation: Installation, *arguments: str) -> Iterator[Up]:
    """Start it, and kill it at the end should it still run."""
    with (installation.config.parent / "stderr").open("w") as stderr:
        process = subprocess.Popen(
            command(installation, *arguments),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
    up = Up(installation, process)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, up.said()
        up.ready = json.loads(line)
        yield up
    finally:
        left = descendants(process.pid)
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        # A store whose folder is taken away while it shuts down would never come to an end.
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def command(installation: Installation, *arguments: str) -> list[str]:
    up = ["up", "--json", "--workers", "1", *arguments]
    return [sys.executable, "-m", "lakeveil", "--config", str(installation.config), *up]


def command_line(pid: int) -> list[str]:
    """The arguments of a process; [] once it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []


def parent_of(pid: int) -> int | None:
    """Its parent; None once it is gone, zombies included."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return None
    return None if state == "Z" else int(parent)


def until(condition: Callable[[], bool], *, seconds: float = 40.0) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    """One stack for most tests."""
    with new_installation() as installation, running_up(installation) as one:
        yield one


def release(up: Up, key: str) -> bytes:
    """Put a photo in, and wait for what comes out. Tries again while the store is away."""
    uploader, reader = up.installation.s3("uploader"), up.installation.s3("reader")

    def put() -> bool:
        with suppress(BotoCoreError, ClientError):
            uploader.put_object(Bucket="photos", Key=key, Body=PHOTO.read_bytes())
            return True
        return False

    found: list[bytes] = []

    def get() -> bool:
        with suppress(BotoCoreError, ClientError):
            found.append(reader.get_object(Bucket="photos-released", Key=key)["Body"].read())
        return bool(found)

    until(put)
    until(get)
    return found[0]


def test_ready_means_that_every_part_answers(up: Up) -> None:
    settings = up.installation.settings
    assert up.ready["event"] == "ready"
    assert {child["name"] for child in up.ready["children"]} == set(PARTS)
    assert up.ready["endpoints"] == {
        "s3": f"http://127.0.0.1:{settings.ports.s3}",
        "http": f"http://127.0.0.1:{settings.ports.http}",
    }
    with urllib.request.urlopen(f"{up.ready['endpoints']['http']}/readyz", timeout=5) as answer:
        assert answer.status == 200
    for bucket in (*up.ready["sources"], *up.ready["releases"]):
        assert "Contents" not in up.installation.s3("service").list_objects_v2(Bucket=bucket)


def test_a_photo_that_is_put_in_comes_out(up: Up) -> None:
    assert release(up, "first/a b+c.jpg")[:2] == b"\xff\xd8"


def test_secrets_are_in_private_files_and_nowhere_else(up: Up) -> None:
    home = up.installation.home
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for name in ("credentials.json", "aws", "aws.config", "aws.env", "store/identities.json"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600, name
    secrets = load_credentials(home).secrets()
    shown = [json.dumps(up.ready), up.said()]
    shown += [path.read_text("utf-8", "replace") for path in (home / "logs").iterdir()]
    shown += ["\0".join(command_line(pid)) for pid in descendants(up.process.pid)]
    assert len(shown) > len(PARTS)
    assert not [text for text in shown for secret in secrets if secret in text]


def test_no_port_of_any_child_serves_or_deletes_an_original(up: Up) -> None:
    key = "back-doors/secret.jpg"
    up.installation.s3("uploader").put_object(Bucket="photos", Key=key, Body=MARK * 1000)
    listeners = {
        listener
        for pid in descendants(up.process.pid)
        for listener in tcp_listeners(pid)
        if parent_of(pid) is not None
    }
    assert {address for address, _ in listeners} == {"127.0.0.1"}
    assert {port for _, port in listeners} == set(wanted_ports(up.installation.settings).values())
    context = anybody()
    for _, port in sorted(listeners):
        for method, path in Original(fid="1,01637037d6").paths():
            for answer in (
                ask(f"http://127.0.0.1:{port}{path}", method),
                ask(f"https://127.0.0.1:{port}{path}", method, context),
            ):
                assert MARK not in answer[1], (port, method, path)
    found = up.installation.s3("admin").get_object(Bucket="photos", Key=key)["Body"].read()
    assert found == MARK * 1000


def test_a_second_one_in_the_same_home_says_so(up: Up) -> None:
    done = subprocess.run(
        command(up.installation), capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert error["code"] == "already_running"
    assert str(up.process.pid) in error["why"]
    assert up.process.poll() is None


@pytest.mark.parametrize("name", PARTS)
def test_a_part_that_is_killed_comes_back_and_photos_still_come_out(up: Up, name: str) -> None:
    label = LABELS[name]
    os.kill(up.pid(name), signal.SIGKILL)
    until(lambda: f"{label}: died (killed by SIGKILL)" in up.said())
    released = release(up, f"after/{name}.jpg")
    assert released[:2] == b"\xff\xd8"
    until(lambda: f"{label}: runs again" in up.said())


@pytest.mark.parametrize(
    "how",
    [signal.SIGINT, signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)],
)
def test_whatever_ends_it_no_process_and_no_listener_is_left(how: signal.Signals) -> None:
    with new_installation() as installation, running_up(installation) as up:
        children = descendants(up.process.pid)
        assert len(children) >= len(PARTS)
        os.kill(up.process.pid, how)
        code = up.process.wait(30)
        if how is signal.SIGKILL:
            # They notice, and end by themselves.
            until(lambda: not [pid for pid in children if parent_of(pid) is not None])
            # Threads of a process hold its ports a moment longer than it is listed.
            until(lambda: all(map(is_free, wanted_ports(installation.settings).values())))
        else:
            assert code == 0
            assert up.said().splitlines()[-1] == "everything is stopped"
        assert not [command_line(pid) for pid in children if parent_of(pid) is not None]
        ports = wanted_ports(installation.settings)
        assert not [name for name, port in ports.items() if not is_free(port)]


def test_a_port_in_use_is_told_before_anything_starts() -> None:
    with new_installation() as installation:
        port = installation.settings.ports.nats
        with create_server(("127.0.0.1", port)):
            done = subprocess.run(
                command(installation), capture_output=True, text=True, timeout=30, check=False
            )
        assert done.returncode == 1
        error = json.loads(done.stderr.splitlines()[-1])["error"]
        assert error["code"] == "port_in_use"
        assert f"port {port}" in error["what"]
        assert "ports.nats" in error["what"]
        assert str(os.getpid()) in error["why"]
        assert not (installation.home / "logs").exists()


def test_without_the_detectors_weights_nothing_starts(tmp_path: Path) -> None:
    with new_installation(f"[models]\ndir = {json.dumps(str(tmp_path))}\n") as installation:
        done = subprocess.run(
            command(installation), capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 1
        error = json.loads(done.stderr.splitlines()[-1])["error"]
        assert error["fix"] == "lakeveil models install"
        assert not (installation.home / "logs").exists()
