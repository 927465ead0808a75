"""`lakeveil queue` on a real broker: what waits, what was given up, and putting it back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lakeveil.adapters.queue_jetstream import JetStreamQueue
from lakeveil.cli.main import invoke
from lakeveil.core.events import Change, ObjectEvent, to_s3_notification
from lakeveil.ports import Queue
from tests.stack_fixture import Nats, running_nats

# The output, the talk, the exit code.
Run = Callable[..., tuple[str, str, int]]


@pytest.fixture(scope="module")
def server() -> Iterator[Nats]:
    """A server of our own: the command line knows one stream name only."""
    with running_nats() as nats:
        yield nats


@pytest.fixture
def queue(server: Nats) -> Iterator[Queue]:
    with closing(JetStreamQueue(server.url, token=server.token)) as queue:
        yield queue
        queue.redrive()
        while batch := queue.receive(max_messages=10, wait_s=0):
            for message in batch:
                queue.ack(message)


@pytest.fixture
def run(
    server: Nats,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    token = tmp_path / "token"
    token.write_text(f"{server.token}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAKEVEIL_QUEUE__URL", server.url)
    monkeypatch.setenv("LAKEVEIL_QUEUE__TOKEN_FILE", str(token))

    def run(*words: str) -> tuple[str, str, int]:
        code = invoke(["queue", *words])
        said = capsys.readouterr()
        return said.out, said.err, code

    return run


def test_show_counts_what_waits_and_what_is_dead(run: Run, queue: Queue) -> None:
    queue.put([_event("a.jpg"), _event("b.jpg"), _event("c.jpg")])
    _bury(queue, "could not look")
    out, _, code = run("show", "--json")
    assert code == 0
    assert json.loads(out) == {"kind": "jetstream", "messages": 2, "dead": 1}
    out, _, code = run("show")
    assert (code, out.split()) == (0, ["kind", "jetstream", "messages", "2", "dead", "1"])


def test_ls_lists_each_dead_letter_with_its_reason_and_object(run: Run, queue: Queue) -> None:
    queue.put([_event("holiday/a b.jpg")])
    _bury(queue, "given up after 5 receives: the roof is on fire")
    out, _, code = run("dead", "ls", "--json")
    (row,) = json.loads(out)
    assert code == 0
    assert row["objects"] == "s3://photos/holiday/a b.jpg"
    assert row["reason"] == "given up after 5 receives: the roof is on fire"
    assert row["receive_count"] == 1
    out, _, _ = run("dead", "ls")
    assert out.splitlines()[0].split("\t")[0] == "id"
    assert "the roof is on fire" in out


def test_ls_of_none_says_so_and_prints_no_data(run: Run, queue: Queue) -> None:
    assert queue.dead() == []
    out, talk, code = run("dead", "ls")
    assert (out, code) == ("", 0)
    assert "no dead letters" in talk
    assert json.loads(run("dead", "ls", "--json")[0]) == []


def test_show_prints_the_whole_letter(run: Run, queue: Queue) -> None:
    queue.put([b"hello \x1b[31m"])
    _bury(queue, "it is not JSON")
    (letter,) = queue.dead()
    out, _, code = run("dead", "show", letter.id, "--json")
    document = json.loads(out)
    assert code == 0
    assert (document["body"], document["objects"]) == ("hello \x1b[31m", "")
    # A message may hold anything: a terminal must not be told what to do by it.
    assert "\x1b" not in run("dead", "show", letter.id)[0]


def test_redrive_puts_the_named_letters_back(run: Run, queue: Queue) -> None:
    queue.put([_event("a.jpg"), _event("b.jpg")])
    _bury(queue, "why")
    _bury(queue, "why")
    first, second = queue.dead()
    out, _, code = run("dead", "redrive", first.id, "--json")
    assert (json.loads(out), code) == ({"redriven": 1}, 0)
    assert [letter.id for letter in queue.dead()] == [second.id]
    (message,) = queue.receive(max_messages=10, wait_s=2.0)
    assert message.body == first.body
    queue.ack(message)
    out, _, code = run("dead", "redrive", "--all", "--json")
    assert (json.loads(out), code) == ({"redriven": 1}, 0)
    assert queue.dead() == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["dead", "show", "999999"], 1),
        (["dead", "redrive", "999999"], 1),
        (["dead", "redrive"], 2),
        (["dead", "redrive", "1", "--all"], 2),
        (["dead", "show"], 2),
    ],
)
def test_a_wrong_request_is_refused_with_the_way_out(run: Run, words: list[str], code: int) -> None:
    out, talk, got = run(*words)
    assert (out, got) == ("", code)
    assert "fix:" in talk
    out, talk, got = run(*words, "--json")
    error = json.loads(talk)["error"]
    assert (out, got) == ("", code)
    assert error["what"]
    assert error["fix"]


def test_one_missing_letter_redrives_none(run: Run, queue: Queue) -> None:
    queue.put([_event("a.jpg")])
    _bury(queue, "why")
    (letter,) = queue.dead()
    assert run("dead", "redrive", letter.id, "999999")[2] == 1
    assert len(queue.dead()) == 1


def test_a_broker_that_is_away_is_an_error_and_no_empty_queue(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEVEIL_QUEUE__URL", "nats://127.0.0.1:1")
    out, talk, code = run("show", "--json")
    assert (out, code) == ("", 1)
    assert json.loads(talk)["error"]["code"] == "unavailable"


@pytest.mark.parametrize(
    ("environ", "code", "words"),
    [
        ({"LAKEVEIL_QUEUE__TOKEN_FILE": "none"}, 1, "token file"),
        ({"LAKEVEIL_QUEUE__KIND": "sqs", "LAKEVEIL_QUEUE__URL": ""}, 2, "queue.url"),
        ({"LAKEVEIL_QUEUE__URL": ""}, 1, "credentials"),
    ],
)
def test_settings_that_lead_to_no_queue_say_what_is_missing(
    run: Run, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], code: int, words: str
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    _, talk, got = run("show")
    assert got == code
    assert words in talk


def test_the_command_exits_as_a_program_does(server: Nats, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(server.token)
    environ: dict[str, Any] = {
        **os.environ,
        "LAKEVEIL_QUEUE__URL": server.url,
        "LAKEVEIL_QUEUE__TOKEN_FILE": str(token),
    }
    done = subprocess.run(
        [sys.executable, "-m", "lakeveil", "queue", "show", "--json"],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["kind"] == "jetstream"


def _event(key: str) -> bytes:
    return to_s3_notification(ObjectEvent(change=Change.CREATED, bucket="photos", key=key))


def _bury(queue: Queue, reason: str) -> None:
    (message,) = queue.receive(max_messages=1, wait_s=2.0)
    queue.bury(message, reason=reason)
