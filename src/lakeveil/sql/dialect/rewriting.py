"""Trino's meaning in the engine's words: a typed tree of ours becomes a tree for the engine.

Children come first, so a node's arguments are the engine's already when it is looked at, and keep
the types that Trino gives them. What has no known type where the meaning depends on it, is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.coercion import known
from lakeveil.sql.dialect.arithmetic import arithmetic, concatenation, interval
from lakeveil.sql.dialect.calls import aggregate, is_wrapped, scalar
from lakeveil.sql.dialect.typing import type_of
from lakeveil.sql.dialect.unnesting import unnest
from lakeveil.sql.dialect.zones import is_zoned, zoned_cast
from lakeveil.sql.functions import AGGREGATES, WINDOWS, allowed
from lakeveil.sql.functions.casts import cast_to
from lakeveil.sql.functions.naming import name_of
from lakeveil.sql.functions.templates import call, cast, fill
from lakeveil.sql.types import fields_of, inner_of, kind_of

MAX_NODES = 100_000
"""Of what is made: calls whose templates repeat their arguments multiply."""


def to_engine(tree: exp.Expr) -> exp.Expr:
    """The tree that the engine runs, from one that was qualified and annotated.

    It is made anew; `tree` stays. Write it with `.sql(dialect="duckdb")`.

    Raises:
        QueryError: NOT_SUPPORTED, TYPE_MISMATCH, FUNCTION_NOT_FOUND, INVALID_LITERAL.
    """
    tree = tree.copy()
    made = 0
    for node in reversed(list(tree.dfs())):
        rewrite = _REWRITES.get(type(node))
        if rewrite is None:
            if isinstance(node, exp.Func):
                allowed(node)
            continue
        parent, key, index = node.parent, node.arg_key, node.index
        new = rewrite(node)
        if new is node:
            continue
        made += sum(1 for _ in new.walk())
        if made > MAX_NODES:
            raise QueryError(ErrorName.NOT_SUPPORTED, "The query's expressions are too complex")
        if new.type is None or not known(type_of(new)):
            new.type = type_of(node)
        if parent is None or key is None or node is tree:
            new.parent = None
            tree = new
        else:
            parent.set(key, new, index)
    return _checked(tree)


def _checked(tree: exp.Expr) -> exp.Expr:
    if tree.find(exp.AtTimeZone):
        raise QueryError(
            ErrorName.NOT_SUPPORTED,
            "AT TIME ZONE: values keep no zone here; use it inside a cast to timestamp, date or "
            "varchar, or inside what formats or takes parts of it",
        )
    return tree


def known_type(node: exp.Expr) -> exp.DataType:
    """The type of a node.

    Raises:
        QueryError: NOT_SUPPORTED, it is not known.
    """
    found = type_of(node)
    if not known(found):
        raise QueryError(ErrorName.NOT_SUPPORTED, "The type of an expression is not known")
    return found


# -- calls and casts ---------------------------------------------------------------------------
def _call(node: exp.Expr) -> exp.Expr:
    allowed(node)
    if name_of(node) in AGGREGATES | WINDOWS:
        return node if is_wrapped(node) else aggregate(node)
    return scalar(node)


def _wrapper(node: exp.Expr) -> exp.Expr:
    return node if is_wrapped(node) or _named_window(node) else aggregate(node)


def _named_window(node: exp.Expr) -> bool:
    """`WINDOW w AS (...)` is a window of no function."""
    return isinstance(node, exp.Window) and isinstance(node.this, exp.Identifier | None)


def _cast(node: exp.Cast) -> exp.Expr:
    safe = isinstance(node, exp.TryCast)
    if is_zoned(node.this):
        return zoned_cast(node.this, node.to)
    return cast_to(node.this, known_type(node.this), node.to, safe=safe)


# -- comparisons -------------------------------------------------------------------------------
def _comparison(node: exp.Expr) -> exp.Expr:
    for side in (node.this, *_others(node)):
        if isinstance(side, exp.Tuple | exp.Any | exp.All | exp.Query):
            continue
        if kind_of(known_type(side)) == "json":
            raise QueryError(ErrorName.NOT_SUPPORTED, "Values of JSON are not compared here")
    return node


def _others(node: exp.Expr) -> list[exp.Expr]:
    found = [node.args.get(key) for key in ("expression", "low", "high")]
    return [one for one in found if isinstance(one, exp.Expr)] + list(node.expressions)


# -- access ------------------------------------------------------------------------------------
_SUBSCRIPT = (
    "CASE WHEN _0 IS NULL OR _1 IS NULL THEN NULL WHEN _1 < 1 OR _1 > len(_0) "
    "THEN error('INVALID_FUNCTION_ARGUMENT', _1) ELSE list_extract(_0, _1) END"
)
_ENTRY = (
    "CASE WHEN _0 IS NULL OR _1 IS NULL THEN NULL WHEN map_contains(_0, _1) "
    "THEN map_extract_value(_0, _1) ELSE error('INVALID_FUNCTION_ARGUMENT', _1) END"
)


def _bracket(node: exp.Bracket) -> exp.Expr:
    container = known_type(node.this)
    index = node.expressions[0]
    if len(node.expressions) != 1 or isinstance(index, exp.Slice):
        raise QueryError(ErrorName.SYNTAX_ERROR, "A subscript is one value")
    if kind_of(container) == "row":
        return call("struct_extract_at", node.this, index)
    if kind_of(container) == "array":
        return fill(_SUBSCRIPT, [node.this, index])
    key = inner_of(container)[0]
    if kind_of(known_type(index)) != kind_of(key):
        index = cast(index, key)
    return fill(_ENTRY, [node.this, index])


def _dot(node: exp.Dot) -> exp.Expr:
    row = known_type(node.this)
    name = node.expression.name
    found = next(field for field, _ in fields_of(row) if field.lower() == name.lower())
    return call("struct_extract", node.this, exp.Literal.string(found))


# -- the time of the query ---------------------------------------------------------------------
_NOW = "date_trunc('millisecond', get_current_timestamp())"


def _now(template: str) -> Callable[[exp.Expr], exp.Expr]:
    def rewrite(node: exp.Expr) -> exp.Expr:
        if node.this is not None:
            raise QueryError(ErrorName.NOT_SUPPORTED, "The current time has milliseconds here")
        return fill(template.format(_NOW), [])

    return rewrite


_REWRITES: dict[type[exp.Expr], Callable[[Any], exp.Expr]] = {
    exp.Anonymous: _call,
    exp.AnonymousAggFunc: _call,
    **dict.fromkeys((exp.Filter, exp.Window, exp.IgnoreNulls, exp.RespectNulls), _wrapper),
    **dict.fromkeys((exp.Cast, exp.TryCast), _cast),
    **dict.fromkeys((exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod), arithmetic),
    exp.DPipe: concatenation,
    exp.Interval: interval,
    **dict.fromkeys(
        (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.In, exp.Between), _comparison
    ),
    **dict.fromkeys((exp.NullSafeEQ, exp.NullSafeNEQ), _comparison),
    exp.Bracket: _bracket,
    exp.Dot: _dot,
    exp.CurrentTimestamp: _now("{}"),
    exp.Localtimestamp: _now("timezone('UTC', {})"),
    exp.CurrentDate: _now("CAST(timezone('UTC', {}) AS DATE)"),
    exp.Unnest: unnest,
}
