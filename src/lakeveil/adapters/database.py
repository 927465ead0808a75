"""Opening our state: one SQLAlchemy engine, SQLite among processes, migrated on first use.

SQLite runs in WAL mode with full synchronisation. Transactions that write begin with
`BEGIN IMMEDIATE`: SQLAlchemy's default would run the first SELECT outside the write
transaction, and two writers could decide on the same state.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from lakeveil.errors import SetupError, Unavailable

BUSY_TIMEOUT_MS = 10_000


def open_database(url: str) -> sa.Engine:
    """An engine over a database that has the current schema.

    Raises:
        SetupError: the database is from a newer Lakeveil, or cannot be opened.
    """
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":
        if engine.url.database:
            Path(engine.url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        sa.event.listen(engine, "connect", _configure_sqlite)
        sa.event.listen(engine, "begin", _begin_immediate)
    try:
        _migrate(engine)
    except sa.exc.SQLAlchemyError as error:
        raise SetupError(
            f"the state database `{engine.url.render_as_string()}` cannot be opened",
            why=str(error.__cause__ or error).splitlines()[0],
            fix="check that the path is writable and the file is no other program's",
        ) from error
    return engine


@contextmanager
def transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One write transaction; a busy or absent database is `Unavailable`. No I/O inside, please."""
    try:
        with engine.begin() as connection:
            yield connection
    except sa.exc.OperationalError as error:
        raise _no_answer(error) from error


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Several reads of one state, beside any writer; an absent database is `Unavailable`."""
    try:
        with engine.connect() as plain:
            connection = plain.execution_options(lakeveil_reads=True)
            with connection.begin():
                yield connection
    except sa.exc.OperationalError as error:
        raise _no_answer(error) from error


def _no_answer(error: Exception) -> Unavailable:
    return Unavailable(
        "the state database did not answer",
        why=str(error.__cause__ or error).splitlines()[0],
        fix="it is tried again by itself; see `lakeveil doctor` if it goes on",
    )


def _configure_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # We begin transactions ourselves, below.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: sa.Connection) -> None:
    reads = connection.get_execution_options().get("lakeveil_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _migrate(engine: sa.Engine) -> None:
    # Alembic takes 100 ms to import: only when the schema is not the newest.
    from lakeveil.adapters.migrations import HEAD, upgrade  # noqa: PLC0415

    with engine.connect() as connection:
        current = _revision(connection)
    if current == HEAD:
        return
    upgrade(engine, current)


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    row = connection.execute(sa.text("SELECT version_num FROM alembic_version")).first()
    return None if row is None else str(row[0])
