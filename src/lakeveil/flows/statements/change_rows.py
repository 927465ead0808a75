"""DELETE and UPDATE, of Iceberg tables (`rewrite`)."""

from __future__ import annotations

from lakeveil.core.access.permissions import Permission
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.flows.catalog_desk import SeenTable
from lakeveil.flows.run_query import Asked, Took, govern
from lakeveil.flows.statements.answers import Answer, wrote
from lakeveil.flows.statements.desk import StatementDesk
from lakeveil.flows.statements.rewrite import (
    columns_of,
    counted,
    holds,
    quoted,
    rewritable,
    rewrite,
    source_of,
    text_of,
    without_parameters,
)
from lakeveil.sql.coercion import coerces
from lakeveil.sql.statements import Condition, Delete, Update
from lakeveil.sql.types import hive_to_trino, hive_type, trino_to_hive


def delete(statement: Delete, asked: Asked, desk: StatementDesk) -> Answer:
    """DELETE FROM.

    Raises:
        As `rewritable` and `rewrite`.
    """
    took = Took()
    found = rewritable(statement.table, Permission.DELETE, asked=asked)
    alias = statement.alias or found.name.table
    gone = holds(statement.where, asked)
    source = source_of(found, alias)
    (changed,) = counted(f"SELECT count(*) AS n FROM {source} WHERE {gone}", asked, took)  # noqa: S608 - is checked
    if not changed:
        return wrote(asked.execution, took, asked, rows=0, size=0, scanned=0)
    listed = ", ".join(f"{quoted(alias)}.{quoted(name)}" for name in columns_of(found))
    query = f"SELECT {listed} FROM {source} WHERE NOT {gone}"  # noqa: S608 - is checked
    return rewrite(found, query, took, changed=changed, asked=asked, desk=desk)


def update(statement: Update, asked: Asked, desk: StatementDesk) -> Answer:
    """UPDATE ... SET.

    Raises:
        As `rewritable` and `rewrite`; QueryError also where a value does not fit its column.
    """
    took = Took()
    found = rewritable(statement.table, Permission.DELETE, Permission.INSERT, asked=asked)
    alias = statement.alias or found.name.table
    source, hit = source_of(found, alias), holds(statement.where, asked)
    new = typed_values(found, dict(statement.assignments), f"FROM {source}", asked)
    (changed,) = counted(f"SELECT count(*) AS n FROM {source} WHERE {hit}", asked, took)  # noqa: S608 - is checked
    if not changed:
        return wrote(asked.execution, took, asked, rows=0, size=0, scanned=0)
    parts = []
    for name in columns_of(found):
        there = f"{quoted(alias)}.{quoted(name)}"
        value = f"CASE WHEN {hit} THEN {new[name]} ELSE {there} END" if name in new else there
        parts.append(f"{value} AS {quoted(name)}")
    query = f"SELECT {', '.join(parts)} FROM {source}"  # noqa: S608 - is checked
    return rewrite(found, query, took, changed=changed, asked=asked, desk=desk)


def typed_values(
    found: SeenTable, given: dict[str, Condition], origin: str, asked: Asked
) -> dict[str, str]:
    """Values for columns, cast to their types; `origin` is what they are looked up in.

    Raises:
        QueryError: COLUMN_NOT_FOUND, TYPE_MISMATCH; or one of them may not be.
    """
    types = {column.name: column.type for column in found.record.table.columns}
    for name in given:
        if name.lower() not in types:
            raise QueryError(
                ErrorName.COLUMN_NOT_FOUND,
                f"The UPDATE SET target column {name[:255]} doesn't exist",
            )
    texts = {name.lower(): text_of(value, asked) for name, value in given.items()}
    listed = ", ".join(f"({text}) AS {quoted(name)}" for name, text in texts.items())
    checked = govern(f"SELECT {listed} {origin}", without_parameters(asked)).checked
    for name, column in zip(texts, checked.columns, strict=True):
        fits = column.type == "unknown" or coerces(
            hive_type(trino_to_hive(column.type)), hive_type(types[name])
        )
        if not fits:
            raise QueryError(
                ErrorName.TYPE_MISMATCH,
                f"Column '{name}' is of type {hive_to_trino(types[name])}, the value of type "
                f"{column.type}",
            )
    return {name: f"CAST(({text}) AS {hive_to_trino(types[name])})" for name, text in texts.items()}
