"""The records of workgroups and queries, for commands that look at them and run no query."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lakeveil.adapters.database import open_database
from lakeveil.adapters.queries import SqlQueryLog, SqlWorkgroups
from lakeveil.settings import Settings

TIB = 2**40


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWorkgroups:
    """What is on record of workgroups, and of the queries in them."""

    workgroups: SqlWorkgroups
    log: SqlQueryLog


@contextmanager
def open_workgroups(settings: Settings) -> Iterator[OpenWorkgroups]:
    """Open the records, and close them at the end.

    Raises:
        SetupError: the database cannot be opened.
    """
    engine = open_database(settings.database_url)
    price = settings.sql.price_per_tib / TIB
    try:
        yield OpenWorkgroups(
            workgroups=SqlWorkgroups(engine),
            log=SqlQueryLog(engine, price=lambda size: size * price),
        )
    finally:
        engine.dispose()
