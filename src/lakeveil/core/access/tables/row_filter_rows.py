"""What a row filter means: for which rows it is true, and which columns it may be put on.

Three values, as in SQL: true, false, and None for unknown. Whatever cannot be compared (a missing
value, a text with a number, NaN) is unknown, and a row for which the whole is unknown is not shown.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from lakeveil.core.access.tables.row_filter import (
    And,
    Between,
    Comparison,
    Constant,
    In,
    IsNull,
    Like,
    Not,
    Or,
    Predicate,
    RowFilter,
    predicates_of,
)
from lakeveil.errors import UsageError

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}

_TEXT, _INTEGER, _NUMBER, _BOOLEAN, _DATE, _TIME = (
    "text",
    "integer",
    "number",
    "boolean",
    "date",
    "timestamp",
)
_FAMILIES = {
    **dict.fromkeys(("string", "char", "varchar"), _TEXT),
    **dict.fromkeys(("tinyint", "smallint", "int", "integer", "bigint", "long"), _INTEGER),
    **dict.fromkeys(("float", "double", "decimal"), _NUMBER),
    "boolean": _BOOLEAN,
    "date": _DATE,
    # Without a zone only: what a constant means on the others depends on the reader's.
    "timestamp": _TIME,
}
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, _BOOLEAN),
    ((int, float, Decimal), _NUMBER),
    (str, _TEXT),
    (datetime, _TIME),
    (date, _DATE),
)


def evaluate(expression: RowFilter, row: Mapping[str, Any]) -> bool | None:
    """Whether it is true of a row (column in lower case -> value); None where that is unknown.

    Raises:
        KeyError: the row lacks one of the columns.
    """
    match expression:
        case And(parts):
            return _all(evaluate(part, row) for part in parts)
        case Or(parts):
            return _negated(_all(_negated(evaluate(part, row)) for part in parts))
        case Not(operand):
            return _negated(evaluate(operand, row))
        case _:
            return _evaluate(expression, row[expression.column])


def check(expression: RowFilter, columns: Mapping[str, str]) -> None:
    """Refuse columns that the table does not have, and constants that are not of their types.

    `columns` is name in lower case -> type as the catalog spells it.

    Raises:
        UsageError: with the first of them.
    """
    for predicate in predicates_of(expression):
        name = predicate.column
        if name not in columns:
            raise _mismatch(f"`{name[:128]}` is no column of the table", "name one that it has")
        family = _family(columns[name])
        if family is None:
            raise _mismatch(
                f"`{name}` is of a type that no constant can be compared with",
                "use columns of text, numbers, booleans, dates or timestamps without a zone",
            )
        _check(predicate, family)


def _check(predicate: Predicate, family: str) -> None:
    if not _is_of(predicate, family):
        raise _mismatch(
            f"`{predicate.column}` is compared with something that is not of its type",
            f"compare it with a constant of type {family}",
        )


def _is_of(predicate: Predicate, family: str) -> bool:
    match predicate:
        case Like():
            return family == _TEXT
        case Between(_, low, high):
            return family != _BOOLEAN and _fit((low, high), family)
        case In(_, values):
            return _fit(values, family)
        case Comparison(_, "=" | "<>", value):
            return _fit((value,), family)
        case Comparison(_, _, value):
            return family != _BOOLEAN and _fit((value,), family)
        case IsNull():
            return True


def _evaluate(predicate: Predicate, value: Any) -> bool | None:
    match predicate:
        case Comparison(_, sign, constant):
            return _compare(sign, value, constant)
        case Between(_, low, high):
            found = _all([_compare(">=", value, low), _compare("<=", value, high)])
        case In(_, values):
            different = (_negated(_compare("=", value, one)) for one in values)
            found = _negated(_all(different))
        case Like(_, pattern):
            found = _like(value, pattern) if isinstance(value, str) else None
        case _:
            found = value is None
    return _negated(found) if predicate.negated else found


def _compare(sign: str, value: Any, constant: Constant) -> bool | None:
    kind = _kind(value)
    if kind is None or kind != _kind(constant):
        return None
    return _COMPARE[sign](value, constant)


def _kind(value: Any) -> str | None:
    """What compares with what. A bool is an int to Python, and a datetime a date."""
    kind = next((kind for of, kind in _KINDS if isinstance(value, of)), None)
    if (kind == _NUMBER and math.isnan(value)) or (kind == _TIME and value.tzinfo is not None):
        return None
    return kind


def _fit(values: Iterable[Constant], family: str) -> bool:
    if family == _INTEGER:
        return all(isinstance(v, int) and not isinstance(v, bool) for v in values)
    return all(_kind(value) == family for value in values)


def _family(column_type: str) -> str | None:
    return _FAMILIES.get(column_type.strip().lower().split("(")[0].strip())


def _all(values: Iterable[bool | None]) -> bool | None:
    unknown = False
    for value in values:
        if value is False:
            return False
        unknown |= value is None
    return None if unknown else True


def _negated(value: bool | None) -> bool | None:  # noqa: FBT001 - a truth value
    return None if value is None else not value


def _like(text: str, pattern: str) -> bool:
    """Whether all of a text fits; takes no longer than one length times the other."""
    at = there = 0
    star, mark = -1, 0
    while at < len(text):
        if there < len(pattern) and pattern[there] == "%":
            star, mark = there, at
            there += 1
        elif there < len(pattern) and pattern[there] in {"_", text[at]}:
            at, there = at + 1, there + 1
        elif star >= 0:
            mark += 1
            at, there = mark, star + 1
        else:
            return False
    return set(pattern[there:]) <= {"%"}


def _mismatch(why: str, fix: str) -> UsageError:
    return UsageError(
        "the row filter does not fit the table", why=why, fix=fix, code="invalid_row_filter"
    )
