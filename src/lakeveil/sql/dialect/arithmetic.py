"""Operators: integers are divided to integers, by zero is an error, decimals stay exact.

https://trino.io/docs/current/functions/math.html, .../decimal.html, .../datetime.html
"""

from __future__ import annotations

import re

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.coercion import known
from lakeveil.sql.dialect.typing import type_of
from lakeveil.sql.functions.collections import concatenated
from lakeveil.sql.functions.templates import call, cast, fill
from lakeveil.sql.types import INTEGERS, NUMBERS, decimal_of, kind_of, named

MAX_DIGITS = 38
_ZERO = "CASE WHEN _1 = 0 THEN error('DIVISION_BY_ZERO', _1) ELSE {} END"


def arithmetic(node: exp.Binary) -> exp.Expr:
    """`+ - * / %` of numbers and times."""
    left, right = node.left, node.right
    a, b = _known(left), _known(right)
    kinds = kind_of(a), kind_of(b)
    if "unknown" in kinds:
        return node
    if any(kind not in NUMBERS for kind in kinds):
        return _of_times(node, *kinds)
    result = kind_of(_known(node))
    left, right = _widened(left, kinds, result), _widened(right, kinds[::-1], result)
    if isinstance(node, exp.Div):
        return _division(left, right, node, result)
    if isinstance(node, exp.Mod):
        template = "result(_0 % _1)" if result == "double" else _ZERO.format("result(_0 % _1)")
        if _nonzero(right):
            template = "result(_0 % _1)"
        return fill(template, [left, right], type_of(node))
    return type(node)(this=left, expression=right)


def _known(node: exp.Expr) -> exp.DataType:
    found = type_of(node)
    if not known(found):
        raise QueryError(ErrorName.NOT_SUPPORTED, "The type of an operand is not known")
    return found


def _widened(node: exp.Expr, kinds: tuple[str, str], result: str) -> exp.Expr:
    """The engine takes a small literal for a small type, and lets reals and doubles mix."""
    if isinstance(node, exp.Literal) and kinds[1] in {"tinyint", "smallint"}:
        return cast(node, type_of(node))
    if result in {"real", "double"} and kinds[0] != result:
        return cast(node, named(result))
    return node


