"""Casts, as Trino makes them. A text is looked at before the engine reads it, as that reads more.

https://trino.io/docs/current/functions/conversion.html and the operators of each type in Trino.
Every cast that is not here is refused: the engine's own would do something else, or nothing.
"""

from __future__ import annotations

import re

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.coercion import same
from lakeveil.sql.functions.table import let
from lakeveil.sql.functions.templates import cast, fill, row
from lakeveil.sql.types import (
    INTEGERS,
    NUMBERS,
    decimal_of,
    fields_of,
    inner_of,
    kind_of,
    named,
    trino_type_of,
)

_DATE = r"\d{4}-\d{1,2}-\d{1,2}"
_CLOCK = r"\d{1,2}:\d{2}(:\d{2}(\.\d{1,12})?)?"
_PATTERNS = {
    **dict.fromkeys(INTEGERS, r"[+-]?\d+"),
    "double": r"[+-]?(NaN|Infinity|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)",
    "real": r"[+-]?(NaN|Infinity|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)",
    "decimal": r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?",
    "boolean": r"(?i:t|true|1|f|false|0)",
    "date": _DATE,
    "time": _CLOCK,
    "timestamp": rf"{_DATE}( {_CLOCK})?",
    "timestamp with time zone": rf"{_DATE}( {_CLOCK})?( ?(UTC|Z|\+00:00))?",
    "uuid": "[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}",
}
_TRIMMED = {"double", "real", "decimal", "date", "timestamp", "timestamp with time zone"}
_MILLISECONDS = "%Y-%m-%d %H:%M:%S.%g"

# Java's Double.toString in Trino's scientific form, from the engine's shortest digits: 1.234E2.
_DIGITS = "regexp_replace(split_part(lv_s, 'e', 1), '[.-]', '', 'g')"
_SCIENCE = let(
    "CAST(_0 AS VARCHAR)",
    "CASE WHEN lv_s IS NULL THEN NULL WHEN lv_s = 'nan' THEN 'NaN' WHEN lv_s = 'inf' "
    "THEN 'Infinity' WHEN lv_s = '-inf' THEN '-Infinity' "
    "WHEN lv_s IN ('0.0', '-0.0') THEN lv_s || 'E0' ELSE "
    + let(
        "row("
        f"ltrim({_DIGITS}, '0'), "
        "length(ltrim(split_part(split_part(lv_s, 'e', 1), '.', 1), '-')), "
        f"length({_DIGITS}) - length(ltrim({_DIGITS}, '0')), "
        "CASE WHEN contains(lv_s, 'e') THEN CAST(split_part(lv_s, 'e', 2) AS INTEGER) ELSE 0 END)",
        "CASE WHEN starts_with(lv_s, '-') THEN '-' ELSE '' END "
        "|| left(struct_extract_at(lv_d, 1), 1) || '.' "
        "|| CASE WHEN rtrim(substr(struct_extract_at(lv_d, 1), 2), '0') = '' THEN '0' "
        "ELSE rtrim(substr(struct_extract_at(lv_d, 1), 2), '0') END "
        "|| 'E' || CAST(struct_extract_at(lv_d, 2) - 1 - struct_extract_at(lv_d, 3) "
        "+ struct_extract_at(lv_d, 4) AS VARCHAR)",
        "lv_d",
    )
    + " END",
    "lv_s",
)


def cast_to(  # noqa: PLR0911
    node: exp.Expr, source: exp.DataType, target: exp.DataType, *, safe: bool = False
) -> exp.Expr:
    """A cast; with `safe` NULL instead of an error.

    Raises:
        QueryError: TYPE_MISMATCH, Trino has no such cast; NOT_SUPPORTED, it is not reproduced.
    """
    a, b = kind_of(source), kind_of(target)
    if not a or not b or b == "char":
        raise _unsupported(source, target)
    if a == "unknown" or (same(source, target) and b not in {"varchar", "row"}):
        return cast(node, target)
    if b == "varchar":
        return _to_varchar(node, source, target, safe=safe)
    if a in {"varchar", "char"}:
        return _from_varchar(node, target, safe=safe)
    if b == "json":
        return _to_json(node, source)
    if a == "json":
        return _from_json(node, target, safe=safe)
    if a == b == "array":
        return _array(node, source, target, safe=safe)
    if a == b == "row":
        return _row(node, source, target, safe=safe)
    return _plain(node, source, target, safe=safe)


