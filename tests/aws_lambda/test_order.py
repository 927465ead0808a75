"""Without a lock and without a database, the last release is of the newest original."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from lakeveil.adapters.clock import ManualClock
from lakeveil.adapters.memory import InMemoryObjectStore
from lakeveil.adapters.metadata_ledger import MetadataLedger
from lakeveil.core.object_event import Change, ObjectEvent
from lakeveil.core.outcomes import Retry
from lakeveil.core.photos import Collection, ObjectRef
from lakeveil.flows.redact_photo import PhotoPath, redact_photo
from lakeveil.ports import ObjectInfo
from tests.flows.darkrooms import UppercaseDarkroom

PHOTOS = Collection(name="photos", source_bucket="in", release_bucket="out")
KEY = "a.jpg"


class Killed(BaseException):
    """Lambda ended the invocation, wherever it was."""


class InterruptedStore:
    """A store that lets something else happen before each call."""

    def __init__(
        self,
        store: InMemoryObjectStore,
        interrupt: Callable[[], None],
        released: Callable[[ObjectInfo | None, str], None],
    ) -> None:
        self._store = store
        self._interrupt = interrupt
        self._released = released

    def head(self, bucket: str, key: str) -> ObjectInfo | None:
        self._interrupt()
        return self._store.head(bucket, key)

    def get(self, ref: ObjectRef, **how: Any) -> bytes:
        self._interrupt()
        return self._store.get(ref, **how)

    def put(self, bucket: str, key: str, data: bytes, **how: Any) -> ObjectInfo:
        self._interrupt()
        before = self._store.head(bucket, key)
        written = self._store.put(bucket, key, data, **how)
        self._released(before, written.metadata["lakeveil-source-etag"])
        return written

    def delete(self, bucket: str, key: str, **how: Any) -> None:
        self._interrupt()
        self._store.delete(bucket, key, **how)

    def purge(self, bucket: str, key: str) -> None:
        self._interrupt()
        self._store.purge(bucket, key)

    def list(self, bucket: str, prefix: str = "", *, after: str = "") -> Iterator[ObjectInfo]:
        return self._store.list(bucket, prefix, after=after)


class World:
    """One photo, its events not yet answered, and two invocations of the function."""

    def __init__(self, actions: list[list[str]], *, versioned: bool) -> None:
        self.clock = ManualClock()
        self.store = InMemoryObjectStore(
            self.clock, versioned=frozenset({"in"}) if versioned else frozenset()
        )
        self.actions = actions
        self.pending: list[ObjectEvent] = []
        self.count = 0
        self.uploads: list[str] = []
        self.came_back = False

    def act(self) -> None:
        """What happens between two calls of the first invocation."""
        for action in self.actions.pop(0) if self.actions else []:
            self.do(action)

    def do(self, action: str) -> None:
        if action == "upload":
            self.count += 1
            self.upload(f"photo {self.count} ANNA")
        elif action == "upload the first again":
            self.upload("photo 0 ANNA")
        elif action == "remove":
            self.store.delete("in", KEY)
            self.pending.append(ObjectEvent(change=Change.DELETED, bucket="in", key=KEY))
        elif action == "kill":
            raise Killed
        elif action == "rival answers the oldest":
            self.answer(0, self.store)
        elif action == "rival answers the newest":
            self.answer(-1, self.store)

    def upload(self, text: str) -> None:
        written = self.store.put("in", KEY, text.encode(), content_type="image/jpeg", metadata={})
        if written.etag in self.uploads:
            self.came_back = True
        self.uploads.append(written.etag)
        self.pending.append(ObjectEvent(change=Change.CREATED, bucket="in", key=KEY))

    def released(self, before: ObjectInfo | None, etag: str) -> None:
        """Older never replaces newer, not even for a moment; an ETag that came back is no order."""
        if before is not None and not self.came_back:
            replaced = before.metadata["lakeveil-source-etag"]
            assert self.uploads.index(replaced) <= self.uploads.index(etag)

    def answer(self, place: int, store: InMemoryObjectStore | InterruptedStore) -> None:
        """Take one event from the queue; it comes back when it was not done."""
        if not self.pending:
            return
        event = self.pending.pop(place)
        path = PhotoPath(
            store=store,
            darkroom=UppercaseDarkroom(),
            ledger=MetadataLedger(store, (PHOTOS,), clock=self.clock),
            clock=self.clock,
            owner="anybody",
            lease_s=60.0,
            hold=lambda _claim: nullcontext(),
            max_bytes=1000,
            draw=lambda: 1.0,
        )
        try:
            done = not isinstance(redact_photo(event, PHOTOS, path), Retry)
        except Killed:
            done = False
        if not done:
            self.pending.append(event)


ACTIONS = [
    "upload",
    "upload the first again",
    "remove",
    "kill",
    "rival answers the oldest",
    "rival answers the newest",
]


REMOVED_BEFORE_THE_PUT = [[], [], [], [], ["remove", "rival answers the oldest"]]
REPLACED_BETWEEN_THE_LOOKS = [[], [], ["upload", "rival answers the newest"]]


@settings(max_examples=400, deadline=None)
@example(actions=REMOVED_BEFORE_THE_PUT, versioned=False)
@example(actions=REPLACED_BETWEEN_THE_LOOKS, versioned=True)
@given(
    actions=st.lists(st.lists(st.sampled_from(ACTIONS), max_size=4), max_size=16),
    versioned=st.booleans(),
)
def test_the_release_is_of_the_newest_original_whoever_comes_in_between(
    actions: list[list[str]],
    versioned: bool,
) -> None:
    world = World(actions, versioned=versioned)
    world.upload("photo 0 ANNA")
    interrupted = InterruptedStore(world.store, world.act, world.released)
    for _ in range(100):
        if not (world.pending or world.actions):
            break
        if world.pending:
            world.answer(0, interrupted)
        else:
            with suppress(Killed):
                world.act()

    assert world.pending == []
    original, release = world.store.head("in", KEY), world.store.head("out", KEY)
    if original is None:
        assert release is None
        return
    assert release is not None
    assert release.metadata["lakeveil-source-etag"] == original.etag
    text = world.store.get(ObjectRef("in", KEY), limit_bytes=1000)
    assert world.store.get(ObjectRef("out", KEY), limit_bytes=1000) == text.replace(
        b"ANNA", b"****"
    )
