"""The types of expressions, as Trino has them, for sqlglot's annotator.

sqlglot walks the scopes; what an expression is of which type is said here, as its own rules are
lenient (1.5 is a double, text and numbers mix). What cannot be typed stays unknown, and is refused
when it is rewritten; what is of the wrong type fails here, as Trino's analyzer fails.

Raises (all of it): QueryError TYPE_MISMATCH, FUNCTION_NOT_FOUND.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

from sqlglot import exp
from sqlglot.dialects.trino import Trino

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.coercion import UNKNOWN, common, known
from lakeveil.sql.dialect.lambdas import bind_parameters
from lakeveil.sql.dialect.operator_types import (
    SIGNS,
    arithmetic_type,
    cannot_apply,
    concatenation_type,
)
from lakeveil.sql.functions.naming import name_of, unwrapped
from lakeveil.sql.functions.registry import ROW, function_of
from lakeveil.sql.functions.resolving import formals, resolve, substitute
from lakeveil.sql.types import (
    array_of,
    decimal,
    fields_of,
    inner_of,
    kind_of,
    map_of,
    named,
    row_of,
    trino_type_of,
)

_INT_LIMIT = 2**31
_BIGINT_LIMIT = 2**63


def type_of(node: exp.Expr | None) -> exp.DataType:
    """What a node was annotated with."""
    found = node.type if node is not None else None
    return found if isinstance(found, exp.DataType) else UNKNOWN


def _set(annotator: Any, node: exp.Expr, data_type: exp.DataType | None) -> None:
    annotator._set_type(node, data_type or UNKNOWN)  # noqa: SLF001


def _to(kind: str) -> Callable[[Any, exp.Expr], None]:
    return lambda annotator, node: _set(annotator, node, named(kind))


def _as(argument: str) -> Callable[[Any, exp.Expr], None]:
    return lambda annotator, node: _set(annotator, node, type_of(node.args.get(argument)))


# -- literals and constructors -----------------------------------------------------------------
def _literal(annotator: Any, node: exp.Literal) -> None:
    _set(annotator, node, literal_type(node))


def literal_type(node: exp.Literal) -> exp.DataType:
    """Trino's type of a literal: 1 is an integer, 1.5 a decimal(2,1), 1e0 a double."""
    text = str(node.this)
    if node.is_string:
        return named("varchar")
    if "e" in text.lower():
        return named("double")
    whole, point, fraction = text.partition(".")
    if point:
        digits = whole.lstrip("0") + fraction
        return decimal(max(len(digits), len(fraction), 1), len(fraction))
    value = int(whole)
    if value < _INT_LIMIT:
        return named("integer")
    if value < _BIGINT_LIMIT:
        return named("bigint")
    raise QueryError(ErrorName.INVALID_LITERAL, f"Invalid numeric literal: `{text}`")


def _array(annotator: Any, node: exp.Array) -> None:
    _set(annotator, node, array_of(meet(node.expressions, "All ARRAY elements")))


def meet(nodes: Sequence[exp.Expr], what: str) -> exp.DataType:
    """The common type of expressions; unknown (NULL) where there are none."""
    met = named("unknown")
    for node in nodes:
        step = common(met, type_of(node))
        if step is None:
            raise QueryError(
                ErrorName.TYPE_MISMATCH,
                f"{what} must be the same type: {trino_type_of(met)} and "
                f"{trino_type_of(type_of(node))}",
            )
        met = step
    return met


# -- operators ---------------------------------------------------------------------------------
def _arithmetic(annotator: Any, node: exp.Binary) -> None:
    left, right = type_of(node.left), type_of(node.right)
    both = known(left) and known(right)
    _set(annotator, node, arithmetic_type(node, left, right) if both else UNKNOWN)


def _concatenation(annotator: Any, node: exp.DPipe) -> None:
    left, right = type_of(node.left), type_of(node.right)
    both = known(left) and known(right)
    _set(annotator, node, concatenation_type(left, right) if both else UNKNOWN)


def _comparison(annotator: Any, node: exp.Expr) -> None:
    _compared(node.this, node.args.get("expression"), node)
    _set(annotator, node, named("boolean"))


def _compared(left: exp.Expr, right: exp.Expr | None, node: exp.Expr) -> None:
    if isinstance(right, exp.Any | exp.All | exp.Tuple) or isinstance(left, exp.Tuple):
        return
    a, b = type_of(left), type_of(right)
    if known(a) and known(b) and common(a, b) is None:
        raise cannot_apply(type(node).key, a, b)


def _within(annotator: Any, node: exp.In) -> None:
    for one in node.expressions:
        _compared(node.this, one, node)
    query = node.args.get("query")
    if query is not None:
        _compared(node.this, query, node)
    _set(annotator, node, named("boolean"))


def _between(annotator: Any, node: exp.Between) -> None:
    for one in (node.args["low"], node.args["high"]):
        _compared(node.this, one, node)
    _set(annotator, node, named("boolean"))


