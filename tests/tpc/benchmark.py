"""TPC-H and TPC-DS: tables as Parquet files and queries, both from DuckDB's own extensions.

Queries become Trino's dialect. Where DuckDB is laxer they are made stricter first: no text is
compared with a date, and an average is taken of doubles (of decimals Trino gives a decimal, Spark
one with more digits).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp

_DATE = re.compile(r"\d{4}-\d\d?-\d\d?")
_HIVE = {
    "INTEGER": "int",
    "BIGINT": "bigint",
    "VARCHAR": "string",
    "DATE": "date",
    "DOUBLE": "double",
}
_GENERATE = {"tpch": "CALL dbgen(sf={})", "tpcds": "CALL dsdgen(sf={})"}
# GROUP BY an alias, and a date plus a number.
_STRICTER = {
    ("tpch", 15): ("GROUP BY\n        supplier_no", "GROUP BY l_suppkey"),
    ("tpcds", 72): ("d1.d_date + 5", "d1.d_date + INTERVAL 5 DAY"),
}
# A quotient of decimals has as many digits as they have in Trino, and more in Spark: 0.895 is not
# below 0.9 in one of them. These two queries show it, and divide doubles here.
_AS_DOUBLES = {("tpcds", 61): "DECIMAL(15, 4)", ("tpcds", 75): "DECIMAL(17, 2)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TpcTable:
    """A table's name, columns with Hive's types, and its file."""

    name: str
    columns: tuple[tuple[str, str], ...]
    file: Path


@contextmanager
def _extended(name: str) -> Iterator[duckdb.DuckDBPyConnection]:
    package = f"duckdb_extension_{name}"
    path = files(package) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    with duckdb.connect(":memory:", config={"threads": "2"}) as engine:
        engine.execute(f"LOAD '{path}'")
        yield engine


def write_tables(name: str, scale: float, directory: Path) -> list[TpcTable]:
    """Generate the tables of `tpch` or `tpcds`, each into one Parquet file of a directory."""
    with _extended(name) as engine:
        engine.execute(_GENERATE[name].format(scale))
        columns: dict[str, list[tuple[str, str]]] = {}
        for table, column, kind in engine.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns "
            "ORDER BY table_name, ordinal_position"
        ).fetchall():
            columns.setdefault(table, []).append((column.lower(), _HIVE.get(kind, kind.lower())))
        made = []
        for table, found in columns.items():
            file = directory / f"{name}-{table}.parquet"
            engine.execute(f"COPY {table} TO '{file}' (FORMAT parquet)")
            made.append(TpcTable(name=table, columns=tuple(found), file=file))
        return made


def original_queries(name: str) -> dict[int, str]:
    """The queries of `tpch` or `tpcds` by number, as DuckDB has them."""
    with _extended(name) as engine:
        found = engine.execute(f"SELECT query_nr, query FROM {name}_queries()").fetchall()
    return dict(found)


def trino_query(name: str, number: int, original: str) -> str:
    """A query in Trino's dialect."""
    stricter = original.replace(*_STRICTER.get((name, number), ("", "")))
    made = sqlglot.parse_one(stricter, read="duckdb").transform(_made_strict).sql(dialect="trino")
    quotient = _AS_DOUBLES.get((name, number))
    return made.replace(quotient, "DOUBLE") if quotient else made


def spark_query(trino: str) -> str:
    """The same query in Spark's dialect."""
    return sqlglot.transpile(trino, read="trino", write="spark")[0]


def _made_strict(node: exp.Expression) -> exp.Expression:
    if isinstance(node, exp.Avg):
        return exp.Avg(this=exp.cast(node.this.copy(), exp.DType.DOUBLE))
    is_date = isinstance(node, exp.Literal) and node.is_string and _DATE.fullmatch(node.name)
    if not is_date or isinstance(node.parent, exp.Cast | exp.TsOrDsToDate):
        return node
    return exp.cast(node.copy(), exp.DType.DATE)
