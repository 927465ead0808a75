"""From an event to a release: the one flow that may write into a release bucket.

An event only says where to look. What counts is what the store holds while we hold the claim:

    claim -> look at release and original -> develop -> write on condition -> look again -> record

Order needs no trust in events. The release is looked at *before* the original, and written only
over what was seen: if anybody released something newer in between, the condition fails and we
start over. After the write the original is looked at again; if it changed, we start over too, so
the last one to leave has seen the newest original. See docs/adr/0001-order-of-releases.md.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace

from lakeveil.core.events import ObjectEvent
from lakeveil.core.outcomes import Outcome, PhotoRecord, Retry, Skipped
from lakeveil.core.photos import Collection, Instructions, ObjectRef
from lakeveil.errors import CannotLook, Conflict, LakeveilError, NotFound, Refused, Unavailable
from lakeveil.pixels.rendition import Rendition
from lakeveil.ports import Claim, Clock, Darkroom, ObjectInfo, ObjectStore, PhotoLedger

RETRY_AFTER_S = 2.0
_ATTEMPTS = 4

META_ETAG = "lakeveil-source-etag"
META_VERSION = "lakeveil-source-version"
META_SEQUENCER = "lakeveil-sequencer"
META_POLICY = "lakeveil-policy"
META_REVISION = "lakeveil-instructions"
META_DETECTOR = "lakeveil-detector"
META_FINGERPRINT = "lakeveil-fingerprint"
META_FACES = "lakeveil-faces"
META_OUTCOME = "lakeveil-outcome"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoPath:
    """What the flow works with; the same for every photo."""

    store: ObjectStore
    darkroom: Darkroom
    ledger: PhotoLedger
    clock: Clock
    owner: str
    """Unique to this worker thread."""
    lease_s: float
    """How long a claim lasts without being renewed."""
    hold: Callable[[Claim], AbstractContextManager[None]]
    """Renews a claim while it is worked on; `nullcontext` where `lease_s` is long enough."""
    max_bytes: int
    draw: Callable[[], float]
    """A random number from 0 to 1: decides which releases are offered for review."""


def redact_photo(
    event: ObjectEvent, collection: Collection, path: PhotoPath
) -> PhotoRecord | Retry | Skipped:
    """Bring the release of one photo in line with its original.

    Returns the outcome that was recorded; Skipped where nothing was left to do; Retry where the
    store, the ledger or another worker stands in the way. Whatever else is raised, nothing was
    released and the claim is given up.
    """
    claim = path.ledger.claim(
        collection.name, event.bucket, event.key, owner=path.owner, lease_s=path.lease_s
    )
    if claim is None:
        return Retry("another worker has this photo", RETRY_AFTER_S)
    try:
        with path.hold(claim):
            for _ in range(_ATTEMPTS):
                done = _attempt(_look(event, collection, claim, path))
                if done is not None:
                    return done
        path.ledger.abandon(claim)
    except (Unavailable, Refused) as error:
        _give_up(claim, path)
        return Retry(f"{error.what}: {error.why}", RETRY_AFTER_S)
    except BaseException:
        _give_up(claim, path)
        raise
    return Retry("the photo kept changing while it was worked on", RETRY_AFTER_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One pass over one photo, and what the store held when it began."""

    event: ObjectEvent
    collection: Collection
    claim: Claim
    path: PhotoPath
    release: ObjectInfo | None
    source: ObjectInfo | None

    @property
    def instructions(self) -> Instructions:
        return self.claim.instructions.for_content(self.source.etag if self.source else "")


def _look(event: ObjectEvent, collection: Collection, claim: Claim, path: PhotoPath) -> _Case:
    return _Case(
        event=event,
        collection=collection,
        claim=claim,
        path=path,
        # In this order: see the module's docstring.
        release=path.store.head(collection.release_bucket, claim.key),
        source=path.store.head(claim.bucket, claim.key),
    )


def _attempt(case: _Case) -> PhotoRecord | Retry | Skipped | None:
    """One pass; None when the photo or its release changed under us."""
    if case.source is None:
        return _remove(case)
    if is_settled(case.claim, case.source, case.release, case.collection):
        case.path.ledger.abandon(case.claim)
        return Skipped("its release is up to date")
    if case.instructions.withdrawn:
        return _withhold(
            case,
            replace(
                _record(case, Outcome.WITHDRAWN),
                reason_code="withdrawn",
                reason="a reviewer took it back",
            ),
        )
    started = case.path.clock.now()
    try:
        data = case.path.store.get(
            ObjectRef(case.claim.bucket, case.claim.key, case.source.version),
            etag=case.source.etag,
            limit_bytes=case.path.max_bytes,
        )
        fetched = case.path.clock.now()
        rendition = case.path.darkroom.develop(
            data, policy=case.collection.policy, instructions=case.instructions
        )
    except (NotFound, Conflict):
        return None
    except CannotLook as error:
        return _quarantine(case, error)
    return _release(case, rendition, get_ms=(fetched - started) * 1000)


def is_settled(
    claim: Claim, source: ObjectInfo, release: ObjectInfo | None, collection: Collection
) -> bool:
    """Whether the recorded outcome stands for this original, policy and instructions."""
    known = claim.previous
    if known is None or known.etag != source.etag:
        return False
    if claim.instructions.for_content(source.etag).withdrawn:
        return known.outcome is Outcome.WITHDRAWN and release is None
    if (
        known.version != source.version
        or known.policy_version != collection.policy.version
        or known.instructions_revision != claim.instructions.revision
    ):
        return False
    if not known.outcome.has_release:
        return known.outcome is Outcome.QUARANTINED and release is None
    return (
        release is not None
        and release.etag == known.release_etag
        and release.metadata.get(META_ETAG) == source.etag
    )


