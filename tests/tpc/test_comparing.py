"""The comparison itself sees what differs."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from tests.tpc.comparing import differences, order_differs, order_of, without_limit

SQL = "SELECT a, SUM(b) AS s FROM t GROUP BY a ORDER BY s DESC, a LIMIT 10"


def _table(*rows: tuple[object, ...]) -> pa.Table:
    return pa.table(
        [pa.array(list(column)) for column in zip(*rows, strict=True)], names=["a", "s"]
    )


def test_rows_may_come_in_any_order() -> None:
    assert differences(_table(("x", 1), ("y", 2)), _table(("y", 2), ("x", 1))) == []


@pytest.mark.parametrize(
    "other",
    [
        _table(("x", 1)),
        _table(("x", 1), ("y", 3)),
        _table(("x", 1), ("y", None)),
        _table(("x", 1), (None, 2)),
        _table(("x", 1), ("y ", 2)),
        _table(("x", 1.0), ("y", 2.00001)),
        _table(("x", Decimal("1.00")), ("y", Decimal("2.01"))),
        _table(("x", 1), ("x", 1)),
    ],
)
def test_another_row_is_seen(other: pa.Table) -> None:
    assert differences(_table(("x", 1), ("y", 2)), other) != []


def test_what_cannot_be_told_apart_is_equal() -> None:
    ours = _table(("x", Decimal("0.33")), ("y", Decimal("2.00")))
    assert differences(ours, _table(("y", 2.0), ("x", 0.3333333))) == []
    assert differences(_table(("x", 1e9)), _table(("x", 1e9 + 1))) == []


def test_the_order_is_seen_where_the_query_says_one() -> None:
    keys = order_of(SQL, ["a", "s"])
    assert keys == [1, 0]
    assert order_differs(_table(("x", 2), ("y", 1)), _table(("x", 2), ("y", 1)), keys) == ""
    assert order_differs(_table(("y", 1), ("x", 2)), _table(("x", 2), ("y", 1)), keys) != ""
    # Equal in what they are ordered by: either may come first.
    assert order_differs(_table(("y", 1), ("x", 1)), _table(("x", 1), ("y", 1)), [1]) == ""


def test_an_order_by_something_else_than_a_column_is_followed_up_to_there() -> None:
    assert order_of("SELECT a, b FROM t ORDER BY a, b + 1", ["a", "b"]) == [0]
    assert order_of("SELECT a, a + b FROM t ORDER BY 2, a + b", ["a", "_col1"]) == [1, 1]
    assert order_of("SELECT a FROM t", ["a"]) == []


def test_a_limit_is_taken_off() -> None:
    assert without_limit(SQL) == (SQL.removesuffix(" LIMIT 10"), 10)
    assert without_limit("SELECT 1") == ("SELECT 1", None)
