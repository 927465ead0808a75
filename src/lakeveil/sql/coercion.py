"""Which types go together, as Trino has it (`TypeCoercion`): never a text with a number.

`common` is the type that two values meet in, `coerces` whether one becomes the other unasked.
"""

from __future__ import annotations

from sqlglot import exp

from lakeveil.sql.types import (
    INTEGERS,
    NUMBERS,
    array_of,
    decimal,
    decimal_of,
    fields_of,
    inner_of,
    kind_of,
    map_of,
    named,
    row_of,
    trino_type_of,
)

UNKNOWN = exp.DataType(this=exp.DType.UNKNOWN)
_TIMES = ("date", "timestamp", "timestamp with time zone")
_TEXTS = ("varchar", "char")
MAX_PRECISION = 38


def known(data_type: exp.DataType | None) -> bool:
    """Whether a type is known, and everything inside it."""
    kind = kind_of(data_type)
    if data_type is None or not kind:
        return False
    return all(known(inner) for inner in inner_of(data_type)) if _nested(kind) else True


def _nested(kind: str) -> bool:
    return kind in {"array", "map", "row"}


def same(left: exp.DataType, right: exp.DataType) -> bool:
    """Whether two known types are one type; lengths of texts do not count."""
    kinds = kind_of(left), kind_of(right)
    if kinds[0] != kinds[1]:
        return False
    if kinds[0] == "decimal":
        return decimal_of(left) == decimal_of(right)
    if _nested(kinds[0]):
        return trino_type_of(left) == trino_type_of(right)
    return True


def common(left: exp.DataType, right: exp.DataType) -> exp.DataType | None:  # noqa: PLR0911
    """The type that two values meet in; None if there is none."""
    kinds = kind_of(left), kind_of(right)
    if kinds[0] == "unknown":
        return right
    if kinds[1] == "unknown":
        return left
    if "" in kinds:
        return UNKNOWN
    if kinds[0] == kinds[1]:
        return _same_kind(kinds[0], left, right)
    if kinds[0] in NUMBERS and kinds[1] in NUMBERS:
        return _number(left, right)
    for family in (_TIMES, _TEXTS):
        if kinds[0] in family and kinds[1] in family:
            return named(max(kinds, key=family.index)) if family is _TIMES else named("varchar")
    return None


def _same_kind(kind: str, left: exp.DataType, right: exp.DataType) -> exp.DataType | None:
    if kind == "decimal":
        return _decimal(left, right)
    if kind not in {"array", "map", "row"}:
        return left if left.sql() == right.sql() else named(kind)
    parts = [common(a, b) for a, b in zip(inner_of(left), inner_of(right), strict=False)]
    inner = [part for part in parts if part is not None]
    if len(inner) != len(parts) or len(inner_of(left)) != len(inner_of(right)):
        return None
    if kind != "row":
        return array_of(inner[0]) if kind == "array" else map_of(inner[0], inner[1])
    names = [name.lower() for name, _ in fields_of(left)]
    # The engine goes by the names of fields, Trino by their order.
    if names != [name.lower() for name, _ in fields_of(right)]:
        return None
    return row_of(list(zip(names, inner, strict=True)))


def _number(left: exp.DataType, right: exp.DataType) -> exp.DataType:
    kinds = {kind_of(left), kind_of(right)}
    if "double" in kinds:
        return named("double")
    if "real" in kinds:
        return named("real")
    if "decimal" in kinds:
        return _decimal(left, right)
    return named(max(kinds, key=INTEGERS.index))


def _decimal(left: exp.DataType, right: exp.DataType) -> exp.DataType:
    (p1, s1), (p2, s2) = decimal_of(left), decimal_of(right)
    scale = max(s1, s2)
    return decimal(min(MAX_PRECISION, max(p1 - s1, p2 - s2) + scale), scale)


def coerces(actual: exp.DataType, wanted: exp.DataType) -> bool:
    """Whether a value of one type is taken for another without being asked."""
    met = common(actual, wanted)
    return met is not None and known(met) and same(met, wanted)
