"""A guard, or an engine, with one rule taken out is noticed: else nothing here proves a thing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.engine_mutants import ENGINE_MUTANTS, EngineMutant
from tests.hostile.mutants import MUTANTS
from tests.stack_fixture import Weed

ROOT = Path(__file__).resolve().parents[2]
FUZZED = [one.name for one in MUTANTS if not one.evidence]
_LONGEST_S = 1200


def _caught(*names: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.mutants", *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=_LONGEST_S,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _judge(found: dict[str, str]) -> None:
    assert {name for name, by in found.items() if not by} == set(), "these survive"
    assert {name: by for name, by in found.items() if by.startswith("LOST")} == {}


@pytest.mark.timeout(600)
def test_every_rule_that_a_statement_tells_of_is_missed_when_it_is_gone() -> None:
    found = _caught(*(one.name for one in MUTANTS if one.evidence))
    _judge(found)
    assert len(found) >= 25


@pytest.mark.slow
@pytest.mark.timeout(_LONGEST_S)
def test_what_only_random_policies_show_is_noticed_by_the_fuzzer() -> None:
    found = _caught(*FUZZED)
    assert set(found) == set(FUZZED)
    _judge(found)


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param(one, marks=() if one.quick else pytest.mark.slow, id=one.name)
        for one in ENGINE_MUTANTS
    ],
)
def test_an_engine_without_one_of_its_rules_is_noticed(
    weed: Weed, tmp_path: Path, mutant: EngineMutant
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.engine_mutants"],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(mutant.copied(tmp_path)), str(ROOT))),
        },
        input=mutant.question(weed, tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == mutant.shows
