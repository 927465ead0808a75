"""Ports of the photo path: objects, queue, limits, detectors, ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lakeveil.core.faces import Detections, Face
    from lakeveil.core.geometry import Box
    from lakeveil.core.outcomes import Outcome, PhotoRecord
    from lakeveil.core.photos import Instructions, ObjectRef, RedactionPolicy
    from lakeveil.core.review import Tally, Verdict
    from lakeveil.pixels.rendition import Rendition


class Clock(Protocol):
    """Time, so that tests can turn it."""

    def now(self) -> float:
        """UTC seconds since the epoch."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; returns at once for zero or less."""
        ...


# --- objects ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """One object as the store describes it. `etag` keeps no quotes."""

    bucket: str
    key: str
    size: int
    etag: str
    modified_at: float
    version: str | None = None
    content_type: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


class ObjectStore(Protocol):
    """An S3-compatible store. Every method raises `Unavailable` when the store does not answer.

    Conditional writes: `if_absent` succeeds only where no object is, `if_etag` only over exactly
    that content. An ETag names content, not an order: order is the ledger's business.
    """

    def head(self, bucket: str, key: str) -> ObjectInfo | None:
        """The current version with its metadata, or None where there is none."""
        ...

    def get(self, ref: ObjectRef, *, etag: str | None = None, limit_bytes: int) -> bytes:
        """The bytes of one exact version (by `ref.version`, or else by `etag`).

        Raises:
            NotFound: no such object or version.
            Conflict: the object no longer has that `etag`.
            BadPhoto: it is larger than `limit_bytes`; nothing was read.
        """
        ...

    def put(
        self,
        bucket: str,
        key: str,
        data: bytes,
        *,
        content_type: str,
        metadata: Mapping[str, str],
        if_absent: bool = False,
        if_etag: str | None = None,
    ) -> ObjectInfo:
        """Write an object whole.

        Raises:
            Conflict: the condition did not hold; nothing was written.
        """
        ...

    def delete(self, bucket: str, key: str, *, if_etag: str | None = None) -> None:
        """Remove the current version; nothing happens where there is none.

        Raises:
            Conflict: the object has another ETag; nothing was removed.
        """
        ...

    def purge(self, bucket: str, key: str) -> None:
        """Forget every version of a key but the current one; without one, forget them all.

        What a reviewer took back, or whose original is gone, may not live on in a bucket that
        keeps versions. Nothing happens in one that does not.
        """
        ...

    def list(self, bucket: str, prefix: str = "", *, after: str = "") -> Iterator[ObjectInfo]:
        """Current objects under `prefix` in key order, after the key `after`. No metadata."""
        ...


