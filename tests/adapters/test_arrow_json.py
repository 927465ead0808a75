"""Values as Trino's client protocol writes them, and the types that go with them."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.adapters.arrow_json import json_lines
from lakeveil.core.query.execution import ResultColumn
from lakeveil.core.query.failures import QueryError
from lakeveil.core.query.type_signature import type_signature

MOMENT = dt.datetime(2026, 1, 31, 12, 34, 56, 789_012, tzinfo=dt.UTC)
PLAIN = MOMENT.replace(tzinfo=None)
MAPS = st.dictionaries(st.text(max_size=3), st.integers(-9, 9))


def written(values: Any, kind: str, arrow: Any = None) -> list[Any]:
    """The values of one column, as a client reads them."""
    column = values if isinstance(values, pa.Array) else pa.array(values, arrow)
    lines = json_lines(pa.record_batch([column], names=["a"]), [ResultColumn("a", kind)])
    return [json.loads(line)[0] for line in lines.decode().split("\n")[:-1]]


@pytest.mark.parametrize(
    ("value", "kind", "arrow", "told"),
    [
        (True, "boolean", pa.bool_(), True),
        (-(2**63), "bigint", pa.int64(), -(2**63)),
        (0.1, "real", pa.float32(), 0.1),
        (1e300, "double", pa.float64(), 1e300),
        (float("nan"), "double", pa.float64(), "NaN"),
        (float("-inf"), "real", pa.float32(), "-Infinity"),
        (Decimal("-0.50"), "decimal(4,2)", pa.decimal128(4, 2), "-0.50"),
        (Decimal(10**37), "decimal(38,0)", pa.decimal128(38, 0), str(10**37)),
        ("ab", "char(4)", pa.string(), "ab  "),
        ('"\n\u2028', "varchar", pa.string(), '"\n\u2028'),
        (b"\x00\xff", "varbinary", pa.binary(), "AP8="),
        (dt.date(1, 1, 1), "date", pa.date32(), "0001-01-01"),
        (dt.time(1, 2, 3, 4), "time", pa.time64("us"), "01:02:03.000004"),
        (
            MOMENT.replace(tzinfo=None),
            "timestamp",
            pa.timestamp("us"),
            "2026-01-31 12:34:56.789012",
        ),
        (
            MOMENT,
            "timestamp with time zone",
            pa.timestamp("us", "Europe/Berlin"),
            "2026-01-31 12:34:56.789012 UTC",
        ),
        ([1, None], "array(bigint)", pa.list_(pa.int64()), [1, None]),
        ([(1, [b"a"])], "map(bigint, array(varbinary))", None, {"1": ["YQ=="]}),
        ({"x": 1, "y": None}, "row(x bigint, y double)", None, [1, None]),
    ],
)
def test_each_type_has_its_form(value: Any, kind: str, arrow: Any, told: Any) -> None:
    shapes = {
        "map(bigint, array(varbinary))": pa.map_(pa.int64(), pa.list_(pa.binary())),
        "row(x bigint, y double)": pa.struct({"x": pa.int64(), "y": pa.float64()}),
    }
    assert written([value, None], kind, arrow or shapes[kind]) == [told, None]


@given(
    st.lists(
        st.none() | st.lists(st.none() | st.dictionaries(st.text(max_size=3), st.integers(-9, 9)))
    )
)
def test_nested_values_come_back_wherever_a_batch_begins(rows: list[Any]) -> None:
    kind = pa.list_(pa.map_(pa.string(), pa.int64()))
    column = pa.array([row and [one and list(one.items()) for one in row] for row in rows], kind)
    expected = [row and [one or (None if one is None else {}) for one in row] for row in rows]
    for start in range(len(rows) + 1):
        found = written(column.slice(start), "array(map(varchar, bigint))")
        assert found == expected[start:]


def test_a_type_that_cannot_be_read_is_refused() -> None:
    for kind in ("array(", "array(bigint, bigint)", "map(bigint)", ""):
        with pytest.raises(QueryError, match="Results have no type"):
            written([1], kind)


@pytest.mark.parametrize(
    ("trino", "text", "raw"),
    [
        ("varchar", "varchar", "varchar"),
        ("varchar(3)", "varchar(3)", "varchar"),
        ("decimal(12,2)", "decimal(12,2)", "decimal"),
        ("timestamp", "timestamp(6)", "timestamp"),
        ("timestamp with time zone", "timestamp(6) with time zone", "timestamp with time zone"),
        ("row(a bigint, timestamp)", "row(a bigint, timestamp(6))", "row"),
        ('row("a,(b" bigint)', 'row("a,(b" bigint)', "row"),
        ("interval day to second", "interval day to second", "interval day to second"),
    ],
)
def test_types_have_names_and_signatures(trino: str, text: str, raw: str) -> None:
    signature = type_signature(trino)
    assert signature.text == text
    assert signature.as_dict()["rawType"] == raw


def test_a_signature_has_its_arguments() -> None:
    found = type_signature("map(varchar, row(n decimal(4,2), date))").as_dict()
    key, value = found["arguments"]
    assert key["value"] == {
        "rawType": "varchar",
        "arguments": [{"kind": "LONG", "value": 2_147_483_647}],
    }
    named, plain = value["value"]["arguments"]
    assert named["kind"] == plain["kind"] == "NAMED_TYPE"
    assert named["value"]["fieldName"] == {"name": "n"}
    assert "fieldName" not in plain["value"]
