"""The parts of the stack as commands of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lakeveil.cli.main import invoke


def run(home: Path, part: str, *, settings: str = "") -> tuple[int, dict[str, str]]:
    """(exit code, error) of one part that does not start."""
    config = home / "lakeveil.toml"
    config.write_text(f'home = "{home}/home"\n{settings}')
    # In a process of its own: a part takes over the signals.
    done = subprocess.run(
        [sys.executable, "-m", "lakeveil", "--json", "--config", str(config), "run", part],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    error: dict[str, str] = json.loads(done.stderr)["error"]
    return done.returncode, error


def test_there_is_nothing_to_bridge_for_a_store_of_somebody_else(tmp_path: Path) -> None:
    code, error = run(tmp_path, "bridge", settings='[store]\nendpoint = "aws"\n')
    assert (code, error["what"]) == (2, "there is nothing to bridge")


@pytest.mark.parametrize("part", ["bridge", "reconcile"])
def test_a_part_cannot_run_before_the_stack_did(tmp_path: Path, part: str) -> None:
    code, error = run(tmp_path, part)
    assert (code, error["code"], error["fix"]) == (1, "no_credentials", "lakeveil up")


def test_they_are_not_listed_among_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["--help"]) == 0
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert "up" in listed
    assert "run" not in listed
