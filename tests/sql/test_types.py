"""Types in the three spellings, and values as Athena prints them."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.coercion import coerces, common
from lakeveil.sql.types import (
    ColumnInfo,
    column_info,
    hive_to_trino,
    hive_type,
    trino_to_hive,
    trino_type_of,
)
from lakeveil.sql.values import athena_text, csv_field, java_double

SPELLINGS = [
    ("string", "varchar"),
    ("int", "integer"),
    ("float", "real"),
    ("decimal(12,2)", "decimal(12,2)"),
    ("binary", "varbinary"),
    ("array<string>", "array(varchar)"),
    ("map<string,array<int>>", "map(varchar, array(integer))"),
    ("struct<x:int,y:array<string>>", "row(x integer, y array(varchar))"),
    ("varchar(10)", "varchar(10)"),
    ("timestamp", "timestamp"),
]


@pytest.mark.parametrize(("hive", "trino"), SPELLINGS)
def test_a_type_is_spelled_as_hive_and_as_trino_spell_it(hive: str, trino: str) -> None:
    assert hive_to_trino(hive) == trino
    assert trino_to_hive(trino) == hive


def test_decimal_alone_is_hives_default() -> None:
    assert hive_to_trino("decimal") == "decimal(10,0)"


@pytest.mark.parametrize("text", ["uniontype<int,string>", "array<nothing>", "array<int", ""])
def test_a_type_that_tables_cannot_have_is_not_found(text: str) -> None:
    with pytest.raises(QueryError) as error:
        hive_type(text)
    assert error.value.failure.name is ErrorName.TYPE_NOT_FOUND


def test_a_column_of_times_with_zones_is_no_column_of_a_table() -> None:
    with pytest.raises(QueryError) as error:
        trino_to_hive("timestamp with time zone")
    assert error.value.failure.name is ErrorName.NOT_SUPPORTED


@pytest.mark.parametrize(
    ("trino", "info"),
    [
        ("varchar", ColumnInfo(type="varchar", precision=2147483647, case_sensitive=True)),
        ("decimal(12,2)", ColumnInfo(type="decimal", precision=12, scale=2)),
        ("bigint", ColumnInfo(type="bigint", precision=19)),
        ("array(integer)", ColumnInfo(type="array")),
        (
            "timestamp with time zone",
            ColumnInfo(type="timestamp with time zone", precision=3),
        ),
    ],
)
def test_clients_are_told_of_a_columns_type(trino: str, info: ColumnInfo) -> None:
    assert column_info(trino) == info


# -- coercion ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("left", "right", "met"),
    [
        ("int", "bigint", "bigint"),
        ("int", "decimal(5,2)", "decimal(12,2)"),
        ("decimal(5,2)", "double", "double"),
        ("date", "timestamp", "timestamp"),
        ("array<int>", "array<bigint>", "array(bigint)"),
        ("decimal(4,1)", "decimal(4,3)", "decimal(6,3)"),
    ],
)
def test_two_types_meet(left: str, right: str, met: str) -> None:
    found = common(hive_type(left), hive_type(right))
    assert trino_type_of(found) == met
    assert found is not None
    assert coerces(hive_type(left), found)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("string", "int"),
        ("string", "date"),
        ("boolean", "int"),
        ("struct<a:int>", "struct<b:int>"),
        ("array<int>", "array<string>"),
    ],
)
def test_types_that_do_not_mix_never_meet(left: str, right: str) -> None:
    assert common(hive_type(left), hive_type(right)) is None
    assert common(hive_type(right), hive_type(left)) is None


# -- values ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "trino", "text"),
    [
        (None, "integer", None),
        (True, "boolean", "true"),
        (1.0, "double", "1.0"),
        (1e7, "double", "1.0E7"),
        (0.001, "double", "0.001"),
        (0.00012, "double", "1.2E-4"),
        (math.nan, "double", "NaN"),
        (-math.inf, "double", "-Infinity"),
        (-0.0, "double", "-0.0"),
        (0.10000000149011612, "real", "0.1"),
        (Decimal("1E+2"), "decimal(5,1)", "100.0"),
        (dt.date(2026, 1, 31), "date", "2026-01-31"),
        (dt.datetime(2026, 1, 31, 10), "timestamp", "2026-01-31 10:00:00.000"),  # noqa: DTZ001
        (dt.datetime(2026, 1, 31, 10, 0, 0, 1500), "timestamp", "2026-01-31 10:00:00.001500"),  # noqa: DTZ001
        (
            dt.datetime(2026, 1, 31, 10, tzinfo=dt.timezone(dt.timedelta(hours=1))),
            "timestamp with time zone",
            "2026-01-31 09:00:00.000 UTC",
        ),
        (b"\x00\xff", "varbinary", "00 ff"),
        ([1, None], "array(integer)", "[1, null]"),
        ([("a", 1.0)], "map(varchar, double)", "{a=1.0}"),
        ({"x": 1, "y": None}, "row(x integer, y varchar)", "{x=1, y=null}"),
        ({"field0": 1}, "row(integer)", "{field0=1}"),
        (dt.timedelta(days=2, hours=3), "interval day to second", "2 03:00:00.000"),
        (dt.timedelta(seconds=-1), "interval day to second", "-0 00:00:01.000"),
        (pa.MonthDayNano([14, 0, 0]), "interval year to month", "1-2"),
    ],
)
def test_a_value_is_printed_as_athena_prints_it(value: Any, trino: str, text: str | None) -> None:
    assert athena_text(value, trino) == text


def test_a_csv_field_tells_null_from_an_empty_text() -> None:
    assert csv_field(None, "varchar") == ""
    assert csv_field("", "varchar") == '""'
    assert csv_field('say "hi"\n', "varchar") == '"say ""hi""\n"'


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_is_read_back_from_its_text(value: float) -> None:
    assert float(java_double(value)) == value
