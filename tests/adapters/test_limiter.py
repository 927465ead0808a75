"""Slots and rates hold over every process that shares the database."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeveil.adapters.clock import ManualClock
from lakeveil.adapters.database import open_database
from lakeveil.adapters.limiter import SqlLimiter
from lakeveil.ports import Limiter
from tests.new_database import new_database


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def limiter(tmp_path: Path, clock: ManualClock) -> Iterator[Limiter]:
    engine = new_database(tmp_path / "state.db")
    yield SqlLimiter(engine, clock)
    engine.dispose()


def _take(limiter: Limiter, owner: str, *, limit: int = 2, name: str = "photos") -> bool:
    return limiter.acquire_slot(name, limit=limit, owner=owner, lease_s=30.0)


def test_there_are_as_many_slots_as_the_limit_says(limiter: Limiter) -> None:
    assert [_take(limiter, owner) for owner in ("a", "b", "c")] == [True, True, False]


def test_limits_of_other_names_are_others(limiter: Limiter) -> None:
    assert _take(limiter, "a", limit=1)
    assert _take(limiter, "b", limit=1, name="tables")
    limiter.release_slot("tables", owner="a")
    assert not _take(limiter, "b", limit=1)


def test_a_slot_that_is_given_back_is_free(limiter: Limiter) -> None:
    assert _take(limiter, "a", limit=1)
    limiter.release_slot("photos", owner="a")
    limiter.release_slot("photos", owner="a")
    assert _take(limiter, "b", limit=1)


def test_nobody_gives_back_the_slot_of_another(limiter: Limiter) -> None:
    assert _take(limiter, "a", limit=1)
    limiter.release_slot("photos", owner="b")
    assert not _take(limiter, "b", limit=1)


def test_a_renewed_slot_is_kept(limiter: Limiter, clock: ManualClock) -> None:
    assert _take(limiter, "a", limit=1)
    for _ in range(5):
        clock.sleep(20)
        assert _take(limiter, "a", limit=1)
        assert not _take(limiter, "b", limit=1)


def test_a_slot_that_is_not_renewed_is_free_after_its_lease(
    limiter: Limiter, clock: ManualClock
) -> None:
    assert _take(limiter, "a", limit=1)
    clock.sleep(29.9)
    assert not _take(limiter, "b", limit=1)
    clock.sleep(0.1)
    assert _take(limiter, "b", limit=1)
    # Whoever comes back too late is told so.
    assert not _take(limiter, "a", limit=1)


def test_a_lower_limit_takes_no_slot_away_and_gives_none(limiter: Limiter) -> None:
    assert all(_take(limiter, owner, limit=3) for owner in "abc")
    assert _take(limiter, "a", limit=1)
    limiter.release_slot("photos", owner="a")
    assert not _take(limiter, "d", limit=1)


def test_a_limit_of_none_lets_nobody_in(limiter: Limiter) -> None:
    assert not _take(limiter, "a", limit=0)


@given(
    st.lists(
        st.tuples(st.sampled_from(["take", "give", "wait"]), st.sampled_from("abcde")), max_size=40
    ),
    st.integers(1, 3),
)
@settings(max_examples=40, deadline=None)
def test_no_order_of_events_exceeds_the_limit(steps: list[tuple[str, str]], limit: int) -> None:
    clock = ManualClock()
    held: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        engine = new_database(Path(folder, "state.db"))
        limiter = SqlLimiter(engine, clock)
        for what, owner in steps:
            if what == "wait":
                clock.sleep(10)
            elif what == "give":
                limiter.release_slot("photos", owner=owner)
                held.pop(owner, None)
            elif _take(limiter, owner, limit=limit):
                held[owner] = clock.now() + 30
            held = {who: until for who, until in held.items() if until > clock.now()}
            assert len(held) <= limit
        engine.dispose()


def test_threads_that_rush_in_get_no_more_than_the_limit(limiter: Limiter) -> None:
    taken: list[bool] = []
    gate = threading.Barrier(12)

    def rush(owner: str) -> None:
        gate.wait()
        taken.append(_take(limiter, owner, limit=3))

    threads = [threading.Thread(target=rush, args=(f"t{n}",)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(taken) == {True: 3, False: 9}


_RUSH = """
import json, sys
from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.database import open_database
from lakeveil.adapters.limiter import SqlLimiter

limiter = SqlLimiter(open_database(sys.argv[1]), SystemClock())
sys.stdin.readline()
print(json.dumps({
    "slots": sum(limiter.acquire_slot("photos", limit=5, owner=f"{sys.argv[2]}/{n}", lease_s=600)
                 for n in range(10)),
    "waits": [limiter.take("detections", per_second=0.01) for _ in range(10)],
}))
"""


def test_processes_that_rush_in_share_one_limit_and_one_rate(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    open_database(url).dispose()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _RUSH, url, f"p{n}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for n in range(3)
    ]
    said = [json.loads(process.communicate(b"go\n")[0]) for process in processes]
    assert sum(one["slots"] for one in said) == 5
    # Thirty tokens at one in 100 s, however they are spread: no two less than 100 s apart, but
    # for the seconds that passed between the questions.
    waits = sorted(wait for one in said for wait in one["waits"])
    assert waits[0] == 0
    assert [round(wait / 100) for wait in waits] == list(range(30))


def test_the_first_token_is_free_and_the_others_are_spaced(
    limiter: Limiter, clock: ManualClock
) -> None:
    waits = [limiter.take("detections", per_second=4.0) for _ in range(4)]
    assert waits == pytest.approx([0.0, 0.25, 0.5, 0.75])
    clock.sleep(0.5)
    assert limiter.take("detections", per_second=4.0) == pytest.approx(0.5)


def test_no_burst_follows_an_idle_hour(limiter: Limiter, clock: ManualClock) -> None:
    limiter.take("detections", per_second=4.0)
    clock.sleep(3600)
    waits = [limiter.take("detections", per_second=4.0) for _ in range(3)]
    assert waits == pytest.approx([0.0, 0.25, 0.5])


def test_no_limit_is_no_wait(limiter: Limiter) -> None:
    assert [limiter.take("detections", per_second=0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