def _nonzero(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and float(node.name) != 0


def _division(left: exp.Expr, right: exp.Expr, node: exp.Binary, result: str) -> exp.Expr:
    if result in INTEGERS:
        template = "_0 // _1" if _nonzero(right) else _ZERO.format("_0 // _1")
        return exp.Paren(this=fill(template, [left, right]))
    if result == "decimal":
        return quotient(left, right, type_of(node))
    return exp.Paren(this=exp.Div(this=left.copy(), expression=right.copy()))


# -- decimals ----------------------------------------------------------------------------------
_QUOTIENT = (
    "CASE WHEN _1 = 0 THEN error('DIVISION_BY_ZERO', _1) ELSE CAST(CAST("
    "(2 * abs({n}) + abs({d})) // (2 * abs({d})) "
    "* CASE WHEN (_0 < 0) = (_1 < 0) THEN 1 ELSE -1 END AS DECIMAL(38, 0)) * {unit} "
    "AS DECIMAL({precision}, {scale})) END"
)


def quotient(left: exp.Expr, right: exp.Expr, returns: exp.DataType) -> exp.Expr:
    """An exact quotient of decimals, rounded half up, as the engine's own is a double.

    Both become whole numbers of 128 bits; what does not fit is an error.
    """
    (p1, s1), (p2, s2) = decimal_of(_known(left)), decimal_of(_known(right))
    precision, scale = decimal_of(returns)
    shift = 10 ** (scale + s2 - s1)
    template = _QUOTIENT.format(
        n=f"({_whole('_0', p1, s1)} * CAST({shift} AS INT128))",
        d=_whole("_1", p2, s2),
        unit=f"CAST({10**-scale:.{scale}f} AS DECIMAL({scale + 1}, {scale}))",
        precision=precision,
        scale=scale,
    )
    return fill(template, [left, right])


def _whole(place: str, precision: int, scale: int) -> str:
    """A decimal without its point."""
    if scale == 0:
        return f"CAST({place} AS INT128)"
    if precision + scale + 1 <= MAX_DIGITS:
        unit = f"CAST({10**scale} AS DECIMAL({scale + 1}, 0))"
        return f"CAST({place} * {unit} AS INT128)"
    return f"CAST(replace(CAST({place} AS VARCHAR), '.', '') AS INT128)"


# -- texts and arrays --------------------------------------------------------------------------
def concatenation(node: exp.DPipe) -> exp.Expr:
    """`||` of texts as it is; of arrays and elements NULL if one of them is."""
    left, right = node.left, node.right
    kinds = kind_of(_known(left)), kind_of(_known(right))
    if "array" not in kinds:
        return exp.Paren(this=exp.DPipe(this=left.copy(), expression=right.copy()))
    if kinds == ("array", "array"):
        return concatenated([left, right])
    if kinds[0] == "array":
        return fill("CASE WHEN _0 IS NULL THEN NULL ELSE list_append(_0, _1) END", [left, right])
    return fill("CASE WHEN _1 IS NULL THEN NULL ELSE list_prepend(_0, _1) END", [left, right])


# -- times -------------------------------------------------------------------------------------
def _of_times(node: exp.Binary, a: str, b: str) -> exp.Expr:
    plain = type(node)(this=node.left.copy(), expression=node.right.copy())
    if isinstance(node, exp.Div):
        raise QueryError(ErrorName.NOT_SUPPORTED, "Intervals are not divided here")
    if isinstance(node, exp.Mul):
        return plain
    if isinstance(node, exp.Sub) and a == b == "date":
        return fill("to_days(CAST(_0 - _1 AS INTEGER))", [node.left, node.right])
    if "date" in (a, b) and (a.startswith("interval") or b.startswith("interval")):
        sign = "-" if isinstance(node, exp.Sub) else "+"
        return fill(
            f"CASE WHEN CAST(_0 {sign} _1 AS DATE) <> _0 {sign} _1 "
            f"THEN error('INVALID_FUNCTION_ARGUMENT', _0) ELSE CAST(_0 {sign} _1 AS DATE) END",
            [node.left, node.right],
        )
    return exp.Paren(this=plain)


_FIELDS = ("day", "hour", "minute", "second")
_SECONDS = {"week": 604800, "day": 86400, "hour": 3600, "minute": 60, "second": 1}
_MONTHS = {"year": 12, "quarter": 3, "month": 1}


def interval(node: exp.Interval) -> exp.Expr:
    """A literal: `INTERVAL '1' DAY`, `INTERVAL '2-6' YEAR TO MONTH`, `INTERVAL '1 02:03' ...`."""
    text, unit = node.this, node.args.get("unit")
    if not (isinstance(text, exp.Literal) and isinstance(unit, exp.Expr)):
        raise QueryError(ErrorName.SYNTAX_ERROR, "An interval is a literal with a unit")
    if isinstance(unit, exp.IntervalSpan):
        fields = (unit.this.name.lower(), unit.expression.name.lower())
    else:
        fields = (unit.name.lower(), unit.name.lower())
    try:
        months, milliseconds = _measured(text.name.strip(), *fields)
    except (ValueError, KeyError) as error:
        raise QueryError(ErrorName.INVALID_LITERAL, f"Invalid INTERVAL `{text.name}`") from error
    if months is not None:
        return call("to_months", _number(months))
    if milliseconds % (1000 * _SECONDS["day"]) == 0:
        return call("to_days", _number(milliseconds // (1000 * _SECONDS["day"])))
    return call("to_milliseconds", _number(milliseconds))


def _number(value: int) -> exp.Expr:
    literal = exp.Literal.number(abs(value))
    return exp.Neg(this=literal) if value < 0 else literal


def _measured(text: str, first: str, last: str) -> tuple[int | None, int]:
    sign = -1 if text.startswith("-") else 1
    text = text.lstrip("+-")
    if first in _MONTHS:
        parts = [int(part) for part in text.split("-")]
        if first == last:
            (value,) = parts
            return sign * value * _MONTHS[first], 0
        years, months = parts
        return sign * (12 * years + months), 0
    if first == last:
        return None, sign * round(float(text) * 1000 * _SECONDS[first])
    names = _FIELDS[_FIELDS.index(first) : _FIELDS.index(last) + 1]
    values = re.split(r"[ :]", text)
    if len(values) != len(names):
        raise ValueError(text)
    total = sum(float(v) * _SECONDS[n] for v, n in zip(values, names, strict=True))
    return None, sign * round(total * 1000)
