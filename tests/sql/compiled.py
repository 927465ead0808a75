"""SQL of ours on its way through the dialect to the engine, without the guard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify

from lakeveil.core.query.failures import ErrorName
from lakeveil.sql.dialect import LakeveilAthena, annotate, output_types, to_engine
from lakeveil.sql.failures import error_name
from lakeveil.sql.functions import allowed
from lakeveil.sql.types import trino_type_of
from lakeveil.sql.values import athena_text


@dataclass(frozen=True)
class Compiled:
    sql: str
    types: tuple[str, ...]


def compiled(text: str, schema: dict[str, Any] | None = None) -> Compiled:
    tree = sqlglot.parse_one(text, dialect=LakeveilAthena)
    tree = qualify(
        tree, schema=schema or {}, dialect=LakeveilAthena, validate_qualify_columns=False
    )
    for node in tree.walk():
        allowed(node)
    annotate(tree, schema or {})
    made = to_engine(tree)
    assert isinstance(made, exp.Query)
    types = tuple(trino_type_of(kind) for _, kind in output_types(tree))
    return Compiled(made.sql(dialect="duckdb"), types)


def engine() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def first(connection: duckdb.DuckDBPyConnection, query: Compiled) -> str | None:
    """The first value of the first row, as Athena prints it, through Arrow."""
    table = connection.execute(query.sql).to_arrow_table()
    return athena_text(table.column(0)[0].as_py(), query.types[0])


def error_of(error: duckdb.Error) -> ErrorName | None:
    return error_name(type(error).__name__, str(error))
