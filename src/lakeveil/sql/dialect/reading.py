"""How SQL is read: Athena's grammar, with every function call left as its user wrote it.

Calls that have a syntax of their own (`LISTAGG(...) WITHIN GROUP`, `EXTRACT(... FROM ...)`,
`TRIM(BOTH ...)`) become plain calls of the same meaning; comments are dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import Token, exp
from sqlglot.dialects.athena import Athena
from sqlglot.dialects.dialect import DialectType
from sqlglot.dialects.trino import Trino
from sqlglot.parser import Parser

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.dialect.literals import spelled
from lakeveil.sql.dialect.typing import METADATA
from lakeveil.sql.functions.naming import name_of
from lakeveil.sql.functions.reading import mark, unmark
from lakeveil.sql.functions.registry import AGGREGATES
from lakeveil.sql.types import decimal


class _AthenaTrino(Trino):
    """What queries are parsed with; subscripts count as they were written."""

    INDEX_OFFSET = 0


class LakeveilAthena(Athena):
    """Athena's SQL for sqlglot: pass the class as its `dialect` to read, qualify and annotate."""

    INDEX_OFFSET = 0
    SUPPORTS_NULL_TYPE = True
    EXPRESSION_METADATA = METADATA

    def tokenize(self, sql: str, dialect: DialectType = None) -> list[Token]:
        """Marked tokens: see `literals` and `functions.reading`."""
        return mark(spelled(super().tokenize(sql, dialect=dialect), sql))

    def parser(self, **options: Any) -> Parser:
        """Athena's parser over our reading of Trino."""
        athena: Any = super()
        parser: Parser = athena.parser(trino=_AthenaTrino(), **options)
        return parser

    def parse(self, sql: str, **options: Any) -> list[exp.Expr | None]:
        """Statements, with plain calls."""
        return [_restored(one) for one in super().parse(sql, **options)]

    def parse_into(self, expression_type: Any, sql: str, **options: Any) -> list[exp.Expr | None]:
        """As `parse`, for a piece of SQL such as `exp.DataType`."""
        return [_restored(one) for one in super().parse_into(expression_type, sql, **options)]


def _restored(tree: exp.Expr | None) -> exp.Expr | None:
    if tree is None:
        return None
    unmark(tree)
    for node in reversed(list(tree.dfs())):
        restore = _CALLS.get(type(node))
        if restore is None:
            continue
        plain = restore(node)
        if node is tree:
            tree = plain
        elif plain is not node:
            node.replace(plain)
    return tree


def _plain(name: str, *args: exp.Expr | None) -> exp.Expr:
    given = [arg.copy() for arg in args if isinstance(arg, exp.Expr)]
    kind = exp.AnonymousAggFunc if name in AGGREGATES else exp.Anonymous
    return kind(this=name, expressions=given)


def _of(name: str, *keys: str) -> Callable[[exp.Expr], exp.Expr]:
    def restore(node: exp.Expr) -> exp.Expr:
        # An argument that we do not know of stays, so that the count of them is wrong.
        extra = [k for k, v in node.args.items() if isinstance(v, exp.Expr) and k not in keys]
        return _plain(name, *(node.args.get(key) for key in (*keys, *extra)))

    return restore


def _aggregate(node: exp.Anonymous) -> exp.Expr:
    if name_of(node) in AGGREGATES:
        return exp.AnonymousAggFunc(this=node.this, expressions=node.expressions)
    return node


def _chr(node: exp.Chr) -> exp.Expr:
    return _plain("chr", *node.expressions)


def _listagg(node: exp.GroupConcat) -> exp.Expr:
    if node.args.get("on_overflow"):
        raise QueryError(ErrorName.NOT_SUPPORTED, "LISTAGG: ON OVERFLOW is not supported")
    value, separator = node.this, node.args.get("separator")
    last = [separator.copy()] if separator is not None else []
    if isinstance(value, exp.Order):
        args = [value.this.copy(), *last]
        order = exp.Order(this=args[-1], expressions=[o.copy() for o in value.expressions])
        return exp.AnonymousAggFunc(this="listagg", expressions=[*args[:-1], order])
    return exp.AnonymousAggFunc(this="listagg", expressions=[value.copy(), *last])


def _trim(node: exp.Trim) -> exp.Expr:
    side = str(node.args.get("position") or "BOTH").upper()
    name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(side, "trim")
    return _plain(name, node.this, node.expression)


def _extract(node: exp.Extract) -> exp.Expr:
    return _plain(node.this.name.lower(), node.expression)


def _interval(node: exp.Interval) -> exp.Expr:
    """`INTERVAL -'2' DAY` with its sign in the text."""
    if not (isinstance(node.this, exp.Neg) and isinstance(node.this.this, exp.Literal)):
        return node
    text = node.this.this.name.strip()
    signed = text[1:] if text.startswith("-") else "-" + text
    return exp.Interval(this=exp.Literal.string(signed), unit=node.args["unit"].copy())


def _data_type(node: exp.DataType) -> exp.Expr:
    """`decimal` alone has 38 digits in Trino, and other ones in the engine."""
    if node.this is exp.DType.DECIMAL and not node.expressions:
        return decimal(38, 0)
    return node


def _normalize(node: exp.Normalize) -> exp.Expr:
    form = node.args.get("form")
    return _plain("normalize", node.this, form and exp.Literal.string(form.name))


def _order(node: exp.StrPosition) -> exp.Expr:
    return _of("strpos", "this", "substr")(node)


_CALLS: dict[type[exp.Expr], Callable[[Any], exp.Expr]] = {
    exp.Anonymous: _aggregate,
    exp.ArgMax: _of("max_by", "this", "expression"),
    exp.ArgMin: _of("min_by", "this", "expression"),
    exp.Ceil: _of("ceil", "this"),
    exp.Chr: _chr,
    exp.DataType: _data_type,
    exp.Extract: _extract,
    exp.Floor: _of("floor", "this"),
    exp.GroupConcat: _listagg,
    exp.Interval: _interval,
    exp.Normalize: _normalize,
    exp.ParseJSON: _of("json_parse", "this"),
    exp.StrPosition: _order,
    exp.Substring: _of("substr", "this", "start", "length"),
    exp.Trim: _trim,
}
