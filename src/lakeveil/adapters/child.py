"""One supervised child process: it starts, is asked whether it is ready, is stopped for good.

A child never outlives us: it dies with the thread that started it (`PR_SET_PDEATHSIG`), so start
children from a thread that lives as long as they should, normally the main one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from lakeveil.errors import SetupError

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 30.0
STEADY_S = 60.0
"""A child that ran this long has recovered: its next failure counts as the first."""
LOG_BYTES = 10 * 1024 * 1024

# Runs in the child before the program does. Not `preexec_fn`: that one runs Python after a fork
# of a process with threads, which may deadlock. The second check closes the race with a parent
# that died before the request was made.
_DIE_WITH_PARENT = """\
import ctypes, os, signal, sys
parent, stop = int(sys.argv[1]), int(sys.argv[2])
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, stop, 0, 0, 0)
if os.getppid() != parent:
    sys.exit(1)
os.execv(sys.argv[3], sys.argv[3:])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """How to run one child.

    `env` is its whole environment: secrets belong there or in files, never in `argv`, which
    every user of the machine can read. It is ready once it made `ready_file` (if it has one)
    and `ready` says yes. `needs` names children that must be ready before it starts. `fix` says
    what an operator can do when the child does not come up.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    log: Path
    cwd: Path | None = None
    needs: Sequence[str] = ()
    ready: Callable[[], bool] = lambda: True
    ready_file: Path | None = None
    ready_timeout_s: float = 30.0
    stop_timeout_s: float = 10.0
    fix: str = ""


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdout: int | IO[Any] | None,
    stderr: int | IO[Any] | None,
    on_parent_death: int = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own; it gets `on_parent_death` when we die.

    Raises:
        SetupError: there is no such program.
    """
    program = shutil.which(argv[0])
    if program is None:
        raise SetupError(
            f"the program `{argv[0]}` is not there",
            why="it comes with Lakeveil's own dependencies",
            fix="install Lakeveil again: pip install --force-reinstall lakeveil",
        )
    # -I and -S: quick, and nothing of the surroundings is imported before the program runs.
    launcher = [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT]
    return subprocess.Popen(
        [*launcher, str(os.getpid()), str(int(on_parent_death)), program, *argv[1:]],
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        # Ctrl-C at the terminal is for us; we then stop our children in order.
        start_new_session=True,
    )


def stop(process: subprocess.Popen[bytes], *, timeout_s: float) -> int:
    """Stop a process and everything it started: SIGTERM, and SIGKILL after `timeout_s`.

    Returns its exit code as `subprocess` gives it (negative: the signal that ended it).
    """
    _signal_group(process, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout_s)
    # Also when it ended by itself: what it left behind in its group must not stay.
    _signal_group(process, signal.SIGKILL)
    return process.wait()


class Child:
    """A child with its log, its probe and its history of failures."""

    def __init__(self, spec: ChildSpec, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.spec = spec
        self.process: subprocess.Popen[bytes] | None = None
        self.failures = 0
        self.started_at = 0.0
        self._monotonic = monotonic

    @property
    def pid(self) -> int | None:
        """The process id, while it is believed to run."""
        return self.process.pid if self.process else None

    def start(self) -> None:
        """Start it; does not wait until it is ready."""
        rotate(self.spec.log)
        if self.spec.ready_file is not None:
            self.spec.ready_file.unlink(missing_ok=True)
        self.spec.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        with os.fdopen(os.open(self.spec.log, flags, 0o600), "ab") as log:
            self.process = spawn(
                self.spec.argv, env=self.spec.env, cwd=self.spec.cwd, stdout=log, stderr=log
            )
        self.started_at = self._monotonic()

    def exit_code(self) -> int | None:
        """The exit code once it ended (negative: the signal), or None while it runs."""
        return self.process.poll() if self.process else None

    def is_ready(self) -> bool:
        """Whether it runs and its probe says yes. A probe that fails says no."""
        if self.process is None or self.process.poll() is not None:
            return False
        if self.spec.ready_file is not None and not self.spec.ready_file.exists():
            return False
        try:
            return self.spec.ready()
        except Exception:  # noqa: BLE001 - not being there yet takes many forms
            return False

    def age_s(self) -> float:
        """Seconds since it was started."""
        return self._monotonic() - self.started_at

    def check_start(self) -> bool:
        """Whether it is ready by now, after `start`.

        Raises:
            SetupError: it ended, or was not ready within `spec.ready_timeout_s`.
        """
        if self.is_ready():
            return True
        code = self.exit_code()
        if code is not None:
            raise self._failed(f"{self.spec.name} ended while starting ({ending(code)})")
        if self.age_s() > self.spec.ready_timeout_s:
            raise self._failed(
                f"{self.spec.name} was not ready within {self.spec.ready_timeout_s:g} s"
            )
        return False

    def wait_ready(self) -> None:
        """Wait until it is ready.

        Raises:
            SetupError: it ended, or was not ready within `spec.ready_timeout_s`.
        """
        while not self.check_start():
            time.sleep(0.02)

    def failed(self) -> float:
        """Count a failure; returns the seconds to wait before the next start."""
        if self.age_s() > STEADY_S:
            self.failures = 0
        self.failures += 1
        return delay_s(self.failures)

    def ask_to_stop(self) -> None:
        """Send SIGTERM and return; `stop` waits for the end."""
        if self.process is not None:
            _signal_group(self.process, signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to it and what it started."""
        if self.process is not None:
            _signal_group(self.process, signal.SIGKILL)

    def stop(self) -> int | None:
        """Stop it and what it started; returns its exit code, None when it never ran."""
        if self.process is None:
            return None
        return stop(self.process, timeout_s=self.spec.stop_timeout_s)

    def _failed(self, what: str) -> SetupError:
        lines = _last_words(self.spec.log)
        return SetupError(
            what,
            why=f"its last words were: {lines}" if lines else "it wrote nothing",
            fix=self.spec.fix or f"read {self.spec.log}",
            code="child_failed",
        )


def delay_s(failures: int) -> float:
    """Seconds before the start that follows so many failures in a row.

    >>> [delay_s(n) for n in (1, 2, 3, 10)]
    [1.0, 2.0, 4.0, 30.0]
    """
    return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(failures - 1, 10))


def ending(code: int) -> str:
    """An exit code in words.

    >>> ending(-9), ending(1)
    ('killed by SIGKILL', 'exit 1')
    """
    if code < 0:
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"
    return f"exit {code}"


def rotate(log: Path, *, limit_bytes: int = LOG_BYTES) -> bool:
    """Move a log that grew past `limit_bytes` to `NAME.1`; True when it did.

    The writer keeps its open file (opened for appending), so the contents are copied and the
    file is emptied: lines written in between are lost, the disk does not fill.
    """
    try:
        if log.stat().st_size <= limit_bytes:
            return False
    except FileNotFoundError:
        return False
    older = log.with_name(f"{log.name}.1")
    shutil.copyfile(log, older)
    older.chmod(0o600)
    os.truncate(log, 0)
    return True


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _last_words(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 2000))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return " / ".join(line.strip()[:200] for line in text.splitlines() if line.strip())[-400:]
