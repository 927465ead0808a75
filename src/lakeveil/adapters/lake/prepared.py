"""SELECTs that run at every call: compiled once, and run beneath SQLAlchemy.

Looking a table up takes SQLite less time than SQLAlchemy needs to find the compiled statement and
to wrap its rows. So a `Prepared` keeps the text that SQLAlchemy made for the dialect, and gives
that text to the driver, over the same connection and so within its transaction. Rows are plain
tuples, as the driver returns them: a boolean may be a number. Errors are SQLAlchemy's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa


class Prepared:
    """A SELECT whose parameters are all named. Thread-safe."""

    def __init__(self, query: sa.Select[Any]) -> None:
        self._query = query
        self._ready: dict[str, _Text] = {}

    def rows(self, connection: sa.Connection, **values: str) -> Sequence[tuple[Any, ...]]:
        """Every row of the answer, read within the connection's transaction.

        Raises:
            sqlalchemy.exc.DBAPIError: the database did not answer.
        """
        name = connection.dialect.name
        ready = self._ready.get(name)
        if ready is None:
            ready = self._ready[name] = _Text(self._query, connection.dialect)
        return ready.rows(connection, values)


class _Text:
    """The statement as one dialect writes it."""

    def __init__(self, query: sa.Select[Any], dialect: sa.Dialect) -> None:
        compiled = query.compile(dialect=dialect)
        self._text = str(compiled)
        # Those that the query itself has a value for; the others come with each call.
        self._own = {
            name: bound.value for name, bound in compiled.binds.items() if not bound.required
        }
        self._places = compiled.positiontup

    def rows(self, connection: sa.Connection, values: dict[str, str]) -> Sequence[tuple[Any, ...]]:
        given = {**self._own, **values}
        error_of_driver = connection.dialect.loaded_dbapi.Error
        try:
            cursor = connection.connection.cursor()
            try:
                cursor.execute(
                    self._text,
                    given if self._places is None else [given[name] for name in self._places],
                )
                return cursor.fetchall()
            finally:
                cursor.close()
        except error_of_driver as error:
            raise sa.exc.DBAPIError.instance(self._text, None, error, error_of_driver) from error
