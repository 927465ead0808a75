"""Changing the identity tables so that every process sees it at its next call, and reading them.

Each change raises a counter in the same transaction. Readers keep what they read together with
the counter and ask for it again at each call: one SELECT that waits for no writer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from lakeveil.adapters.database import transaction
from lakeveil.adapters.tables.identity import identity_version
from lakeveil.errors import Conflict, Unavailable

_VERSION = "SELECT changes, issues FROM identity_version WHERE id = 1"


@contextmanager
def changing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A write transaction after which whatever is known of any key is read anew.

    Raises:
        Conflict: somebody else was first, or something still stands on what is deleted.
    """
    with _writing(engine) as tx:
        yield tx
        tx.execute(sa.update(identity_version).values(changes=identity_version.c.changes + 1))


@contextmanager
def issuing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A write transaction that adds a key: what is known of the others stays right."""
    with _writing(engine) as tx:
        yield tx
        tx.execute(sa.update(identity_version).values(issues=identity_version.c.issues + 1))


def version(engine: sa.Engine) -> tuple[int, int]:
    """How often keys changed, and how often new ones were made."""
    failures = (engine.dialect.loaded_dbapi.Error, sa.exc.SQLAlchemyError)
    try:
        connection = engine.raw_connection()
        try:
            # Beneath SQLAlchemy: a fifth of the time, and this is asked at every call.
            cursor = connection.cursor()
            cursor.execute(_VERSION)
            row = cursor.fetchone()
            cursor.close()
        finally:
            connection.close()
    except failures as error:
        raise _unavailable(str(error).splitlines()[0]) from error
    if row is None:
        raise _unavailable("the version of the identity tables is gone")
    return int(row[0]), int(row[1])


@contextmanager
def _writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    try:
        with transaction(engine) as tx:
            yield tx
    except sa.exc.IntegrityError as error:
        raise Conflict(
            "the change does not fit what is there",
            why="it exists already, or something else still needs it",
            fix="look at what there is, and delete what stands on it first",
        ) from error


def _unavailable(why: str) -> Unavailable:
    return Unavailable(
        "the state database did not answer",
        why=why,
        fix="try again; see `lakeveil doctor` if it goes on",
    )
