"""`UNNEST(a, b) WITH ORDINALITY AS u (x, y, n)` as a lateral query, as the engine has it.

https://trino.io/docs/current/sql/select.html#unnest: arrays side by side, the shorter ones padded
with NULL; a map is two columns, an array of rows one for each field.
"""

from __future__ import annotations

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.coercion import known
from lakeveil.sql.dialect.typing import type_of
from lakeveil.sql.functions.templates import fill
from lakeveil.sql.types import fields_of, inner_of, kind_of


def unnest(node: exp.Unnest) -> exp.Expr:
    """A lateral query of as many columns as there are names."""
    lists: list[exp.Expr] = []
    for arg in node.expressions:
        lists += _lists(arg)
    names = [identifier.name for identifier in _names(node)]
    ordinality = node.args.get("offset")
    if ordinality:
        lengths = ", ".join(f"len(_{i})" for i in range(len(lists)))
        lists.append(fill(f"range(1, greatest(0, {lengths}) + 1)", lists))
        name = ordinality.name if isinstance(ordinality, exp.Identifier) else "ordinality"
        names = [*names, name] if len(names) < len(lists) else names
    if len(names) != len(lists):
        raise QueryError(
            ErrorName.MISMATCHED_COLUMN_ALIASES,
            f"Column alias list has {len(names)} entries but UNNEST has {len(lists)} columns",
        )
    columns = [
        exp.alias_(fill("unnest(_0)", [one]), name, quoted=True)
        for one, name in zip(lists, names, strict=True)
    ]
    query = exp.Subquery(this=exp.Select(expressions=columns))
    alias = node.args.get("alias")
    named = exp.TableAlias(this=alias.this.copy()) if alias is not None and alias.this else None
    if isinstance(node.parent, exp.Join):
        return exp.Lateral(this=query, alias=named)
    query.set("alias", named)
    return query


def _names(node: exp.Unnest) -> list[exp.Expr]:
    alias = node.args.get("alias")
    names = list(alias.args.get("columns") or []) if alias is not None else []
    if not names:
        raise QueryError(
            ErrorName.NOT_SUPPORTED, "UNNEST: give its columns names, as in AS t (x, y)"
        )
    return names


def _lists(arg: exp.Expr) -> list[exp.Expr]:
    data_type = type_of(arg)
    if not known(data_type):
        raise QueryError(ErrorName.NOT_SUPPORTED, "UNNEST: the type of an argument is not known")
    if kind_of(data_type) == "map":
        return [fill("map_keys(_0)", [arg]), fill("map_values(_0)", [arg])]
    element = inner_of(data_type)[0]
    if kind_of(element) != "row":
        return [arg]
    template = "list_transform(_0, lambda lv_e: struct_extract_at(lv_e, {}))"
    return [fill(template.format(i), [arg]) for i in range(1, len(fields_of(element)) + 1)]
