"""The reconciler finds exactly what events did not tell, and enqueues it once."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakeveil.adapters.clock import ManualClock
from lakeveil.adapters.ledger import SqlLedger
from lakeveil.adapters.memory import InMemoryObjectStore
from lakeveil.adapters.queue_memory import MemoryQueue
from lakeveil.core.events import Change, normalise
from lakeveil.core.outcomes import Outcome, PhotoRecord
from lakeveil.core.photos import Collection
from lakeveil.errors import Unavailable
from lakeveil.flows.reconcile import ASK_AGAIN_S, Asked, Reconciled, reconcile
from lakeveil.ports import ObjectInfo
from tests.new_database import new_database

PHOTOS = Collection(
    name="photos", source_bucket="photos", source_prefix="in/", release_bucket="released"
)
GRACE_S = 30.0


class World:
    """A store, a ledger and a queue, some minutes after anything happened in them."""

    def __init__(self, directory: Path) -> None:
        self.clock = ManualClock()
        self.store = InMemoryObjectStore(self.clock)
        self.engine = new_database(directory / "state.db")
        self.ledger = SqlLedger(self.engine, self.clock)
        self.queue = MemoryQueue(now=self.clock.now)
        self.asked = Asked(self.clock)

    def put(self, key: str, content: str = "one", *, bucket: str = "photos") -> str:
        """An object; returns its ETag."""
        return self.store.put(
            bucket, key, content.encode(), content_type="image/jpeg", metadata={}
        ).etag

    def decide(self, key: str, outcome: Outcome, *, etag: str = "", release_etag: str = "") -> None:
        """A recorded outcome."""
        claim = self.ledger.claim("photos", "photos", key, owner="test", lease_s=1)
        assert claim is not None
        record = PhotoRecord(
            collection="photos",
            bucket="photos",
            key=key,
            version=None,
            etag=etag,
            sequencer="",
            outcome=outcome,
            release_etag=release_etag,
        )
        assert self.ledger.complete(claim, record)

    def release(self, key: str, content: str = "one") -> None:
        """An original, its release and the record of it, all in line."""
        etag = self.put(key, content)
        release_etag = self.put(key, f"{content} without faces", bucket="released")
        self.decide(key, Outcome.RELEASED, etag=etag, release_etag=release_etag)

    def round(self, *, later_s: float = 600.0) -> Reconciled:
        """One round, `later_s` from now."""
        self.clock.sleep(later_s)
        return reconcile(
            PHOTOS,
            store=self.store,
            ledger=self.ledger,
            queue=self.queue,
            clock=self.clock,
            grace_s=GRACE_S,
            asked=self.asked,
        )

    def enqueued(self) -> set[tuple[Change, str]]:
        """What lies in the queue, taken out of it."""
        messages = self.queue.receive(max_messages=10_000, wait_s=0)
        for message in messages:
            self.queue.ack(message)
        events = [event for message in messages for event in normalise(message.body)]
        assert {event.bucket for event in events} <= {"photos"}
        assert len({event.key for event in events}) == len(events)
        return {(event.change, event.key) for event in events}


@contextmanager
def new_world(directory: Path) -> Iterator[World]:
    world = World(directory)
    with closing(world.asked):
        yield world
    world.engine.dispose()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with new_world(tmp_path) as one:
        yield one


def test_nothing_is_asked_for_when_all_is_in_line(world: World) -> None:
    world.release("in/a.jpg")
    quarantined = world.put("in/broken.jpg")
    world.decide("in/broken.jpg", Outcome.QUARANTINED, etag=quarantined)
    withdrawn = world.put("in/withdrawn.jpg")
    world.decide("in/withdrawn.jpg", Outcome.WITHDRAWN, etag=withdrawn)
    world.decide("in/deleted.jpg", Outcome.DELETED, etag="x")
    assert world.round() == Reconciled(originals=3, releases=1)
    assert world.enqueued() == set()


def test_an_original_that_nobody_told_of_is_enqueued(world: World) -> None:
    world.put("in/new.jpg")
    world.put("elsewhere/not-ours.jpg")
    assert world.round().missing == 1
    assert world.enqueued() == {(Change.CREATED, "in/new.jpg")}


def test_an_original_that_changed_since_its_outcome_is_enqueued(world: World) -> None:
    world.release("in/a.jpg")
    world.put("in/a.jpg", "two")
    assert world.round().stale == 1
    assert world.enqueued() == {(Change.CREATED, "in/a.jpg")}


def test_an_original_that_came_back_after_its_deletion_is_enqueued(world: World) -> None:
    etag = world.put("in/a.jpg")
    world.decide("in/a.jpg", Outcome.DELETED, etag=etag)
    assert world.round().stale == 1
    assert world.enqueued() == {(Change.CREATED, "in/a.jpg")}


@pytest.mark.parametrize("outcome", [Outcome.RELEASED, Outcome.QUARANTINED, Outcome.WITHDRAWN])
def test_an_outcome_whose_original_is_gone_is_enqueued_as_a_deletion(
    world: World, outcome: Outcome
) -> None:
    world.decide("in/a.jpg", outcome, etag="x")
    assert world.round().gone == 1
    assert world.enqueued() == {(Change.DELETED, "in/a.jpg")}


def test_a_release_without_an_original_is_enqueued_as_a_deletion(world: World) -> None:
    world.put("in/orphan.jpg", bucket="released")
    assert world.round().gone == 1
    assert world.enqueued() == {(Change.DELETED, "in/orphan.jpg")}


def test_a_release_that_vanished_or_was_altered_is_enqueued(world: World) -> None:
    world.release("in/vanished.jpg")
    world.store.delete("released", "in/vanished.jpg")
    world.release("in/altered.jpg")
    world.put("in/altered.jpg", "something else", bucket="released")
    assert world.round().unreleased == 2
    assert world.enqueued() == {
        (Change.CREATED, "in/vanished.jpg"),
        (Change.CREATED, "in/altered.jpg"),
    }


def test_a_release_of_a_quarantined_photo_is_enqueued(world: World) -> None:
    etag = world.put("in/a.jpg")
    world.decide("in/a.jpg", Outcome.QUARANTINED, etag=etag)
    world.put("in/a.jpg", "how did this get here", bucket="released")
    assert world.round().unreleased == 1
    assert world.enqueued() == {(Change.CREATED, "in/a.jpg")}


def test_a_young_original_is_left_to_its_event(world: World) -> None:
    world.put("in/young.jpg")
    assert world.round(later_s=GRACE_S - 1).enqueued == 0
    assert world.round(later_s=2).enqueued == 1


def test_what_waits_in_the_queue_is_not_asked_for_again_for_an_hour(world: World) -> None:
    world.put("in/a.jpg")
    assert world.round().enqueued == 1
    assert world.round().enqueued == 0
    assert world.round(later_s=ASK_AGAIN_S).enqueued == 1


def test_what_changes_again_while_it_waits_is_asked_for_at_once(world: World) -> None:
    world.put("in/a.jpg")
    assert world.round().enqueued == 1
    world.put("in/a.jpg", "two")
    assert world.round().enqueued == 1


def test_a_dead_letter_is_left_to_whoever_redrives_it(world: World) -> None:
    world.put("in/a.jpg")
    world.round()
    (message,) = world.queue.receive(max_messages=1, wait_s=0)
    world.queue.bury(message, reason="it failed five times")
    assert world.round(later_s=2 * ASK_AGAIN_S).enqueued == 0
    world.put("in/a.jpg", "another content")
    assert world.round().enqueued == 1


def test_what_did_not_reach_the_queue_is_asked_for_in_the_next_round(world: World) -> None:
    class AwayOnce(MemoryQueue):
        away = True

        def put(self, bodies: Sequence[bytes], *, dedupe_ids: Sequence[str] | None = None) -> None:
            if self.away:
                self.away = False
                raise Unavailable("the queue did not answer")
            super().put(bodies, dedupe_ids=dedupe_ids)

    world.queue = AwayOnce(now=world.clock.now)
    world.put("in/a.jpg")
    with pytest.raises(Unavailable):
        world.round()
    assert world.round().enqueued == 1
    assert world.enqueued() == {(Change.CREATED, "in/a.jpg")}


def test_a_photo_that_is_settled_while_listings_run_is_not_enqueued(world: World) -> None:
    etag = world.put("in/a.jpg")

    class SettlesMeanwhile(InMemoryObjectStore):
        def list(self, bucket: str, prefix: str = "", *, after: str = "") -> Iterator[ObjectInfo]:
            yield from super().list(bucket, prefix, after=after)
            if bucket == "photos":
                world.decide("in/a.jpg", Outcome.QUARANTINED, etag=etag)

    world.store = SettlesMeanwhile(world.clock)
    world.put("in/a.jpg")
    assert world.round().enqueued == 0


def test_the_order_of_a_listing_does_not_matter(world: World) -> None:
    class Backwards(InMemoryObjectStore):
        def list(self, bucket: str, prefix: str = "", *, after: str = "") -> Iterator[ObjectInfo]:
            return iter(list(super().list(bucket, prefix, after=after))[::-1])

    world.store = Backwards(world.clock)
    for key in ("in/a-b", "in/a/b", "in/a.b", "in/ü", "in/~"):
        world.release(key)
    world.put("in/a/new")
    assert world.round() == Reconciled(originals=6, releases=5, missing=1)


KEYS = st.sampled_from(["in/a", "in/a/b", "in/a b+c", "in/ü", "in/z"])
CONTENT = st.none() | st.sampled_from(["one", "two"])
STATE = st.fixed_dictionaries(
    {
        "original": CONTENT,
        "decided_on": CONTENT,
        "outcome": st.sampled_from(Outcome),
        "out": CONTENT,
    }
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(states=st.dictionaries(KEYS, STATE, max_size=5))
def test_exactly_what_is_out_of_line_is_enqueued(states: dict[str, dict[str, Any]]) -> None:
    with TemporaryDirectory() as directory, new_world(Path(directory)) as world:
        expected: set[tuple[Change, str]] = set()
        reference = InMemoryObjectStore(world.clock)
        etags = {
            content: reference.put(
                "x", content, content.encode(), content_type="", metadata={}
            ).etag
            for content in ("one", "two")
        }
        for key, state in states.items():
            original, decided_on, outcome = state["original"], state["decided_on"], state["outcome"]
            if original:
                world.put(key, original)
            if decided_on:
                world.decide(key, outcome, etag=etags[decided_on], release_etag=etags["one"])
            if state["out"]:
                world.put(key, state["out"], bucket="released")
            wanted = "one" if decided_on and outcome.has_release else None
            settled = decided_on and outcome is not Outcome.DELETED
            if original and not (settled and decided_on == original and state["out"] == wanted):
                expected.add((Change.CREATED, key))
            if not original and (settled or state["out"]):
                expected.add((Change.DELETED, key))
        found = world.round()
        assert world.enqueued() == expected
        # A changed original and a wrong release may be asked for one after the other.
        assert found.enqueued >= len(expected)


def test_a_large_collection_is_not_held_in_memory(world: World) -> None:
    count = 30_000

    class Large(InMemoryObjectStore):
        def list(self, bucket: str, prefix: str = "", *, after: str = "") -> Iterator[ObjectInfo]:
            assert not after
            for number in range(count):
                yield ObjectInfo(
                    bucket=bucket,
                    key=f"{prefix}{number:06}.jpg",
                    size=1,
                    etag="e" * 32,
                    modified_at=1e12,
                )

    world.store = Large(world.clock)
    tracemalloc.start()
    try:
        found = world.round()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (found.originals, found.releases) == (count, count)
    assert peak < 3_000_000


def test_a_folder_marker_is_no_photo(world: World) -> None:
    world.put("holiday/", "")
    assert world.round().missing == 0
    assert world.enqueued() == set()
