"""TPC-H and TPC-DS through the guard: made Trino's SQL first, equal to DuckDB's own answers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from lakeveil.core.access.grants import TableName
from lakeveil.sql.guard import check_query
from lakeveil.sql.relations import Relation, RelationColumn
from tests.sql.lake import NOW, OneCatalog

_DATE = re.compile(r"\d{4}-\d\d?-\d\d?")
_HIVE = {
    "INTEGER": "int",
    "BIGINT": "bigint",
    "VARCHAR": "string",
    "DATE": "date",
    "DOUBLE": "double",
}
# Where DuckDB is laxer than Trino: GROUP BY an alias, and a date plus a number.
_STRICTER = {
    ("tpch", 15): ("GROUP BY\n        supplier_no", "GROUP BY l_suppkey"),
    ("tpcds", 72): ("d1.d_date + 5", "d1.d_date + INTERVAL 5 DAY"),
}


@pytest.fixture(scope="module")
def engines() -> Iterator[dict[str, duckdb.DuckDBPyConnection]]:
    made = {}
    for name, generate in (("tpch", "CALL dbgen(sf=0.01)"), ("tpcds", "CALL dsdgen(sf=0.01)")):
        package = f"duckdb_extension_{name}"
        path = files(package) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
        engine = duckdb.connect(":memory:")
        engine.execute(f"LOAD '{path}'")
        engine.execute(generate)
        made[name] = engine
    yield made
    for engine in made.values():
        engine.close()


def _catalog(engine: duckdb.DuckDBPyConnection) -> OneCatalog:
    columns: dict[str, list[RelationColumn]] = {}
    for table, column, kind in engine.execute(
        "SELECT table_name, column_name, data_type FROM information_schema.columns "
        "ORDER BY table_name, ordinal_position"
    ).fetchall():
        columns.setdefault(table, []).append(
            RelationColumn(column.lower(), _HIVE.get(kind, kind.lower()))
        )
    return OneCatalog(
        {
            ("tpc", name): Relation(name=TableName("1", "tpc", name), columns=tuple(found))
            for name, found in columns.items()
        }
    )


def _answer(engine: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(_plain(value) for value in row) for row in engine.execute(sql).fetchall()]


def _plain(value: Any) -> Any:
    if isinstance(value, str | None | bool):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return None if math.isnan(number) else number


def _stricter(node: exp.Expression) -> exp.Expression:
    """Trino compares no text with a date, and gives the average of decimals as one of them."""
    if isinstance(node, exp.Avg):
        return exp.Avg(this=exp.cast(node.this.copy(), exp.DType.DOUBLE))
    is_date = isinstance(node, exp.Literal) and node.is_string and _DATE.fullmatch(node.name)
    if not is_date or isinstance(node.parent, exp.Cast | exp.TsOrDsToDate):
        return node
    return exp.cast(node.copy(), exp.DType.DATE)


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-4)
    return bool(one == other)


def _key(row: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(f"{value:.3g}" if isinstance(value, float) else str(value) for value in row)


@pytest.mark.parametrize(
    ("name", "number"),
    [*(("tpch", n) for n in range(1, 23)), *(("tpcds", n) for n in range(1, 100))],
)
def test_a_benchmark_query_gives_the_engines_own_answer(
    engines: dict[str, duckdb.DuckDBPyConnection], name: str, number: int
) -> None:
    engine = engines[name]
    found = engine.execute(f"SELECT query FROM {name}_queries() WHERE query_nr = {number}")
    [(original,)] = found.fetchall()
    stricter = original.replace(*_STRICTER.get((name, number), ("", "")))
    trino = sqlglot.parse_one(stricter, read="duckdb").transform(_stricter).sql(dialect="trino")
    query = check_query(trino, catalog=_catalog(engine), database="tpc", now=NOW)
    for used in query.relations:
        columns = ", ".join(f'"{column}"' for column in sorted(used.columns)) or "1 AS nothing"
        engine.execute(
            f"CREATE OR REPLACE TEMP VIEW {used.alias} AS "
            f"SELECT {columns} FROM {used.relation.name.table}"
        )
    ours, theirs = _answer(engine, query.sql), _answer(engine, original)
    for one, other in zip(sorted(ours, key=_key), sorted(theirs, key=_key), strict=True):
        assert len(one) == len(other)
        assert all(map(_alike, one, other)), (one, other)
    assert len(query.columns) == (len(ours[0]) if ours else len(query.columns))
