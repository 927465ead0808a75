"""`lakeveil models`, as a user runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from lakeveil.adapters.model_store import SOURCES, default_directory


def lakeveil(*arguments: str, models: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lakeveil", "models", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LAKEVEIL_MODELS__DIR": str(models), "NO_COLOR": "1"},
    )


def test_ls_shows_each_network_its_state_and_licence() -> None:
    done = lakeveil("ls", "--json", models=default_directory())
    rows = json.loads(done.stdout)
    assert [(r["name"], r["state"], r["licence"]) for r in rows] == [
        ("yunet", "ok", "MIT"),
        ("centerface", "ok", "MIT"),
    ]


def test_check_passes_on_intact_weights() -> None:
    done = lakeveil("check", models=default_directory())
    assert done.returncode == 0, done.stderr
    assert "yunet\tok\tMIT" in done.stdout


def test_check_fails_on_altered_weights_and_says_what_to_do(tmp_path: Path) -> None:
    shutil.copytree(default_directory(), tmp_path, dirs_exist_ok=True)
    (tmp_path / SOURCES[0].file_name).write_bytes(b"not a network")
    done = lakeveil("check", "--json", models=tmp_path)
    assert done.returncode == 1
    error = json.loads(done.stderr)["error"]
    assert error["code"] == "model_altered"
    assert error["fix"] == "lakeveil models install"
    assert done.stdout == ""


def test_install_has_nothing_to_do_twice(tmp_path: Path) -> None:
    shutil.copytree(default_directory(), tmp_path, dirs_exist_ok=True)
    done = lakeveil("install", "--from", str(tmp_path), "--json", models=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {r["state"] for r in json.loads(done.stdout)} == {"ok"}


def test_install_from_an_empty_folder_fails_plainly(tmp_path: Path) -> None:
    done = lakeveil("install", "--from", str(tmp_path), models=tmp_path / "models")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "error: cannot get the yunet face detector" in done.stderr
