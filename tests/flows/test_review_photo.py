"""What people decide reaches the release bucket, for the very photo they looked at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeveil.adapters.queue_memory import MemoryQueue
from lakeveil.core.events import normalise
from lakeveil.core.geometry import Box
from lakeveil.core.outcomes import Outcome, PhotoRecord, Skipped
from lakeveil.errors import BadPhoto, NotFound, Unavailable, UsageError
from lakeveil.flows import review_photo
from lakeveil.flows.review_photo import ReviewDesk
from tests.flows.test_redact_photo import KEY, PHOTOS, Bench, hooked, outcome, raising, refusing

BOX = Box(10, 10, 20, 20)


class Desk:
    """A bench with a queue, and the worker that empties it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.queue = MemoryQueue(now=bench.clock.now)
        self.desk = ReviewDesk(
            store=bench.store, ledger=bench.ledger, queue=self.queue, clock=bench.clock
        )

    def record(self) -> PhotoRecord:
        found = self.bench.ledger.record("in", KEY)
        assert found is not None
        return found

    def work(self) -> list[object]:
        done: list[object] = []
        for message in self.queue.receive(max_messages=10, wait_s=0):
            done.extend(self.bench.handle(event) for event in normalise(message.body))
            self.queue.ack(message)
        return done


REFUSALS = ["delete out", "purge out"]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    bench = Bench(tmp_path)
    yield Desk(bench)
    bench.engine.dispose()


def test_a_retried_photo_goes_through_the_pipeline_again(desk: Desk) -> None:
    desk.bench.darkroom.before = raising(BadPhoto("slow", code="timeout"))
    assert outcome(desk.bench.handle(desk.bench.upload(b"Ann"))) is Outcome.QUARANTINED
    desk.bench.darkroom.before = lambda _data: None
    assert review_photo.retry([desk.record()], desk.desk) == 1
    desk.work()
    assert desk.record().outcome is Outcome.RELEASED
    assert desk.bench.released() == b"*nn"


def test_retrying_a_release_makes_it_anew(desk: Desk) -> None:
    desk.bench.handle(desk.bench.upload(b"Ann"))
    review_photo.retry([desk.record()], desk.desk)
    (done,) = desk.work()
    assert isinstance(done, PhotoRecord)
    assert len(desk.bench.darkroom.seen) == 2


def test_boxes_add_up_and_can_be_forgotten(desk: Desk) -> None:
    desk.bench.handle(desk.bench.upload(b"Ann"))
    review_photo.redact(desk.record(), desk.desk, hide=[BOX])
    review_photo.redact(desk.record(), desk.desk, keep=[Box(0, 0, 5, 5)])
    desk.work()
    given = desk.bench.darkroom.seen[-1][1]
    assert (given.hide, given.keep) == ((BOX,), (Box(0, 0, 5, 5),))
    review_photo.reset(desk.record(), desk.desk)
    desk.work()
    given = desk.bench.darkroom.seen[-1][1]
    assert not given.hide
    assert not given.keep


def test_boxes_are_never_applied_to_another_photo_under_the_key(desk: Desk) -> None:
    desk.bench.handle(desk.bench.upload(b"Ann"))
    seen = desk.record()
    desk.bench.upload(b"Bob")
    review_photo.redact(seen, desk.desk, keep=[BOX])
    desk.work()
    data, given = desk.bench.darkroom.seen[-1]
    assert data == b"Bob"
    assert not given.keep


def test_a_withdrawn_release_is_gone_at_once_and_stays_away(desk: Desk) -> None:
    event = desk.bench.upload(b"Ann")
    desk.bench.handle(event)
    done = review_photo.withdraw(desk.record(), PHOTOS, desk.desk, reason="she asked")
    assert (done.outcome, done.reason) == (Outcome.WITHDRAWN, "she asked")
    assert desk.bench.released() is None
    assert isinstance(desk.bench.handle(event), Skipped)
    assert isinstance(desk.bench.handle(desk.bench.upload(b"Ann")), Skipped)
    assert desk.bench.released() is None
    assert outcome(desk.bench.handle(desk.bench.upload(b"Bob"))) is Outcome.RELEASED


def test_a_withdrawal_holds_against_a_changed_policy(desk: Desk) -> None:
    event = desk.bench.upload(b"Ann")
    desk.bench.handle(event)
    review_photo.withdraw(desk.record(), PHOTOS, desk.desk, reason="she asked")
    assert isinstance(desk.bench.handle(event, PHOTOS.with_policy(tint=False)), Skipped)
    assert desk.bench.released() is None


