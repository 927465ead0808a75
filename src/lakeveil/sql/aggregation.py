"""Aggregates where they may stand, and columns beside them only where they are grouped by.

As Trino's analyzer has it (`AggregationAnalyzer`): the engine would refuse most of it too, in words
that go no further. Looks at one SELECT whose names were resolved; those within it were looked at
before. A column of an outer query in a query within is left to the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.functions import AGGREGATES
from lakeveil.sql.functions.naming import name_of

_WRAPPERS = exp.Filter | exp.IgnoreNulls | exp.RespectNulls
_SETS = exp.Tuple | exp.Rollup | exp.Cube | exp.GroupingSets


def check(select: exp.Select) -> None:
    """Look at the clauses of a SELECT.

    Raises:
        QueryError: EXPRESSION_NOT_SCALAR, NESTED_AGGREGATION, NESTED_WINDOW,
            EXPRESSION_NOT_AGGREGATE, EXPRESSION_NOT_IN_DISTINCT.
    """
    for clause, node in _scalar_clauses(select):
        for found in _own(node):
            if _is_aggregate(found) or isinstance(found, exp.Window):
                raise QueryError(
                    ErrorName.EXPRESSION_NOT_SCALAR,
                    f"{clause} clause cannot contain aggregations, window functions or grouping "
                    f"operations: [{_shown(found)}]",
                )
    having = select.args.get("having")
    order = select.args.get("order")
    ordered = [] if order is None else [one.this for one in order.expressions]
    values = [*(item.this for item in select.expressions), *ordered]
    every = [*values, *([having] if having is not None else [])]
    _check_nesting(every, having)
    if select.args.get("group") or having is not None or any(map(_aggregates, every)):
        _Grouped(select).check([*every, *(select.args.get("windows") or ())])
    if select.args.get("distinct") is not None:
        _check_distinct(select, ordered)


def _scalar_clauses(select: exp.Select) -> Iterator[tuple[str, exp.Expr]]:
    if select.args.get("where") is not None:
        yield "WHERE", select.args["where"]
    for join in relations(select):
        if isinstance(join, exp.Join) and join.args.get("on") is not None:
            yield "JOIN", join.args["on"]
    group = select.args.get("group")
    if group is not None:
        for key in _keys(select, group):
            yield "GROUP BY", key


def relations(select: exp.Select) -> Iterator[exp.Expr]:
    """What stands after FROM, without what is within a query."""
    for part in (select.args.get("from_"), *(select.args.get("joins") or ())):
        if part is not None:
            yield from part.walk(
                prune=lambda n: isinstance(n, exp.Select | exp.SetOperation | exp.Values)
            )


def _keys(select: exp.Select, group: exp.Expr) -> Iterator[exp.Expr]:
    for element in group.expressions:
        if isinstance(element, exp.Literal) and not element.is_string:
            yield select.expressions[int(element.name) - 1].this
        elif isinstance(element, _SETS):
            yield from _keys(select, element)
        else:
            yield element


def _own(root: exp.Expr) -> Iterator[exp.Expr]:
    """The nodes of an expression, without those of queries within it."""
    yield from root.walk(prune=lambda n: isinstance(n, exp.Query | exp.Values))


def _is_aggregate(node: exp.Expr) -> bool:
    if not isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
        return False
    name = name_of(node)
    return name == "grouping" or (name in AGGREGATES and not _is_windowed(node))


def _is_windowed(node: exp.Expr) -> bool:
    while isinstance(node.parent, _WRAPPERS) and node.arg_key == "this":
        node = node.parent
    return isinstance(node.parent, exp.Window) and node.arg_key == "this"


def _aggregates(root: exp.Expr) -> bool:
    return any(map(_is_aggregate, _own(root)))


def _check_nesting(every: Iterable[exp.Expr], having: exp.Expr | None) -> None:
    for root in every:
        for node in _own(root):
            window = isinstance(node, exp.Window)
            if window and root is having:
                raise QueryError(
                    ErrorName.NESTED_WINDOW, "HAVING clause cannot contain window functions"
                )
            if not window and not _is_aggregate(node):
                continue
            for inner in _within(node):
                if isinstance(inner, exp.Window):
                    what = "window function arguments" if window else f"aggregation '{_name(node)}'"
                    raise QueryError(
                        ErrorName.NESTED_WINDOW, f"Cannot nest window functions inside {what}"
                    )
                if not window and _is_aggregate(inner):
                    raise QueryError(
                        ErrorName.NESTED_AGGREGATION,
                        f"Cannot nest aggregations inside aggregation '{_name(node)}': "
                        f"[{_shown(inner)}]",
                    )


def _within(node: exp.Expr) -> Iterator[exp.Expr]:
    """What is computed before a call can be: its arguments, and the condition of its FILTER."""
    parts = list(node.iter_expressions())
    if isinstance(node.parent, exp.Filter) and node.arg_key == "this":
        parts.append(node.parent.args["expression"])
    for part in parts:
        yield from _own(part)


def _check_distinct(select: exp.Select, ordered: Iterable[exp.Expr]) -> None:
    shapes = _Shapes()
    shown = {shapes.of(item.this) for item in select.expressions}
    for key in ordered:
        position = isinstance(key, exp.Literal) and not key.is_string
        if not position and shapes.of(key) not in shown:
            raise QueryError(
                ErrorName.EXPRESSION_NOT_IN_DISTINCT,
                "For SELECT DISTINCT, ORDER BY expressions must appear in select list",
            )


class _Grouped:
    """Which values are the same in all rows of a group."""

    def __init__(self, select: exp.Select) -> None:
        self._shapes = _Shapes()
        group = select.args.get("group")
        keys = [] if group is None else list(_keys(select, group))
        self._keys = {self._shapes.of(key) for key in keys}
        self._local = {node.alias for node in relations(select) if node.args.get("alias")}

    def check(self, every: Iterable[exp.Expr]) -> None:
        """Refuse a column that is not."""
        stack = list(every)
        while stack:
            node = stack.pop()
            if self._shapes.of(node) in self._keys or isinstance(node, exp.Query | exp.Values):
                continue
            if isinstance(node, exp.Column) and node.table in self._local:
                raise QueryError(
                    ErrorName.EXPRESSION_NOT_AGGREGATE,
                    f"'{node.name}' must be an aggregate expression or appear in GROUP BY clause",
                )
            called = node.this if isinstance(node, exp.Filter) else node
            if not _is_aggregate(called):
                stack.extend(node.iter_expressions())


class _Shapes:
    """Numbers of expressions: two have the same number if they are written the same."""

    def __init__(self) -> None:
        self._numbers: dict[object, int] = {}
        self._known: dict[int, int] = {}

    def of(self, root: exp.Expr) -> int:
        """The number of an expression; each node is looked at once."""
        if id(root) not in self._known:
            for node in reversed(list(root.dfs())):
                self._known[id(node)] = self._number(node)
        return self._known[id(root)]

    def _number(self, node: exp.Expr) -> int:
        if isinstance(node, exp.Paren):
            return self._known[id(node.this)]
        parts = tuple(
            (key, tuple(map(self._part, value)) if isinstance(value, list) else self._part(value))
            for key, value in sorted(node.args.items())
            if value is not None and value is not False and value != []
        )
        return self._numbers.setdefault((type(node), parts), len(self._numbers))

    def _part(self, value: object) -> object:
        return ("node", self._known[id(value)]) if isinstance(value, exp.Expr) else value


def _name(node: exp.Expr) -> str:
    return name_of(node) if not isinstance(node, exp.Window) else "window"


def _shown(node: exp.Expr) -> str:
    return f"{_name(node)}()"
