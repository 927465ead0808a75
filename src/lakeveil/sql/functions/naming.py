"""A call's name and arguments, whatever node the parser made of it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

Modifier = exp.Distinct | exp.Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Modifiers:
    """What stands among an aggregate's arguments and is none of them."""

    distinct: bool = False
    order: exp.Order | None = None


def name_of(node: exp.Expr) -> str:
    """The name of a call in lower case; "" for what is not one."""
    if not isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
        return ""
    this = node.this
    return (this.name if isinstance(this, exp.Expr) else str(this)).lower()


def unwrapped(node: exp.Expr) -> tuple[list[exp.Expr], Modifiers]:
    """The arguments of a call, and DISTINCT and ORDER BY from among them."""
    args: list[exp.Expr] = list(node.expressions)
    distinct, order = False, None
    if args and isinstance(args[-1], exp.Order):
        order = args[-1]
        args = [*args[:-1], order.this] if order.this is not None else args[:-1]
    if len(args) == 1 and isinstance(args[0], exp.Distinct):
        distinct, args = True, list(args[0].expressions)
    return args, Modifiers(distinct=distinct, order=order)