def test_nothing_but_a_release_lifts_a_withdrawal(desk: Desk) -> None:
    desk.bench.handle(desk.bench.upload(b"Ann"))
    review_photo.withdraw(desk.record(), PHOTOS, desk.desk, reason="she asked")
    review_photo.retry([desk.record()], desk.desk)
    review_photo.redact(desk.record(), desk.desk, hide=[BOX])
    review_photo.reset(desk.record(), desk.desk)
    desk.work()
    assert desk.record().outcome is Outcome.WITHDRAWN
    assert desk.bench.released() is None


@pytest.mark.parametrize("refused", REFUSALS)
def test_a_withdrawal_that_was_cut_short_is_carried_out_by_the_pipeline(
    desk: Desk, refused: str
) -> None:
    store = hooked(desk.bench, versioned=frozenset({"in", "out"}))
    for text in (b"Ann", b"Bob"):
        desk.bench.handle(desk.bench.upload(text))
    broken = ReviewDesk(
        store=store, ledger=desk.bench.ledger, queue=desk.queue, clock=desk.bench.clock
    )
    store.before = refusing(refused)
    with pytest.raises(Unavailable):
        review_photo.withdraw(desk.record(), PHOTOS, broken, reason="")
    assert store.versions("out", KEY) == 2
    store.before = refusing("")
    desk.work()
    assert desk.record().outcome is Outcome.WITHDRAWN
    assert store.versions("out", KEY) == 0


def test_a_withdrawn_photo_is_released_again_by_decision(desk: Desk) -> None:
    desk.bench.handle(desk.bench.upload(b"Ann"))
    review_photo.withdraw(desk.record(), PHOTOS, desk.desk, reason="by mistake")
    review_photo.release(desk.record(), desk.desk)
    desk.work()
    assert desk.bench.released() == b"*nn"


def test_a_withdrawal_leaves_no_version(tmp_path: Path) -> None:
    bench = Bench(tmp_path, versioned=frozenset({"in", "out"}))
    desk = Desk(bench)
    for text in (b"Ann", b"Bob"):
        bench.handle(bench.upload(text))
    review_photo.withdraw(desk.record(), PHOTOS, desk.desk, reason="")
    assert bench.store.versions("out", KEY) == 0
    bench.engine.dispose()


def test_a_withdrawal_waits_for_the_worker_and_then_gives_up(desk: Desk) -> None:
    desk.bench.handle(desk.bench.upload(b"Ann"))
    claim = desk.bench.ledger.claim("photos", "in", KEY, owner="w", lease_s=10_000)
    assert claim is not None
    with pytest.raises(Unavailable):
        review_photo.withdraw(desk.record(), PHOTOS, desk.desk, reason="")
    assert desk.bench.released() == b"*nn"


def test_what_nobody_could_look_at_is_not_released_by_decision(desk: Desk) -> None:
    desk.bench.darkroom.before = raising(BadPhoto("cut off", code="truncated"))
    desk.bench.handle(desk.bench.upload(b"Ann"))
    with pytest.raises(UsageError) as refusal:
        review_photo.release(desk.record(), desk.desk)
    assert "never hidden" in refusal.value.why


def test_a_reviewer_may_answer_for_what_still_looks_like_a_face(desk: Desk) -> None:
    desk.bench.darkroom.before = raising(BadPhoto("still there", code="face_still_visible"))
    desk.bench.handle(desk.bench.upload(b"Ann"))
    review_photo.release(desk.record(), desk.desk)
    desk.bench.darkroom.before = lambda _data: None
    desk.work()
    assert desk.bench.darkroom.seen[-1][1].approved
    assert desk.record().outcome is Outcome.RELEASED


def test_a_release_is_not_released_by_decision(desk: Desk) -> None:
    desk.bench.handle(desk.bench.upload(b"Ann"))
    with pytest.raises(UsageError):
        review_photo.release(desk.record(), desk.desk)


def test_a_deleted_photo_cannot_be_redacted(desk: Desk) -> None:
    desk.bench.handle(desk.bench.upload(b"Ann"))
    desk.bench.handle(desk.bench.remove())
    with pytest.raises(NotFound):
        review_photo.redact(desk.record(), desk.desk, hide=[BOX])
