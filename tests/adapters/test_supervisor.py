"""Children start in order of need, come back when they die, and stop in reverse."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lakeveil.adapters.child import ChildSpec
from lakeveil.adapters.supervisor import Supervisor
from lakeveil.errors import SetupError
from tests.adapters.test_child import alive, until

CODE = """
import pathlib, signal, sys, time
history, name, ready = map(pathlib.Path, sys.argv[1:])
def note(what):
    with history.open("a") as file:
        file.write(f"{name} {what}\\n")
def stop(*_):
    # It is told twice: to stop, and again while its end is waited for.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note("stopped")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
note("started")
ready.touch()
time.sleep(60)
"""


class Stage:
    """Some supervised children, and what they and their supervisor said."""

    def __init__(self, tmp_path: Path, needs: dict[str, tuple[str, ...]]) -> None:
        self.history_file = tmp_path / "history"
        self.said: list[str] = []
        self.supervisor = Supervisor(
            [
                ChildSpec(
                    name=name,
                    argv=[
                        *(sys.executable, "-c", CODE),
                        *(str(self.history_file), name, str(tmp_path / f"{name}.ready")),
                    ],
                    env=os.environ,
                    log=tmp_path / f"{name}.log",
                    needs=needed,
                    ready_file=tmp_path / f"{name}.ready",
                )
                for name, needed in needs.items()
            ],
            say=lambda name, text: self.said.append(f"{name}: {text}"),
        )

    def history(self) -> list[str]:
        return self.history_file.read_text().splitlines()

    def watch_until(self, condition: Callable[[], bool]) -> None:
        """Watch on this thread, as children die with the one that started them."""
        stopping = threading.Event()

        def wait() -> None:
            until(condition)
            stopping.set()

        waiter = threading.Thread(target=wait)
        waiter.start()
        self.supervisor.watch(stopping)
        waiter.join()


def test_children_start_after_what_they_need_and_stop_before_it(tmp_path: Path) -> None:
    # The table's order does not matter.
    stage = Stage(tmp_path, {"worker": ("store", "queue"), "queue": ("store",), "store": ()})
    try:
        assert stage.supervisor.start(threading.Event())
    finally:
        stage.supervisor.stop()
    assert stage.history() == [
        *("store started", "queue started", "worker started"),
        *("worker stopped", "queue stopped", "store stopped"),
    ]


def test_a_need_that_is_not_part_of_this_stack_is_met(tmp_path: Path) -> None:
    stage = Stage(tmp_path, {"worker": ("store",)})
    try:
        assert stage.supervisor.start(threading.Event())
    finally:
        stage.supervisor.stop()


def test_a_child_that_is_killed_comes_back_and_both_are_told(tmp_path: Path) -> None:
    stage = Stage(tmp_path, {"store": (), "worker": ("store",)})
    try:
        stage.supervisor.start(threading.Event())
        first = stage.supervisor.children["store"].pid
        other = stage.supervisor.children["worker"].pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        stage.watch_until(lambda: "store: runs again" in stage.said)
        assert stage.supervisor.children["store"].pid != first
        assert stage.supervisor.children["worker"].pid == other
    finally:
        stage.supervisor.stop()
    assert "store: died (killed by SIGKILL); starting it again in 1 s" in stage.said


def test_a_child_that_cannot_start_is_an_error_and_all_others_can_be_stopped(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path, {"store": (), "broken": ("store",)})
    broken = stage.supervisor.children["broken"]
    broken.spec = ChildSpec(
        name="broken",
        argv=[sys.executable, "-c", "raise SystemExit('no')"],
        env=os.environ,
        log=tmp_path / "broken.log",
        needs=("store",),
        ready=lambda: False,
    )
    try:
        with pytest.raises(SetupError, match="broken ended"):
            stage.supervisor.start(threading.Event())
    finally:
        stage.supervisor.stop()
    pid = stage.supervisor.children["store"].pid
    assert pid is not None
    assert not alive(pid)


def test_starting_can_be_given_up(tmp_path: Path) -> None:
    stage = Stage(tmp_path, {"store": (), "worker": ("store",)})
    stopping = threading.Event()
    stopping.set()
    started = time.monotonic()
    try:
        assert not stage.supervisor.start(stopping)
    finally:
        stage.supervisor.stop()
    assert time.monotonic() > started
    assert stage.supervisor.children["worker"].pid is None
