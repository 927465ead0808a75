"""`lakeveil`, as somebody types it: within this process, or in one of its own.

Within this process it is what `python -m lakeveil` runs but for starting Python, which takes longer
than most commands. Tests of what a process is (signals, pipes, exit codes) start one.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from subprocess import CompletedProcess

from lakeveil.cli.main import invoke

PROGRAM = [sys.executable, "-m", "lakeveil"]


def lakeveil(*arguments: str | Path, cwd: Path, **environ: str) -> CompletedProcess[str]:
    """One command line, run here: its output is no terminal, its input is empty."""
    return run_here(list(map(str, arguments)), cwd=cwd, environ=_clean() | environ)


def lakeveil_process(*arguments: str | Path, cwd: Path, **environ: str) -> CompletedProcess[str]:
    """One command line, run in a process of its own."""
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        check=False,
        cwd=cwd,
        env=_clean() | environ,
        capture_output=True,
        text=True,
    )


def run_here(
    arguments: list[str], *, cwd: Path, environ: Mapping[str, str]
) -> CompletedProcess[str]:
    """One command line, run here with exactly these variables."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd),
        _environment(environ),
        _no_input(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = invoke(arguments)
    return CompletedProcess([*PROGRAM, *arguments], code, out.getvalue(), err.getvalue())


def _clean() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("LAKEVEIL_")}


@contextlib.contextmanager
def _environment(environ: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    _become(environ)
    try:
        yield
    finally:
        _become(before)


def _become(environ: Mapping[str, str]) -> None:
    for name in os.environ.keys() - environ.keys():
        del os.environ[name]
    os.environ.update(environ)


@contextlib.contextmanager
def _no_input() -> Iterator[None]:
    before, sys.stdin = sys.stdin, io.StringIO()
    try:
        yield
    finally:
        sys.stdin = before
