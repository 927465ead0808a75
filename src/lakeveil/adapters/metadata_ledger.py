"""The PhotoLedger port without a database: what became of a photo is written on its release.

A release carries, as S3 user metadata, the original it was made from and how: enough to recognise
a redelivery. What a database adds is a lock. Here two invocations may work on one photo at once,
and conditional puts decide between them: each writes only over the very release it saw before it
looked at the original, so one of them fails and starts over. See docs/adr/0008.

Nothing is kept of a photo without a release: its reason goes with the message to the dead letters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NoReturn

from lakeveil.core.outcomes import Outcome, PhotoRecord
from lakeveil.core.photos import Collection, Instructions
from lakeveil.errors import UsageError
from lakeveil.ports import Claim, Clock, ObjectInfo, ObjectStore

PREFIX = "lakeveil-"


class MetadataLedger:
    """What the releases of `collections` say about their originals. Keeps nothing of its own."""

    def __init__(
        self, store: ObjectStore, collections: Sequence[Collection], *, clock: Clock
    ) -> None:
        self._store = store
        self._collections = tuple(collections)
        self._clock = clock

    def claim(
        self, collection: str, bucket: str, key: str, *, owner: str, lease_s: float
    ) -> Claim | None:
        """Look at the release as it is now.

        Never None: nobody can be kept out without a lock, so nobody is. A release that a
        reviewer corrected stands until the original changes, whatever the policy says now: the
        reviewer's boxes are in a database that is not here.
        """
        del owner
        previous = self.record(bucket, key)
        revision = previous.instructions_revision if previous else 0
        if previous is not None and revision:
            policy = next(c.policy for c in self._collections if c.name == collection)
            previous = replace(previous, policy_version=policy.version)
        return Claim(
            collection=collection,
            bucket=bucket,
            key=key,
            generation=0,
            expires_at=self._clock.now() + lease_s,
            previous=previous,
            instructions=Instructions(revision=revision),
        )

    def renew(self, claim: Claim, *, lease_s: float) -> None:
        """A claim ends with the invocation that made it: nothing makes it last longer."""
        del claim, lease_s

    def is_current(self, claim: Claim) -> bool:
        """Whether the claim has not run out; the conditional put says all the rest."""
        return self._clock.now() < claim.expires_at

    def complete(
        self, claim: Claim, record: PhotoRecord, *, offer_for_review: bool = False
    ) -> bool:
        """Whether the outcome is what the store shows now; it is written nowhere else.

        False if another release lies there, or one where none should be: somebody saw a newer
        original, and the message has to come back to agree with it.
        """
        del offer_for_review
        release = self.record(claim.bucket, claim.key)
        if not record.outcome.has_release:
            return release is None
        return (
            release is not None
            and release.release_etag == record.release_etag
            and release.etag == record.etag
        )

    def abandon(self, claim: Claim) -> None:
        """Nothing is held, so nothing is given back."""
        del claim

    def record(self, bucket: str, key: str) -> PhotoRecord | None:
        """What the release says of its original; None where there is none, or it is not ours."""
        for collection in self._collections:
            if collection.holds(bucket, key):
                found = self._store.head(collection.release_bucket, key)
                return _read(collection, found) if found else None
        return None

    def records(
        self,
        *,
        collection: str | None = None,
        outcome: Outcome | None = None,
        prefix: str = "",
        after: str = "",
        limit: int | None = None,
    ) -> Iterator[PhotoRecord]:
        """The releases in order of collection and key, at the price of one request each."""
        left = limit
        for one in sorted(self._collections, key=lambda c: c.name):
            if collection not in {None, one.name}:
                continue
            for listed in self._store.list(one.release_bucket, prefix, after=after):
                if left is not None and left <= 0:
                    return
                found = self.record(one.source_bucket, listed.key)
                if found is None or outcome not in {None, found.outcome}:
                    continue
                left = None if left is None else left - 1
                yield found

    def instruct(self, bucket: str, key: str, instructions: Instructions) -> NoReturn:
        """Refused: a reviewer's boxes would have nowhere to live.

        Raises:
            UsageError: always.
        """
        del instructions
        raise UsageError(
            f"nobody can review s3://{bucket}/{key} here",
            why="without a database there is no place for a reviewer's instructions",
            fix="run workers of a Lakeveil installation on the queue instead of the function",
            code="review_needs_database",
        )

    def instructions(self, bucket: str, key: str) -> Instructions:
        """None were ever given here; the revision is the one that the release was made with."""
        known = self.record(bucket, key)
        return Instructions(revision=known.instructions_revision if known else 0)


def _read(collection: Collection, release: ObjectInfo) -> PhotoRecord | None:
    said = {
        name.lower().removeprefix(PREFIX): value
        for name, value in release.metadata.items()
        if name.lower().startswith(PREFIX)
    }
    try:
        outcome, revision = Outcome(said["outcome"]), int(said.get("instructions", "0"))
    except (KeyError, ValueError):
        # Not written by us: the next release replaces it, and a deletion removes it.
        return None
    return PhotoRecord(
        collection=collection.name,
        bucket=collection.source_bucket,
        key=release.key,
        version=said.get("source-version") or None,
        etag=said.get("source-etag", ""),
        sequencer=said.get("sequencer", ""),
        outcome=outcome,
        policy_version=said.get("policy", ""),
        instructions_revision=revision,
        detector=said.get("detector", ""),
        fingerprint=said.get("fingerprint", ""),
        release_etag=release.etag,
        updated_at=release.modified_at,
    )
