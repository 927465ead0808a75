"""A small lake for checking queries against, and an engine that runs what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import duckdb

from lakeveil.core.access.grants import TableName
from lakeveil.sql.guard import check_query
from lakeveil.sql.relations import NO_CONDITIONS, CheckedQuery, Relation, RelationColumn

NOW = 1_790_000_000.0


def relation(name: str, columns: str, **about: Any) -> Relation:
    """`"a:int b:string"` as a relation of database `db`."""
    return Relation(
        name=TableName("111111111111", "db", name),
        columns=tuple(
            RelationColumn(name, kind)
            for name, _, kind in (column.partition(":") for column in columns.split())
        ),
        **about,
    )


@dataclass(frozen=True, slots=True)
class OneCatalog:
    """What one principal may know of."""

    relations: dict[tuple[str, str], Relation] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)

    def relation(
        self, database: str, table: str, *, where: Mapping[str, str] = NO_CONDITIONS
    ) -> Relation | None:
        self.asked.append(dict(where))
        return self.relations.get((database, table))

    def has_database(self, database: str) -> bool:
        return any(name == database for name, _ in self.relations)


def catalog(*relations: Relation) -> OneCatalog:
    return OneCatalog({(r.name.database, r.name.table): r for r in relations})


EVENTS = relation(
    "events",
    "id:int city:string spend:decimal(12,2) seen_at:timestamp tags:array<string> "
    "attrs:map<string,int> device:struct<os:string,Version:int> clicks:array<struct<x:int,y:int>>",
    iceberg=True,
)
CITIES = relation("cities", "city:string country:string")
SEEN = relation(
    "seen", "city:string n:bigint", view="SELECT city, count(*) n FROM events GROUP BY 1"
)
LAKE = catalog(EVENTS, CITIES, SEEN)

ROWS = {
    "events": """
        CREATE TABLE events AS SELECT * FROM (VALUES
          (1, 'Oslo', 10.50::DECIMAL(12,2), TIMESTAMP '2026-01-01 10:00:00', ['a','b'],
           MAP {'k': 1, 'l': 2}, {'os': 'ios', 'Version': 3}, [{'x': 1, 'y': 2}]),
          (2, 'Rome', 5.25, TIMESTAMP '2026-01-02 10:00:00', ['c'], MAP {'k': 7},
           {'os': 'android', 'Version': 4}, []),
          (3, 'Oslo', NULL, TIMESTAMP '2026-02-01 10:00:00', [], NULL, NULL,
           [{'x': 3, 'y': 4}, {'x': 5, 'y': 6}]),
          (4, NULL, 100.00, NULL, NULL, MAP {}, {'os': NULL, 'Version': 1}, NULL)
        ) AS t(id, city, spend, seen_at, tags, attrs, device, clicks)
    """,
    "cities": """
        CREATE TABLE cities AS
        SELECT * FROM (VALUES ('Oslo', 'no'), ('Rome', 'it'), ('Bern', 'ch')) AS t(city, country)
    """,
}


def checked(sql: str, parameters: Sequence[str] = (), **about: Any) -> CheckedQuery:
    """A query on the small lake."""
    options: dict[str, Any] = {"catalog": LAKE, "database": "db", "now": NOW} | about
    return check_query(sql, parameters=parameters, **options)


def run(sql: str, parameters: Sequence[str] = (), **about: Any) -> list[tuple[Any, ...]]:
    """The rows of a checked query, run on what it was regenerated to."""
    return rows_of(checked(sql, parameters, **about))


def rows_of(query: CheckedQuery) -> list[tuple[Any, ...]]:
    with _engine().cursor() as engine:
        for used in query.relations:
            columns = ", ".join(f'"{name}"' for name in sorted(used.columns)) or "1 AS nothing"
            engine.execute(
                f"CREATE OR REPLACE TEMP VIEW {used.alias} AS "
                f"SELECT {columns} FROM {used.relation.name.table}"
            )
        return engine.execute(query.sql).fetchall()


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    engine = duckdb.connect(":memory:")
    for statement in ROWS.values():
        engine.execute(statement)
    return engine