def _unsupported(source: exp.DataType, target: exp.DataType) -> QueryError:
    if not kind_of(source) or not kind_of(target):
        return QueryError(ErrorName.NOT_SUPPORTED, "Cast from or to a type that is not known")
    return QueryError(
        ErrorName.NOT_SUPPORTED,
        f"Cannot cast {trino_type_of(source)} to {trino_type_of(target)} here",
    )


def _engine(node: exp.Expr, target: exp.DataType, *, safe: bool) -> exp.Expr:
    plain = cast(node, target)
    return exp.TryCast(this=plain.this, to=plain.to, safe=True) if safe else plain


# -- texts -------------------------------------------------------------------------------------
def to_text(node: exp.Expr, source: exp.DataType) -> exp.Expr:
    """A value as Trino's `cast(... as varchar)` prints it."""
    kind = kind_of(source)
    if kind in {"varchar", "char"}:
        return node
    if kind in {"double", "real"}:
        return fill(_SCIENCE, [node])
    if kind in {"boolean", "date", "uuid", "decimal", "unknown", *INTEGERS}:
        return cast(node, named("varchar"))
    if kind == "timestamp":
        return fill(f"strftime(_0, '{_MILLISECONDS}')", [node])
    if kind == "timestamp with time zone":
        return fill(f"strftime(timezone('UTC', _0), '{_MILLISECONDS}') || ' UTC'", [node])
    if kind == "json":
        return fill(
            "CASE WHEN json_type(_0) IN ('OBJECT', 'ARRAY') THEN "
            "error('INVALID_CAST_ARGUMENT', _0) ELSE json_extract_string(_0, '$') END",
            [node],
        )
    raise _unsupported(source, named("varchar"))


def _to_varchar(
    node: exp.Expr, source: exp.DataType, target: exp.DataType, *, safe: bool
) -> exp.Expr:
    text = to_text(node, source)
    if kind_of(source) == "json" and safe:
        text = fill("json_extract_string(_0, '$')", [node])
    if not target.expressions:
        return text
    length = int(target.expressions[0].name)
    if kind_of(source) in {"varchar", "char"}:
        return fill(f"substr(_0, 1, {length})", [text])
    too_long = "NULL" if safe else "error('INVALID_CAST_ARGUMENT', _0)"
    return fill(f"CASE WHEN length(_0) > {length} THEN {too_long} ELSE _0 END", [text])


def _from_varchar(node: exp.Expr, target: exp.DataType, *, safe: bool) -> exp.Expr:
    kind = kind_of(target)
    if kind == "varbinary":
        return fill("encode(_0)", [node])
    if kind == "json":
        return fill("to_json(_0)", [node])
    if kind not in _PATTERNS:
        raise _unsupported(named("varchar"), target)
    if isinstance(node, exp.Literal) and kind in _CONSTANTS and not safe:
        constant = _constant(node, target)
        if constant is not None:
            return constant
    text = fill("trim(_0)", [node]) if kind in _TRIMMED else node
    pattern = _PATTERNS[kind].replace("'", "''")
    bad = "NULL" if safe else "error('INVALID_CAST_ARGUMENT', _0)"
    value = _rounded(_engine(text, target, safe=safe), kind)
    return fill(
        f"CASE WHEN regexp_full_match(_0, '{pattern}') THEN _1 WHEN _0 IS NOT NULL THEN {bad} END",
        [text, value],
    )


_CONSTANTS = {"date", "timestamp", "timestamp with time zone"}
_NAMED_ZONE = re.compile(rf"{_DATE}( {_CLOCK})? ?[A-Za-z+-].*", re.ASCII)


def _constant(node: exp.Literal, target: exp.DataType) -> exp.Expr | None:
    """DATE '2026-01-31' and its like stay constants, which the engine filters files by."""
    kind, text = kind_of(target), node.name.strip()
    if re.fullmatch(_PATTERNS[kind], text, re.ASCII):
        finer = not target.expressions and re.search(r"\.\d{4,}", text)
        utc = exp.Literal.string(re.sub(" ?Z$", " UTC", text))
        return None if finer else cast(utc if kind.endswith("zone") else node, target)
    if kind == "timestamp with time zone" and _NAMED_ZONE.fullmatch(text):
        raise QueryError(
            ErrorName.NOT_SUPPORTED, "Values keep no zone here: a literal's zone must be UTC"
        )
    return None


