"""`lakeveil models`, as a user runs it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from subprocess import CompletedProcess

from lakeveil.adapters.model_store import SOURCES, default_directory
from tests.command_line import lakeveil


def models(*arguments: str, at: Path) -> CompletedProcess[str]:
    return lakeveil(
        "models", *arguments, cwd=Path.cwd(), LAKEVEIL_MODELS__DIR=str(at), NO_COLOR="1"
    )


def test_ls_shows_each_network_its_state_and_licence() -> None:
    done = models("ls", "--json", at=default_directory())
    rows = json.loads(done.stdout)
    assert [(r["name"], r["state"], r["licence"]) for r in rows] == [
        ("yunet", "ok", "MIT"),
        ("centerface", "ok", "MIT"),
    ]


def test_check_passes_on_intact_weights() -> None:
    done = models("check", at=default_directory())
    assert done.returncode == 0, done.stderr
    assert "yunet\tok\tMIT" in done.stdout


def test_check_fails_on_altered_weights_and_says_what_to_do(tmp_path: Path) -> None:
    shutil.copytree(default_directory(), tmp_path, dirs_exist_ok=True)
    (tmp_path / SOURCES[0].file_name).write_bytes(b"not a network")
    done = models("check", "--json", at=tmp_path)
    assert done.returncode == 1
    error = json.loads(done.stderr)["error"]
    assert error["code"] == "model_altered"
    assert error["fix"] == "lakeveil models install"
    assert done.stdout == ""


def test_install_has_nothing_to_do_twice(tmp_path: Path) -> None:
    shutil.copytree(default_directory(), tmp_path, dirs_exist_ok=True)
    done = models("install", "--from", str(tmp_path), "--json", at=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {r["state"] for r in json.loads(done.stdout)} == {"ok"}


def test_install_from_an_empty_folder_fails_plainly(tmp_path: Path) -> None:
    done = models("install", "--from", str(tmp_path), at=tmp_path / "models")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "error: cannot get the yunet face detector" in done.stderr
