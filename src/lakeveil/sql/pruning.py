"""Partitions that a query cannot want: conditions on partition columns, and what they leave out.

Found in a SELECT whose names were resolved: what each row of a table must fulfil, as a condition of
WHERE that is ANDed with all others is; a row that an outer join makes of nothing fulfils none. Only
a column compared with constants of its own type counts, everything else leaves every partition in.

A column that its reader does not see in full must not be pruned by: `unwanted` is not asked then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from sqlglot import exp

from lakeveil.sql.relations import Condition, Constant
from lakeveil.sql.types import INTEGERS, kind_of

MAX_CONSTANTS = 1_000
"""In one list; a longer one leaves every partition in."""

_INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)
_OPERATORS: Mapping[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_TURNED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def conditions(where: exp.Expr | None, relation: str) -> tuple[Condition, ...]:
    """What each row of a relation, by the engine's name of it, must fulfil."""
    return () if where is None else tuple(_conditions(where.this, relation))


def unwanted(
    alternatives: Sequence[Sequence[Condition]], types: Mapping[str, str], values: Mapping[str, str]
) -> bool:
    """Whether no row of a partition can be wanted.

    `alternatives` are the conditions of each place in which the query reads the table; `types` are
    Hive's and `values` the partition's, of columns that its reader sees in full.
    """
    return bool(alternatives) and all(
        any(
            _fails(one, types[one.column], values[one.column])
            for one in conjunction
            if one.column in values
        )
        for conjunction in alternatives
    )


def _conditions(root: exp.Expr, relation: str) -> Iterator[Condition]:
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, exp.Paren):
            stack.append(node.this)
        elif isinstance(node, exp.And):
            stack += [node.this, node.args["expression"]]
        elif type(node) in _OPERATORS:
            yield from _compared(node, relation)
        elif isinstance(node, exp.In) and not node.args.get("query"):
            yield from _condition(relation, node.this, "in", node.expressions)
        elif isinstance(node, exp.Between):
            yield from _condition(relation, node.this, ">=", [node.args["low"]])
            yield from _condition(relation, node.this, "<=", [node.args["high"]])


def _compared(node: exp.Expr, relation: str) -> Iterator[Condition]:
    sign = _OPERATORS[type(node)]
    left, right = node.this, node.args["expression"]
    yield from _condition(relation, left, sign, [right])
    yield from _condition(relation, right, _TURNED[sign], [left])


def _condition(
    relation: str, column: exp.Expr, sign: str, nodes: Sequence[exp.Expr]
) -> Iterator[Condition]:
    if not (isinstance(column, exp.Column) and column.table == relation):
        return
    kind = kind_of(column.type)
    constants = [_constant(node, kind) for node in nodes[: MAX_CONSTANTS + 1]]
    found = [constant for constant in constants if constant is not None]
    if found and len(found) == len(nodes) <= MAX_CONSTANTS:
        yield Condition(column.name, sign, tuple(found))


def _constant(node: exp.Expr, kind: str) -> Constant | None:
    if isinstance(node, exp.Paren):
        return _constant(node.this, kind)
    if isinstance(node, exp.Neg) and kind in INTEGERS:
        inner = _constant(node.this, kind)
        return -inner if isinstance(inner, int) else None
    if isinstance(node, exp.Literal):
        if kind == "varchar" and node.is_string:
            return str(node.this)
        if kind in INTEGERS and not node.is_string:
            return _read(str(node.this), "int")
    plain = type(node) is exp.Cast and isinstance(node.this, exp.Literal) and node.this.is_string
    if plain and kind == "date" and kind_of(node.args["to"]) == "date":
        return _read(str(node.this.this), "date")
    return None


def _fails(condition: Condition, hive: str, text: str) -> bool:
    """Whether a value, as the catalog has it, cannot fulfil a condition; not if that is unclear."""
    value = _read(text, hive)
    if value is None or any(type(one) is not type(value) for one in condition.constants):
        return False
    return not any(_holds(value, condition.sign, one) for one in condition.constants)


def _read(text: str, hive: str) -> Constant | None:
    if hive == "string":
        return text
    if hive in {"tinyint", "smallint", "int", "integer", "bigint"}:
        return int(text) if _INTEGER.fullmatch(text) else None
    if hive == "date" and re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        try:
            return date.fromisoformat(text)
        except ValueError:
            return None
    return None


def _holds(value: Constant, sign: str, other: Constant) -> bool:
    left, right = _ordered(value), _ordered(other)
    if sign in {"=", "in"}:
        return left == right
    if sign in {"<", "<="}:
        return left < right or (sign == "<=" and left == right)
    return left > right or (sign == ">=" and left == right)


def _ordered(value: Constant) -> tuple[int, bytes]:
    """As the engine orders values of one type: texts by their bytes."""
    if isinstance(value, str):
        return 0, value.encode("utf-8", "surrogatepass")
    return (value if isinstance(value, int) else value.toordinal()), b""