# --- queue -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A leased message. `receipt` is the adapter's own; only the holder of it may answer."""

    id: str
    body: bytes
    receive_count: int
    receipt: object


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that was given up, and why."""

    id: str
    body: bytes
    reason: str
    receive_count: int
    died_at: float


class Queue(Protocol):
    """A durable queue with leases, as SQS has them. At least once, in no particular order.

    A message that is neither acknowledged nor extended within its lease (`VisibilityTimeout`)
    comes back, to whoever asks. Every method raises `Unavailable` when the broker is away.
    """

    visibility_timeout_s: float

    def put(self, bodies: Sequence[bytes], *, dedupe_ids: Sequence[str] | None = None) -> None:
        """Store messages durably before returning; a `dedupe_id` seen lately is dropped."""
        ...

    def receive(self, *, max_messages: int, wait_s: float) -> list[Message]:
        """Lease up to `max_messages`, waiting at most `wait_s` for the first."""
        ...

    def extend(self, message: Message) -> None:
        """Heartbeat: the lease starts anew.

        Raises:
            Conflict: the lease is lost; somebody else may be working on it.
        """
        ...

    def ack(self, message: Message) -> None:
        """Done: it never comes back."""
        ...

    def nack(self, message: Message, *, delay_s: float = 0.0) -> None:
        """Not done: it comes back after `delay_s`, with its receive count one higher.

        A delayed message must not keep others from being received.
        """
        ...

    def bury(self, message: Message, *, reason: str) -> None:
        """Move it to the dead letters with its reason, exactly once, then acknowledge it."""
        ...

    def depth(self) -> int:
        """Messages waiting or leased (approximate)."""
        ...

    def dead(self) -> list[DeadLetter]:
        """The dead letters, oldest first."""
        ...

    def redrive(self, ids: Sequence[str] | None = None) -> int:
        """Put dead letters (all, or those named) back as new messages; returns how many."""
        ...

    def close(self) -> None:
        """Leave the broker; leases that are held run out by themselves."""
        ...


class Work(Protocol):
    """One event in a worker's hands, as whoever handles it sees it."""

    receive_count: int
    """How often the message was received, this time included."""

    def still_ours(self) -> bool:
        """False once the lease or the slot is lost: stop, and write nothing."""
        ...

    def on_lost(self, stop: Callable[[], None]) -> None:
        """Have `stop` called, once and from another thread, as soon as it is lost."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledEvent:
    """A message for the queue that is on disk already. `id` is the same on every replay."""

    id: str
    body: bytes
    at_ns: int
    """When the store saw the change (UTC nanoseconds)."""


class Spool(Protocol):
    """Events on disk between a source that forgets and the queue. Thread-safe."""

    def position_ns(self) -> int | None:
        """Time of the newest event that was seen (UTC nanoseconds), None at the very start."""
        ...

    def append(self, events: Sequence[SpooledEvent], *, position_ns: int) -> int:
        """Keep events, known ones once; returns how many were new. On disk when it returns."""
        ...

    def waiting(self, limit: int) -> list[SpooledEvent]:
        """The oldest events that were not published."""
        ...

    def published(self, ids: Sequence[str]) -> None:
        """They are in the queue."""
        ...


class Limiter(Protocol):
    """Limits that hold over every worker of every process."""

    def acquire_slot(self, name: str, *, limit: int, owner: str, lease_s: float) -> bool:
        """Take or renew one of `limit` slots for `owner`; False when all are taken.

        A slot whose lease ran out is free again: an owner that could not renew in time must
        have stopped working before then.
        """
        ...

    def release_slot(self, name: str, *, owner: str) -> None:
        """Give the slot back; nothing happens where `owner` holds none."""
        ...

    def take(self, name: str, *, per_second: float) -> float:
        """Take one token of a shared rate; returns the seconds to wait before using it."""
        ...


# --- photos ----------------------------------------------------------------------------------


class FaceDetector(Protocol):
    """Looks for faces on one frame. Thread-safe."""

    name: str
    fingerprint: str

    def detect(
        self,
        photo: NDArray[np.uint8],
        *,
        min_confidence: float | None,
        probe_orientation: bool = False,
    ) -> Detections:
        """Look at a whole frame: (height, width, 3) uint8 sRGB, upright, any size.

        `probe_orientation` is for a frame that may not be upright after all: quarter turns are
        tried too. Boxes are on the frame as given.

        Raises:
            DetectorFailed: it could not look at all of it.
        """
        ...

    def look_again(
        self, photo: NDArray[np.uint8], regions: Sequence[Box], *, min_confidence: float | None
    ) -> tuple[Face, ...]:
        """Faces found on crops around `regions` only: the cheap check after a redaction."""
        ...


class Darkroom(Protocol):
    """Where untrusted bytes become a rendition, within limits of time and memory."""

    def develop(
        self, data: bytes, *, policy: RedactionPolicy, instructions: Instructions
    ) -> Rendition:
        """Examine and redact one file.

        Raises:
            BadPhoto: the file is at fault, or it took too much time or memory.
            DetectorFailed: no face was looked for.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to decide one photo, until `expires_at` or until somebody claims it after."""

    collection: str
    bucket: str
    key: str
    generation: int
    expires_at: float
    previous: PhotoRecord | None
    instructions: Instructions


class PhotoLedger(Protocol):
    """What became of every photo; decides the order of releases by compare-and-swap."""

    def claim(
        self, collection: str, bucket: str, key: str, *, owner: str, lease_s: float
    ) -> Claim | None:
        """Claim a photo, or None while another owner's claim lasts."""
        ...

    def renew(self, claim: Claim, *, lease_s: float) -> None:
        """Let a claim last `lease_s` seconds from now; nothing happens if it was taken over."""
        ...

    def is_current(self, claim: Claim) -> bool:
        """Whether nobody claimed the photo since, and the claim has not run out."""
        ...

    def complete(
        self, claim: Claim, record: PhotoRecord, *, offer_for_review: bool = False
    ) -> bool:
        """Write the outcome and end the claim; False (nothing written) if it was taken over."""
        ...

    def abandon(self, claim: Claim) -> None:
        """End the claim without an outcome, so that another try need not wait for the lease."""
        ...

    def record(self, bucket: str, key: str) -> PhotoRecord | None:
        """The last completed outcome."""
        ...

    def records(
        self,
        *,
        collection: str | None = None,
        outcome: Outcome | None = None,
        prefix: str = "",
        after: str = "",
        limit: int | None = None,
    ) -> Iterator[PhotoRecord]:
        """Outcomes in order of collection and key."""
        ...

    def instruct(self, bucket: str, key: str, instructions: Instructions) -> Instructions:
        """Keep a reviewer's instructions; returns them with their new revision.

        Raises:
            NotFound: no such photo was ever worked on.
        """
        ...

    def instructions(self, bucket: str, key: str) -> Instructions:
        """The reviewer's instructions for a photo; empty ones (revision 0) where there are none."""
        ...


class ReviewLog(Protocol):
    """The random share of releases that people look at, and what they saw."""

    def offered(self, collection: str | None = None) -> Iterator[PhotoRecord]:
        """Releases that wait for a look, the longest waiting first."""
        ...

    def review(self, record: PhotoRecord, *, verdict: Verdict, reviewer: str) -> bool:
        """Keep a verdict on an offered release; False if it is not (or no longer) on offer."""
        ...

    def tally(self, collection: str) -> Tally:
        """How many offered releases of a collection were looked at, and how many had misses."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a backfill of one prefix is."""

    bucket: str
    prefix: str
    after_key: str = ""
    """Everything up to this key is durably enqueued."""
    listed: int = 0
    enqueued: int = 0
    finished: bool = False


class BackfillLog(Protocol):
    """Remembers how far each backfill is, so that it goes on where it stopped."""

    def resume(self, bucket: str, prefix: str) -> Progress:
        """Where the backfill of a prefix stopped; the beginning for a new or finished one."""
        ...

    def advance(self, progress: Progress) -> None:
        """Remember it durably."""
        ...
