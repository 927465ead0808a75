"""Partitions: what an expression selects, and whose values somebody may see.

A partition's values are data: `partner=acme` in a listing tells as much as the column itself. So a
partition is there for whoever sees all of its values, and for nobody else.

Expressions are those of Glue's GetPartitions (API reference, "GetPartitions": `= <> > < >= <= AND
OR IN BETWEEN LIKE NOT IS NULL`), read by the grammar of row filters, over partition columns alone.
Values are texts; they compare as their column's type says. What cannot be compared is unknown, and
a partition for which the whole is unknown is not selected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from lakeveil.core.access.deciding.decision import Decision
from lakeveil.core.access.lake import Column
from lakeveil.core.access.rows import Rows
from lakeveil.core.access.tables.row_filter import (
    And,
    Between,
    Comparison,
    Constant,
    In,
    Like,
    Not,
    Or,
    Predicate,
    RowFilter,
    columns_of,
    parse,
    predicates_of,
)
from lakeveil.core.access.tables.row_filter_rows import evaluate
from lakeveil.errors import UsageError

MAX_EXPRESSION = 2048
"""Characters, as the API has it."""

NULL = "__HIVE_DEFAULT_PARTITION__"
"""What Hive writes where there is no value."""

Values = Sequence[str]


def selection(expression: str, keys: Sequence[Column]) -> Callable[[Values], bool]:
    """Which partitions an expression selects, by their values in the order of `keys`.

    Raises:
        UsageError: it is no expression, or compares something that is no key or not of its type.
    """
    if not expression.strip():
        return lambda _values: True
    try:
        found = parse(expression, longest=MAX_EXPRESSION)
    except UsageError as error:
        raise _unsupported(error.why) from error
    types = {key.name: key.type for key in keys}
    for predicate in predicates_of(found):
        if predicate.column not in types:
            raise _unsupported(f"`{predicate.column[:128]}` is no partition key")
    typed = _typed(found, types)
    return lambda values: evaluate(typed, typed_values(keys, values)) is True


def typed_values(keys: Sequence[Column], values: Values) -> dict[str, Any]:
    """A partition's values as their columns' types have them; None where they do not fit."""
    return {key.name: _value(key.type, text) for key, text in zip(keys, values, strict=True)}


def sees_partition(decision: Decision, keys: Sequence[Column], values: Values) -> bool:
    """Whether somebody may see every value of a partition: unmasked, in rows that it can have.

    Where rows are limited, the limit must speak of partition keys alone: of anything else a
    listing of partitions cannot tell whether there is such a row.
    """
    if len(values) != len(keys):
        return False
    shown = {column.name: column.visible for column in decision.columns}
    row = typed_values(keys, values)
    return all(_holds(shown[key.name], row) for key in keys)


def _holds(rows: Rows, row: Mapping[str, Any]) -> bool:
    return any(all(_is_true(text, row) for text in clause) for clause in rows.clauses)


def _is_true(text: str, row: Mapping[str, Any]) -> bool:
    try:
        expression = parse(text)
    except UsageError:
        return False
    return columns_of(expression) <= row.keys() and evaluate(expression, row) is True


def _typed(expression: RowFilter, types: Mapping[str, str]) -> RowFilter:
    """The expression with every constant as its column's type has it."""
    match expression:
        case And(parts) | Or(parts):
            return replace(expression, parts=tuple(_typed(part, types) for part in parts))
        case Not(operand):
            return Not(_typed(operand, types))
        case _:
            return _fitted(expression, types[expression.column])


def _fitted(predicate: Predicate, kind: str) -> Predicate:
    column = predicate.column
    match predicate:
        case Comparison(_, _, value):
            return replace(predicate, value=_constant(column, kind, value))
        case Between(_, low, high):
            return replace(
                predicate, low=_constant(column, kind, low), high=_constant(column, kind, high)
            )
        case In(_, values):
            fitted = tuple(_constant(column, kind, value) for value in values)
            return replace(predicate, values=fitted)
        case Like() if _READERS.get(_base(kind)) is not _text:
            raise _unsupported(f"`{column}` is no text, and LIKE compares texts")
        case _:
            return predicate


def _constant(column: str, kind: str, value: Constant) -> Constant:
    reader = _READERS.get(_base(kind))
    if reader is None:
        raise _unsupported(f"`{column}` is of a type that partitions cannot be selected by")
    # Clients write dates and numbers as texts, too: `day >= '2026-01-31'`.
    found = reader(value) if isinstance(value, str) else value
    if found is not None and not _BELONGS[reader](found):
        found = None
    if found is None:
        raise _unsupported(f"`{column}` is compared with something that is not of its type")
    return found


def _value(kind: str, text: str) -> Constant | None:
    reader = _READERS.get(_base(kind))
    return reader(text) if reader and text != NULL else None


def _text(text: str) -> Constant | None:
    return text


def _integer(text: str) -> Constant | None:
    try:
        return int(text) if text.isascii() else None
    except ValueError:
        return None


def _decimal(text: str) -> Constant | None:
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _date(text: str) -> Constant | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _timestamp(text: str) -> Constant | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is None else None


_Reader = Callable[[str], Constant | None]
_READERS: Mapping[str, _Reader] = {
    **dict.fromkeys(("string", "char", "varchar"), _text),
    **dict.fromkeys(("tinyint", "smallint", "int", "integer", "bigint", "long"), _integer),
    "decimal": _decimal,
    "date": _date,
    "timestamp": _timestamp,
}
_BELONGS: Mapping[_Reader, Callable[[Constant], bool]] = {
    _text: lambda value: isinstance(value, str),
    _integer: lambda value: isinstance(value, int) and not isinstance(value, bool),
    _decimal: lambda value: isinstance(value, int | Decimal) and not isinstance(value, bool),
    _date: lambda value: isinstance(value, date) and not isinstance(value, datetime),
    _timestamp: lambda value: isinstance(value, datetime),
}


def _base(kind: str) -> str:
    return kind.strip().lower().split("(")[0].strip()


def _unsupported(why: str) -> UsageError:
    return UsageError(
        "Unsupported expression", why=why, fix="compare partition keys with constants"
    )