def _rounded(value: exp.Expr, kind: str) -> exp.Expr:
    """Times have milliseconds in Trino unless more is asked for."""
    if kind not in {"timestamp", "timestamp with time zone"}:
        return value
    return fill("date_trunc('millisecond', _0 + to_microseconds(500))", [value])


# -- numbers and times -------------------------------------------------------------------------
_ALLOWED = (
    {("boolean", kind) for kind in NUMBERS}
    | {(kind, "boolean") for kind in NUMBERS}
    | {
        ("date", "timestamp"),
        ("date", "timestamp with time zone"),
        ("timestamp", "date"),
        ("timestamp", "time"),
        ("timestamp", "timestamp with time zone"),
        ("timestamp with time zone", "date"),
        ("timestamp with time zone", "time"),
        ("timestamp with time zone", "timestamp"),
    }
)


def _plain(node: exp.Expr, source: exp.DataType, target: exp.DataType, *, safe: bool) -> exp.Expr:
    a, b = kind_of(source), kind_of(target)
    if a in {"double", "real"} and b in INTEGERS:
        return _engine(fill("round(_0)", [node]), target, safe=safe)
    if a in {"double", "real"} and b == "decimal":
        _, scale = decimal_of(target)
        return _engine(fill(f"round(_0, {scale})", [node]), target, safe=safe)
    if (a in NUMBERS and b in NUMBERS) or (a, b) in _ALLOWED:
        return _engine(node, target, safe=safe)
    raise _unsupported(source, target)


# -- JSON --------------------------------------------------------------------------------------
def _jsonable(data_type: exp.DataType) -> bool:
    kind = kind_of(data_type)
    if kind == "map":
        key, value = inner_of(data_type)
        return kind_of(key) == "varchar" and _jsonable(value)
    if kind in {"array", "row"}:
        named_fields = kind == "array" or all(name for name, _ in fields_of(data_type))
        return named_fields and all(_jsonable(part) for part in inner_of(data_type))
    return kind in {"boolean", "varchar", "decimal", "double", "json", "unknown", *INTEGERS}


def _to_json(node: exp.Expr, source: exp.DataType) -> exp.Expr:
    if not _jsonable(source):
        raise _unsupported(source, named("json"))
    return fill("CASE WHEN _0 IS NULL THEN NULL ELSE to_json(_0) END", [node])


_SCALARS = {
    **dict.fromkeys((*INTEGERS, "double"), "'UBIGINT', 'BIGINT', 'DOUBLE', 'VARCHAR', 'BOOLEAN'"),
    "boolean": "'BOOLEAN'",
}


def _from_json(node: exp.Expr, target: exp.DataType, *, safe: bool) -> exp.Expr:
    kind = kind_of(target)
    if kind in _SCALARS:
        bad = "NULL" if safe else "error('INVALID_CAST_ARGUMENT', _0)"
        return fill(
            f"CASE WHEN json_type(_0) IN ({_SCALARS[kind]}) THEN _1 "
            f"WHEN json_type(_0) <> 'NULL' THEN {bad} END",
            [node, _engine(node, target, safe=safe)],
        )
    if kind in {"array", "map", "row"} and _jsonable(target):
        return _engine(node, target, safe=safe)
    raise _unsupported(named("json"), target)


# -- nested ------------------------------------------------------------------------------------
def _array(node: exp.Expr, source: exp.DataType, target: exp.DataType, *, safe: bool) -> exp.Expr:
    element = cast_to(
        exp.to_identifier("lv_c"), inner_of(source)[0], inner_of(target)[0], safe=safe
    )
    body = exp.Lambda(this=element, expressions=[exp.to_identifier("lv_c")])
    return exp.Anonymous(this="list_transform", expressions=[node, body])


def _row(node: exp.Expr, source: exp.DataType, target: exp.DataType, *, safe: bool) -> exp.Expr:
    here, there = inner_of(source), fields_of(target)
    if len(here) != len(there):
        raise QueryError(
            ErrorName.TYPE_MISMATCH,
            f"Cannot cast {trino_type_of(source)} to {trino_type_of(target)}",
        )
    parts = [
        cast_to(fill(f"struct_extract_at(_0, {i})", [node]), kind, wanted, safe=safe)
        for i, (kind, (_, wanted)) in enumerate(zip(here, there, strict=True), start=1)
    ]
    return _unless_null(node, row(parts, [name for name, _ in there]))


def _unless_null(node: exp.Expr, value: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Anonymous) and node.name == "struct_pack":
        return value
    return fill("CASE WHEN _0 IS NULL THEN NULL ELSE _1 END", [node, value])
