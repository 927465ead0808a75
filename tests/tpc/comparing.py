"""Whether two engines gave the same answer, row by row.

Text, dates, truth values and whole numbers are equal exactly, and NULL equals NULL alone; decimals
and doubles are equal within 1e-6 of their size, as Spark's and Trino's types of a quotient have
other digits, or within half a unit of the last digit that the type of either can say. Rows are
compared in an order of our own. The order of a query is compared by what it is ordered by: rows
that are equal there may come in any order.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import sqlglot
from sqlglot import exp

RELATIVE = 1e-6

Row = tuple[Any, ...]


def rows_of(table: pa.Table) -> list[Row]:
    """Rows in the order in which they came, by position of their columns."""
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def differences(ours: pa.Table, theirs: pa.Table, *, most: int = 3) -> list[str]:
    """Rows that differ, written out; none where the answers are the same."""
    if ours.num_columns != theirs.num_columns:
        return [f"{ours.num_columns} columns and {theirs.num_columns}"]
    if ours.num_rows != theirs.num_rows:
        return [f"{ours.num_rows} rows and {theirs.num_rows}"]
    slack = _slack(ours, theirs)
    pairs = zip(_sorted(rows_of(ours)), _sorted(rows_of(theirs)), strict=True)
    found = (f"{one} and {other}" for one, other in pairs if not _alike(one, other, slack))
    return [line for line, _ in zip(found, range(most), strict=False)]


def order_differs(ours: pa.Table, theirs: pa.Table, keys: Sequence[int]) -> str:
    """The first place at which what rows are ordered by is not the same; of `theirs` the first."""
    slack = _slack(ours, theirs)
    for number, (one, other) in enumerate(zip(rows_of(ours), rows_of(theirs), strict=False)):
        here = [(one[k], other[k], slack[k]) for k in keys]
        if not all(_equal(a, b, s) for a, b, s in here):
            return f"row {number}: {one} and {other}"
    return ""


def order_of(trino: str, columns: Sequence[str]) -> list[int]:
    """Which columns of the result it is ordered by, up to the first key that is not one of them."""
    tree = sqlglot.parse_one(trino, read="trino")
    order = tree.args.get("order")
    shown = _shown(tree)
    keys: list[int] = []
    for ordered in order.expressions if order else ():
        key = ordered.this
        if isinstance(key, exp.Literal) and not key.is_string:
            keys.append(int(key.name) - 1)
        elif isinstance(key, exp.Column) and columns.count(key.name.lower()) == 1:
            keys.append(columns.index(key.name.lower()))
        elif key in shown:
            keys.append(shown.index(key))
        else:
            break
    return keys


def without_limit(trino: str) -> tuple[str, int | None]:
    """The query for all of its rows, and how many it wanted."""
    tree = sqlglot.parse_one(trino, read="trino")
    limit = tree.args.pop("limit", None)
    if limit is None:
        return trino, None
    return tree.sql(dialect="trino"), int(limit.expression.name)


def _shown(tree: exp.Expr) -> list[Any]:
    return [one.unalias() for one in getattr(tree, "selects", ())]


def _slack(ours: pa.Table, theirs: pa.Table) -> list[float]:
    """By column, how far two numbers may be apart whatever their size."""
    return [
        max(_half_a_unit(one.type), _half_a_unit(other.type), 1e-9)
        for one, other in zip(ours.columns, theirs.columns, strict=True)
    ]


def _half_a_unit(kind: pa.DataType) -> float:
    return 0.5000001 * 10.0**-kind.scale if pa.types.is_decimal(kind) else 0.0


def _alike(one: Row, other: Row, slack: Sequence[float]) -> bool:
    return all(map(_equal, one, other, slack))


def _equal(one: Any, other: Any, slack: float) -> bool:
    if isinstance(one, float | Decimal) or isinstance(other, float | Decimal):
        if one is None or other is None or isinstance(one, str) or isinstance(other, str):
            return bool(one == other)
        return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=slack)
    return bool(one == other)


def _sorted(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (tuple(map(_exact, row)), tuple(map(_rough, row))))


def _exact(value: Any) -> str:
    """What must be the same in both engines comes first, so that near numbers do not part rows."""
    if isinstance(value, float | Decimal):
        return "#"
    if isinstance(value, dt.datetime):
        value = value.date() if value.time() == dt.time() else value
    return repr(value)


def _rough(value: Any) -> float:
    return float(value) if isinstance(value, float | Decimal) else 0.0
