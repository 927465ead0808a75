"""The catalog's refusals in Trino's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lakeveil.core.access.grants import TableName
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.errors import Conflict, NotFound
from lakeveil.flows.statements.naming import not_there
from lakeveil.sql.statements import TableRef


@contextmanager
def about_table(name: TableName, ref: TableRef) -> Iterator[None]:
    """Say of a table what Trino says of it: that it is there already, or is not there.

    Raises:
        QueryError: TABLE_ALREADY_EXISTS, TABLE_NOT_FOUND, SCHEMA_NOT_FOUND.
    """
    try:
        yield
    except Conflict as error:
        if error.code != "already_exists":
            raise
        raise exists(name) from None
    except NotFound as error:
        if not error.what.startswith(("Database", "Table")):
            raise
        raise not_there(name, ref, error) from None


def exists(name: TableName) -> QueryError:
    """The error for a table that is there already."""
    return QueryError(
        ErrorName.TABLE_ALREADY_EXISTS, f"Table 'awsdatacatalog.{name}' already exists"
    )


def already_there(error: QueryError) -> bool:
    """Whether that is what an error says: IF NOT EXISTS is content with it."""
    return error.failure.name in {
        ErrorName.TABLE_ALREADY_EXISTS,
        ErrorName.SCHEMA_ALREADY_EXISTS,
    }


def not_found(error: QueryError) -> bool:
    """Whether an error says that something is not there: IF EXISTS is content with it."""
    return error.failure.name in {ErrorName.TABLE_NOT_FOUND, ErrorName.SCHEMA_NOT_FOUND}
