"""The listing is the truth: what events did not tell is found by comparing, and put right.

    ledger -> known;  source listing -> missing or stale;  known - source -> gone
    release listing -> releases without an original, releases that are absent or altered

Nothing is decided here. Whatever looks out of line is looked at once more by itself, since the
listings are a while old by then, and if it still does, an event for it goes into the queue, as if
the store had sent it. The worker looks at the store again and does what is needed, often nothing.

Stores list in different orders (SeaweedFS walks directories, S3 sorts bytes), so listings are
joined in a scratch database on disk. Memory stays small however many photos there are.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import TypeVar
from urllib.parse import quote

from lakeveil.core.events import Change, ObjectEvent, normalise, to_s3_notification
from lakeveil.core.outcomes import Outcome, PhotoRecord
from lakeveil.core.photos import Collection
from lakeveil.errors import UsageError
from lakeveil.ports import Clock, ObjectInfo, ObjectStore, PhotoLedger, Queue

T = TypeVar("T")
_PAGE = 500
ASK_AGAIN_S = 3600.0
"""What was put into the queue is left alone that long: it may be waiting for its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What one round found. The first two count objects, the rest events that were enqueued."""

    originals: int = 0
    releases: int = 0
    missing: int = 0
    """Originals that no outcome is known of."""
    stale: int = 0
    """Originals that are not what was last worked on."""
    gone: int = 0
    """Outcomes or releases whose original is gone."""
    unreleased: int = 0
    """Releases that are not there, not what was written, or ought not to be there."""

    @property
    def enqueued(self) -> int:
        """Events in all."""
        return self.missing + self.stale + self.gone + self.unreleased

    def as_dict(self) -> dict[str, int]:
        """For logs and `--json`."""
        return {**asdict(self), "enqueued": self.enqueued}


class Asked:
    """What this process put into the queue lately, in a scratch file; not thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._db = _scratch("CREATE TABLE asked (what TEXT PRIMARY KEY, at REAL)")

    def close(self) -> None:
        """Forget everything."""
        self._db.close()

    def add(self, what: str) -> bool:
        """Remember it; False when it was remembered less than `ASK_AGAIN_S` ago."""
        now = self._clock.now()
        row = self._db.execute("SELECT at FROM asked WHERE what = ?", (what,)).fetchone()
        if row is not None and now - row[0] < ASK_AGAIN_S:
            return False
        self._db.execute("INSERT OR REPLACE INTO asked VALUES (?, ?)", (what, now))
        return True

    def forget(self, whats: Iterable[str]) -> None:
        """They did not reach the queue after all."""
        self._db.executemany("DELETE FROM asked WHERE what = ?", [(what,) for what in whats])


