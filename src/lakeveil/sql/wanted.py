"""What a query asks of a relation, as far as it can be told before names are resolved.

Only of a relation that stands alone after FROM: there a name without a qualifier, or with that of
the relation, is the relation's own before it is anything else's. Only what every row must fulfil
counts, so whoever leaves out other rows changes no result. It is a hint: what isn't plain is none.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp


def wanted(table: exp.Table) -> dict[str, str]:
    """Columns, in lower case, that equal a text in each row that is wanted of a table."""
    select = table.parent.parent if isinstance(table.parent, exp.From) else None
    alias = table.args.get("alias")
    if (
        not isinstance(select, exp.Select)
        or select.args.get("joins")
        or table.args.get("joins")
        or table.args.get("sample")
        or (alias is not None and alias.args.get("columns"))
        or select.args.get("where") is None
    ):
        return {}
    name = alias.name.lower() if alias is not None else table.name.lower()
    found: dict[str, str] = {}
    for condition in _conjuncts(select.args["where"].this):
        if isinstance(condition, exp.EQ):
            for column, value in (
                (condition.left, condition.right),
                (condition.right, condition.left),
            ):
                if _is_text(value) and _is_named(column, name):
                    found.setdefault(column.name.lower(), value.name)
    return found


def _conjuncts(node: exp.Expr) -> Iterator[exp.Expr]:
    stack = [node]
    while stack:
        one = stack.pop()
        if isinstance(one, exp.Paren):
            stack.append(one.this)
        elif isinstance(one, exp.And):
            stack += [one.this, one.expression]
        else:
            yield one


def _is_text(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and bool(node.is_string)


def _is_named(node: exp.Expr, relation: str) -> bool:
    if not isinstance(node, exp.Column) or not isinstance(node.this, exp.Identifier):
        return False
    parts = [part.name.lower() for part in node.parts]
    return len(parts) == 1 or parts[:-1] == [relation]
