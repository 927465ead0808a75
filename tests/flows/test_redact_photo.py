"""What ends up in the release bucket, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakeveil.adapters.clock import ManualClock
from lakeveil.adapters.ledger import SqlLedger
from lakeveil.adapters.memory import InMemoryObjectStore
from lakeveil.core.events import Change, ObjectEvent
from lakeveil.core.geometry import Box
from lakeveil.core.outcomes import Outcome, PhotoRecord, Retry, Skipped
from lakeveil.core.photos import Collection, Instructions, RedactionPolicy, Style
from lakeveil.errors import BadPhoto, DetectorFailed, Unavailable
from lakeveil.flows.redact_photo import PhotoPath, redact_photo
from lakeveil.ports import ObjectInfo
from tests.flows.darkrooms import UppercaseDarkroom
from tests.new_database import new_database
from tests.sizes import tried

KEY = "party/a b.jpg"
PHOTOS = Collection(name="photos", source_bucket="in", release_bucket="out", review_share=0.0)

WITHDRAWN = PhotoRecord(
    collection="photos",
    bucket="in",
    key=KEY,
    version=None,
    etag="",
    sequencer="",
    outcome=Outcome.WITHDRAWN,
)


class Bench:
    """A photo path over an in-memory store and a real SQLite ledger."""

    def __init__(self, directory: Path, *, versioned: frozenset[str] = frozenset()) -> None:
        self.clock = ManualClock()
        self.store = InMemoryObjectStore(self.clock, versioned=versioned)
        self.engine = new_database(directory / "state.db")
        self.ledger = SqlLedger(self.engine, self.clock)
        self.darkroom = UppercaseDarkroom()
        self.path = self.path_of("worker-1")

    def path_of(self, owner: str) -> PhotoPath:
        return PhotoPath(
            store=self.store,
            darkroom=self.darkroom,
            ledger=self.ledger,
            clock=self.clock,
            owner=owner,
            lease_s=60.0,
            hold=lambda _claim: nullcontext(),
            max_bytes=1000,
            draw=lambda: 0.5,
        )

    def upload(self, text: bytes, key: str = KEY) -> ObjectEvent:
        written = self.store.put("in", key, text, content_type="image/jpeg", metadata={})
        return ObjectEvent(
            change=Change.CREATED,
            bucket="in",
            key=key,
            etag=written.etag,
            version=written.version,
            sequencer=f"{self.store._count:04X}",
        )

    def remove(self, key: str = KEY) -> ObjectEvent:
        self.store.delete("in", key)
        return ObjectEvent(change=Change.DELETED, bucket="in", key=key)

    def handle(
        self, event: ObjectEvent, collection: Collection = PHOTOS
    ) -> PhotoRecord | Retry | Skipped:
        return redact_photo(event, collection, self.path)

    def released(self, key: str = KEY) -> bytes | None:
        found = self.store._current.get(("out", key))
        return found.data if found else None


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.engine.dispose()


@pytest.fixture
def versioned(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, versioned=frozenset({"in", "out"}))
    yield made
    made.engine.dispose()


def outcome(done: PhotoRecord | Retry | Skipped) -> Outcome:
    assert isinstance(done, PhotoRecord), done
    return done.outcome


def test_a_photo_is_released_under_its_key_with_its_story(bench: Bench) -> None:
    done = bench.handle(bench.upload(b"hi Ann"))
    assert outcome(done) is Outcome.RELEASED
    assert bench.released() == b"hi *nn"
    info = bench.store.head("out", KEY)
    source = bench.store.head("in", KEY)
    assert info is not None
    assert source is not None
    assert info.content_type == "image/jpeg"
    assert info.metadata == {
        "lakeveil-source-etag": source.etag,
        "lakeveil-source-version": "",
        "lakeveil-sequencer": "0001",
        "lakeveil-policy": PHOTOS.policy.version,
        "lakeveil-instructions": "0",
        "lakeveil-detector": "test/default",
        "lakeveil-fingerprint": "f" * 64,
        "lakeveil-faces": "1",
        "lakeveil-outcome": "released",
    }
    kept = bench.ledger.record("in", KEY)
    assert kept is not None
    assert kept.release_etag == info.etag
    assert len(kept.faces) == 1
    assert {"get", "detect", "put"} <= kept.timings_ms.keys()


def test_a_photo_without_a_face_is_unchanged(bench: Bench) -> None:
    assert outcome(bench.handle(bench.upload(b"a lake"))) is Outcome.UNCHANGED
    assert bench.released() == b"a lake"


def test_the_same_event_again_does_nothing(bench: Bench) -> None:
    event = bench.upload(b"Ann")
    bench.handle(event)
    assert isinstance(bench.handle(event), Skipped)
    assert len(bench.darkroom.seen) == 1


def test_an_older_event_never_brings_an_older_photo_back(bench: Bench) -> None:
    old = bench.upload(b"old Ann")
    new = bench.upload(b"new Bob")
    assert outcome(bench.handle(new)) is Outcome.RELEASED
    assert isinstance(bench.handle(old), Skipped)
    assert bench.released() == b"new *ob"


def test_a_deleted_photo_takes_its_release_with_it(bench: Bench) -> None:
    bench.handle(bench.upload(b"Ann"))
    assert outcome(bench.handle(bench.remove())) is Outcome.DELETED
    assert bench.released() is None


def test_a_late_delete_event_spares_a_photo_that_is_back(bench: Bench) -> None:
    bench.handle(bench.upload(b"Ann"))
    gone = bench.remove()
    back = bench.upload(b"Bob")
    assert outcome(bench.handle(gone)) is Outcome.RELEASED
    assert isinstance(bench.handle(back), Skipped)
    assert bench.released() == b"*ob"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (BadPhoto("it is broken", code="truncated"), "truncated"),
        (BadPhoto("it took too long", code="timeout"), "timeout"),
        (BadPhoto("it took too much memory", code="out_of_memory"), "out_of_memory"),
        (DetectorFailed("the detector failed"), "detector_failed"),
    ],
)
def test_what_could_not_be_looked_at_is_quarantined(
    bench: Bench, fault: Exception, code: str
) -> None:
    bench.darkroom.before = raising(fault)
    done = bench.handle(bench.upload(b"Ann"))
    assert outcome(done) is Outcome.QUARANTINED
    assert isinstance(done, PhotoRecord)
    assert done.reason_code == code
    assert bench.released() is None
    assert list(bench.store.list("out")) == []


def test_a_photo_over_the_size_limit_is_quarantined_unread(bench: Bench) -> None:
    done = bench.handle(bench.upload(b"A" * 1001))
    assert outcome(done) is Outcome.QUARANTINED
    assert bench.darkroom.seen == []


def test_a_replaced_photo_that_is_quarantined_takes_the_older_release_with_it(
    bench: Bench,
) -> None:
    bench.handle(bench.upload(b"Ann"))
    bench.darkroom.before = raising(BadPhoto("broken"))
    assert outcome(bench.handle(bench.upload(b"Bob"))) is Outcome.QUARANTINED
    assert bench.released() is None


def test_an_unexpected_error_releases_nothing_and_gives_the_claim_up(bench: Bench) -> None:
    event = bench.upload(b"Ann")
    bench.darkroom.before = raising(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        bench.handle(event)
    assert bench.released() is None
    bench.darkroom.before = lambda _data: None
    assert outcome(redact_photo(event, PHOTOS, bench.path_of("worker-2"))) is Outcome.RELEASED


class HookedStore(InMemoryObjectStore):
    """Does something first at each request, such as refusing it."""

    before: Callable[[str], None] = staticmethod(lambda _request: None)

    def head(self, *args: Any) -> ObjectInfo | None:
        self.before(f"head {args[0]}")
        return super().head(*args)

    def get(self, *args: Any, **how: Any) -> bytes:
        self.before(f"get {args[0].bucket}")
        return super().get(*args, **how)

    def put(self, *args: Any, **how: Any) -> ObjectInfo:
        self.before(f"put {args[0]}")
        return super().put(*args, **how)

    def purge(self, *args: Any) -> None:
        self.before(f"purge {args[0]}")
        super().purge(*args)

    def delete(self, *args: Any, **how: Any) -> None:
        self.before(f"delete {args[0]}")
        super().delete(*args, **how)


def refusing(refused: str) -> Callable[[str], None]:
    def before(request: str) -> None:
        if request == refused:
            raise Unavailable("the store is away", why="it was told to")

    return before


def hooked(bench: Bench, *, versioned: frozenset[str] = frozenset()) -> HookedStore:
    """The bench over a store that can be told what to do first."""
    bench.store = store = HookedStore(bench.clock, versioned=versioned)
    bench.path = bench.path_of("worker-1")
    return store


@pytest.mark.parametrize("request_", ["head in", "head out", "get in", "put out"])
def test_a_store_that_refuses_means_trying_again(bench: Bench, request_: str) -> None:
    store = hooked(bench)
    event = bench.upload(b"Ann")
    store.before = refusing(request_)
    assert isinstance(bench.handle(event), Retry)
    assert bench.released() is None
    store.before = refusing("")
    assert outcome(redact_photo(event, PHOTOS, bench.path_of("worker-2"))) is Outcome.RELEASED


def test_a_delete_that_the_store_refuses_is_tried_again(bench: Bench) -> None:
    store = hooked(bench)
    bench.handle(bench.upload(b"Ann"))
    gone = bench.remove()
    store.before = refusing("delete out")
    assert isinstance(bench.handle(gone), Retry)
    store.before = refusing("")
    assert outcome(bench.handle(gone)) is Outcome.DELETED
    assert bench.released() is None


def test_two_workers_never_hold_the_same_photo(bench: Bench) -> None:
    event = bench.upload(b"Ann")
    inner: list[object] = []
    bench.darkroom.before = lambda _data: inner.append(
        redact_photo(event, PHOTOS, bench.path_of("worker-2"))
    )
    assert outcome(bench.handle(event)) is Outcome.RELEASED
    assert inner == [Retry("another worker has this photo", 2.0)]


def test_a_photo_replaced_while_it_is_worked_on_is_worked_on_again(bench: Bench) -> None:
    event = bench.upload(b"Ann")
    bench.darkroom.before = once(lambda: bench.upload(b"Bob"))
    assert outcome(bench.handle(event)) is Outcome.RELEASED
    assert bench.released() == b"*ob"


def test_a_photo_deleted_while_it_is_worked_on_is_not_released(bench: Bench) -> None:
    event = bench.upload(b"Ann")
    bench.darkroom.before = once(bench.remove)
    assert outcome(bench.handle(event)) is Outcome.DELETED
    assert bench.released() is None


def test_a_worker_that_lost_its_claim_releases_nothing(bench: Bench) -> None:
    event = bench.upload(b"old Ann")

    def stall() -> None:
        bench.clock.sleep(61)
        bench.upload(b"new Bob")
        redact_photo(event, PHOTOS, bench.path_of("worker-2"))

    bench.darkroom.before = once(stall)
    assert isinstance(bench.handle(event), Retry)
    assert bench.released() == b"new *ob"


def test_a_late_write_of_a_lost_claim_cannot_replace_a_newer_release(bench: Bench) -> None:
    store = hooked(bench)
    event = bench.upload(b"old Ann")

    def overtaken(request: str) -> None:
        if request == "put out":
            store.before = lambda _request: None
            bench.clock.sleep(61)
            bench.upload(b"new Bob")
            redact_photo(event, PHOTOS, bench.path_of("worker-2"))

    store.before = overtaken
    bench.handle(event)
    assert bench.released() == b"new *ob"


def test_a_late_write_after_a_withdrawal_goes_at_once(bench: Bench) -> None:
    store = hooked(bench)
    event = bench.upload(b"Ann")

    def withdrawn(request: str) -> None:
        if request == "put out":
            bench.clock.sleep(61)
            claim = bench.ledger.claim("photos", "in", KEY, owner="reviewer", lease_s=60)
            assert claim is not None
            bench.ledger.complete(claim, WITHDRAWN)

    store.before = withdrawn
    assert isinstance(bench.handle(event), Retry)
    assert bench.released() is None


def test_a_changed_policy_makes_a_new_release(bench: Bench) -> None:
    event = bench.upload(b"Ann")
    bench.handle(event)
    changed = PHOTOS.with_policy(style=Style.FILL)
    assert outcome(bench.handle(event, changed)) is Outcome.RELEASED


def test_a_release_that_somebody_removed_is_made_again(bench: Bench) -> None:
    event = bench.upload(b"Ann")
    bench.handle(event)
    bench.store.delete("out", KEY)
    assert outcome(bench.handle(event)) is Outcome.RELEASED
    assert bench.released() == b"*nn"


def test_a_release_that_somebody_replaced_is_made_again(bench: Bench) -> None:
    event = bench.upload(b"Ann")
    bench.handle(event)
    bench.store.put("out", KEY, b"Ann", content_type="image/jpeg", metadata={})
    assert outcome(bench.handle(event)) is Outcome.RELEASED
    assert bench.released() == b"*nn"


def test_instructions_make_a_new_release_and_bind_to_the_content_they_were_given_for(
    bench: Bench,
) -> None:
    event = bench.upload(b"Ann")
    bench.handle(event)
    etag = event.etag or ""
    bench.ledger.instruct("in", KEY, Instructions(hide=(Box(0, 0, 2, 2),), etag=etag))
    assert outcome(bench.handle(event)) is Outcome.RELEASED
    assert len(bench.darkroom.seen[-1][1].hide) == 1
    bench.handle(bench.upload(b"Bob"))
    assert not bench.darkroom.seen[-1][1].hide


def test_each_version_is_read_exactly_and_older_releases_stay(versioned: Bench) -> None:
    first = versioned.upload(b"Ann")
    versioned.handle(first)
    versioned.handle(versioned.upload(b"Bob"))
    assert versioned.released() == b"*ob"
    assert versioned.store.versions("out", KEY) == 2
    assert isinstance(versioned.handle(first), Skipped)


def test_a_corrected_release_leaves_no_older_version(versioned: Bench) -> None:
    event = versioned.upload(b"Ann")
    versioned.handle(event)
    versioned.ledger.instruct(
        "in", KEY, Instructions(hide=(Box(0, 0, 2, 2),), etag=event.etag or "")
    )
    versioned.handle(event)
    assert versioned.store.versions("out", KEY) == 1


def test_deleting_leaves_no_version_of_the_release(versioned: Bench) -> None:
    versioned.handle(versioned.upload(b"Ann"))
    versioned.handle(versioned.upload(b"Bob"))
    versioned.handle(versioned.remove())
    assert versioned.store.versions("out", KEY) == 0


def test_versions_that_a_failing_store_kept_go_with_the_next_try(bench: Bench) -> None:
    store = hooked(bench, versioned=frozenset({"in", "out"}))
    for text in (b"Ann", b"Bob"):
        bench.handle(bench.upload(text))
    gone = bench.remove()
    store.before = refusing("purge out")
    assert isinstance(bench.handle(gone), Retry)
    assert bench.released() is None
    assert store.versions("out", KEY) == 2
    store.before = refusing("")
    assert outcome(bench.handle(gone)) is Outcome.DELETED
    assert store.versions("out", KEY) == 0


def test_the_share_of_releases_on_offer_for_review_is_drawn(bench: Bench) -> None:
    draws = iter([0.4, 0.6])
    bench.path = replace(bench.path, draw=lambda: next(draws))
    half = replace(PHOTOS, review_share=0.5)
    for key in ("one", "two"):
        bench.handle(bench.upload(b"Ann", key), half)
    assert [r.key for r in bench.ledger.offered()] == ["one"]


@settings(
    max_examples=tried(25, every=60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_whatever_order_events_arrive_in_the_release_is_of_the_newest_original(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    bench = Bench(tmp_path_factory.mktemp("order"))
    events: list[ObjectEvent] = []
    for step in data.draw(st.lists(st.sampled_from(["Ann", "Bob", "Cy", "delete"]), max_size=6)):
        events.append(bench.remove() if step == "delete" else bench.upload(step.encode()))
        # Some are handled while more changes come, in any order, some of them twice.
        for event in data.draw(st.lists(st.sampled_from(events), max_size=2)):
            bench.handle(event)
    for event in data.draw(st.permutations(events)):
        bench.handle(event)
    source = bench.store._current.get(("in", KEY))
    expected = None if source is None else b"*" + source.data[1:]
    assert bench.released() == expected
    bench.engine.dispose()


def test_policies_differ_in_version_by_any_field() -> None:
    assert RedactionPolicy().version != RedactionPolicy(tint=False).version


def raising(error: BaseException) -> Callable[[bytes], None]:
    def before(_data: bytes) -> None:
        raise error

    return before


def once(action: Callable[[], object]) -> Callable[[bytes], None]:
    left = [action]

    def before(_data: bytes) -> None:
        if left:
            left.pop()()

    return before
