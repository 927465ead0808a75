"""Each wall alone: what it stops, and exactly what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.attempts import statements
from tests.hostile.in_process import GuardAlone
from tests.hostile.raw_workers import Raw
from tests.hostile.real_walls import RealWalls
from tests.hostile.walls_page import PAGE, leaked, leaking, page, tried


def test_what_gets_past_the_engines_walls_stops_at_the_guard_and_in_strict_jobs(
    guard: GuardAlone, walls: RealWalls, raw: Raw
) -> None:
    recorded = leaking()
    assert len(recorded) > 20
    for plain in tried():
        if plain.sql in recorded:
            one = plain.knowing(walls.known)
            assert raw.lock_alone(one).leaked(one) == recorded[plain.sql], one
            assert raw.strict_alone(one).leaked(one) == frozenset(), one
            assert guard.tried(one).leaked(one) == frozenset(), one


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_what_each_wall_alone_does_not_stop_is_what_the_page_says(
    guard: GuardAlone, walls: RealWalls, raw: Raw
) -> None:
    strict = leaked(raw.strict_alone, walls.known)
    assert strict == {}
    lock = leaked(raw.lock_alone, walls.known)
    found = page(guard={}, lock=lock, strict=strict, every={}, total=len(tried()))
    assert found == PAGE.read_text("utf-8"), "python -m tests.hostile.walls_page writes it anew"
    assert leaked(guard.tried, guard.known) == {}


def test_the_engines_walls_alone_open_no_file_but_those_of_the_query(
    walls: RealWalls, raw: Raw
) -> None:
    for plain in statements("files"):
        one = plain.knowing(walls.known)
        assert "a hidden table" not in raw.lock_alone(one).leaked(one)


def test_a_worker_holds_no_capability(raw: Raw) -> None:
    for worker in (raw.reader.worker, raw.fed.worker):
        status = Path(f"/proc/{worker.pid}/status").read_text("ascii")
        held = dict(line.split(":\t", 1) for line in status.splitlines())
        assert {int(held[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {0}
