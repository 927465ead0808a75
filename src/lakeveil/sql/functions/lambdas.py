"""Lambdas in the engine's hands: what stands for a parameter, and pairs for two of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from sqlglot import exp

_numbers = itertools.count(1)


def uses(body: exp.Expr, name: str) -> Iterator[exp.Identifier]:
    """Every use of a parameter in a lambda's body: the parser leaves them as bare identifiers.

    A parameter of an inner lambda hides one of the same name outside.
    """
    stack = [body]
    while stack:
        node = stack.pop()
        if isinstance(node, exp.Lambda) and any(_is(p, name) for p in node.expressions):
            continue
        if isinstance(node, exp.Identifier):
            if _is(node, name):
                yield node
            continue
        if isinstance(node, exp.Column | exp.Table | exp.DataType | exp.TableAlias):
            continue
        skipped = node.expression if isinstance(node, exp.Dot) else None
        stack += [c for c in node.iter_expressions() if c is not skipped and c.arg_key != "alias"]


def _is(node: exp.Expr, name: str) -> bool:
    return bool(node.name.lower() == name.lower())


def pair_lambda(function: exp.Expr, keep: str) -> exp.Lambda:
    """A lambda of two parameters as one of a pair.

    With `keep` "value" or "key" it returns a pair, that part of which stays as it was.
    """
    variable = f"lv_r{next(_numbers) % 1_000_000}"
    body = function.this.copy()
    holder = exp.Paren(this=body)
    for position, parameter in enumerate(function.expressions, start=1):
        for use in list(uses(holder, parameter.name)):
            use.replace(_part(variable, position))
    result: exp.Expr = holder
    if keep == "value":
        result = exp.Anonymous(this="row", expressions=[holder, _part(variable, 2)])
    elif keep == "key":
        result = exp.Anonymous(this="row", expressions=[_part(variable, 1), holder])
    return exp.Lambda(this=result, expressions=[exp.to_identifier(variable)])


def _part(variable: str, position: int) -> exp.Expr:
    return exp.Anonymous(
        this="struct_extract_at",
        expressions=[exp.to_identifier(variable), exp.Literal.number(position)],
    )
