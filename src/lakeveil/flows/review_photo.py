"""What people decide about photos: look again, hide more, leave alone, take back.

A decision is kept in the ledger first and carried out by the pipeline after, so it survives
whatever happens in between and applies to the very content that was looked at. Only a
withdrawal acts at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lakeveil.core.events import Change, ObjectEvent, to_s3_notification
from lakeveil.core.geometry import Box
from lakeveil.core.outcomes import Outcome, PhotoRecord
from lakeveil.core.photos import Collection, Instructions
from lakeveil.errors import NotFound, Unavailable, UsageError
from lakeveil.ports import Claim, Clock, ObjectStore, PhotoLedger, Queue

CLAIM_WAIT_S = 90.0
"""How long a withdrawal waits for a worker that has the photo: longer than a claim lasts."""

APPROVABLE = frozenset({"face_still_visible"})
"""Reasons for quarantine that a person can settle by looking at the photo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewDesk:
    """What decisions are carried out with."""

    store: ObjectStore
    ledger: PhotoLedger
    queue: Queue
    clock: Clock


def retry(records: Iterable[PhotoRecord], desk: ReviewDesk) -> int:
    """Send photos through the pipeline again, whatever became of them; returns how many.

    This is also how a changed policy or model redoes what it affects. What a reviewer said about
    a photo keeps counting.
    """
    count = 0
    for record in records:
        _decide(record, desk.ledger.instructions(record.bucket, record.key), desk)
        count += 1
    return count


def release(record: PhotoRecord, desk: ReviewDesk) -> None:
    """Release a withdrawn photo again, or one whose remaining doubt the reviewer answers for.

    Raises:
        UsageError: nobody could look at the photo, so nobody can answer for its release.
    """
    if record.outcome is Outcome.WITHDRAWN:
        _decide(record, replace(_standing(record, desk), withdrawn=False), desk)
        return
    if record.outcome is not Outcome.QUARANTINED:
        raise UsageError(
            f"`{record.key}` is {record.outcome}",
            why="only a quarantined or withdrawn photo can be released",
            fix="`lakeveil photo retry` sends it through the pipeline again",
        )
    if record.reason_code not in APPROVABLE:
        raise UsageError(
            f"`{record.key}` cannot be released by decision",
            why=f"it is in quarantine because {record.reason}: its faces were never hidden",
            fix="`lakeveil photo retry` it once the cause is mended, or upload a mended file",
        )
    _decide(record, replace(_standing(record, desk), approved=True), desk)


def redact(
    record: PhotoRecord, desk: ReviewDesk, *, hide: Sequence[Box] = (), keep: Sequence[Box] = ()
) -> Instructions:
    """Hide more boxes of a photo, or leave faces in others alone; earlier boxes stay.

    Returns:
        All the instructions that now stand for this content.
    """
    if record.outcome is Outcome.DELETED:
        raise NotFound(
            f"the original of `{record.key}` is gone",
            why="it was deleted, and its release with it",
            fix="upload it again first",
        )
    standing = _standing(record, desk)
    return _decide(
        record,
        replace(standing, hide=(*standing.hide, *hide), keep=(*standing.keep, *keep)),
        desk,
    )


def reset(record: PhotoRecord, desk: ReviewDesk) -> Instructions:
    """Forget every box and approval given for a photo; one that is withdrawn stays so."""
    withdrawn = _standing(record, desk).withdrawn
    return _decide(record, Instructions(etag=record.etag, withdrawn=withdrawn), desk)


def withdraw(
    record: PhotoRecord, collection: Collection, desk: ReviewDesk, *, reason: str
) -> PhotoRecord:
    """Take a release back, at once and with all its older versions.

    The photo stays withdrawn, even if the same content is uploaded again, until it is released
    by decision or its original changes.

    Raises:
        Unavailable: a worker has the photo and does not let go of it.
    """
    claim = _claim(record, desk)
    try:
        source = desk.store.head(record.bucket, record.key)
        etag = source.etag if source else record.etag
        # Kept first: should we be killed right here, the pipeline still carries it out.
        given = claim.instructions.for_content(etag)
        kept = _decide(record, replace(given, etag=etag, withdrawn=True), desk)
        desk.store.delete(collection.release_bucket, record.key)
        desk.store.purge(collection.release_bucket, record.key)
        withdrawn = replace(
            record,
            outcome=Outcome.WITHDRAWN,
            etag=etag,
            version=source.version if source else record.version,
            instructions_revision=kept.revision,
            reason_code="withdrawn",
            reason=reason,
            release_etag="",
        )
        if desk.ledger.complete(claim, withdrawn):
            return withdrawn
    except BaseException:
        desk.ledger.abandon(claim)
        raise
    raise Unavailable(
        f"`{record.key}` is being worked on",
        why="a worker took it over while its release was removed",
        fix="run the command again",
    )


def _claim(record: PhotoRecord, desk: ReviewDesk) -> Claim:
    owner = f"review-{secrets.token_hex(4)}"
    give_up_at = desk.clock.now() + CLAIM_WAIT_S
    while True:
        claim = desk.ledger.claim(
            record.collection, record.bucket, record.key, owner=owner, lease_s=30.0
        )
        if claim is not None:
            return claim
        if desk.clock.now() >= give_up_at:
            raise Unavailable(
                f"`{record.key}` is being worked on",
                why=f"a worker has had it for {CLAIM_WAIT_S:.0f} s",
                fix="run the command again; `lakeveil doctor` shows what is slow",
            )
        desk.clock.sleep(0.1)


def _standing(record: PhotoRecord, desk: ReviewDesk) -> Instructions:
    kept = desk.ledger.instructions(record.bucket, record.key).for_content(record.etag)
    return replace(kept, etag=record.etag)


def _decide(record: PhotoRecord, instructions: Instructions, desk: ReviewDesk) -> Instructions:
    kept = desk.ledger.instruct(record.bucket, record.key, instructions)
    event = ObjectEvent(change=Change.CREATED, bucket=record.bucket, key=record.key)
    desk.queue.put([to_s3_notification(event)])
    return kept
