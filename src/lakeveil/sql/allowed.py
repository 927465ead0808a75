"""The allow-list of syntax: which nodes a query may be made of, and with which parts.

The first wall. A node whose exact class isn't listed is refused, and so is a listed one with a part
that isn't: what a later parser learns to read is refused until somebody adds it here. Calls are not
listed here but in `functions`, which is asked about each of them.

Relations are names, subqueries, VALUES, UNNEST and LATERAL; nothing that reads a file, a function,
or the engine itself can stand after FROM.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.syntax import place
from lakeveil.sql.types import kind_of

_QUERY = frozenset({"with_", "order", "limit", "offset"})
_BINARY = frozenset({"this", "expression"})
_THIS = frozenset({"this"})
_LIST = frozenset({"expressions"})

_RELATIONS: Mapping[type[exp.Expression], frozenset[str]] = {
    exp.Select: _QUERY
    | {"distinct", "expressions", "from_", "joins", "where", "group", "having", "windows"},
    exp.Union: _QUERY | {"this", "expression", "distinct"},
    exp.Intersect: _QUERY | {"this", "expression", "distinct"},
    exp.Except: _QUERY | {"this", "expression", "distinct"},
    exp.Subquery: _QUERY | {"this", "alias", "sample"},
    exp.Values: frozenset({"expressions", "alias", "order", "limit", "offset"}),
    exp.With: _LIST,
    exp.CTE: frozenset({"this", "alias"}),
    exp.From: _THIS,
    exp.Join: frozenset({"this", "on", "side", "kind", "using"}),
    exp.Table: frozenset({"this", "db", "catalog", "alias", "joins", "version", "sample"}),
    exp.TableAlias: frozenset({"this", "columns"}),
    exp.TableSample: frozenset({"method", "percent"}),
    exp.Version: frozenset({"this", "kind", "expression"}),
    exp.Unnest: frozenset({"expressions", "alias", "offset"}),
    exp.Lateral: frozenset({"this", "alias"}),
    exp.Where: _THIS,
    exp.Having: _THIS,
    exp.Group: _LIST,
    exp.GroupingSets: _LIST,
    exp.Cube: _LIST,
    exp.Rollup: _LIST,
    exp.Distinct: _LIST,
    exp.Order: frozenset({"this", "expressions"}),
    exp.Ordered: frozenset({"this", "desc", "nulls_first"}),
    exp.Limit: frozenset({"expression"}),
    exp.Offset: frozenset({"expression"}),
    exp.Fetch: frozenset({"direction", "count", "limit_options"}),
    exp.LimitOptions: frozenset({"rows"}),
}

_EXPRESSIONS: Mapping[type[exp.Expression], frozenset[str]] = {
    exp.Identifier: frozenset({"this", "quoted"}),
    exp.Column: frozenset({"this", "table", "db", "catalog"}),
    exp.Star: frozenset(),
    exp.Alias: frozenset({"this", "alias"}),
    exp.Dot: _BINARY,
    exp.Paren: _THIS,
    exp.Tuple: _LIST,
    exp.Literal: frozenset({"this", "is_string"}),
    exp.HexString: _THIS,
    exp.Boolean: _THIS,
    exp.Null: frozenset(),
    exp.Interval: frozenset({"this", "unit"}),
    exp.IntervalSpan: _BINARY,
    exp.Var: _THIS,
    exp.DataType: frozenset({"this", "expressions", "nested"}),
    exp.DataTypeParam: _THIS,
    exp.ColumnDef: frozenset({"this", "kind"}),
    **dict.fromkeys(
        (
            *(exp.Add, exp.Sub, exp.Mul, exp.Mod, exp.DPipe),
            *(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE),
            *(exp.NullSafeEQ, exp.NullSafeNEQ, exp.Is, exp.Escape, exp.And, exp.Or),
        ),
        _BINARY | {"safe"},
    ),
    exp.Div: _BINARY | {"typed", "safe"},
    exp.Like: _BINARY | {"negate"},
    exp.Not: _THIS,
    exp.Neg: _THIS,
    exp.Between: frozenset({"this", "low", "high"}),
    exp.In: frozenset({"this", "expressions", "query"}),
    exp.Exists: _THIS,
    exp.Any: _THIS,
    exp.All: _THIS,
    exp.Case: frozenset({"this", "ifs", "default"}),
    exp.If: frozenset({"this", "true", "false"}),
    exp.Cast: frozenset({"this", "to"}),
    exp.TryCast: frozenset({"this", "to", "safe"}),
    exp.Bracket: frozenset({"this", "expressions", "offset"}),
    exp.AtTimeZone: frozenset({"this", "zone"}),
    exp.Lambda: frozenset({"this", "expressions"}),
    exp.Filter: _BINARY,
    exp.IgnoreNulls: _THIS,
    exp.RespectNulls: _THIS,
    exp.Window: frozenset({"this", "partition_by", "order", "spec", "alias", "over"}),
    exp.WindowSpec: frozenset({"kind", "start", "start_side", "end", "end_side"}),
}

STRUCTURE: Mapping[type[exp.Expression], frozenset[str]] = {**_RELATIONS, **_EXPRESSIONS}
"""Class -> the parts that it may have."""

_JOINS = {("", ""), ("", "INNER"), ("", "CROSS")} | {
    (side, kind) for side in ("LEFT", "RIGHT", "FULL") for kind in ("", "OUTER")
}
_UNBOUNDED_OR_ROW = {"UNBOUNDED", "CURRENT ROW"}


def check(tree: exp.Expression, text: str, call_allowed: Callable[[exp.Expression], None]) -> None:
    """Refuse every node and part that isn't listed; `call_allowed` is asked about each call.

    Raises:
        QueryError: NOT_SUPPORTED with the place, or what `call_allowed` raises.
    """
    stack = [tree]
    while stack:
        node = stack.pop()
        parts = STRUCTURE.get(type(node))
        if parts is not None:
            _check_parts(node, parts, text)
        elif isinstance(node, exp.Func):
            call_allowed(node)
        else:
            raise _refused(node, text)
        stack.extend(_children(node, text))


def _children(node: exp.Expression, text: str) -> list[exp.Expression]:
    found: list[exp.Expression] = []
    for value in node.args.values():
        for part in value if isinstance(value, list) else (value,):
            if isinstance(part, exp.Expression):
                found.append(part)
            elif not isinstance(part, str | bool | int | exp.DType) and part is not None:
                raise _refused(node, text)
    return found


def _check_parts(node: exp.Expression, parts: frozenset[str], text: str) -> None:
    for name, value in node.args.items():
        if value is not None and value is not False and value != [] and name not in parts:
            raise _refused(node, text)
    rule = _RULES.get(type(node))
    if rule is not None and not rule(node):
        raise _refused(node, text)


def _whole(node: exp.Expression | None) -> bool:
    return (
        isinstance(node, exp.Literal)
        and not node.is_string
        and str(node.this).isascii()
        and str(node.this).isdigit()
    )


def _join(node: exp.Expression) -> bool:
    side, kind = str(node.args.get("side") or ""), str(node.args.get("kind") or "")
    conditions = bool(node.args.get("on")) + bool(node.args.get("using"))
    implicit = (side, kind) in {("", ""), ("", "CROSS")}
    return (side.upper(), kind.upper()) in _JOINS and (
        conditions == 1 or (implicit and conditions == 0)
    )


def _frame(node: exp.Expression) -> bool:
    ends = (node.args.get("start"), node.args.get("end"))
    return str(node.args.get("kind") or "").upper() in {"ROWS", "RANGE", "GROUPS"} and all(
        end is None or isinstance(end, exp.Expression) or str(end).upper() in _UNBOUNDED_OR_ROW
        for end in ends
    )


def _table(node: exp.Expression) -> bool:
    parts = (node.args.get("this"), node.args.get("db"), node.args.get("catalog"))
    return isinstance(parts[0], exp.Identifier) and all(
        part is None or isinstance(part, exp.Identifier) for part in parts
    )


def _sample(node: exp.Expression) -> bool:
    method = node.args.get("method")
    return (
        isinstance(method, exp.Var)
        and str(method.this).upper() in {"BERNOULLI", "SYSTEM"}
        and isinstance(node.args.get("percent"), exp.Literal)
    )


def _data_type(node: exp.Expression) -> bool:
    return isinstance(node, exp.DataType) and kind_of(node) not in {"", "unknown"}


def _some(node: exp.Expression) -> bool:
    return bool(node.expressions)


def _stands_as_query(node: exp.Expression) -> bool:
    """Not bare among values, as the parser leaves it in `ARRAY(SELECT ...)`."""
    holders = exp.Subquery | exp.SetOperation | exp.CTE | exp.Exists | exp.In | exp.Any | exp.All
    return node.parent is None or isinstance(node.parent, holders)


def _window(node: exp.Expression) -> bool:
    """A window of a function, or a named one; `OVER w` names one that there is."""
    if isinstance(node.this, exp.Identifier):
        return node.arg_key == "windows" and not node.args.get("alias")
    name = node.args.get("alias")
    if name is None:
        return True
    select = node.find_ancestor(exp.Select)
    named = select.args.get("windows") or [] if select is not None else []
    return any(window.this.name.lower() == name.name.lower() for window in named)


def _subquery(node: exp.Expression) -> bool:
    return isinstance(node.this, exp.Query | exp.Values | exp.Table)


_RULES: Mapping[type[exp.Expression], Callable[[exp.Expression], bool]] = {
    exp.Select: lambda node: (
        _stands_as_query(node)
        and bool(node.expressions)
        and (node.args.get("from_") is not None or not node.args.get("joins"))
    ),
    **dict.fromkeys((exp.Union, exp.Intersect, exp.Except), _stands_as_query),
    **dict.fromkeys((exp.Group, exp.Rollup, exp.Cube, exp.GroupingSets), _some),
    exp.Tuple: lambda node: _some(node) or isinstance(node.parent, exp.GroupingSets),
    exp.Is: lambda node: isinstance(node.expression, exp.Null),
    exp.Window: _window,
    exp.Join: _join,
    exp.WindowSpec: _frame,
    exp.Table: _table,
    exp.TableSample: _sample,
    exp.DataType: _data_type,
    exp.Subquery: _subquery,
    exp.Lateral: lambda node: isinstance(node.this, exp.Subquery),
    exp.Dot: lambda node: isinstance(node.expression, exp.Identifier),
    exp.Limit: lambda node: (
        _whole(node.expression)
        or (isinstance(node.expression, exp.Var) and str(node.expression.this).upper() == "ALL")
    ),
    exp.Offset: lambda node: _whole(node.expression),
    exp.Fetch: lambda node: node.args.get("count") is None or _whole(node.args["count"]),
    exp.Interval: lambda node: (
        isinstance(node.this, exp.Literal)
        and isinstance(node.args.get("unit"), exp.Var | exp.IntervalSpan)
    ),
    exp.IntervalSpan: lambda node: (
        isinstance(node.parent, exp.Interval)
        and isinstance(node.this, exp.Var)
        and isinstance(node.expression, exp.Var)
    ),
    exp.Column: lambda node: isinstance(node.this, exp.Identifier | exp.Star),
    exp.CTE: lambda node: isinstance(node.this, exp.Query | exp.Values),
}


def _refused(node: exp.Expression, text: str) -> QueryError:
    line, column = place(node, text)
    what = type(node).__name__
    return QueryError(
        ErrorName.NOT_SUPPORTED,
        f"this form of `{what}` is not supported here",
        line=line,
        column=column,
    )
