"""Columns as text: equal to the rule for one value, whichever way is taken."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.adapters.arrow_text import in_lines, one_by_one, texts

SINGLE = st.integers(0, 2**32 - 1).map(lambda bits: struct.unpack("f", struct.pack("I", bits))[0])
DOUBLE = st.one_of(
    st.floats(),
    st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("d", struct.pack("Q", bits))[0]),
    st.sampled_from([0.0, -0.0, 1e-3, 9.999999999999999e-4, 1e7, 9999999.999999998, 1e16]),
)
TIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))  # noqa: DTZ001 - without a zone
COLUMNS: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "boolean": (pa.bool_(), st.booleans()),
    "tinyint": (pa.int8(), st.integers(-128, 127)),
    "bigint": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "integer": (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    "double": (pa.float64(), DOUBLE),
    "real": (pa.float32(), SINGLE),
    "varchar": (pa.string(), st.text(st.characters(exclude_categories=["Cs"]))),
    "date": (pa.date32(), st.dates(date(1, 1, 1), date(9999, 12, 31))),
    "timestamp": (pa.timestamp("us"), TIMES),
    "timestamp(3)": (pa.timestamp("us"), TIMES.map(lambda t: t.replace(microsecond=7000))),
    "timestamp with time zone": (
        pa.timestamp("us", "UTC"),
        TIMES.map(lambda t: t.replace(tzinfo=UTC)),
    ),
    "decimal(20,9)": (
        pa.decimal128(20, 9),
        st.integers(-(10**20) + 1, 10**20 - 1).map(lambda n: Decimal(n).scaleb(-9)),
    ),
    "decimal(38,0)": (pa.decimal128(38, 0), st.integers(-(10**37), 10**37).map(Decimal)),
    "varbinary": (pa.binary(), st.binary()),
    "array(double)": (pa.list_(pa.float64()), st.lists(st.one_of(st.none(), DOUBLE))),
    "map(varchar, bigint)": (
        pa.map_(pa.string(), pa.int64()),
        st.dictionaries(st.text("abc"), st.integers(-9, 9)).map(lambda d: list(d.items())),
    ),
    "row(a bigint, b varchar)": (
        pa.struct([("a", pa.int64()), ("b", pa.string())]),
        st.fixed_dictionaries({"a": st.integers(-9, 9), "b": st.text("abc")}),
    ),
}


@pytest.mark.parametrize("trino", COLUMNS)
@given(data=st.data())
def test_a_column_is_printed_as_its_values_are(trino: str, data: st.DataObject) -> None:
    kind, one = COLUMNS[trino]
    values = data.draw(st.lists(st.one_of(st.none(), one), max_size=12))
    column = pa.array(values, kind)

    assert texts(column, trino).to_pylist() == one_by_one(column, trino).to_pylist()


@pytest.mark.parametrize(
    ("trino", "kind", "value", "text"),
    [
        ("double", pa.float64(), 1e7, "1.0E7"),
        ("double", pa.float64(), 0.1, "0.1"),
        ("double", pa.float64(), 3.0, "3.0"),
        ("double", pa.float64(), 12345678.9, "1.23456789E7"),
        ("double", pa.float64(), 1e-4, "1.0E-4"),
        ("double", pa.float64(), float("nan"), "NaN"),
        ("double", pa.float64(), float("-inf"), "-Infinity"),
        ("real", pa.float32(), 0.1, "0.1"),
        ("real", pa.float32(), 16777216.0, "1.6777216E7"),
        ("decimal(12,9)", pa.decimal128(12, 9), Decimal("0.000000001"), "0.000000001"),
        ("decimal(12,2)", pa.decimal128(12, 2), Decimal("5.00"), "5.00"),
        ("timestamp", pa.timestamp("us"), datetime(2026, 1, 2, 3, 4, 5), "2026-01-02 03:04:05.000"),  # noqa: DTZ001
        ("date", pa.date32(), date(987, 6, 5), "0987-06-05"),
        ("boolean", pa.bool_(), True, "true"),
    ],
)
def test_values_are_printed_as_java_prints_them(
    trino: str, kind: Any, value: object, text: str
) -> None:
    assert texts(pa.array([value, None], kind), trino).to_pylist() == [text, None]


def test_a_slice_of_a_column_prints_its_own_rows_alone() -> None:
    column = pa.array([1e9, 2.5, None, 4e9, 5.5])[1:4]

    assert texts(column, "double").to_pylist() == ["2.5", None, "4.0E9"]


def test_rows_end_with_a_line_feed() -> None:
    columns = [pa.array(["a", "b"], pa.large_string())[1:], pa.array(["c"], pa.large_string())]

    assert in_lines(columns, ",") == b"b,c\n"
    assert in_lines([pa.array([], pa.large_string())], ",") == b""
