"""A child starts, says when it is ready, and never outlives us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lakeveil.adapters.child import Child, ChildSpec, rotate, spawn, stop
from lakeveil.errors import SetupError


def spec(tmp_path: Path, code: str, **changes: object) -> ChildSpec:
    """A child that runs Python code."""
    return ChildSpec(
        name="test",
        argv=[sys.executable, "-c", code],
        env=os.environ,
        log=tmp_path / "logs" / "test.log",
        **changes,  # type: ignore[arg-type]
    )


def until(condition: Callable[[], bool]) -> None:
    """Wait for it; the test's own time limit ends the wait."""
    while not condition():
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether the process runs: not gone, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_child_is_ready_once_its_file_is_there_and_its_probe_agrees(tmp_path: Path) -> None:
    file, door = tmp_path / "ready", tmp_path / "door"
    file.touch()
    code = f"import time, pathlib; pathlib.Path({str(file)!r}).touch(); time.sleep(60)"
    child = Child(spec(tmp_path, code, ready_file=file, ready=door.exists))
    child.start()
    try:
        until(file.exists)
        assert not child.is_ready()
        door.touch()
        child.wait_ready()
    finally:
        child.stop()
    assert not child.is_ready()


def test_what_a_child_left_from_an_earlier_start_does_not_make_it_ready(tmp_path: Path) -> None:
    file = tmp_path / "ready"
    file.touch()
    child = Child(spec(tmp_path, "import time; time.sleep(60)", ready_file=file))
    child.start()
    try:
        assert not child.is_ready()
    finally:
        child.stop()


def test_a_probe_that_fails_means_not_yet(tmp_path: Path) -> None:
    def probe() -> bool:
        raise ConnectionRefusedError

    child = Child(spec(tmp_path, "import time; time.sleep(60)", ready=probe))
    child.start()
    try:
        assert not child.is_ready()
    finally:
        child.stop()


def test_a_child_that_ends_while_starting_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    child = Child(spec(tmp_path, "raise SystemExit('no such luck')", ready=lambda: False))
    child.start()
    with pytest.raises(SetupError, match="exit 1") as caught:
        child.wait_ready()
    assert "no such luck" in caught.value.why


def test_a_child_that_is_not_ready_in_time_is_an_error(tmp_path: Path) -> None:
    child = Child(
        spec(tmp_path, "import time; time.sleep(60)", ready=lambda: False, ready_timeout_s=0.1)
    )
    child.start()
    try:
        with pytest.raises(SetupError, match=r"not ready within 0\.1 s"):
            child.wait_ready()
    finally:
        child.stop()


def test_a_program_that_is_not_there_is_an_error() -> None:
    with pytest.raises(SetupError, match="no-such-program"):
        spawn(["no-such-program"], env={}, stdout=None, stderr=None)


def test_a_child_that_ignores_sigterm_is_killed_with_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = f"""
import os, pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
inner = subprocess.Popen([sys.executable, "-c", deaf])
pathlib.Path({str(pids)!r}).write_text(f"{{os.getpid()}} {{inner.pid}}\\n")
time.sleep(60)
"""
    child = Child(spec(tmp_path, code, stop_timeout_s=0.5))
    child.start()
    until(lambda: pids.exists() and pids.read_text().endswith("\n"))
    assert child.stop() == -signal.SIGKILL
    until(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()))


def test_a_child_dies_with_a_parent_that_is_killed() -> None:
    parent = """
import os, subprocess, sys, time
from lakeveil.adapters.child import spawn
sleep = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
child = spawn(sleep, env=os.environ, stdout=subprocess.PIPE, stderr=None)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert alive(pid)
        process.kill()
    until(lambda: not alive(pid))


def test_ctrl_c_at_the_terminal_does_not_reach_a_child() -> None:
    child = spawn(
        [sys.executable, "-c", "import os; print(os.getpgid(0), os.getsid(0))"],
        env=os.environ,
        stdout=subprocess.PIPE,
        stderr=None,
    )
    assert child.stdout is not None
    with child.stdout as said:
        group, session = map(int, said.read().split())
    stop(child, timeout_s=5)
    assert os.getpgid(0) != group
    assert os.getsid(0) != session


def test_waits_between_starts_double_up_to_half_a_minute(tmp_path: Path) -> None:
    now = [0.0]
    child = Child(spec(tmp_path, ""), monotonic=lambda: now[0])
    assert [child.failed() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    now[0] += 61
    assert child.failed() == 1


def test_secrets_in_the_environment_do_not_show_in_a_spec(tmp_path: Path) -> None:
    one = ChildSpec(name="x", argv=["x"], env={"KEY": "hunter2"}, log=tmp_path / "x.log")
    assert "hunter2" not in repr(one)


def test_a_log_is_private_and_is_rotated_when_it_grew(tmp_path: Path) -> None:
    child = Child(spec(tmp_path, "print('hello')"))
    child.start()
    assert child.process is not None
    child.process.wait()
    log = child.spec.log
    assert log.stat().st_mode & 0o777 == 0o600
    assert not rotate(log, limit_bytes=100)
    assert rotate(log, limit_bytes=3)
    older = log.with_name("test.log.1")
    assert (log.read_text(), older.read_text()) == ("", "hello\n")
    assert older.stat().st_mode & 0o777 == 0o600
