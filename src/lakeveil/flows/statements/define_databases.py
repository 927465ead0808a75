"""CREATE, ALTER and DROP DATABASE.

A database that is dropped must be empty, of hidden tables too, unless it says CASCADE.
"""

from __future__ import annotations

from lakeveil.core.access.permissions import Permission
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.errors import Conflict, NotFound
from lakeveil.flows import change_databases
from lakeveil.flows.catalog_desk import known_database
from lakeveil.flows.change_access import changing, insufficient
from lakeveil.flows.read_catalog import read_database
from lakeveil.flows.run_query import Asked
from lakeveil.flows.statements.answers import Answer, done
from lakeveil.flows.statements.naming import database_of, no_database
from lakeveil.sql.statements import AlterDatabase, CreateDatabase, DropDatabase


def create_database(statement: CreateDatabase, asked: Asked) -> Answer:
    """CREATE DATABASE.

    Raises:
        QueryError: SCHEMA_ALREADY_EXISTS.
        Refused: the caller lacks CREATE_DATABASE, or may not use the location.
    """
    name = database_of(statement.database, asked)
    document = {
        **({"Description": statement.comment} if statement.comment else {}),
        **({"LocationUri": statement.location} if statement.location else {}),
        "Parameters": dict(statement.properties),
    }
    try:
        change_databases.create_database(
            asked.who.account, name, document, call=asked.call, desk=asked.desk.catalog
        )
    except Conflict as error:
        if error.code != "already_exists":
            raise
        if not statement.if_not_exists:
            raise QueryError(
                ErrorName.SCHEMA_ALREADY_EXISTS, f"Schema 'awsdatacatalog.{name}' already exists"
            ) from None
    return done(asked)


def alter_database(statement: AlterDatabase, asked: Asked) -> Answer:
    """ALTER DATABASE SET DBPROPERTIES.

    Raises:
        QueryError: SCHEMA_NOT_FOUND.
        Refused: the caller lacks ALTER.
    """
    account, name = asked.who.account, database_of(statement.database, asked)
    desk = asked.desk.catalog
    try:
        record, _ = read_database(account, name, who=asked.who, desk=desk)
        parameters = {**record.document.get("Parameters", {}), **statement.properties}
        document = {**record.document, "Parameters": parameters}
        change_databases.update_database(account, name, document, call=asked.call, desk=desk)
    except NotFound:
        raise no_database(name) from None
    return done(asked)


def drop_database(statement: DropDatabase, asked: Asked) -> Answer:
    """DROP DATABASE. Files stay.

    Raises:
        QueryError: SCHEMA_NOT_FOUND; SCHEMA_NOT_EMPTY without CASCADE.
        Refused: the caller lacks DROP on it, or with CASCADE on a table in it.
    """
    name = database_of(statement.database, asked)
    drop = _drop_with_tables if statement.cascade else _drop_empty
    try:
        drop(name, asked)
    except NotFound:
        if not statement.if_exists:
            raise no_database(name) from None
    return done(asked)


def _drop_with_tables(name: str, asked: Asked) -> None:
    change_databases.delete_database(
        asked.who.account, name, call=asked.call, desk=asked.desk.catalog
    )


def _drop_empty(name: str, asked: Asked) -> None:
    account = asked.who.account
    said = f"database {account}/{name}"
    with changing(asked.call, asked.desk.catalog.access, said) as change:
        record = known_database(change.lake, change.authority, account, name)
        if Permission.DROP not in change.authority.database(record.database)[0]:
            raise insufficient("Drop", f"database {name}")
        if next(iter(change.lake.tables(account, name)), None) is not None:
            raise QueryError(ErrorName.SCHEMA_NOT_EMPTY, f"Cannot drop non-empty schema '{name}'")
        change.lake.remove_database(account, name)
