"""The parts of the stack as commands of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lakeveil.cli.main import invoke


def test_there_is_nothing_to_bridge_for_a_store_of_somebody_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "lakeveil.toml"
    config.write_text(f'home = "{tmp_path}/home"\n[store]\nendpoint = "aws"\n')
    assert invoke(["--json", "--config", str(config), "run", "bridge"]) == 2
    error = json.loads(capsys.readouterr().err)["error"]
    assert error["what"] == "there is nothing to bridge"


def test_a_part_cannot_run_before_the_stack_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "lakeveil.toml"
    config.write_text(f'home = "{tmp_path}/home"\n')
    assert invoke(["--json", "--config", str(config), "run", "reconcile"]) == 1
    error = json.loads(capsys.readouterr().err)["error"]
    assert (error["code"], error["fix"]) == ("no_credentials", "lakeveil up")


def test_they_are_not_listed_among_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["--help"]) == 0
    listed = capsys.readouterr().out
    assert "  up " in listed
    assert "  run " not in listed
