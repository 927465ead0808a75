"""The ledger decides the order of releases, among threads and processes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lakeveil.adapters.claim_keeper import ClaimKeeper
from lakeveil.adapters.clock import ManualClock, SystemClock
from lakeveil.adapters.database import open_database
from lakeveil.adapters.ledger import SqlLedger
from lakeveil.core.faces import Face, Landmarks
from lakeveil.core.geometry import Box
from lakeveil.core.outcomes import Outcome, PhotoRecord
from lakeveil.core.photos import Instructions
from lakeveil.core.review import Tally, Verdict, miss_rate
from lakeveil.errors import NotFound, SetupError
from lakeveil.ports import Claim
from tests.new_database import new_database

FACE = Face(
    box=Box(1, 2, 30, 40),
    confidence=0.75,
    network="yunet",
    landmarks=Landmarks(
        eye_left=(1.5, 2.0),
        eye_right=(3.0, 2.0),
        nose=(2.0, 3.0),
        mouth_left=(1.0, 4.0),
        mouth_right=(3.0, 4.0),
    ),
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: ManualClock) -> Iterator[SqlLedger]:
    engine = new_database(tmp_path / "state.db")
    yield SqlLedger(engine, clock)
    engine.dispose()


def claimed(ledger: SqlLedger, key: str = "k", owner: str = "a") -> Claim:
    claim = ledger.claim("photos", "in", key, owner=owner, lease_s=60)
    assert claim is not None
    return claim


def record(key: str = "k", outcome: Outcome = Outcome.RELEASED, **more: str) -> PhotoRecord:
    return PhotoRecord(
        collection=more.get("collection", "photos"),
        bucket="in",
        key=key,
        version="v1",
        etag="e1",
        sequencer="01",
        outcome=outcome,
        faces=(FACE,),
        timings_ms={"detect": 1.5},
    )


def test_a_record_comes_back_as_it_was_written(ledger: SqlLedger, clock: ManualClock) -> None:
    assert ledger.record("in", "k") is None
    claim = claimed(ledger)
    assert ledger.complete(claim, record())
    kept = ledger.record("in", "k")
    assert kept is not None
    assert kept.faces == (FACE,)
    assert (kept.generation, kept.updated_at) == (1, clock.now())


def test_a_claim_keeps_others_out_until_it_ends(ledger: SqlLedger, clock: ManualClock) -> None:
    first = claimed(ledger, owner="a")
    assert ledger.claim("photos", "in", "k", owner="b", lease_s=60) is None
    ledger.abandon(first)
    second = claimed(ledger, owner="b")
    assert second.generation == 2
    clock.sleep(61)
    assert claimed(ledger, owner="c").generation == 3


def test_a_claim_that_ran_out_is_not_current(ledger: SqlLedger, clock: ManualClock) -> None:
    claim = claimed(ledger)
    assert ledger.is_current(claim)
    clock.sleep(60)
    assert not ledger.is_current(claim)


def test_a_renewed_claim_lasts_and_an_ended_one_stays_ended(
    ledger: SqlLedger, clock: ManualClock
) -> None:
    claim = claimed(ledger)
    clock.sleep(50)
    ledger.renew(claim, lease_s=60)
    clock.sleep(50)
    assert ledger.is_current(claim)
    ledger.abandon(claim)
    ledger.renew(claim, lease_s=60)
    assert not ledger.is_current(claim)
    other = claimed(ledger, owner="b")
    ledger.renew(claim, lease_s=600)
    clock.sleep(61)
    assert not ledger.is_current(other)


def test_a_keeper_renews_what_is_held_and_nothing_else(tmp_path: Path) -> None:
    engine = new_database(tmp_path / "state.db")
    ledger = SqlLedger(engine, SystemClock())
    with closing(ClaimKeeper(ledger, lease_s=0.9)) as keeper:
        held = ledger.claim("photos", "in", "held", owner="a", lease_s=0.9)
        left = ledger.claim("photos", "in", "left", owner="a", lease_s=0.9)
        assert held is not None
        assert left is not None
        with keeper.hold(held):
            time.sleep(1.5)
            assert ledger.is_current(held)
        assert not ledger.is_current(left)
    engine.dispose()


def test_only_the_newest_claim_completes(ledger: SqlLedger, clock: ManualClock) -> None:
    old = claimed(ledger, owner="a")
    clock.sleep(61)
    new = claimed(ledger, owner="b")
    assert not ledger.complete(old, record(outcome=Outcome.RELEASED))
    ledger.abandon(old)
    assert ledger.is_current(new)
    assert ledger.complete(new, record(outcome=Outcome.QUARANTINED))
    kept = ledger.record("in", "k")
    assert kept is not None
    assert kept.outcome is Outcome.QUARANTINED


def test_a_claim_tells_what_is_known(ledger: SqlLedger) -> None:
    ledger.complete(claimed(ledger), record())
    given = ledger.instruct("in", "k", Instructions(hide=(Box(0, 0, 5, 5),), etag="e1"))
    again = claimed(ledger)
    assert again.previous is not None
    assert again.previous.etag == "e1"
    assert again.instructions == given == ledger.instructions("in", "k")
    assert given.revision == 1
    assert ledger.instruct("in", "k", Instructions()).revision == 2


def test_instructions_for_an_unknown_photo_are_refused(ledger: SqlLedger) -> None:
    assert ledger.instructions("in", "none") == Instructions()
    with pytest.raises(NotFound):
        ledger.instruct("in", "none", Instructions())


def test_records_are_listed_in_order_page_by_page(ledger: SqlLedger) -> None:
    keys = [f"{i:04d}" for i in range(1203)]
    for key in reversed(keys):
        ledger.complete(claimed(ledger, key), record(key))
    assert [r.key for r in ledger.records()] == keys
    assert [r.key for r in ledger.records(limit=3, after="0100")] == ["0101", "0102", "0103"]


def test_records_are_filtered_exactly(ledger: SqlLedger) -> None:
    for key, outcome in [
        ("a_b/1", Outcome.RELEASED),
        ("aXb/1", Outcome.QUARANTINED),
        ("A_B/1", Outcome.RELEASED),
        ("ä/1", Outcome.RELEASED),
    ]:
        ledger.complete(claimed(ledger, key), record(key, outcome))
    assert [r.key for r in ledger.records(prefix="a_b/")] == ["a_b/1"]
    assert [r.key for r in ledger.records(prefix="ä")] == ["ä/1"]
    assert [r.key for r in ledger.records(outcome=Outcome.QUARANTINED)] == ["aXb/1"]
    assert not list(ledger.records(collection="other"))
    claimed(ledger, "only claimed")
    assert len(list(ledger.records())) == 4


def test_of_many_threads_one_holds_the_claim(tmp_path: Path) -> None:
    engine = new_database(tmp_path / "state.db")
    ledger = SqlLedger(engine, SystemClock())
    start = threading.Barrier(6)
    won: list[str] = []

    def take(owner: str) -> None:
        start.wait()
        keys = [f"{i}" for i in range(20)]
        won.extend(k for k in keys if ledger.claim("photos", "in", k, owner=owner, lease_s=60))

    threads = [threading.Thread(target=take, args=(f"{i}",)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.dispose()
    assert sorted(won) == sorted(f"{i}" for i in range(20))


def test_processes_that_open_a_new_database_at_once_agree(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    script = (
        "import sys; from lakeveil.adapters.database import open_database;"
        "from lakeveil.adapters.ledger import SqlLedger;"
        "from lakeveil.adapters.clock import SystemClock;"
        "l = SqlLedger(open_database(sys.argv[1]), SystemClock());"
        "c = l.claim('photos', 'in', 'k', owner=sys.argv[2], lease_s=60);"
        "print(c is not None)"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script, url, str(i)], stdout=subprocess.PIPE)
        for i in range(4)
    ]
    answers = [process.communicate()[0].strip() for process in running]
    assert sorted(answers) == [b"False", b"False", b"False", b"True"]


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"something else entirely" * 100)
    with pytest.raises(SetupError):
        open_database(f"sqlite:///{tmp_path / 'state.db'}")


def test_a_verdict_counts_once_and_only_for_what_was_on_offer(ledger: SqlLedger) -> None:
    for key in ("1", "2", "3"):
        ledger.complete(claimed(ledger, key), record(key), offer_for_review=key != "3")
    first, second = ledger.offered("photos")
    assert (first.key, second.key) == ("1", "2")
    assert ledger.review(first, verdict=Verdict.MISSED, reviewer="eve")
    assert not ledger.review(first, verdict=Verdict.GOOD, reviewer="eve")
    third = ledger.record("in", "3")
    assert third is not None
    assert not ledger.review(third, verdict=Verdict.GOOD, reviewer="eve")
    assert [r.key for r in ledger.offered()] == ["2"]
    assert ledger.tally("photos") == Tally(looked_at=1, missed=1)
    assert ledger.tally("other") == Tally(looked_at=0, missed=0)


def test_a_verdict_on_a_release_that_was_replaced_is_not_kept(ledger: SqlLedger) -> None:
    ledger.complete(claimed(ledger), record(), offer_for_review=True)
    (seen,) = ledger.offered()
    ledger.complete(claimed(ledger), record(), offer_for_review=True)
    assert not ledger.review(seen, verdict=Verdict.GOOD, reviewer="eve")
    assert ledger.tally("photos") == Tally(looked_at=0, missed=0)


@pytest.mark.parametrize(("n", "k", "low", "high"), [(10, 0, 0.0, 0.2775), (50, 5, 0.0435, 0.2136)])
def test_the_miss_rate_has_wilsons_interval(n: int, k: int, low: float, high: float) -> None:
    rate = miss_rate(Tally(looked_at=n, missed=k))
    assert rate.estimate == k / n
    assert (round(rate.low, 4), round(rate.high, 4)) == (low, high)
