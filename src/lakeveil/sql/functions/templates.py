"""Templates: the engine's SQL with places for arguments, read once, filled for each call.

What may stand in them is said in `table`. Parameters of a template's own lambdas (`lv_e`) are
numbered anew each time, so that one within another never hides it.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Sequence

from sqlglot import exp, parse_one

from lakeveil.core.query.failures import ErrorName
from lakeveil.sql.failures import ERROR_PREFIX
from lakeveil.sql.functions.reading import LakeveilEngine, unmark
from lakeveil.sql.types import fields_of, inner_of, kind_of

_PLACE = re.compile(r"_(\d+)$")
_OWN = "lv_"
_numbers = itertools.count(1)
_SAFE = (exp.Column, exp.Literal, exp.Anonymous, exp.Cast, exp.Paren, exp.Identifier, exp.Lambda)


@functools.cache
def _read(template: str) -> exp.Expr:
    return unmark(parse_one(template, dialect=LakeveilEngine))


def fill(template: str, args: Sequence[exp.Expr], returns: exp.DataType | None = None) -> exp.Expr:
    """A template with its places filled; a place that is used twice gets copies."""
    tree = exp.Paren(this=_read(template).copy())
    suffix = f"_{next(_numbers) % 1_000_000}"
    for node in list(tree.walk()):
        if isinstance(node, exp.Identifier) and node.name.startswith(_OWN):
            node.set("this", node.name + suffix)
    for node in [n for n in tree.walk() if isinstance(n, exp.Column)]:
        _place(node, args)
    for node in [n for n in tree.walk() if isinstance(n, exp.Anonymous)]:
        if node.name == "error":
            name, witness = node.expressions
            node.replace(failing(ErrorName[name.name], _varying(witness, args)))
        elif node.name == "result" and returns is not None:
            node.replace(exp.Cast(this=node.expressions[0], to=engine_type(returns)))
    # An operator keeps its brackets: the call that it stands for may be an operand.
    return tree.this.pop() if isinstance(tree.this, (*_SAFE, exp.Case)) else tree


def _varying(witness: exp.Expr, args: Sequence[exp.Expr]) -> exp.Expr:
    """What an error is computed from: an argument that the engine does not know ahead."""
    for candidate in (witness, *args):
        if not isinstance(candidate, exp.Lambda) and candidate.find(exp.Identifier, exp.Star):
            return candidate
    return witness


def _place(node: exp.Column, args: Sequence[exp.Expr]) -> None:
    if node.name in {"_all", "_rest"}:
        spread = args if node.name == "_all" else args[1:]
        parent = node.parent
        if parent is None:
            raise ValueError(node.name)
        before = [one for one in parent.expressions if one is not node]
        parent.set("expressions", [*before, *(wrapped(arg) for arg in spread)])
    elif found := _PLACE.match(node.name):
        node.replace(wrapped(args[int(found[1])]))


def wrapped(arg: exp.Expr) -> exp.Expr:
    """A copy of an argument that may stand beside an operator."""
    arg = arg.copy()
    return arg if isinstance(arg, _SAFE) else exp.Paren(this=arg)


def failing(name: ErrorName, witness: exp.Expr) -> exp.Expr:
    """NULL of any type, which fails when it is computed.

    It depends on an argument: what is constant the engine computes ahead, in branches not taken
    too. The engine's own `error()` is volatile, and `TRY` takes nothing volatile.
    """
    text = exp.Anonymous(
        this="left",
        expressions=[exp.Cast(this=witness.copy(), to=exp.DataType.build("VARCHAR")), _zero()],
    )
    message = exp.DPipe(this=exp.Literal.string(ERROR_PREFIX + name.name), expression=text)
    condition = exp.Cast(this=message, to=exp.DataType.build("BOOLEAN"))
    return exp.Case(ifs=[exp.If(this=condition, true=exp.Null())], default=exp.Null())


def _zero() -> exp.Expr:
    return exp.Literal.number(0)


def call(name: str, *args: exp.Expr) -> exp.Anonymous:
    """A call of one of the engine's functions."""
    return exp.Anonymous(this=name, expressions=list(args))


def row(values: Sequence[exp.Expr], names: Sequence[str] = ()) -> exp.Expr:
    """A row; a field without a name is `field0` and so on, as Arrow takes no fields without."""
    fields = [
        exp.PropertyEQ(
            this=exp.to_identifier((i < len(names) and names[i]) or f"field{i}", quoted=True),
            expression=value,
        )
        for i, value in enumerate(values)
    ]
    return call("struct_pack", *fields)


def cast(node: exp.Expr, data_type: exp.DataType) -> exp.Cast:
    """The engine's cast."""
    return exp.Cast(this=node, to=engine_type(data_type))


_ENGINE = {
    "boolean": "BOOLEAN",
    "tinyint": "TINYINT",
    "smallint": "SMALLINT",
    "integer": "INT",
    "bigint": "BIGINT",
    "real": "FLOAT",
    "double": "DOUBLE",
    "varchar": "VARCHAR",
    "char": "VARCHAR",
    "varbinary": "VARBINARY",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamp with time zone": "TIMESTAMPTZ",
    "json": "JSON",
    "uuid": "UUID",
    "interval day to second": "INTERVAL",
    "interval year to month": "INTERVAL",
    "unknown": "INT",
}


def engine_type(data_type: exp.DataType) -> exp.DataType:
    """The engine's type for one of Trino's: no lengths of texts, no precisions of times."""
    kind = kind_of(data_type)
    if kind == "array":
        inner = [engine_type(part) for part in inner_of(data_type)]
        return exp.DataType(this=exp.DType.ARRAY, expressions=inner, nested=True)
    if kind == "map":
        inner = [engine_type(part) for part in inner_of(data_type)]
        return exp.DataType(this=exp.DType.MAP, expressions=inner, nested=True)
    if kind == "row":
        parts = [
            exp.ColumnDef(
                this=exp.to_identifier(name or f"field{i}", quoted=True), kind=engine_type(part)
            )
            for i, (name, part) in enumerate(fields_of(data_type))
        ]
        return exp.DataType(this=exp.DType.STRUCT, expressions=parts, nested=True)
    if kind == "decimal":
        return data_type.copy()
    return exp.DataType.build(_ENGINE[kind])