def reconcile(
    collection: Collection,
    *,
    store: ObjectStore,
    ledger: PhotoLedger,
    queue: Queue,
    clock: Clock,
    grace_s: float,
    asked: Asked,
) -> Reconciled:
    """Compare one collection with its ledger and its releases; enqueue what is out of line.

    Objects younger than `grace_s` are left to their events, dead letters to whoever redrives
    them. What it found before an error is in the queue, and is not asked for again.

    Raises:
        Unavailable: the store, the ledger or the queue did not answer; try another round.
        Refused: the store does not let us list.
    """
    before = clock.now() - grace_s
    known, source, release = _Table("etag", "outcome", "release_etag"), _Table(), _Table("etag")
    with closing(known), closing(source), closing(release):
        round_ = _Round(
            collection=collection,
            store=store,
            ledger=ledger,
            queue=queue,
            asked=asked,
            dead=_dead_events(queue, collection),
        )
        for records in _pages(ledger.records(collection=collection.name)):
            known.add(
                (r.key, r.etag, r.outcome.value, r.release_etag)
                for r in records
                # Those of a source that the collection had before are not its concern.
                if collection.holds(r.bucket, r.key)
            )
        originals = releases = 0
        for page in _pages(store.list(collection.source_bucket, collection.source_prefix)):
            originals += len(page)
            source.add((info.key,) for info in page)
            round_.created(
                [
                    i
                    for i in page
                    if i.modified_at <= before
                    and collection.holds(i.bucket, i.key)
                    and _is_news(i, known)
                ]
            )
        for keys in _pages(known.keys_without(source)):
            round_.gone([k for k in keys if known.get(k)[2] != Outcome.DELETED.value])
        for page in _pages(store.list(collection.release_bucket, collection.source_prefix)):
            releases += len(page)
            release.add((info.key, info.etag) for info in page)
            round_.gone([i.key for i in page if i.key not in source])
            round_.unreleased(
                [i.key for i in page if i.key in source and _is_wrong(known.get(i.key), i.etag)]
            )
        for keys in _pages(known.keys_without(release)):
            round_.unreleased([k for k in keys if k in source and _has_release(known.get(k))])
    return Reconciled(originals=originals, releases=releases, **round_.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """Looks at each candidate once more, and enqueues it."""

    collection: Collection
    store: ObjectStore
    ledger: PhotoLedger
    queue: Queue
    asked: Asked
    dead: Sequence[ObjectEvent]
    counts: dict[str, int] = field(
        default_factory=lambda: {"missing": 0, "stale": 0, "gone": 0, "unreleased": 0}
    )

    def created(self, candidates: Sequence[ObjectInfo]) -> None:
        """Originals that are new or changed, by the listings."""
        chosen: list[tuple[str, ObjectEvent]] = []
        for info in candidates:
            record = self._record(info.key)
            if record is None:
                chosen.append(("missing", _created(info)))
            elif record.etag != info.etag or record.outcome is Outcome.DELETED:
                chosen.append(("stale", _created(info)))
        self._enqueue(chosen)

    def gone(self, keys: Sequence[str]) -> None:
        """Keys that had an outcome or have a release, and no original by the listings."""
        bucket = self.collection.source_bucket
        self._enqueue(
            [
                ("gone", ObjectEvent(change=Change.DELETED, bucket=bucket, key=key))
                for key in keys
                if self.store.head(bucket, key) is None
            ]
        )

    def unreleased(self, keys: Sequence[str]) -> None:
        """Keys whose release is not what the ledger says, by the listings."""
        chosen: list[tuple[str, ObjectEvent]] = []
        for key in keys:
            found = self.store.head(self.collection.release_bucket, key)
            record = self._record(key)
            if record is None or record.outcome is Outcome.DELETED or _agrees(record, found):
                continue
            original = self.store.head(self.collection.source_bucket, key)
            # Of another original than this one: that one is stale, and asked for as such.
            if original is not None and original.etag == record.etag:
                chosen.append(("unreleased", _created(original)))
        self._enqueue(chosen)

    def _record(self, key: str) -> PhotoRecord | None:
        return self.ledger.record(self.collection.source_bucket, key)

    def _enqueue(self, chosen: Sequence[tuple[str, ObjectEvent]]) -> None:
        fresh: list[tuple[str, str, ObjectEvent]] = []
        for why, event in chosen:
            what = f"{quote(f'{event.bucket}/{event.key}')}:{why}:{event.etag or ''}"
            if not _is_dead(event, self.dead) and self.asked.add(what):
                fresh.append((why, what, event))
        if not fresh:
            return
        try:
            self.queue.put(
                [to_s3_notification(event) for _, _, event in fresh],
                dedupe_ids=[f"reconcile:{what}" for _, what, _ in fresh],
            )
        except BaseException:
            self.asked.forget(what for _, what, _ in fresh)
            raise
        for why, _, _ in fresh:
            self.counts[why] += 1


class _Table:
    """Keys with a few values, in a scratch file of its own."""

    def __init__(self, *columns: str) -> None:
        self._width = 1 + len(columns)
        self._db = _scratch(
            f"CREATE TABLE t (key TEXT PRIMARY KEY{''.join(f', {c} TEXT' for c in columns)}) "
            "WITHOUT ROWID"
        )

    def close(self) -> None:
        self._db.close()

    def add(self, rows: Iterable[tuple[str, ...]]) -> None:
        marks = ", ".join("?" * self._width)
        self._db.executemany(f"INSERT OR REPLACE INTO t VALUES ({marks})", rows)  # noqa: S608 - question marks only

    def get(self, key: str) -> tuple[str, ...]:
        """The row, or ()."""
        row = self._db.execute("SELECT * FROM t WHERE key = ?", (key,)).fetchone()
        return row or ()

    def __contains__(self, key: str) -> bool:
        return bool(self.get(key))

    def keys_without(self, other: _Table) -> Iterator[str]:
        """Keys that the other table has not."""
        for (key,) in self._db.execute("SELECT key FROM t"):
            if key not in other:
                yield key


def _scratch(schema: str) -> sqlite3.Connection:
    # The empty name is a temporary file that SQLite keeps in memory while it is small.
    db = sqlite3.connect("", isolation_level=None)
    db.execute("PRAGMA journal_mode=OFF")
    db.execute("PRAGMA synchronous=OFF")
    db.execute(schema)
    return db


def _is_news(info: ObjectInfo, known: _Table) -> bool:
    row = known.get(info.key)
    return not row or row[1] != info.etag or row[2] == Outcome.DELETED.value


def _has_release(row: tuple[str, ...]) -> bool:
    return bool(row) and Outcome(row[2]).has_release


def _is_wrong(row: tuple[str, ...], release_etag: str) -> bool:
    return bool(row) and (not _has_release(row) or row[3] != release_etag)


def _agrees(record: PhotoRecord, release: ObjectInfo | None) -> bool:
    if release is None:
        return not record.outcome.has_release
    return record.outcome.has_release and record.release_etag == release.etag


def _created(info: ObjectInfo) -> ObjectEvent:
    return ObjectEvent(
        change=Change.CREATED,
        bucket=info.bucket,
        key=info.key,
        version=info.version,
        etag=info.etag,
        size=info.size,
    )


def _dead_events(queue: Queue, collection: Collection) -> list[ObjectEvent]:
    found: list[ObjectEvent] = []
    for letter in queue.dead():
        with suppress(UsageError):
            found += normalise(letter.body)
    return [event for event in found if collection.holds(event.bucket, event.key)]


def _is_dead(event: ObjectEvent, dead: Sequence[ObjectEvent]) -> bool:
    return any(
        (one.change, one.bucket, one.key) == (event.change, event.bucket, event.key)
        and one.etag in {None, event.etag}
        for one in dead
    )


def _pages(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while page := list(islice(iterator, _PAGE)):
        yield page
