"""What of a table a decision lets through, as expressions and a condition in the engine's SQL.

A cell shows its value in the rows in which the column is visible, a mask of it in others, and is
NULL elsewhere; rows that may not be returned at all are left out. Row filters are read again from
their texts into a tree, checked against the columns' types, and written anew: a filter that can't
be read or doesn't fit lets nothing through. A condition that is neither true nor false is not
true, so what is unknown is not shown.

Masks keep a column's type but for a hash, which is text. Where a column has its value in some rows
and a mask of another type in others, the mask shows nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from lakeveil.core.access.deciding.decision import ColumnDecision, Decision, Outcome
from lakeveil.core.access.masks import Mask, MaskKind, fitted
from lakeveil.core.access.rows import Rows
from lakeveil.core.access.tables import row_filter, row_filter_rows
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
)
from lakeveil.core.query.failures import QueryError
from lakeveil.errors import UsageError
from lakeveil.sql.functions.templates import engine_type
from lakeveil.sql.governed_view import GovernedView
from lakeveil.sql.types import hive_type

_TEXTS = {"string", "char", "varchar"}
_INTEGERS = {"tinyint", "smallint", "int", "integer", "bigint", "long"}
_FLOATS = {"float", "double", "real"}
_MAX_DIGITS = 38
"""Of a decimal in the engine; a longer constant would be a rounded double."""


def governed_view(
    decision: Decision, columns: Sequence[tuple[str, str]], *, salt: str
) -> GovernedView:
    """The view of a scan. `columns` are the scan's: name and type (Hive's spelling), hidden too.

    `salt` is the lake's; it doesn't reach the engine itself. Names of the view are lower case.
    """
    table = _Columns(columns)
    key = hashlib.sha256(b"lakeveil mask\0" + salt.encode()).hexdigest()
    shown = {
        column.name.lower(): _column(column, table, key)
        for column in decision.columns
        if column.outcome is not Outcome.HIDDEN
    }
    return GovernedView(columns=shown, where=_rows(decision.rows, table))


def shown_type(column: ColumnDecision, hive: str) -> str:
    """The type (Hive's spelling) that a column has for who sees it so."""
    kinds = {fitted(mask, hive).kind for mask, _ in column.masked}
    if _base(hive) in _TEXTS:
        # A hash or fixed text may be longer than a varchar(3).
        return "string" if kinds & {MaskKind.HASH, MaskKind.FIXED} else hive
    if column.visible or not column.masked:
        return hive
    first = fitted(column.masked[0][0], hive)
    return "string" if first.kind is MaskKind.HASH else hive


class _Columns:
    """A scan's columns by their names in lower case; two that differ in case alone are neither."""

    def __init__(self, columns: Sequence[tuple[str, str]]) -> None:
        names = [name.lower() for name, _ in columns]
        once = [c for c, name in zip(columns, names, strict=True) if names.count(name) == 1]
        self.types: Mapping[str, str] = {name.lower(): kind for name, kind in once}
        self._names = {name.lower(): name for name, _ in once}

    def quoted(self, name: str) -> str:
        return identifier(self._names[name])


def _column(column: ColumnDecision, table: _Columns, key: str) -> str:
    name = column.name.lower()
    if name not in table.types:
        return "NULL"
    hive = table.types[name]
    kind = shown_type(column, hive)
    value = table.quoted(name)
    if column.visible.every and kind == hive:
        return value
    cases = [(_rows(column.visible, table), value)]
    for mask, rows in column.masked:
        cases.append((_rows(rows, table), _masked(value, mask, hive, kind, key)))
    found = [
        f"WHEN {condition} THEN {shown}"
        for condition, shown in cases
        if condition != "FALSE" and shown != "NULL"
    ]
    if not found:
        return _null(kind)
    return _cast(f"CASE {' '.join(found)} END", kind)


def _masked(value: str, mask: Mask, hive: str, kind: str, key: str) -> str:
    """A mask's expression; NULL if what it shows isn't of the type that the column has."""
    mask = fitted(mask, hive)
    match mask.kind:
        case MaskKind.YEAR:
            return _cast(f"date_trunc('year', CAST({value} AS TIMESTAMP))", hive)
        case MaskKind.LAST_FOUR:
            return f"CASE WHEN length({value}) >= 4 THEN right({value}, 4) END"
        case MaskKind.FIXED:
            return "NULL" if "\0" in mask.value else text(mask.value)
        case MaskKind.HASH:
            if _base(kind) not in _TEXTS:
                return "NULL"
            inner = f"sha256({text(key)} || {_canonical(value, hive)})"
            return f"sha256({text(key)} || {inner})"
        case MaskKind.NULL:
            return "NULL"


def _canonical(value: str, hive: str) -> str:
    """A text that equal values of a type share, and values of another kind don't."""
    base = _base(hive)
    if base in _TEXTS:
        return f"'text:' || {value}"
    if base in _INTEGERS:
        return f"'integer:' || CAST({value} AS VARCHAR)"
    if base == "binary":
        return f"'binary:' || hex({value})"
    if base in _FLOATS:
        return f"'double:' || CAST(CAST({value} AS DOUBLE) AS VARCHAR)"
    return f"{text(base + ':')} || CAST({value} AS VARCHAR)"


def _rows(rows: Rows, table: _Columns) -> str:
    """The condition of rows: an OR of ANDs of filters, without those that can't be read."""
    if rows.every:
        return "TRUE"
    clauses = []
    for clause in sorted(tuple(sorted(clause)) for clause in rows.clauses):
        parts = [_filter(one, table) for one in clause]
        if None not in parts:
            clauses.append(" AND ".join(f"({part})" for part in parts))
    return " OR ".join(f"({clause})" for clause in clauses) or "FALSE"


def _filter(expression: str, table: _Columns) -> str | None:
    try:
        tree = row_filter.parse(expression, longest=row_filter.MAX_CANONICAL)
        row_filter_rows.check(tree, table.types)
        return _condition(tree, table)
    except (UsageError, ValueError, KeyError, OverflowError):
        return None


def _condition(tree: RowFilter, table: _Columns) -> str:
    match tree:
        case And(parts):
            return " AND ".join(f"({_condition(part, table)})" for part in parts)
        case Or(parts):
            return " OR ".join(f"({_condition(part, table)})" for part in parts)
        case Not(operand):
            return f"NOT ({_condition(operand, table)})"
        case _:
            return _predicate(tree, table)


def _predicate(predicate: Predicate, table: _Columns) -> str:
    name = table.quoted(predicate.column)
    base = _base(table.types[predicate.column])
    if isinstance(predicate, IsNull):
        return f"{name} IS {_not(predicate.negated)}NULL"
    found = _comparison(name, base, predicate)
    # To the engine NaN is equal to itself and more than anything; here it compares with nothing.
    return f"CASE WHEN NOT isnan({name}) THEN {found} END" if base in _FLOATS else found


def _comparison(name: str, base: str, predicate: Predicate) -> str:
    match predicate:
        case Comparison(_, operator, value):
            return f"{name} {operator} {_constant(value, base)}"
        case Between(_, low, high, negated):
            ends = f"{_constant(low, base)} AND {_constant(high, base)}"
            return f"{name} {_not(negated)}BETWEEN {ends}"
        case In(_, values, negated):
            listed = ", ".join(_constant(value, base) for value in values)
            return f"{name} {_not(negated)}IN ({listed})"
        case Like(_, pattern, negated):
            return f"{name} {_not(negated)}LIKE {text(pattern)}"
        case _:
            raise ValueError


def _not(negated: bool) -> str:  # noqa: FBT001 - the word itself
    return "NOT " if negated else ""


def _constant(value: Constant, base: str) -> str:
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case str():
            return text(value)
        case datetime():
            return f"TIMESTAMP '{value.isoformat(sep=' ')}'"
        case date():
            return f"DATE '{value.isoformat()}'"
        case Decimal():
            plain = format(value, "f")
        case _:
            plain = str(value)
    if base in _FLOATS:
        return f"CAST({plain} AS DOUBLE)"
    if sum(character.isdigit() for character in plain) > _MAX_DIGITS:
        raise ValueError
    return plain


def _null(hive: str) -> str:
    return _cast("NULL", hive)


def _cast(expression: str, hive: str) -> str:
    try:
        kind = engine_type(hive_type(hive)).sql(dialect="duckdb")
    except (QueryError, ValueError):
        return "NULL"
    return f"CAST({expression} AS {kind})"


def _base(hive: str) -> str:
    found = hive.strip().lower().split("(")[0].split("<")[0].split(" ")[0]
    return "timestamp" if found.startswith("timestamp") else found


def identifier(name: str) -> str:
    """A name in the engine's quotes."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text in the engine's quotes.

    Raises:
        ValueError: it holds a NUL, which the engine's SQL can't.
    """
    if "\0" in value:
        raise ValueError
    return "'" + value.replace("'", "''") + "'"
