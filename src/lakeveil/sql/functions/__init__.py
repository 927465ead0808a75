"""Which functions may be called. A full allow-list: what is not on it is refused.

`allowed` looks at one node of the tree and does not descend; the guard calls it for every node.
"""

from __future__ import annotations

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.functions.naming import name_of, unwrapped
from lakeveil.sql.functions.registry import AGGREGATES, FUNCTIONS, ROW, WINDOWS, function_of
from lakeveil.sql.functions.table import Function, Kind, Status

MACROS: tuple[str, ...] = ()
"""What the engine must define before it is locked: nothing, as calls are written out."""

_SYNTAX = (
    exp.And,
    exp.Or,
    exp.Array,
    exp.Case,
    exp.Cast,
    exp.CurrentDate,
    exp.CurrentTimestamp,
    exp.Exists,
    exp.If,
    exp.Localtimestamp,
    exp.TryCast,
    exp.Unnest,
)
"""Expressions with a syntax of their own that sqlglot counts as functions."""


def allowed(node: exp.Expr) -> None:
    """Refuse a call of what is not on the list, or with so many arguments as it never takes.

    Raises:
        QueryError: FUNCTION_NOT_FOUND, Trino has no such function or it takes other arguments;
            NOT_SUPPORTED, Trino has it and it is not run here.
    """
    if not isinstance(node, exp.Func) or type(node) in _SYNTAX:
        return
    name = name_of(node)
    if not name:
        shown = _shown(node)
        raise QueryError(ErrorName.FUNCTION_NOT_FOUND, f"Function '{shown}' not registered")
    function = function_of(name)
    if name == ROW:
        if not node.expressions:
            raise QueryError(ErrorName.FUNCTION_NOT_FOUND, "ROW takes at least one value")
        return
    if function is None:
        raise QueryError(ErrorName.FUNCTION_NOT_FOUND, f"Function '{_shown(node)}' not registered")
    if function.status is Status.REFUSED:
        raise QueryError(
            ErrorName.NOT_SUPPORTED, f"Function '{_shown(node)}' is not supported: {function.note}"
        )
    _counted(node, function)


def _shown(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
        return node.this.name if isinstance(node.this, exp.Expr) else str(node.this)
    return node.sql_names()[0].lower() if isinstance(node, exp.Func) else node.key


def _counted(node: exp.Expr, function: Function) -> None:
    args, modifiers = unwrapped(node)
    count = len(args)
    if name_of(node) == "count" and count == 1 and isinstance(args[0], exp.Star):
        return
    if any(isinstance(arg, exp.Star) for arg in args):
        raise QueryError(ErrorName.SYNTAX_ERROR, f"`{_shown(node)}` takes no *")
    if (modifiers.distinct or modifiers.order) and function.kind is not Kind.AGGREGATE:
        raise QueryError(
            ErrorName.SYNTAX_ERROR, f"`{_shown(node)}` takes neither DISTINCT nor ORDER BY"
        )
    if not any(overload.accepts(count) for overload in function.overloads):
        wanted = ", ".join(
            f"{_shown(node)}{o.text.partition(' ->')[0]}" for o in function.overloads
        )
        raise QueryError(
            ErrorName.FUNCTION_NOT_FOUND,
            f"Unexpected number of arguments ({count}) for function `{_shown(node)}`. "
            f"Expected: {wanted}",
        )


__all__ = [
    "AGGREGATES",
    "FUNCTIONS",
    "MACROS",
    "WINDOWS",
    "Function",
    "Kind",
    "Status",
    "allowed",
    "function_of",
]
