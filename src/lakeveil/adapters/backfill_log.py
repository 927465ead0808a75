"""The BackfillLog port in SQL."""

from __future__ import annotations

import sqlalchemy as sa

from lakeveil.adapters.database import transaction
from lakeveil.adapters.tables.photos import backfills
from lakeveil.ports import Clock, Progress


class SqlBackfillLog:
    """One row per backfilled prefix."""

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def resume(self, bucket: str, prefix: str) -> Progress:
        """Where the backfill of a prefix stopped; the beginning for a new or finished one."""
        with transaction(self._engine) as tx:
            row = tx.execute(
                sa.select(backfills).where(
                    backfills.c.bucket == bucket,
                    backfills.c.prefix == prefix,
                    backfills.c.finished.is_(False),
                )
            ).first()
        if row is None:
            return Progress(bucket=bucket, prefix=prefix)
        return Progress(
            bucket=bucket,
            prefix=prefix,
            after_key=row.after_key,
            listed=row.listed,
            enqueued=row.enqueued,
        )

    def advance(self, progress: Progress) -> None:
        """Remember it durably."""
        place = {"bucket": progress.bucket, "prefix": progress.prefix}
        state = {
            "after_key": progress.after_key,
            "listed": progress.listed,
            "enqueued": progress.enqueued,
            "finished": progress.finished,
            "updated_at": self._clock.now(),
        }
        with transaction(self._engine) as tx:
            known = tx.execute(
                sa.update(backfills)
                .where(*(backfills.c[name] == value for name, value in place.items()))
                .values(**state)
            )
            if not known.rowcount:
                tx.execute(sa.insert(backfills).values(**place, **state))
