"""What happens to a tree on its way to the engine: constants, names, refusals, errors."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.dialect import LakeveilAthena, annotate, to_engine
from lakeveil.sql.failures import error_name
from tests.sql.compiled import compiled, engine, first

SCHEMA: dict[str, Any] = {
    "t": {
        "a": "row(x integer, y varchar)",
        "i": "integer",
        "s": "smallint",
        "d": "decimal(12,2)",
        "v": "varchar",
        "ts": "timestamp",
        "arr": "array(integer)",
        "m": "map(varchar, integer)",
        "r": "real",
    }
}


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    made = engine()
    made.execute(
        "CREATE TABLE t (a STRUCT(x INT, y VARCHAR), i INT, s SMALLINT, d DECIMAL(12,2), "
        "v VARCHAR, ts TIMESTAMP, arr INT[], m MAP(VARCHAR, INT), r FLOAT)"
    )
    made.execute(
        "INSERT INTO t VALUES ({'x': 1, 'y': 'z'}, 7, 3, 12.34, 'abc', "
        "'2026-01-31 10:00:00', [1, 2], MAP {'k': 1}, 0.1)"
    )
    return made


@pytest.mark.parametrize(
    ("sql", "text", "trino"),
    [
        ("i / 2", "3", "integer"),
        ("s + 1", "4", "integer"),
        ("s / 2", "1", "integer"),
        ("d / 3", "4.11", "decimal(12,2)"),
        ("d / d", "1.00", "decimal(14,2)"),
        ("r * 2", "0.2", "real"),
        ("r + d", "12.440001", "real"),
        ("avg(d)", "12.34", "decimal(12,2)"),
        ("avg(d) OVER (PARTITION BY v)", "12.34", "decimal(12,2)"),
        ("sum(i) FILTER (WHERE v = 'abc')", "7", "bigint"),
        ("a.x + 1", "2", "integer"),
        ("t.a.y", "z", "varchar"),
        ("arr[2]", "2", "integer"),
        ("m['k']", "1", "integer"),
        ("transform(arr, x -> x + i)", "[8, 9]", "array(integer)"),
        ("transform(arr, i -> i + 1)", "[2, 3]", "array(integer)"),
        ("filter(arr, x -> any_match(arr, y -> y > x))", "[1]", "array(integer)"),
        ("date_trunc('month', ts)", "2026-01-01 00:00:00.000", "timestamp"),
        ("CASE WHEN i > 3 THEN s ELSE i END", "3", "integer"),
        ("count(DISTINCT v) + 1", "2", "bigint"),
        ("max(i) - min(i)", "0", "integer"),
        ("(SELECT max(i) FROM t) / 2", "3", "integer"),
    ],
)
def test_columns_are_computed_with_by_their_types(
    sql: str, text: str, trino: str, connection: duckdb.DuckDBPyConnection
) -> None:
    query = compiled(f"SELECT {sql} FROM t", SCHEMA)
    assert query.types == (trino,)
    assert first(connection, query) == text, query.sql


def test_integers_stay_exact_beyond_the_digits_of_a_double(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    query = compiled("SELECT x / 3 FROM (VALUES 9223372036854775807) AS t (x)")
    assert first(connection, query) == str(9223372036854775807 // 3)


def test_a_date_literal_stays_a_constant() -> None:
    """The engine skips files by constants; a checked text would be computed row by row."""
    sql = compiled("SELECT 1 FROM t WHERE ts >= TIMESTAMP '2026-01-31 00:00:00'", SCHEMA).sql
    assert "CAST('2026-01-31 00:00:00' AS TIMESTAMP" in sql
    assert "CASE" not in sql


def test_a_division_by_a_constant_has_no_check() -> None:
    assert "CASE" not in compiled("SELECT i / 2 FROM t", SCHEMA).sql


def test_reading_leaves_no_mark_and_no_comment_in_the_tree() -> None:
    tree = sqlglot.parse_one("SELECT abs(/* why */ 1) -- because", dialect=LakeveilAthena)
    assert "/*" not in tree.sql(dialect="duckdb")


def test_to_engine_leaves_its_argument_as_it_was() -> None:
    tree = annotate(sqlglot.parse_one("SELECT 7 / 2, abs(1)", dialect=LakeveilAthena), {})
    before = tree.sql()
    to_engine(tree)
    assert tree.sql() == before


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("i + v", ErrorName.TYPE_MISMATCH),
        ("i = v", ErrorName.TYPE_MISMATCH),
        ("ts = v", ErrorName.TYPE_MISMATCH),
        ("upper(i)", ErrorName.FUNCTION_NOT_FOUND),
        ("sum(v)", ErrorName.FUNCTION_NOT_FOUND),
        ("i[1]", ErrorName.TYPE_MISMATCH),
        ("a.nothing", ErrorName.COLUMN_NOT_FOUND),
        ("transform(arr, (x, y) -> x)", ErrorName.INVALID_ARGUMENTS),
        ("transform(arr, x -> (SELECT 1))", ErrorName.NOT_SUPPORTED),
        ("CAST(v AS char(3))", ErrorName.NOT_SUPPORTED),
        ("regexp_like(v, v)", ErrorName.NOT_SUPPORTED),
        ("date_trunc(v, ts)", ErrorName.NOT_SUPPORTED),
        ("nothing_known + 1", ErrorName.NOT_SUPPORTED),
        ("lower(nothing_known)", ErrorName.NOT_SUPPORTED),
        ("nothing_known = 1", ErrorName.NOT_SUPPORTED),
        ("CAST(nothing_known AS varchar)", ErrorName.NOT_SUPPORTED),
        ("abs(i) OVER ()", ErrorName.FUNCTION_NOT_FOUND),
        ("sum(i) IGNORE NULLS OVER ()", ErrorName.NOT_SUPPORTED),
        ("rank()", ErrorName.SYNTAX_ERROR),
        ("ts AT TIME ZONE v", ErrorName.NOT_SUPPORTED),
        ("INTERVAL 'x' DAY", ErrorName.INVALID_LITERAL),
        ("99999999999999999999", ErrorName.INVALID_LITERAL),
    ],
)
def test_what_is_not_certain_is_refused(sql: str, name: ErrorName) -> None:
    with pytest.raises(QueryError) as error:
        compiled(f"SELECT {sql} FROM t", SCHEMA)
    assert error.value.failure.name is name


def test_lambdas_that_are_nested_too_deeply_are_refused() -> None:
    sql = "x0"
    for depth in range(8):
        sql = f"transform(ARRAY[1], x{depth} -> {sql})"
    with pytest.raises(QueryError, match="nested too deeply"):
        compiled(f"SELECT {sql}")


def test_a_query_that_grows_too_large_is_refused() -> None:
    chain = " / ".join(["d"] * 14)
    with pytest.raises(QueryError, match="too complex"):
        compiled(f"SELECT {chain} FROM t", SCHEMA)


def test_every_error_that_a_template_raises_is_one_of_trinos(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    with pytest.raises(duckdb.Error) as error:
        connection.execute(compiled("SELECT i / (i - 7) FROM t", SCHEMA).sql).fetchall()
    assert error_name(type(error.value).__name__, str(error.value)) is ErrorName.DIVISION_BY_ZERO


@pytest.mark.parametrize(
    ("kind", "message", "name"),
    [
        ("ConversionException", "Conversion Error: x", ErrorName.INVALID_CAST_ARGUMENT),
        (
            "ConversionException",
            "Conversion Error: Could not convert string 'lakeveil:NOT_A_NAME' to BOOL",
            ErrorName.INVALID_CAST_ARGUMENT,
        ),
        ("OutOfRangeException", "", ErrorName.NUMERIC_VALUE_OUT_OF_RANGE),
        ("IOException", "lakeveil:DIVISION_BY_ZERO", None),
        ("BinderException", "", None),
    ],
)
def test_an_engines_failure_is_named(kind: str, message: str, name: ErrorName | None) -> None:
    assert error_name(kind, message) is name


def test_a_lambda_of_a_template_does_not_hide_the_users_own(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    query = compiled(
        "SELECT zip_with(arr, arr, (x, y) -> array_remove(zip_with(arr, arr, (p, q) -> p + x), y))"
        " FROM t",
        SCHEMA,
    )
    assert first(connection, query) == "[[2, 3], [3, 4]]"


def test_no_node_of_trinos_own_meaning_is_left_for_the_engine() -> None:
    tree = annotate(sqlglot.parse_one("SELECT 7 / 2, ARRAY[1][1]", dialect=LakeveilAthena), {})
    made = to_engine(tree)
    assert not list(made.find_all(exp.Div, exp.Bracket))
