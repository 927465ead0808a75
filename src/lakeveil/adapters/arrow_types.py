"""Types as Trino spells them, as Arrow has them in files of Hive-style tables.

What Hive has no type for is refused (`time`, intervals, times with a zone), as Athena refuses it.
Times are written in microseconds: nothing that is queried here has more, and every reader of
Parquet takes them.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from lakeveil.core.query.failures import ErrorName, QueryError

_SIMPLE = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double": pa.float64(),
    "varchar": pa.string(),
    "char": pa.string(),
    "json": pa.string(),
    "varbinary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
}
_DEPTH = 32


def arrow_type(trino: str) -> pa.DataType:
    """`array(row(a integer, b varchar))` as Arrow has it.

    Raises:
        QueryError: NOT_SUPPORTED, a type that tables cannot have.
    """
    return _parsed(trino.strip(), trino, 0)


def _parsed(text: str, whole: str, depth: int) -> pa.DataType:
    head, inner = _spelled(text)
    if head in {"array", "map", "row"} and inner and depth < _DEPTH:
        if head == "row":
            return pa.struct([_field(part, whole, depth) for part in inner])
        kinds = [_parsed(part, whole, depth + 1) for part in inner]
        if head == "array" and len(kinds) == 1:
            return pa.list_(kinds[0])
        if head == "map" and len(kinds) == 2:  # noqa: PLR2004 - a key and a value
            return pa.map_(*kinds)
    if head == "decimal" and len(inner) == 2 and all(part.isdigit() for part in inner):  # noqa: PLR2004
        precision, scale = int(inner[0]), int(inner[1])
        if 1 <= precision <= 38 and scale <= precision:  # noqa: PLR2004 - Trino's widest
            return pa.decimal128(precision, scale)
    if head in _SIMPLE and (not inner or head in {"varchar", "char", "timestamp"}):
        return _SIMPLE[head]
    raise QueryError(ErrorName.NOT_SUPPORTED, f"Unsupported Hive type: {whole}")


def _field(part: str, whole: str, depth: int) -> pa.Field:
    if part.startswith('"'):
        name, _, kind = part[1:].partition('"')
    else:
        name, _, kind = part.partition(" ")
    if not name or not kind.strip():
        raise QueryError(
            ErrorName.NOT_SUPPORTED, f"Unsupported Hive type: {whole}: a field has no name"
        )
    return pa.field(name, _parsed(kind.strip(), whole, depth + 1))


def _spelled(text: str) -> tuple[str, list[str]]:
    """Head of a type, and what is between its brackets."""
    start, end = text.find("("), text.rfind(")")
    if start < 0 or end < start:
        return text.lower(), []
    head = f"{text[:start].strip()} {text[end + 1 :].strip()}".strip().lower()
    return head, list(_parts(text[start + 1 : end]))


def _parts(text: str) -> Iterator[str]:
    """At the commas that stand in no bracket and no quotes."""
    depth, start, quoted = 0, 0, False
    for place, sign in enumerate(text):
        quoted ^= sign == '"'
        if quoted:
            continue
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            yield text[start:place].strip()
            start = place + 1
    if text[start:].strip():
        yield text[start:].strip()
