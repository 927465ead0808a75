"""Calls: the overload that fits, arguments coerced to it, its template filled.

An aggregate keeps what stands around it: DISTINCT and ORDER BY among its arguments, FILTER, IGNORE
NULLS and OVER. A template may use it twice, or compute with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.coercion import known, same
from lakeveil.sql.dialect.arithmetic import quotient
from lakeveil.sql.dialect.typing import type_of
from lakeveil.sql.dialect.zones import SHOWN_BY, is_zoned, wall_clock
from lakeveil.sql.functions import AGGREGATES, WINDOWS, allowed, function_of
from lakeveil.sql.functions.naming import Modifiers, name_of, unwrapped
from lakeveil.sql.functions.resolving import formals, resolve, substitute
from lakeveil.sql.functions.table import Call, Function, Overload
from lakeveil.sql.functions.templates import call, cast, fill, row
from lakeveil.sql.types import decimal, decimal_of, kind_of, named

_WRAPPERS = (exp.Filter, exp.Window, exp.IgnoreNulls, exp.RespectNulls)
_AGGREGATED = "agg_"
_SKIPPING = {
    "lag": exp.Lag,
    "lead": exp.Lead,
    "first_value": exp.FirstValue,
    "last_value": exp.LastValue,
    "nth_value": exp.NthValue,
}
_ARGUMENTS = {"lag": ("this", "offset", "default"), "lead": ("this", "offset", "default")}


def scalar(node: exp.Expr) -> exp.Expr:
    """A call of a function that is neither aggregate nor window."""
    name = name_of(node)
    args, _ = unwrapped(node)
    if name == "row":
        return row(args)
    if name in SHOWN_BY and is_zoned(args[0]):
        args[0] = wall_clock(args[0])
    function = function_of(name)
    if function is None:
        raise QueryError(ErrorName.FUNCTION_NOT_FOUND, f"Function '{name}' not registered")
    return _filled(_resolved(node, function, args), type_of(node), args, function)


def _resolved(
    node: exp.Expr, function: Function, args: Sequence[exp.Expr]
) -> tuple[Overload, list[exp.DataType | None]]:
    types = [None if isinstance(arg, exp.Lambda) else type_of(arg) for arg in args]
    if any(t is not None and not known(t) for t in types):
        raise QueryError(
            ErrorName.NOT_SUPPORTED, f"`{name_of(node)}`: the type of an argument is not known"
        )
    found = resolve(function, types)
    if found is None:
        raise QueryError(
            ErrorName.FUNCTION_NOT_FOUND, f"Unexpected parameters for function `{name_of(node)}`"
        )
    overload, bound = found
    wanted: list[exp.DataType | None] = [
        None if pattern.name in {"function", "interval"} else substitute(pattern, bound)
        for pattern in formals(overload, len(args))
    ]
    return overload, wanted


def _filled(
    resolved: tuple[Overload, list[exp.DataType | None]],
    returns: exp.DataType,
    args: list[exp.Expr],
    function: Function,
) -> exp.Expr:
    overload, wanted = resolved
    coerced = [_coerced(arg, target) for arg, target in zip(args, wanted, strict=True)]
    if isinstance(overload.engine, str):
        return fill(overload.engine, coerced, returns)
    types = [type_of(arg) for arg in args]
    return overload.engine(
        Call(name=function.name, args=coerced, types=types, returns=returns, given=args)
    )


def _coerced(arg: exp.Expr, target: exp.DataType | None) -> exp.Expr:
    """Trino's implicit coercion, spelled out where the engine might choose another type."""
    actual = type_of(arg)
    if target is None or not known(target) or kind_of(actual) == "char":
        return arg
    if kind_of(actual) == "unknown":
        return cast(arg, target) if kind_of(target) != "unknown" else arg
    if same(actual, target):
        return arg
    return cast(arg, target)


# -- aggregates and windows ---------------------------------------------------------------------
def is_wrapped(node: exp.Expr) -> bool:
    """Whether a wrapper around it will do the work."""
    return isinstance(node.parent, _WRAPPERS) and node.arg_key == "this"


def aggregate(node: exp.Expr) -> exp.Expr:
    """The outermost of a call's wrappers, or an aggregate without any."""
    inner, over, skipping = node, False, False
    while isinstance(inner, _WRAPPERS):
        over = over or isinstance(inner, exp.Window)
        skipping = skipping or isinstance(inner, exp.IgnoreNulls)
        inner = inner.this
    name = name_of(inner)
    allowed(inner)
    function = function_of(name)
    if function is None or name not in AGGREGATES | WINDOWS:
        raise QueryError(ErrorName.FUNCTION_NOT_FOUND, f"`{name}` is no aggregate")
    if name in WINDOWS and not over:
        raise QueryError(
            ErrorName.SYNTAX_ERROR, f"Window function `{name}` requires an OVER clause"
        )
    if skipping and name not in _SKIPPING:
        raise QueryError(ErrorName.NOT_SUPPORTED, f"`{name}`: IGNORE NULLS is not supported")
    args, modifiers = unwrapped(inner)
    if name == "count" and args and isinstance(args[0], exp.Star):
        args = []
    resolved = _resolved(inner, function, args)
    template = _filled(resolved, type_of(inner), args, function)
    holder = exp.Paren(this=template)
    for made in [n for n in holder.walk() if isinstance(n, exp.Anonymous)]:
        if made.name.startswith(_AGGREGATED):
            made.replace(_surrounded(made, node, modifiers, skipping=skipping))
    if name == "avg" and kind_of(type_of(inner)) == "decimal":
        return _average(holder.unnest(), type_of(inner))
    return holder.unnest()


def _surrounded(
    made: exp.Anonymous, node: exp.Expr, modifiers: Modifiers, *, skipping: bool
) -> exp.Expr:
    core = _core(made, modifiers, skipping=skipping)
    chain: list[exp.Expr] = []
    while isinstance(node, _WRAPPERS):
        if isinstance(node, exp.Filter | exp.Window):
            chain.append(node)
        node = node.this
    for wrapper in reversed(chain):
        copied = wrapper.copy()
        copied.set("this", core)
        core = copied
    return core


def _core(made: exp.Anonymous, modifiers: Modifiers, *, skipping: bool) -> exp.Expr:
    name = made.name.removeprefix(_AGGREGATED)
    args = [arg.copy() for arg in made.expressions]
    if skipping:
        keys = _ARGUMENTS.get(name, ("this", "offset"))
        return exp.IgnoreNulls(this=_SKIPPING[name](**dict(zip(keys, args, strict=False))))
    if modifiers.distinct:
        args = [exp.Distinct(expressions=args)]
    if modifiers.order is not None:
        order = [one.copy() for one in modifiers.order.expressions]
        args = [*args[:-1], exp.Order(this=args[-1], expressions=order)]
    return call(name, *args)


def _average(average: exp.Expr, returns: exp.DataType) -> exp.Expr:
    """Of decimals: the engine's own is a double."""
    parts = []
    for name, data_type in (
        ("sum", decimal(38, decimal_of(returns)[1])),
        ("count", named("bigint")),
    ):
        part = average.copy()
        for made in part.find_all(exp.Anonymous):
            if made.name == "avg":
                made.set("this", name)
                break
        part.type = data_type
        parts.append(part)
    exact = quotient(parts[0], parts[1], returns)
    return fill("CASE WHEN _0 = 0 THEN NULL ELSE _1 END", [parts[1], exact])
