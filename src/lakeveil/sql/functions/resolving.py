"""Which signature a call has, and the type that it returns. Trino picks an exact one first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from lakeveil.sql.coercion import UNKNOWN, coerces, common, known, same
from lakeveil.sql.functions.table import Function, Overload, Type
from lakeveil.sql.types import (
    INTEGERS,
    NUMBERS,
    array_of,
    decimal,
    decimal_of,
    inner_of,
    kind_of,
    map_of,
    named,
    row_of,
)

Bindings = dict[str, exp.DataType]
_LIMITED = {"N": NUMBERS, "I": INTEGERS, "D": ("decimal",)}


def resolve(
    function: Function, types: Sequence[exp.DataType | None]
) -> tuple[Overload, Bindings] | None:
    """The overload for arguments of these types; None for a type is a lambda, whatever it is."""
    fitting = [o for o in function.overloads if o.accepts(len(types))]
    for exact in (True, False):
        for overload in fitting:
            bindings: Bindings = {}
            if all(
                _fits(pattern, actual, bindings, exact=exact)
                for pattern, actual in zip(formals(overload, len(types)), types, strict=True)
            ):
                return overload, bindings
    return None


def formals(overload: Overload, count: int) -> list[Type]:
    """The types of its arguments, the last one repeated if need be."""
    return [overload.takes[min(i, len(overload.takes) - 1)] for i in range(count)]


def _fits(pattern: Type, actual: exp.DataType | None, bound: Bindings, *, exact: bool) -> bool:  # noqa: PLR0911
    if actual is None or pattern.name == "function":
        return actual is None and pattern.name == "function"
    if pattern.variable:
        return _binds(pattern.name, actual, bound, exact=exact)
    kind = kind_of(actual)
    if kind == "unknown":
        return True
    if pattern.name in {"array", "map", "row"}:
        if kind != pattern.name:
            return False
        if not pattern.inner:
            return True
        inner = inner_of(actual)
        return len(inner) == len(pattern.inner) and all(
            _fits(p, t, bound, exact=exact) for p, t in zip(pattern.inner, inner, strict=True)
        )
    if pattern.name == "interval":
        return kind.startswith("interval")
    wanted = _named(pattern.name)
    return kind == kind_of(wanted) if exact else coerces(actual, wanted)


def _binds(name: str, actual: exp.DataType, bound: Bindings, *, exact: bool) -> bool:
    kind = kind_of(actual)
    if name in _LIMITED and kind not in (*_LIMITED[name], "unknown"):
        return False
    if name not in bound or kind_of(bound[name]) == "unknown":
        bound[name] = actual
        return True
    if kind == "unknown" or same(bound[name], actual):
        return True
    met = None if exact else common(bound[name], actual)
    if met is None or not known(met):
        return False
    bound[name] = met
    return True


def _named(name: str) -> exp.DataType:
    return named({"timestamptz": "timestamp with time zone"}.get(name, name))


def substitute(pattern: Type, bound: Bindings) -> exp.DataType:
    """A pattern with its variables replaced; unknown where one is not bound."""
    if pattern.variable:
        return bound.get(pattern.name, UNKNOWN)
    inner = [substitute(part, bound) for part in pattern.inner]
    if pattern.name == "array":
        return array_of(inner[0])
    if pattern.name == "map":
        return map_of(inner[0], inner[1])
    if pattern.name == "row":
        return row_of([("", part) for part in inner])
    if pattern.name in _OF_DECIMALS:
        return _OF_DECIMALS[pattern.name](*decimal_of(inner[0]))
    return _named(pattern.name)


_OF_DECIMALS: dict[str, Callable[[int, int], exp.DataType]] = {
    # https://trino.io/docs/current/functions/math.html: ceil, floor, round without a number.
    "whole": lambda p, s: decimal(min(38, p - s + min(s, 1)), 0),
    "rounded": lambda p, s: decimal(min(38, p + 1), s),
    "cut": lambda p, s: decimal(max(p - s, 1), 0),
    "digit": lambda _p, _s: decimal(1, 0),
    "total": lambda _p, s: decimal(38, s),
}
