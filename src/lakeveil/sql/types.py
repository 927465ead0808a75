"""Types: Hive's spelling in the catalog, Trino's in results, sqlglot's in syntax trees.

A type inside a tree is sqlglot's `exp.DataType`; `kind_of` names it as Trino does, without
parameters, and "" where it is not known. Precisions of times are not kept: Athena shows Hive's
`timestamp` with milliseconds, Iceberg's with microseconds, and names both `timestamp`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError

_D = exp.DType

_KINDS: dict[exp.DType, str] = {
    _D.BOOLEAN: "boolean",
    _D.TINYINT: "tinyint",
    _D.SMALLINT: "smallint",
    _D.INT: "integer",
    _D.BIGINT: "bigint",
    _D.FLOAT: "real",
    _D.DOUBLE: "double",
    _D.DECIMAL: "decimal",
    _D.VARCHAR: "varchar",
    _D.TEXT: "varchar",
    _D.CHAR: "char",
    _D.VARBINARY: "varbinary",
    _D.BINARY: "varbinary",
    _D.DATE: "date",
    _D.TIME: "time",
    _D.TIMESTAMP: "timestamp",
    _D.TIMESTAMPTZ: "timestamp with time zone",
    _D.ARRAY: "array",
    _D.LIST: "array",
    _D.MAP: "map",
    _D.STRUCT: "row",
    _D.JSON: "json",
    _D.UUID: "uuid",
    _D.NULL: "unknown",
}
INTEGERS = ("tinyint", "smallint", "integer", "bigint")
NUMBERS = (*INTEGERS, "decimal", "real", "double")
_HIVE = {
    "boolean": "boolean",
    "tinyint": "tinyint",
    "smallint": "smallint",
    "int": "integer",
    "integer": "integer",
    "bigint": "bigint",
    "float": "real",
    "real": "real",
    "double": "double",
    "string": "varchar",
    "varchar": "varchar",
    "char": "char",
    "binary": "varbinary",
    "date": "date",
    "timestamp": "timestamp",
    "timestamptz": "timestamp with time zone",
    "timestamp with time zone": "timestamp with time zone",
    "decimal": "decimal",
    "uuid": "uuid",
}
_TO_HIVE = {
    **{trino: trino for trino in ("boolean", "tinyint", "smallint", "bigint", "double", "date")},
    "integer": "int",
    "real": "float",
    "varchar": "string",
    "json": "string",
    "varbinary": "binary",
    "timestamp": "timestamp",
}


# -- reading spellings ------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Spelled:
    """`array<string>` or `array(varchar)`: a head, and what is between its brackets."""

    head: str
    inner: tuple[str, ...] = ()


def _spelled(text: str) -> _Spelled:
    text = " ".join(text.strip().split())
    lowered = text.lower()
    ends = [i for i in (text.find("<"), text.find("(")) if i >= 0]
    if not ends:
        return _Spelled(lowered)
    start = min(ends)
    closing = {"<": ">", "(": ")"}[text[start]]
    end = text.rfind(closing)
    if end < start:
        raise QueryError(ErrorName.TYPE_NOT_FOUND, f"Unknown type: `{text}`")
    head = (lowered[:start].strip() + " " + lowered[end + 1 :].strip()).strip()
    return _Spelled(head, tuple(_parts(text[start + 1 : end])))


def _parts(text: str) -> Iterator[str]:
    depth, start = 0, 0
    for i, char in enumerate(text):
        depth += (char in "<(") - (char in ">)")
        if char == "," and depth == 0:
            yield text[start:i].strip()
            start = i + 1
    if text.strip():
        yield text[start:].strip()


def hive_type(text: str) -> exp.DataType:
    """Hive's spelling as a type of the tree.

    Raises:
        QueryError: TYPE_NOT_FOUND, a type that tables cannot have here.
    """
    found = _spelled(text)
    if found.head == "array" and len(found.inner) == 1:
        return array_of(hive_type(found.inner[0]))
    if found.head == "map" and len(found.inner) == 2:  # noqa: PLR2004
        return map_of(hive_type(found.inner[0]), hive_type(found.inner[1]))
    if found.head == "struct" and found.inner:
        fields = [part.partition(":") for part in found.inner]
        return row_of([(name.strip().strip("`"), hive_type(kind)) for name, _, kind in fields])
    if found.head not in _HIVE:
        raise QueryError(ErrorName.TYPE_NOT_FOUND, f"Unknown type: `{text}`")
    return _parameterised(_HIVE[found.head], found.inner)


def _parameterised(kind: str, inner: tuple[str, ...]) -> exp.DataType:
    if kind == "decimal":
        numbers = [int(part) for part in inner] or [10]
        return decimal(numbers[0], numbers[1] if len(numbers) > 1 else 0)
    return named(kind)


def hive_to_trino(text: str) -> str:
    """`array<string>` -> `array(varchar)`."""
    found = _spelled(text)
    if found.head in {"varchar", "char"} and found.inner:
        return f"{found.head}({found.inner[0]})"
    return trino_type_of(hive_type(text))


def trino_to_hive(text: str) -> str:
    """`array(varchar)` -> `array<string>`, as tables made from a query's result have it.

    Raises:
        QueryError: NOT_SUPPORTED, a type that tables cannot have.
    """
    found = _spelled(text)
    if found.head == "array":
        return f"array<{trino_to_hive(found.inner[0])}>"
    if found.head == "map":
        return f"map<{trino_to_hive(found.inner[0])},{trino_to_hive(found.inner[1])}>"
    if found.head == "row":
        fields = [part.strip().partition(" ") for part in found.inner]
        return f"struct<{','.join(f'{n.strip(chr(34))}:{trino_to_hive(t)}' for n, _, t in fields)}>"
    if found.head == "decimal":
        return f"decimal({','.join(found.inner)})"
    if found.head in {"varchar", "char"} and found.inner:
        return f"{found.head}({found.inner[0]})"
    if found.head not in _TO_HIVE:
        raise QueryError(ErrorName.NOT_SUPPORTED, f"Unsupported Hive type: {text}")
    return _TO_HIVE[found.head]


# -- types of trees ---------------------------------------------------------------------------
def named(kind: str) -> exp.DataType:
    """A type without parameters, by Trino's name of it."""
    if kind.startswith("interval"):
        return exp.DataType(this=_D.INTERVAL, expressions=[exp.var(kind.split()[1])])
    return exp.DataType(this=_BY_KIND[kind])


