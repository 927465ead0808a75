"""What operators make of types, as Trino has it: decimals grow, times take intervals, texts join.

https://trino.io/docs/current/functions/decimal.html, .../datetime.html, .../string.html

Raises (all of it): QueryError TYPE_MISMATCH, FUNCTION_NOT_FOUND, INVALID_FUNCTION_ARGUMENT.
"""

from __future__ import annotations

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.coercion import MAX_PRECISION, common
from lakeveil.sql.types import (
    INTEGERS,
    NUMBERS,
    array_of,
    decimal,
    decimal_of,
    inner_of,
    kind_of,
    named,
    trino_type_of,
)

SIGNS = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
_TIMES = ("date", "time", "timestamp", "timestamp with time zone")


def cannot_apply(sign: str, left: exp.DataType, right: exp.DataType) -> QueryError:
    """The refusal of an operator between two types."""
    return QueryError(
        ErrorName.TYPE_MISMATCH,
        f"Cannot apply operator: {trino_type_of(left)} {sign} {trino_type_of(right)}",
    )


def arithmetic_type(node: exp.Binary, left: exp.DataType, right: exp.DataType) -> exp.DataType:
    """What `+`, `-`, `*`, `/` and `%` make of two known types."""
    found = _result(node, left, right)
    if found is None:
        raise cannot_apply(SIGNS[type(node)], left, right)
    return found


def _result(node: exp.Binary, left: exp.DataType, right: exp.DataType) -> exp.DataType | None:
    a, b = kind_of(left), kind_of(right)
    if "unknown" in {a, b}:
        return right if a == "unknown" else left
    if a in NUMBERS and b in NUMBERS:
        if "decimal" in {a, b} and not {a, b} & {"double", "real"}:
            return _of_decimals(node, decimal_of(left), decimal_of(right))
        return common(left, right)
    return _of_times(node, a, b)


def _of_decimals(node: exp.Binary, left: tuple[int, int], right: tuple[int, int]) -> exp.DataType:
    """https://trino.io/docs/current/functions/decimal.html: binary arithmetic operators."""
    (p1, s1), (p2, s2) = left, right
    scale = max(s1, s2)
    if isinstance(node, exp.Mul):
        precision, scale = p1 + p2, s1 + s2
        if scale > MAX_PRECISION:
            raise QueryError(ErrorName.INVALID_FUNCTION_ARGUMENT, "DECIMAL scale must be <= 38")
    elif isinstance(node, exp.Div):
        precision = p1 + s2 + max(0, s2 - s1)
    elif isinstance(node, exp.Mod):
        precision = min(p1 - s1, p2 - s2) + scale
    else:
        precision = max(p1 - s1, p2 - s2) + scale + 1
    return decimal(max(1, min(MAX_PRECISION, precision)), scale)


def _of_times(node: exp.Binary, a: str, b: str) -> exp.DataType | None:
    if isinstance(node, exp.Add) and a.startswith("interval") and b in _TIMES:
        return named(b)
    if isinstance(node, exp.Add | exp.Sub) and b.startswith("interval") and a in {*_TIMES, b}:
        return named(a)
    if isinstance(node, exp.Sub) and a in _TIMES and b in _TIMES and "time" not in {a, b}:
        return named("interval day to second")
    if isinstance(node, exp.Mul | exp.Div) and a.startswith("interval") and b in INTEGERS:
        return named(a)
    if isinstance(node, exp.Mul) and a in INTEGERS and b.startswith("interval"):
        return named(b)
    return None


def concatenation_type(left: exp.DataType, right: exp.DataType) -> exp.DataType:
    """What `||` makes of two known types: texts, bytes, arrays, an array and an element."""
    a, b = kind_of(left), kind_of(right)
    met = common(left, right)
    if met is not None and kind_of(met) in {"varchar", "char", "varbinary", "array", "unknown"}:
        return named("varchar") if kind_of(met) == "char" else met
    for array, element in ((left, right), (right, left)):
        inside = common(inner_of(array)[0], element) if kind_of(array) == "array" else None
        if inside is not None:
            return array_of(inside)
    raise QueryError(ErrorName.FUNCTION_NOT_FOUND, f"Unexpected parameters ({a}, {b}) for `||`")