def _like(annotator: Any, node: exp.Like) -> None:
    for one in (node.this, node.expression):
        if known(type_of(one)) and kind_of(type_of(one)) not in {"varchar", "char", "unknown"}:
            raise QueryError(
                ErrorName.TYPE_MISMATCH,
                f"LIKE takes varchar, not {trino_type_of(type_of(one))}",
            )
    _set(annotator, node, named("boolean"))


# -- conditions --------------------------------------------------------------------------------
def _case(annotator: Any, node: exp.Case) -> None:
    values = [branch.args["true"] for branch in node.args["ifs"]]
    if node.args.get("default") is not None:
        values.append(node.args["default"])
    if node.this is not None:
        for branch in node.args["ifs"]:
            _compared(node.this, branch.this, exp.EQ())
    _set(annotator, node, meet(values, "All CASE results"))


def _if(annotator: Any, node: exp.If) -> None:
    values = [node.args[key] for key in ("true", "false") if node.args.get(key) is not None]
    if isinstance(node.parent, exp.Case):
        _set(annotator, node, type_of(node.args["true"]))
        return
    _set(annotator, node, meet(values, "All IF results"))


# -- access ------------------------------------------------------------------------------------
def _bracket(annotator: Any, node: exp.Bracket) -> None:
    data_type = type_of(node.this)
    kind, inner = kind_of(data_type), inner_of(data_type)
    if kind == "row":
        _set(annotator, node, _field_by_position(data_type, node))
    elif kind in {"array", "map"} and inner:
        _set(annotator, node, inner[-1])
    elif kind:
        raise cannot_apply("[]", data_type, type_of(node.expressions[0]))
    else:
        _set(annotator, node, UNKNOWN)


def _field_by_position(row: exp.DataType, node: exp.Bracket) -> exp.DataType:
    index, fields = node.expressions[0], fields_of(row)
    if not (isinstance(index, exp.Literal) and index.is_int):
        raise QueryError(ErrorName.EXPRESSION_NOT_CONSTANT, "Subscript of a row must be a constant")
    if not 1 <= int(index.name) <= len(fields):
        raise QueryError(
            ErrorName.INVALID_FUNCTION_ARGUMENT, f"ROW index out of bounds: `{index.name}`"
        )
    return fields[int(index.name) - 1][1]


def _dot(annotator: Any, node: exp.Dot) -> None:
    row = type_of(node.this)
    if not kind_of(row):
        _set(annotator, node, UNKNOWN)
        return
    name = node.expression.name
    for field, data_type in fields_of(row) if kind_of(row) == "row" else []:
        if field.lower() == name.lower():
            _set(annotator, node, data_type)
            return
    raise QueryError(ErrorName.COLUMN_NOT_FOUND, f"Column '{name}' cannot be resolved")


# -- calls -------------------------------------------------------------------------------------
def _call(annotator: Any, node: exp.Expr) -> None:
    name = name_of(node)
    args, _ = unwrapped(node)
    if name == ROW:
        _set(annotator, node, row_of([("", type_of(arg)) for arg in args]))
        return
    function = function_of(name)
    if function is None:
        _set(annotator, node, UNKNOWN)
        return
    types = [None if isinstance(arg, exp.Lambda) else type_of(arg) for arg in args]
    if name in {"count", "grouping"}:
        _set(annotator, node, named("bigint"))
        return
    if any(t is not None and not known(t) for t in types):
        _set(annotator, node, UNKNOWN)
        return
    found = resolve(function, types)
    if found is None:
        raise QueryError(ErrorName.FUNCTION_NOT_FOUND, _unexpected(name, types, function))
    overload, bound = found
    for pattern, arg in zip(formals(overload, len(args)), args, strict=True):
        if not isinstance(arg, exp.Lambda):
            continue
        bind_parameters(annotator, arg, [substitute(part, bound) for part in pattern.inner[:-1]])
        result = pattern.inner[-1]
        if result.variable:
            met = common(bound[result.name], type_of(arg.this)) if result.name in bound else None
            bound[result.name] = met or type_of(arg.this)
    _set(annotator, node, substitute(overload.returns, bound))


def _unexpected(name: str, types: list[exp.DataType | None], function: Any) -> str:
    shown = ", ".join("function" if t is None else trino_type_of(t) for t in types)
    wanted = ", ".join(f"{name}{o.text.partition(' ->')[0]}" for o in function.overloads)
    return f"Unexpected parameters ({shown}) for function `{name}`. Expected: {wanted}"


def _cast(annotator: Any, node: exp.Cast) -> None:
    _set(annotator, node, node.args["to"])


