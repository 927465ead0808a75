"""Columns of Arrow as Athena prints them: for each value its text, and NULL for NULL.

What `sql.values` makes of one value is the rule. Types that most columns have are done by the
column, in a fraction of the time; whatever is rare (nested types, numbers that need an exponent)
is left to it, value by value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakeveil.sql.values import athena_text

_TEXT = pa.large_string()
_PLAIN_FROM, _PLAIN_BELOW = 1e-3, 1e7
"""Between them Java's `Double.toString` prints a number without an exponent."""


def texts(column: Any, trino: str) -> Any:
    """A `pyarrow.Array` of large strings. `trino` is the column's type as Trino spells it.

    Raises:
        QueryError: a value of that type has no text.
    """
    by_column = _BY_TYPE.get(trino.partition("(")[0])
    if by_column is not None and _fits(column.type, trino):
        return by_column(column, trino)
    return one_by_one(column, trino)


def one_by_one(column: Any, trino: str) -> Any:
    """The same, as the rule has it."""
    values = column.to_pylist(maps_as_pydicts=None)
    return pa.array([athena_text(value, trino) for value in values], _TEXT)


def in_lines(columns: list[Any], separator: str) -> bytes:
    """Columns of texts, none of them NULL, row by row: each row with its line feed."""
    rows = columns[0]
    if len(columns) > 1:
        rows = pc.binary_join_element_wise(*columns, pa.scalar(separator, _TEXT))
    end, nothing = pa.scalar("\n", _TEXT), pa.scalar("", _TEXT)
    ended = pc.binary_join_element_wise(rows, end, nothing)
    # One text after the other is how Arrow keeps them.
    _, ends, whole = ended.buffers()
    return bytes(whole[: memoryview(ends).cast("q")[len(ended)]])


def _fits(kind: Any, trino: str) -> bool:
    head = trino.partition("(")[0]
    if head in {"tinyint", "smallint", "integer", "bigint"}:
        return bool(pa.types.is_integer(kind))
    return bool(_FITS[head](kind)) and (head != "timestamp" or "zone" not in trino)


_FITS: dict[str, Callable[[Any], bool]] = {
    "boolean": pa.types.is_boolean,
    "varchar": lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind),
    "date": pa.types.is_date32,
    "decimal": pa.types.is_decimal128,
    "double": pa.types.is_float64,
    "real": pa.types.is_float32,
    "timestamp": lambda kind: pa.types.is_timestamp(kind) and kind.tz is None and kind.unit == "us",
}


def _cast(column: Any, _trino: str) -> Any:
    return pc.cast(column, _TEXT)


def _timestamp(column: Any, _trino: str) -> Any:
    # Arrow prints six digits; three are enough where the others are zeros.
    return pc.replace_substring_regex(pc.cast(column, _TEXT), r"(\.\d{3})000$", r"\1")


def _decimal(column: Any, trino: str) -> Any:
    found = pc.cast(column, _TEXT)
    # Of a small number Arrow prints an exponent.
    return _mended(found, column, pc.match_substring(found, "E"), trino)


def _floating(column: Any, trino: str) -> Any:
    size = pc.abs(column)
    # The few numbers that Arrow or Java print with an exponent, NaN and infinities are neither.
    plain = pc.or_(
        pc.equal(size, 0.0),
        pc.and_(pc.greater_equal(size, _PLAIN_FROM), pc.less(size, _PLAIN_BELOW)),
    )
    found = pc.cast(column, _TEXT)
    whole = pc.invert(pc.match_substring(found, "."))
    found = pc.if_else(
        whole,
        pc.binary_join_element_wise(found, pa.scalar(".0", _TEXT), pa.scalar("", _TEXT)),
        found,
    )
    return _mended(found, column, pc.invert(plain), trino)


def _mended(found: Any, column: Any, odd: Any, trino: str) -> Any:
    """Texts, with those of odd values as the rule has them."""
    odd = pc.fill_null(odd, False)
    if not pc.any(odd).as_py():
        return found
    return pc.replace_with_mask(found, odd, one_by_one(pc.filter(column, odd), trino))


_BY_TYPE: dict[str, Callable[[Any, str], Any]] = {
    "boolean": _cast,
    "tinyint": _cast,
    "smallint": _cast,
    "integer": _cast,
    "bigint": _cast,
    "varchar": _cast,
    "date": _cast,
    "timestamp": _timestamp,
    "decimal": _decimal,
    "double": _floating,
    "real": _floating,
}
