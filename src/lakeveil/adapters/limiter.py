"""Limits over every worker of every process, kept in our state: slots and rates.

Times are the clocks of the machines that hold slots. On several machines these must agree (NTP)
to well within a lease: one that runs ahead sees others' slots as run out.
"""

from __future__ import annotations

import sqlalchemy as sa

from lakeveil.adapters.database import transaction
from lakeveil.adapters.tables.photos import rates, slots
from lakeveil.ports import Clock


class SqlLimiter:
    """A Limiter over an engine from `open_database`. Thread-safe."""

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def acquire_slot(self, name: str, *, limit: int, owner: str, lease_s: float) -> bool:
        """Take or renew one of `limit` slots for `owner`; False when all are taken.

        A slot whose lease ran out is free again, also for its former owner: that one is told
        False if others fill the limit.
        """
        with transaction(self._engine) as tx:
            _one_at_a_time(tx, name)
            now = self._clock.now()
            tx.execute(sa.delete(slots).where(slots.c.name == name, slots.c.expires_at <= now))
            held = tx.execute(sa.select(slots.c.owner).where(slots.c.name == name)).scalars().all()
            if owner in held:
                # Whoever holds one keeps it, even should another process know a lower limit.
                tx.execute(
                    sa.update(slots)
                    .where(slots.c.name == name, slots.c.owner == owner)
                    .values(expires_at=now + lease_s)
                )
                return True
            if len(held) >= limit:
                return False
            tx.execute(sa.insert(slots).values(name=name, owner=owner, expires_at=now + lease_s))
            return True

    def release_slot(self, name: str, *, owner: str) -> None:
        """Give the slot back; nothing happens where `owner` holds none."""
        with transaction(self._engine) as tx:
            tx.execute(_of(name, owner))

    def take(self, name: str, *, per_second: float) -> float:
        """Take one token of a shared rate; returns the seconds to wait before using it.

        Tokens are spaced evenly and never saved up: no burst follows an idle hour.
        """
        if per_second <= 0:
            return 0.0
        with transaction(self._engine) as tx:
            _one_at_a_time(tx, name)
            now = self._clock.now()
            row = tx.execute(sa.select(rates.c.next_free_at).where(rates.c.name == name)).first()
            free_at = now if row is None else max(now, row.next_free_at)
            after = free_at + 1 / per_second
            if row is None:
                tx.execute(sa.insert(rates).values(name=name, next_free_at=after))
            else:
                tx.execute(sa.update(rates).where(rates.c.name == name).values(next_free_at=after))
        return free_at - now


def _of(name: str, owner: str) -> sa.Delete:
    return sa.delete(slots).where(slots.c.name == name, slots.c.owner == owner)


def _one_at_a_time(tx: sa.Connection, name: str) -> None:
    # SQLite's transactions exclude each other; on PostgreSQL two could count the same free slot.
    if tx.dialect.name == "postgresql":
        tx.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": name})