def _release(case: _Case, rendition: Rendition, *, get_ms: float) -> PhotoRecord | Retry | None:
    store, ledger, bucket = case.path.store, case.path.ledger, case.collection.release_bucket
    first = rendition.detections[0]
    record = replace(
        _record(case, Outcome.RELEASED if rendition.redacted else Outcome.UNCHANGED),
        faces=tuple(face for frame in rendition.detections for face in frame.faces),
        frames=len(rendition.detections),
        width=rendition.width,
        height=rendition.height,
        detector=first.detector,
        fingerprint=first.fingerprint,
        timings_ms={"get": round(get_ms, 1), **rendition.timings_ms},
    )
    if not ledger.is_current(case.claim):
        return Retry("the claim ran out before the release", 0.0)
    putting = case.path.clock.now()
    try:
        written = store.put(
            bucket,
            case.claim.key,
            rendition.data,
            content_type=rendition.content_type,
            metadata=release_metadata(record),
            if_absent=case.release is None,
            if_etag=case.release.etag if case.release else None,
        )
    except Conflict:
        return None
    record.timings_ms["put"] = round((case.path.clock.now() - putting) * 1000, 1)
    if record.instructions_revision and written.version:
        # A reviewer corrected it: what it looked like before may not live on as a version.
        store.purge(bucket, case.claim.key)
    if _changed(case):
        return None
    record = replace(record, release_etag=written.etag)
    offer = case.path.draw() < case.collection.review_share
    if ledger.complete(case.claim, record, offer_for_review=offer):
        return record
    # Somebody claimed it since. If he decided that nothing is to be released, what we just wrote
    # goes at once; in every other case the next try finds what is out of line.
    known = ledger.record(case.claim.bucket, case.claim.key)
    if known is not None and not known.outcome.has_release:
        with suppress(Conflict):
            store.delete(bucket, case.claim.key, if_etag=written.etag)
    return Retry("another worker took the photo over", 0.0)


def _quarantine(case: _Case, error: LakeveilError) -> PhotoRecord | Retry | None:
    """Nothing is released, and what was released of an earlier original goes."""
    why = ": ".join(part for part in (error.what, error.why) if part)
    return _withhold(
        case, replace(_record(case, Outcome.QUARANTINED), reason_code=error.code, reason=why)
    )


def _remove(case: _Case) -> PhotoRecord | Retry | Skipped | None:
    """The original is gone: so goes the release, with its older versions."""
    known = case.claim.previous
    if case.release is None and (known is None or known.outcome is Outcome.DELETED):
        case.path.ledger.abandon(case.claim)
        return Skipped("the original is gone, and nothing of it was released")
    return _withhold(
        case,
        replace(
            _record(case, Outcome.DELETED),
            reason_code="source_deleted",
            reason="the original was deleted",
        ),
    )


def _withhold(case: _Case, record: PhotoRecord) -> PhotoRecord | Retry | None:
    """Record an outcome without a release, after removing the one that is there."""
    store, bucket = case.path.store, case.collection.release_bucket
    if not case.path.ledger.is_current(case.claim):
        return Retry("the claim ran out before the outcome was recorded", 0.0)
    if case.release is not None:
        try:
            store.delete(bucket, case.claim.key, if_etag=case.release.etag)
        except Conflict:
            return None
    # Also where there was no release any more: an earlier try may have been cut short right here.
    store.purge(bucket, case.claim.key)
    if _changed(case):
        return None
    if case.path.ledger.complete(case.claim, record):
        return record
    return Retry("another worker took the photo over", 0.0)


def release_metadata(record: PhotoRecord) -> dict[str, str]:
    """What a released object says about itself: S3 user metadata, ASCII."""
    return {
        META_ETAG: record.etag,
        META_VERSION: record.version or "",
        META_SEQUENCER: record.sequencer,
        META_POLICY: record.policy_version,
        META_REVISION: str(record.instructions_revision),
        META_DETECTOR: record.detector,
        META_FINGERPRINT: record.fingerprint,
        META_FACES: str(len(record.faces)),
        META_OUTCOME: record.outcome.value,
    }


def _record(case: _Case, outcome: Outcome) -> PhotoRecord:
    event, source = case.event, case.source
    # The event may speak of another version than the one that lies there now.
    same = source is None or event.etag in {None, source.etag}
    known = case.claim.previous
    return PhotoRecord(
        collection=case.collection.name,
        bucket=case.claim.bucket,
        key=case.claim.key,
        version=source.version if source else event.version,
        etag=source.etag if source else (known.etag if known else ""),
        sequencer=event.sequencer if same else "",
        outcome=outcome,
        policy_version=case.collection.policy.version,
        instructions_revision=case.claim.instructions.revision,
    )


def _changed(case: _Case) -> bool:
    """Whether the original is another one now than when this pass began."""
    now, then = case.path.store.head(case.claim.bucket, case.claim.key), case.source
    if now is None or then is None:
        return now is not then
    return (now.etag, now.version) != (then.etag, then.version)


def _give_up(claim: Claim, path: PhotoPath) -> None:
    with suppress(LakeveilError):
        path.ledger.abandon(claim)
