"""Send the photos that already lie in a bucket through the pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from lakeveil.core.events import Change, ObjectEvent, to_s3_notification
from lakeveil.core.photos import Collection
from lakeveil.errors import UsageError
from lakeveil.ports import BackfillLog, ObjectInfo, ObjectStore, PhotoLedger, Progress, Queue

_BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """What a backfill works with."""

    store: ObjectStore
    ledger: PhotoLedger
    queue: Queue
    log: BackfillLog


def backfill(
    bucket: str, prefix: str, collections: Sequence[Collection], work: Backfill
) -> Iterator[Progress]:
    """Enqueue every photo below a prefix that has no outcome yet; yields after each batch.

    Resumes after the last key that was durably enqueued. What the ledger knows to be done under
    the present policy is passed over; a photo enqueued twice is worked on once.

    Raises:
        UsageError: no collection takes photos from there.
    """
    inside = _collections(bucket, prefix, collections)
    progress = work.log.resume(bucket, prefix)
    listing = work.store.list(bucket, prefix, after=progress.after_key)
    while batch := list(islice(listing, _BATCH)):
        waiting = [info for info in batch if _needs_work(info, inside, work.ledger)]
        if waiting:
            work.queue.put([_message(info) for info in waiting])
        progress = replace(
            progress,
            after_key=batch[-1].key,
            listed=progress.listed + len(batch),
            enqueued=progress.enqueued + len(waiting),
        )
        # Only now: whoever is killed before enqueues this batch again, and loses nothing.
        work.log.advance(progress)
        yield progress
    progress = replace(progress, finished=True)
    work.log.advance(progress)
    yield progress


def _collections(
    bucket: str, prefix: str, collections: Sequence[Collection]
) -> tuple[Collection, ...]:
    inside = tuple(
        c
        for c in collections
        if c.source_bucket == bucket
        and (prefix.startswith(c.source_prefix) or c.source_prefix.startswith(prefix))
    )
    if not inside:
        known = ", ".join(f"s3://{c.source_bucket}/{c.source_prefix}" for c in collections)
        raise UsageError(
            f"no collection takes photos from s3://{bucket}/{prefix}",
            why=f"the collections take them from {known or 'nowhere'}",
            fix="correct the address, or add a collection to lakeveil.toml",
        )
    return inside


def _needs_work(info: ObjectInfo, collections: tuple[Collection, ...], ledger: PhotoLedger) -> bool:
    collection = next((c for c in collections if c.holds(info.bucket, info.key)), None)
    if collection is None:
        return False
    known = ledger.record(info.bucket, info.key)
    return (
        known is None
        or known.etag != info.etag
        or known.policy_version != collection.policy.version
    )


def _message(info: ObjectInfo) -> bytes:
    return to_s3_notification(
        ObjectEvent(
            change=Change.CREATED,
            bucket=info.bucket,
            key=info.key,
            etag=info.etag,
            size=info.size,
        )
    )
