"""Which table or database a statement is about."""

from __future__ import annotations

from lakeveil.core.access.grants import TableName
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.errors import NotFound
from lakeveil.flows.catalog_desk import SeenTable
from lakeveil.flows.read_catalog import read_table
from lakeveil.flows.run_query import Asked
from lakeveil.sql.guard import CATALOGS
from lakeveil.sql.statements import DatabaseRef, TableRef


def table_of(ref: TableRef, asked: Asked) -> TableName:
    """The table that is named, in the session's database where none is.

    Raises:
        QueryError: it is of another catalog, or no database is given.
    """
    check_catalog(ref.catalog)
    database = ref.database or asked.execution.database
    if not database:
        raise QueryError(
            ErrorName.GENERIC_USER_ERROR,
            "Schema must be specified when session schema is not set",
            line=ref.line,
            column=ref.column,
        )
    return TableName(asked.who.account, database.lower(), ref.table.lower())


def database_of(ref: DatabaseRef | str, asked: Asked) -> str:
    """The database that is named; an empty text is the session's.

    Raises:
        QueryError: it is of another catalog, or none is given.
    """
    if isinstance(ref, DatabaseRef):
        check_catalog(ref.catalog)
        ref = ref.database
    database = ref or asked.execution.database
    if not database:
        raise QueryError(
            ErrorName.GENERIC_USER_ERROR, "Schema must be specified when session schema is not set"
        )
    return database.lower()


def check_catalog(catalog: str) -> None:
    """Refuse a catalog that there is not.

    Raises:
        QueryError: CATALOG_NOT_FOUND.
    """
    if catalog and catalog.lower() not in CATALOGS:
        raise QueryError(ErrorName.CATALOG_NOT_FOUND, f"Catalog '{catalog[:255]}' does not exist")


def known(ref: TableRef, asked: Asked) -> SeenTable:
    """A table as its principal sees it.

    Raises:
        QueryError: TABLE_NOT_FOUND, SCHEMA_NOT_FOUND: it is not there for them.
    """
    name = table_of(ref, asked)
    try:
        return read_table(name, who=asked.who, desk=asked.desk.catalog)
    except NotFound as error:
        raise not_there(name, ref, error) from None


def not_there(name: TableName, ref: TableRef, error: NotFound) -> QueryError:
    """The error for a table that is not there; a database that is not there is told first."""
    if error.what.startswith("Database"):
        return no_database(name.database)
    return QueryError(
        ErrorName.TABLE_NOT_FOUND,
        f"Table 'awsdatacatalog.{name}' does not exist",
        line=ref.line,
        column=ref.column,
    )


def no_database(database: str) -> QueryError:
    """The error for a database that is not there."""
    return QueryError(ErrorName.SCHEMA_NOT_FOUND, f"Schema '{database}' does not exist")
