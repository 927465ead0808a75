"""Only one stack runs in a home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lakeveil.adapters.home_lock import only_one
from lakeveil.errors import Conflict


def test_a_second_holder_is_refused_and_told_who_is_first(tmp_path: Path) -> None:
    with only_one(tmp_path) as killed:
        assert not killed
        with pytest.raises(Conflict, match="already runs") as caught, only_one(tmp_path):
            pass
        assert str(os.getpid()) in caught.value.why
    with only_one(tmp_path) as killed:
        assert not killed


def test_an_error_gives_the_lock_back_in_order(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), only_one(tmp_path):
        raise RuntimeError
    with only_one(tmp_path) as killed:
        assert not killed


def test_a_killed_holder_gives_the_lock_back_and_it_is_known(tmp_path: Path) -> None:
    code = """
import sys, pathlib, time
from lakeveil.adapters.home_lock import only_one
with only_one(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(Conflict), only_one(tmp_path):
            pass
        process.kill()
    with only_one(tmp_path) as killed:
        assert killed