_BY_KIND = {kind: dtype for dtype, kind in reversed(_KINDS.items())}


def decimal(precision: int, scale: int) -> exp.DataType:
    """A decimal of so many digits, `scale` of them behind the point."""
    numbers = (exp.Literal.number(precision), exp.Literal.number(scale))
    return exp.DataType(this=_D.DECIMAL, expressions=[exp.DataTypeParam(this=n) for n in numbers])


def array_of(element: exp.DataType) -> exp.DataType:
    """An array."""
    return exp.DataType(this=_D.ARRAY, expressions=[element.copy()], nested=True)


def map_of(key: exp.DataType, value: exp.DataType) -> exp.DataType:
    """A map."""
    return exp.DataType(this=_D.MAP, expressions=[key.copy(), value.copy()], nested=True)


def row_of(fields: list[tuple[str, exp.DataType]]) -> exp.DataType:
    """A row; a field without a name has "" for it."""
    parts = [
        exp.ColumnDef(this=exp.to_identifier(name, quoted=True), kind=kind.copy())
        if name
        else kind.copy()
        for name, kind in fields
    ]
    return exp.DataType(this=_D.STRUCT, expressions=parts, nested=True)


def kind_of(data_type: exp.DataType | None) -> str:
    """Trino's name of a type without its parameters; "" where it is not known."""
    if data_type is None:
        return ""
    this = data_type.this
    if isinstance(this, exp.Interval):
        unit = str(this.args.get("unit") or "").lower()
        return _interval(unit)
    if this is _D.INTERVAL:
        return _interval(data_type.expressions[0].name if data_type.expressions else "day")
    return _KINDS.get(this, "")


