"""The PhotoLedger and ReviewLog ports in SQL: one row per photo, order by compare-and-swap.

A claim raises the row's `generation`; whoever writes must still hold the newest one. Every
method is one short transaction without input or output inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import sqlalchemy as sa

from lakeveil.adapters.database import transaction
from lakeveil.adapters.tables.photos import photos, reviews
from lakeveil.core.outcomes import Outcome, PhotoRecord
from lakeveil.core.photos import Instructions
from lakeveil.core.review import Tally, Verdict
from lakeveil.errors import NotFound
from lakeveil.ports import Claim, Clock

_PAGE = 500


class SqlLedger:
    """The ledger over an engine from `open_database`. Thread-safe."""

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def claim(
        self, collection: str, bucket: str, key: str, *, owner: str, lease_s: float
    ) -> Claim | None:
        """Claim a photo, or None while another owner's claim lasts."""
        now = self._clock.now()
        with transaction(self._engine) as tx:
            row = tx.execute(sa.select(photos).where(_at(bucket, key)).with_for_update()).first()
            if row is not None and row.claimed_until > now and row.claimed_by != owner:
                return None
            generation = 1 if row is None else row.generation + 1
            claimed = {
                "collection": collection,
                "generation": generation,
                "claimed_by": owner,
                "claimed_until": now + lease_s,
            }
            if row is None:
                tx.execute(sa.insert(photos).values(bucket=bucket, key=key, **claimed))
            else:
                tx.execute(sa.update(photos).where(_at(bucket, key)).values(**claimed))
        return Claim(
            collection=collection,
            bucket=bucket,
            key=key,
            generation=generation,
            expires_at=now + lease_s,
            previous=_record(row.record) if row is not None else None,
            instructions=_instructions(row.instructions if row is not None else None),
        )

    def renew(self, claim: Claim, *, lease_s: float) -> None:
        """Let a claim last `lease_s` seconds from now; nothing happens if it was taken over."""
        with transaction(self._engine) as tx:
            tx.execute(
                sa.update(photos)
                .where(
                    _of(claim),
                    photos.c.generation == claim.generation,
                    # Not one that was ended in between: it would come back to life.
                    photos.c.claimed_by != "",
                )
                .values(claimed_until=self._clock.now() + lease_s)
            )

    def is_current(self, claim: Claim) -> bool:
        """Whether nobody claimed the photo since, and the claim has not run out."""
        with transaction(self._engine) as tx:
            row = tx.execute(
                sa.select(photos.c.generation, photos.c.claimed_until).where(_of(claim))
            ).first()
        return (
            row is not None
            and row.generation == claim.generation
            and row.claimed_until > self._clock.now()
        )

    def complete(
        self, claim: Claim, record: PhotoRecord, *, offer_for_review: bool = False
    ) -> bool:
        """Write the outcome and end the claim; False (nothing written) if not current."""
        now = self._clock.now()
        record = replace(record, generation=claim.generation, updated_at=now)
        with transaction(self._engine) as tx:
            written = tx.execute(
                sa.update(photos)
                .where(_of(claim), photos.c.generation == claim.generation)
                .values(
                    claimed_by="",
                    claimed_until=0.0,
                    outcome=record.outcome.value,
                    version=record.version,
                    etag=record.etag,
                    sequencer=record.sequencer,
                    policy_version=record.policy_version,
                    updated_at=now,
                    record=msgspec.json.encode(record).decode(),
                    offered_at=now if offer_for_review else None,
                )
            )
        return bool(written.rowcount)

    def abandon(self, claim: Claim) -> None:
        """End the claim without an outcome, so that another try need not wait for the lease."""
        with transaction(self._engine) as tx:
            tx.execute(
                sa.update(photos)
                .where(_of(claim), photos.c.generation == claim.generation)
                .values(claimed_by="", claimed_until=0.0)
            )

    def record(self, bucket: str, key: str) -> PhotoRecord | None:
        """The last completed outcome."""
        with transaction(self._engine) as tx:
            return _record(tx.scalar(sa.select(photos.c.record).where(_at(bucket, key))))

    def records(
        self,
        *,
        collection: str | None = None,
        outcome: Outcome | None = None,
        prefix: str = "",
        after: str = "",
        limit: int | None = None,
    ) -> Iterator[PhotoRecord]:
        """Outcomes in order of collection and key; `after` is a key, for one collection."""
        wanted: list[sa.ColumnElement[bool]] = [photos.c.record.is_not(None)]
        if collection is not None:
            wanted.append(photos.c.collection == collection)
        if outcome is not None:
            wanted.append(photos.c.outcome == outcome.value)
        if prefix:
            # No LIKE: it folds case in SQLite, and `_` and `%` are good keys.
            wanted.append(sa.func.substr(photos.c.key, 1, len(prefix)) == prefix)
        if after:
            wanted.append(photos.c.key > after)
        place = (photos.c.collection, photos.c.key)
        last: tuple[Any, Any] | None = None
        left = limit
        while left is None or left > 0:
            step = [sa.tuple_(*place) > sa.tuple_(*last)] if last else []
            page = _PAGE if left is None else min(_PAGE, left)
            # Read page by page: a listing holds no transaction open while it is shown.
            with transaction(self._engine) as tx:
                rows = tx.execute(
                    sa.select(*place, photos.c.record)
                    .where(*wanted, *step)
                    .order_by(*place)
                    .limit(page)
                ).all()
            for row in rows:
                yield msgspec.json.decode(row.record, type=PhotoRecord)
            if len(rows) < page:
                return
            last = (rows[-1].collection, rows[-1].key)
            left = None if left is None else left - len(rows)

    def instruct(self, bucket: str, key: str, instructions: Instructions) -> Instructions:
        """Keep a reviewer's instructions; returns them with their new revision."""
        with transaction(self._engine) as tx:
            row = tx.execute(
                sa.select(photos.c.instructions_revision).where(_at(bucket, key)).with_for_update()
            ).first()
            if row is None:
                raise NotFound(
                    f"s3://{bucket}/{key} is not a known photo",
                    why="it never went through the pipeline",
                    fix="check the key with `lakeveil photo ls`, or run `lakeveil backfill`",
                )
            kept = replace(instructions, revision=row.instructions_revision + 1)
            tx.execute(
                sa.update(photos)
                .where(_at(bucket, key))
                .values(
                    instructions=msgspec.json.encode(kept).decode(),
                    instructions_revision=kept.revision,
                )
            )
        return kept

    def instructions(self, bucket: str, key: str) -> Instructions:
        """The reviewer's instructions for a photo; empty ones (revision 0) where there are none."""
        with transaction(self._engine) as tx:
            return _instructions(
                tx.scalar(sa.select(photos.c.instructions).where(_at(bucket, key)))
            )

    # --- reviews -----------------------------------------------------------------------------

    def offered(self, collection: str | None = None) -> Iterator[PhotoRecord]:
        """Releases that wait for a look, the longest waiting first."""
        wanted: list[sa.ColumnElement[bool]] = [photos.c.offered_at.is_not(None)]
        if collection is not None:
            wanted.append(photos.c.collection == collection)
        with transaction(self._engine) as tx:
            found = tx.scalars(
                sa.select(photos.c.record)
                .where(*wanted)
                .order_by(photos.c.offered_at, photos.c.bucket, photos.c.key)
            ).all()
        for text in found:
            yield msgspec.json.decode(text, type=PhotoRecord)

    def review(self, record: PhotoRecord, *, verdict: Verdict, reviewer: str) -> bool:
        """Keep a verdict on an offered release; False if it is not (or no longer) on offer."""
        with transaction(self._engine) as tx:
            taken = tx.execute(
                sa.update(photos)
                .where(
                    _at(record.bucket, record.key),
                    photos.c.offered_at.is_not(None),
                    photos.c.generation == record.generation,
                )
                .values(offered_at=None)
            )
            if not taken.rowcount:
                return False
            tx.execute(
                sa.insert(reviews).values(
                    collection=record.collection,
                    bucket=record.bucket,
                    key=record.key,
                    etag=record.etag,
                    policy_version=record.policy_version,
                    fingerprint=record.fingerprint,
                    verdict=verdict.value,
                    reviewer=reviewer,
                    reviewed_at=self._clock.now(),
                )
            )
        return True

    def tally(self, collection: str) -> Tally:
        """How many offered releases of a collection were looked at, and how many had misses."""
        with transaction(self._engine) as tx:
            row = tx.execute(
                sa.select(
                    sa.func.count(),
                    sa.func.count().filter(reviews.c.verdict == Verdict.MISSED.value),
                ).where(reviews.c.collection == collection)
            ).one()
        return Tally(looked_at=row[0], missed=row[1])


def _at(bucket: str, key: str) -> sa.ColumnElement[bool]:
    return sa.and_(photos.c.bucket == bucket, photos.c.key == key)


def _of(claim: Claim) -> sa.ColumnElement[bool]:
    return _at(claim.bucket, claim.key)


def _record(text: str | None) -> PhotoRecord | None:
    return None if text is None else msgspec.json.decode(text, type=PhotoRecord)


def _instructions(text: str | None) -> Instructions:
    return Instructions() if text is None else msgspec.json.decode(text, type=Instructions)
