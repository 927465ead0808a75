"""CREATE [OR REPLACE] VIEW and DROP VIEW.

A view is kept as Athena keeps it in Glue. Whoever reads it reads what it is made of with rights of
their own; its columns carry the tags that their sources have in common, so nobody learns from a
view what columns there are elsewhere. Replacing one takes what changing a table takes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lakeveil.core.access.grants import TableName
from lakeveil.core.access.tables.table_document import Document, columns_in, tidied
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.flows.catalog_desk import SeenTable, said_table
from lakeveil.flows.change_access import Change, changing
from lakeveil.flows.change_catalog import check_name
from lakeveil.flows.change_tables import (
    alterable,
    check_creation,
    check_version,
    delete_table,
    new_record,
)
from lakeveil.flows.run_query import Asked, Governed, govern
from lakeveil.flows.statements.answers import Answer, done
from lakeveil.flows.statements.derive import Origins, inherit, origins_of
from lakeveil.flows.statements.naming import known, table_of
from lakeveil.flows.statements.refused import about_table, not_found
from lakeveil.flows.statements.show import VIEW, is_view
from lakeveil.sql.statements import CreateView, DropView
from lakeveil.sql.types import trino_to_hive
from lakeveil.sql.views import EXPANDED_TEXT, ViewDefinition, encode, view_text


def create_view(statement: CreateView, asked: Asked) -> Answer:
    """CREATE VIEW; the query must be one that its creator could run.

    Raises:
        QueryError: the query may not run; TABLE_ALREADY_EXISTS; NOT_SUPPORTED, there is a table
            of that name, or the query has parameters.
        Refused: the caller lacks CREATE_TABLE, or may not alter the view that is there.
    """
    if asked.execution.parameters:
        raise QueryError(ErrorName.INVALID_PARAMETER_USAGE, "A view's query has no parameters")
    name = table_of(statement.view, asked)
    name = replace(name, table=check_name(name.table))
    governed = govern(statement.query, asked)
    if name in governed.checked.views:
        raise QueryError(ErrorName.INVALID_VIEW, f"View '{name}' would be made of itself")
    document = tidied(_document(statement, governed, asked))
    origins = origins_of(governed)
    before = _there(statement, asked) if statement.replace else None
    with about_table(name, statement.view):
        if before is None:
            _create(name, document, origins, asked)
        else:
            _replace(before, document, origins, asked)
    return done(asked)


def drop_view(statement: DropView, asked: Asked) -> Answer:
    """DROP VIEW.

    Raises:
        QueryError: TABLE_NOT_FOUND, or it is a table.
        Refused: the caller lacks DROP.
    """
    try:
        _drop(statement, asked)
    except QueryError as error:
        if not (statement.if_exists and not_found(error)):
            raise
    return done(asked)


def _drop(statement: DropView, asked: Asked) -> None:
    found = known(statement.view, asked)
    if not is_view(found):
        raise QueryError(ErrorName.NOT_SUPPORTED, f"{found.name} is not a view")
    with about_table(found.name, statement.view):
        delete_table(found.name, call=asked.call, desk=asked.desk.catalog)


def _there(statement: CreateView, asked: Asked) -> SeenTable | None:
    try:
        found = known(statement.view, asked)
    except QueryError as error:
        if not_found(error):
            return None
        raise
    if not is_view(found):
        raise QueryError(ErrorName.NOT_SUPPORTED, f"{found.name} is a table, and not a view")
    return found


def _document(statement: CreateView, governed: Governed, asked: Asked) -> dict[str, Any]:
    columns = governed.checked.columns
    text = view_text(statement, columns)
    names = statement.columns or tuple(column.name for column in columns)
    pairs = [(name.lower(), one.type) for name, one in zip(names, columns, strict=True)]
    view = ViewDefinition(sql=text, database=asked.execution.database.lower(), columns=tuple(pairs))
    return {
        "TableType": VIEW,
        "ViewOriginalText": encode(view),
        "ViewExpandedText": EXPANDED_TEXT,
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "StorageDescriptor": {
            "Columns": [{"Name": name, "Type": trino_to_hive(kind)} for name, kind in pairs],
        },
        "PartitionKeys": [],
    }


def _create(name: TableName, document: Document, origins: Origins, asked: Asked) -> None:
    with changing(asked.call, asked.desk.catalog.access, said_table(name)) as change:
        check_creation(change.lake, change.authority, name, "")
        columns = columns_in(document)
        change.lake.put_table(new_record(name, columns, document, location="", change=change))
        _inherit(name, document, origins, change)


def _replace(before: SeenTable, document: Document, origins: Origins, asked: Asked) -> None:
    name = before.name
    with changing(asked.call, asked.desk.catalog.access, said_table(name)) as change:
        found = alterable(change.lake, change.authority, name).record
        check_version(found, str(before.record.version))
        change.lake.put_table(
            replace(
                found,
                table=replace(found.table, columns=columns_in(document)),
                document=document,
                updated_at=change.now,
                updated_by=asked.who.arn,
            )
        )
        _inherit(name, document, origins, change)
        change.said["before"] = {"version": found.version}


def _inherit(name: TableName, document: Document, origins: Origins, change: Change) -> None:
    inherit(change, name, [column.name for column in columns_in(document)], origins)