def _interval(unit: str) -> str:
    return (
        "interval year to month"
        if "year" in unit or "month" in unit
        else ("interval day to second")
    )


def decimal_of(data_type: exp.DataType) -> tuple[int, int]:
    """Precision and scale; integers as Trino sees them among decimals."""
    widths = {"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19}
    kind = kind_of(data_type)
    if kind in widths:
        return widths[kind], 0
    numbers = [int(param.name) for param in data_type.expressions]
    # `decimal` alone is decimal(38,0) in Trino.
    return (numbers[0] if numbers else 38, numbers[1] if len(numbers) > 1 else 0)


def inner_of(data_type: exp.DataType) -> list[exp.DataType]:
    """Element of an array, key and value of a map, fields of a row."""
    return [kind for _, kind in fields_of(data_type)]


def fields_of(data_type: exp.DataType) -> list[tuple[str, exp.DataType]]:
    """Names and types of a row's fields; "" where a field has no name."""
    found = []
    for part in data_type.expressions:
        if isinstance(part, exp.ColumnDef):
            found.append((part.name, part.args["kind"]))
        elif isinstance(part, exp.DataType):
            found.append(("", part))
    return found


def trino_type_of(data_type: exp.DataType | None) -> str:
    """A type as Trino spells it: `map(varchar, array(integer))`.

    Raises:
        QueryError: NOT_SUPPORTED, it is not known.
    """
    kind = kind_of(data_type)
    if data_type is None or not kind:
        raise QueryError(ErrorName.NOT_SUPPORTED, "The type of an expression is not known")
    if kind == "decimal":
        precision, scale = decimal_of(data_type)
        return f"decimal({precision},{scale})"
    if kind in {"array", "map"}:
        return f"{kind}({', '.join(trino_type_of(inner) for inner in inner_of(data_type))})"
    if kind == "row":
        parts = (f"{name} {trino_type_of(t)}".strip() for name, t in fields_of(data_type))
        return f"row({', '.join(parts)})"
    if kind in {"varchar", "char"} and data_type.expressions:
        return f"{kind}({data_type.expressions[0].name})"
    return kind


# -- what clients are told --------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnInfo:
    """Athena's `ColumnInfo` of a type: its bare name, precision, scale, and whether case counts."""

    type: str
    precision: int = 0
    scale: int = 0
    case_sensitive: bool = False


_PRECISION = {
    "boolean": 0,
    "tinyint": 3,
    "smallint": 5,
    "integer": 10,
    "bigint": 19,
    "real": 17,
    "double": 17,
    "varchar": 2147483647,
    "varbinary": 1073741824,
    "timestamp": 3,
    "timestamp with time zone": 3,
}


def column_info(trino: str) -> ColumnInfo:
    """What `GetQueryResults` says of a column whose type Trino spells `trino`."""
    found = _spelled(trino)
    if found.head == "decimal":
        precision, scale = (int(part) for part in found.inner)
        return ColumnInfo(type="decimal", precision=precision, scale=scale)
    if found.head in {"varchar", "char"}:
        length = int(found.inner[0]) if found.inner else _PRECISION["varchar"]
        return ColumnInfo(type=found.head, precision=length, case_sensitive=True)
    return ColumnInfo(type=found.head, precision=_PRECISION.get(found.head, 0))


__all__ = [
    "INTEGERS",
    "NUMBERS",
    "ColumnInfo",
    "array_of",
    "column_info",
    "decimal",
    "decimal_of",
    "fields_of",
    "hive_to_trino",
    "hive_type",
    "inner_of",
    "kind_of",
    "map_of",
    "named",
    "row_of",
    "trino_to_hive",
    "trino_type_of",
]