# -- relations ---------------------------------------------------------------------------------
def _unnest(annotator: Any, node: exp.Unnest) -> None:
    columns: list[exp.DataType] = []
    for arg in node.expressions:
        data_type = type_of(arg)
        inner = inner_of(data_type) or [UNKNOWN]
        if kind_of(data_type) == "map":
            columns += inner
        elif kind_of(data_type) == "array":
            columns += inner_of(inner[0]) if kind_of(inner[0]) == "row" else inner[:1]
        elif kind_of(data_type):
            raise QueryError(
                ErrorName.TYPE_MISMATCH, f"Cannot unnest type: {trino_type_of(data_type)}"
            )
        else:
            columns.append(UNKNOWN)
    names = node.alias_column_names
    fields = [
        (name or f"column{i}", data_type or UNKNOWN)
        for i, (name, data_type) in enumerate(zip_longest(names, columns))
    ]
    _set(annotator, node, row_of(fields))


def _values(annotator: Any, node: exp.Values) -> None:
    rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in node.expressions]
    if len({len(row) for row in rows}) > 1:
        raise QueryError(ErrorName.TYPE_MISMATCH, "Values rows have mismatched types")
    for column in zip(*rows, strict=True):
        met = meet(column, "Values rows of a column")
        for value in column:
            if known(met) and value.type is not None and type_of(value).sql() != met.sql():
                cast = exp.Cast(this=value.copy(), to=met.copy())
                value.replace(cast)
                _set(annotator, cast, met)
                _set(annotator, cast.this, type_of(value))
    _set(annotator, node, UNKNOWN)


def _set_operation(annotator: Any, node: exp.SetOperation) -> None:
    left, right = (output_types(side) for side in (node.this, node.expression))
    if len(left) != len(right):
        raise QueryError(
            ErrorName.TYPE_MISMATCH, f"{node.key.upper()} query has different number of fields"
        )
    columns = []
    for (name, a), (_, b) in zip(left, right, strict=True):
        met = common(a, b)
        if met is None:
            raise QueryError(
                ErrorName.TYPE_MISMATCH,
                f"column in {node.key.upper()} query has incompatible types: "
                f"{trino_type_of(a)}, {trino_type_of(b)}",
            )
        columns.append((name, met))
    node.meta["columns"] = columns
    annotator._setop_column_types[id(node)] = columns  # noqa: SLF001
    _set(annotator, node, UNKNOWN)


def output_types(query: exp.Expr) -> list[tuple[str, exp.DataType]]:
    """Names and types of what a query returns."""
    query = query.unnest()
    if isinstance(query, exp.SetOperation):
        return list(query.meta.get("columns") or [])
    return [(one.alias_or_name, type_of(one)) for one in getattr(query, "selects", [])]


_BOOLEAN = ("And", "Or", "Not", "Exists", "Is", "Xor")
_COMPARISONS = ("EQ", "NEQ", "GT", "GTE", "LT", "LTE", "NullSafeEQ", "NullSafeNEQ")
_PASSING = ("Paren", "Alias", "Filter", "Window", "IgnoreNulls", "RespectNulls", "Neg", "Order")

METADATA: dict[type[exp.Expr], Any] = {
    **Trino.EXPRESSION_METADATA,
    **{getattr(exp, name): {"annotator": _to("boolean")} for name in _BOOLEAN},
    **{getattr(exp, name): {"annotator": _comparison} for name in _COMPARISONS},
    **{getattr(exp, name): {"annotator": _as("this")} for name in _PASSING},
    **{kind: {"annotator": _arithmetic} for kind in SIGNS},
    exp.Literal: {"annotator": _literal},
    exp.Null: {"annotator": _to("unknown")},
    exp.Boolean: {"annotator": _to("boolean")},
    exp.HexString: {"annotator": _to("varbinary")},
    exp.Interval: {"annotator": lambda a, n: _set(a, n, _interval_type(n))},
    exp.Array: {"annotator": _array},
    exp.DPipe: {"annotator": _concatenation},
    exp.In: {"annotator": _within},
    exp.Between: {"annotator": _between},
    exp.Like: {"annotator": _like},
    exp.Case: {"annotator": _case},
    exp.If: {"annotator": _if},
    exp.Bracket: {"annotator": _bracket},
    exp.Dot: {"annotator": _dot},
    exp.Anonymous: {"annotator": _call},
    exp.AnonymousAggFunc: {"annotator": _call},
    exp.Cast: {"annotator": _cast},
    exp.TryCast: {"annotator": _cast},
    exp.AtTimeZone: {"annotator": _to("timestamp with time zone")},
    exp.CurrentDate: {"annotator": _to("date")},
    exp.CurrentTimestamp: {"annotator": _to("timestamp with time zone")},
    exp.Localtimestamp: {"annotator": _to("timestamp")},
    exp.Unnest: {"annotator": _unnest},
    exp.Values: {"annotator": _values},
    exp.Union: {"annotator": _set_operation},
    exp.Except: {"annotator": _set_operation},
    exp.Intersect: {"annotator": _set_operation},
}


def _interval_type(node: exp.Interval) -> exp.DataType:
    unit = str(node.args.get("unit") or "").lower()
    months = "year" in unit or "month" in unit
    return named("interval year to month" if months else "interval day to second")


__all__ = ["METADATA", "literal_type", "map_of", "meet", "output_types", "type_of"]
