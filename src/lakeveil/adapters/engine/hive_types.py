"""Types as Hive spells them, as DuckDB has them.

`array<struct<a:int,b:string>>` is `STRUCT("a" INTEGER, "b" VARCHAR)[]`. Iceberg's own names, which
catalogs mix in, are known, too. A type that is not known is refused: it is never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from lakeveil.adapters.engine.spelling import identifier
from lakeveil.core.query.failures import ErrorName, QueryError

_SIMPLE: Mapping[str, str] = MappingProxyType(
    {
        "boolean": "BOOLEAN",
        "tinyint": "TINYINT",
        "smallint": "SMALLINT",
        "int": "INTEGER",
        "integer": "INTEGER",
        "bigint": "BIGINT",
        "long": "BIGINT",
        "float": "FLOAT",
        "real": "FLOAT",
        "double": "DOUBLE",
        "double precision": "DOUBLE",
        "decimal": "DECIMAL(10,0)",
        "string": "VARCHAR",
        "varchar": "VARCHAR",
        "char": "VARCHAR",
        "json": "VARCHAR",
        "binary": "BLOB",
        "fixed": "BLOB",
        "date": "DATE",
        "time": "TIME",
        "timestamp": "TIMESTAMP",
        "timestamptz": "TIMESTAMPTZ",
        "timestamp with time zone": "TIMESTAMPTZ",
        "timestamp with local time zone": "TIMESTAMPTZ",
        "timestamp without time zone": "TIMESTAMP",
        "uuid": "UUID",
    }
)
_LENGTHS = re.compile(r"(varchar|char|fixed|binary|time|timestamp)\s*[(\[]\s*\d+\s*[)\]]$")
_DECIMAL = re.compile(r"(?:decimal|numeric)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)$")
_DEPTH = 32
_DIGITS = 38
_OPEN, _CLOSE = "<(", ">)"


def duckdb_type(hive: str) -> str:
    """The type in DuckDB's SQL.

    Raises:
        QueryError: NOT_SUPPORTED, for a type that is not known.
    """
    return _parsed(hive.strip(), hive, 0)


def _parsed(one: str, whole: str, depth: int) -> str:
    lower = one.lower()
    if lower in _SIMPLE:
        return _SIMPLE[lower]
    if found := _LENGTHS.match(lower):
        return _SIMPLE[found[1]]
    if found := _DECIMAL.match(lower):
        precision, scale = int(found[1]), int(found[2] or 0)
        if 1 <= precision <= _DIGITS and scale <= precision:
            return f"DECIMAL({precision},{scale})"
    kind, bracket, rest = one.partition("<")
    if bracket and rest.endswith(">") and depth < _DEPTH:
        parts = _split(rest[:-1], ",")
        match kind.strip().lower(), parts:
            case (("array" | "list"), [element]):
                return f"{_parsed(element, whole, depth + 1)}[]"
            case "map", [key, value]:
                inner = _parsed(key, whole, depth + 1), _parsed(value, whole, depth + 1)
                return f"MAP({inner[0]}, {inner[1]})"
            case "struct", _:
                fields = (_field(part, whole, depth + 1) for part in parts)
                return f"STRUCT({', '.join(fields)})"
            case _:
                pass
    raise _unknown(whole)


def _field(part: str, whole: str, depth: int) -> str:
    name, *kind = _split(part, ":")
    if not name or len(kind) != 1:
        raise _unknown(whole)
    return f"{identifier(name.strip('`'))} {_parsed(kind[0], whole, depth)}"


def _split(inner: str, separator: str) -> list[str]:
    """Parts between separators that stand outside of brackets."""
    parts, depth = [""], 0
    for letter in inner:
        depth += (letter in _OPEN) - (letter in _CLOSE)
        if letter == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _unknown(hive: str) -> QueryError:
    return QueryError(ErrorName.NOT_SUPPORTED, f"Unsupported type: {hive}")
