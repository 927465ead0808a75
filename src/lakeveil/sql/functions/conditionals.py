"""Conditional expressions and what tells of the expression itself.

https://trino.io/docs/current/functions/conditional.html, .../comparison.html
"""

from __future__ import annotations

from sqlglot import exp

from lakeveil.sql.functions.table import Call, fn, refused, section
from lakeveil.sql.functions.templates import call, wrapped
from lakeveil.sql.types import trino_type_of


def _extreme(one: Call) -> exp.Expr:
    """NULL if any argument is NULL; the engine passes over them."""
    conditions = [exp.Is(this=wrapped(arg), expression=exp.Null()) for arg in one.args]
    branches = [exp.If(this=condition, true=exp.Null()) for condition in conditions]
    return exp.Case(ifs=branches, default=call(one.name, *one.args))


def _type(one: Call) -> exp.Expr:
    return exp.Literal.string(trino_type_of(one.types[0]))


ROWS = [
    *section(
        "Conditional expressions",
        fn("coalesce", ("T... -> T", "coalesce(_all)")),
        fn("nullif", ("T, T -> T", "nullif(_0, _1)")),
        fn(
            "try",
            ("T -> T", "try(_0)"),
            note="not around a subquery, nor around what differs at each call",
        ),
        fn("greatest", ("T... -> T", _extreme), note="NULL if an argument is"),
        fn("least", ("T... -> T", _extreme), note="NULL if an argument is"),
    ),
    *section(
        "Conversion functions",
        fn("typeof", ("T -> varchar", _type)),
        refused("parse_data_size parse_duration", "the engine has no such function"),
    ),
    *section("UUID functions", fn("uuid", (" -> uuid", "uuid()"))),
    *section(
        "System",
        refused(
            "version current_user current_catalog current_schema current_groups fail",
            "nothing of the engine or of who asks is told",
        ),
    ),
]
