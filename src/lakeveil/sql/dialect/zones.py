"""Moments in other zones. A value keeps no zone here, so it must not leave the expression.

`x AT TIME ZONE 'z'` is the moment `x` with a zone to show it in. Inside a cast or a call that shows
it, that is the wall clock of `z`; anywhere else it is refused, as the zone would be lost.
"""

from __future__ import annotations

import re

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.coercion import known
from lakeveil.sql.dialect.typing import type_of
from lakeveil.sql.functions.casts import cast_to
from lakeveil.sql.functions.templates import call, fill
from lakeveil.sql.types import kind_of, named

SHOWN_BY = frozenset(
    {"date", "date_format", "day", "day_of_month", "day_of_week", "day_of_year", "dow", "doy"}
    | {"format_datetime", "hour", "last_day_of_month", "millisecond", "minute", "month"}
    | {"quarter", "second", "week", "week_of_year", "year", "year_of_week", "yow"}
)
"""Functions of a moment that answer by its wall clock."""

_ZONE = re.compile(r"UTC|Z|[A-Z][A-Za-z_]+(/[A-Z][A-Za-z_+-]+)+")


def is_zoned(node: exp.Expr) -> bool:
    """Whether a node is a moment with a zone to show it in."""
    return isinstance(node.unnest(), exp.AtTimeZone)


def wall_clock(node: exp.Expr) -> exp.Expr:
    """The timestamp that the clocks of its zone show."""
    node = node.unnest()
    zone = node.args["zone"]
    moment = node.this
    if not known(type_of(moment)):
        raise QueryError(ErrorName.NOT_SUPPORTED, "The type of an expression is not known")
    if kind_of(type_of(moment)) not in {"timestamp", "timestamp with time zone"}:
        raise QueryError(ErrorName.TYPE_MISMATCH, "AT TIME ZONE takes a timestamp")
    if not (isinstance(zone, exp.Literal) and _ZONE.fullmatch(zone.name)):
        raise QueryError(ErrorName.NOT_SUPPORTED, "AT TIME ZONE: the zone must be a constant name")
    utc = fill("CAST(_0 AS TIMESTAMPTZ)", [moment])
    shown = call("timezone", zone.copy(), utc)
    shown.type = named("timestamp")
    return shown


def zoned_cast(node: exp.Expr, target: exp.DataType) -> exp.Expr:
    """A cast of a moment with a zone."""
    kind = kind_of(target)
    clock = wall_clock(node)
    if kind in {"timestamp", "date", "time"}:
        return cast_to(clock, named("timestamp"), target)
    if kind == "varchar":
        zone = node.unnest().args["zone"]
        return fill("strftime(_0, '%Y-%m-%d %H:%M:%S.%g ') || _1", [clock, zone])
    raise QueryError(ErrorName.NOT_SUPPORTED, "AT TIME ZONE: this cast is not supported")
