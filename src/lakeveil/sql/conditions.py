"""Conditions are booleans, and only numbers have signs: what an engine would cast, Trino refuses.

A cast that an engine adds fails on some values and not on others, and so tells what they are.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.coercion import common
from lakeveil.sql.dialect import output_types
from lakeveil.sql.types import NUMBERS, kind_of

_CONDITIONS = {"boolean", "unknown"}
_SIGNED = {*NUMBERS, "interval day to second", "interval year to month", "unknown"}


def check(tree: exp.Expr) -> None:
    """Look at every condition and sign of a typed tree.

    Raises:
        QueryError: TYPE_MISMATCH.
    """
    for node in tree.walk():
        for operand in _operands(node):
            kind = kind_of(operand.type)
            if kind not in _CONDITIONS and not isinstance(operand, exp.Escape):
                raise _mismatch("boolean", kind)
        for one, other in _compared(node):
            if common(_type(one), _type(other)) is None:
                raise QueryError(
                    ErrorName.TYPE_MISMATCH,
                    f"Cannot compare {kind_of(one)} with {kind_of(other)}",
                )
        if isinstance(node, exp.Neg) and kind_of(node.this.type) not in _SIGNED:
            raise _mismatch("a number", kind_of(node.this.type))


def _operands(node: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(node, exp.And | exp.Or):
        yield node.this
        yield node.args["expression"]
    elif isinstance(node, exp.Not | exp.Where | exp.Having):
        yield node.this
    elif isinstance(node, exp.Join) and node.args.get("on") is not None:
        yield node.args["on"]
    elif isinstance(node, exp.If):
        # The values of a simple CASE are compared with what stands behind it.
        parent = node.parent
        if not (isinstance(parent, exp.Case) and parent.this is not None):
            yield node.this


def _compared(node: exp.Expr) -> Iterator[tuple[exp.DataType | None, exp.DataType | None]]:
    """Types that meet in comparisons of rows and with subqueries, value by value."""
    if isinstance(node, exp.EQ | exp.NEQ | exp.GT | exp.GTE | exp.LT | exp.LTE):
        others = [node.args["expression"]]
    elif isinstance(node, exp.In):
        query = node.args.get("query")
        others = [*node.expressions, *([] if query is None else [query])]
    else:
        return
    left = _row(node.this)
    for other in others:
        right = _row(other)
        if len(left) != len(right):
            raise QueryError(
                ErrorName.TYPE_MISMATCH, f"Cannot compare {len(left)} values with {len(right)}"
            )
        yield from zip(left, right, strict=True)


def _row(node: exp.Expr) -> list[exp.DataType | None]:
    if isinstance(node, exp.Paren):
        return _row(node.this)
    if isinstance(node, exp.Any | exp.All):
        node = node.this
    if isinstance(node, exp.Query):
        return [kind for _, kind in output_types(node)]
    return [one.type for one in node.expressions] if isinstance(node, exp.Tuple) else [node.type]


def _type(found: exp.DataType | None) -> exp.DataType:
    return exp.DataType(this=exp.DType.UNKNOWN) if found is None else found


def _mismatch(wanted: str, found: str) -> QueryError:
    return QueryError(
        ErrorName.TYPE_MISMATCH,
        f"an expression must evaluate to {wanted} (actual: {found or 'of no known type'})",
    )
