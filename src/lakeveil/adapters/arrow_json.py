"""Columns of Arrow as Trino's client protocol writes them: JSON, a line for each row.

Numbers are numbers; decimals, times and binaries (base64) are text, and so are the doubles that
JSON has no number for. Arrays and rows are arrays, maps are objects. Every value comes back exactly
as it was, which the CSV of a result cannot say of nested ones.
"""

from __future__ import annotations

import base64
import json
import math
import uuid
from collections.abc import Callable, Sequence
from itertools import islice, pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakeveil.core.query.execution import ResultColumn
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.core.query.type_signature import TypeSignature, type_signature
from lakeveil.sql.values import athena_text

_write = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def json_lines(batch: Any, columns: Sequence[ResultColumn]) -> bytes:
    """The rows of a `pyarrow.RecordBatch`, whose columns stand in the order of `columns`.

    Raises:
        QueryError: a column has a type that results cannot have.
    """
    values = [
        json_values(column, _signature(said.type))
        for column, said in zip(batch.columns, columns, strict=True)
    ]
    return "".join(f"{_write(row)}\n" for row in zip(*values, strict=True)).encode()


def json_values(column: Any, kind: TypeSignature) -> list[Any]:
    """The values of a `pyarrow.Array`, as JSON has them; NULL is None."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    writer = _WRITERS.get(kind.raw)
    return writer(column, kind) if writer else _texts(column, kind)


def _signature(trino: str) -> TypeSignature:
    try:
        return type_signature(trino)
    except ValueError:
        raise QueryError(ErrorName.NOT_SUPPORTED, f"Results have no type `{trino[:255]}`") from None


def _each(column: Any, write: Callable[[Any], Any]) -> list[Any]:
    return [None if value is None else write(value) for value in column.to_pylist()]


def _as_they_are(column: Any, _kind: TypeSignature) -> list[Any]:
    found: list[Any] = column.to_pylist()
    return found


def _texts(column: Any, _kind: TypeSignature) -> list[Any]:
    return _each(column, str)


def _char(column: Any, kind: TypeSignature) -> list[Any]:
    return _each(column, lambda value: value.ljust(kind.numbers[0]))


def _double(column: Any, _kind: TypeSignature) -> list[Any]:
    return _each(column, _number)


def _real(column: Any, _kind: TypeSignature) -> list[Any]:
    # The shortest digits that are the same number of 32 bits, not those of its 64.
    return _each(pc.cast(pc.cast(column, pa.float32()), pa.string()), lambda t: _number(float(t)))


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _decimal(column: Any, kind: TypeSignature) -> list[Any]:
    scale = kind.numbers[1]
    return _each(column, lambda value: f"{value:.{scale}f}" if scale else f"{value:f}")


def _binary(column: Any, _kind: TypeSignature) -> list[Any]:
    return _each(column, lambda value: base64.b64encode(value).decode())


def _uuid(column: Any, _kind: TypeSignature) -> list[Any]:
    return _each(
        column, lambda value: str(uuid.UUID(bytes=value) if isinstance(value, bytes) else value)
    )


# Times are cast by Arrow: Python has none after the year 9999.
def _date(column: Any, _kind: TypeSignature) -> list[Any]:
    return _as_text(pc.cast(column, pa.date32()))


def _time(column: Any, _kind: TypeSignature) -> list[Any]:
    return _as_text(pc.cast(column, pa.time64("us")))


def _timestamp(column: Any, _kind: TypeSignature) -> list[Any]:
    return _as_text(pc.cast(column, pa.timestamp("us")))


def _timestamp_in_utc(column: Any, _kind: TypeSignature) -> list[Any]:
    moments = pc.cast(column, pa.timestamp("us", column.type.tz))
    found = pc.cast(pc.cast(moments, pa.int64()), pa.timestamp("us"))
    return [None if text is None else f"{text} UTC" for text in _as_text(found)]


def _as_text(column: Any) -> list[Any]:
    found: list[Any] = pc.cast(column, pa.string()).to_pylist()
    return found


def _interval(column: Any, kind: TypeSignature) -> list[Any]:
    return _each(column, lambda value: athena_text(value, kind.raw))


# -- nested ------------------------------------------------------------------------------------
def _array(column: Any, kind: TypeSignature) -> list[Any]:
    inside = iter(json_values(column.flatten(), kind.inner[0]))
    lengths = pc.list_value_length(column).to_pylist()
    return [None if size is None else list(islice(inside, size)) for size in lengths]


def _map(column: Any, kind: TypeSignature) -> list[Any]:
    places = column.offsets.to_pylist()
    first, count = places[0], places[-1] - places[0]
    keys, values = (
        json_values(one.slice(first, count), inner)
        for one, inner in zip((column.keys, column.items), kind.inner, strict=True)
    )
    pairs = list(zip(map(_key, keys), values, strict=True))
    return [
        dict(pairs[start - first : end - first]) if there else None
        for there, (start, end) in zip(column.is_valid().to_pylist(), pairwise(places), strict=True)
    ]


def _key(key: Any) -> str:
    """Keys of JSON are texts: what is none is written as JSON has it."""
    return key if isinstance(key, str) else _write(key)


def _row(column: Any, kind: TypeSignature) -> list[Any]:
    fields = [
        json_values(one, inner) for one, inner in zip(column.flatten(), kind.inner, strict=True)
    ]
    valid = column.is_valid().to_pylist()
    rows = zip(*fields, strict=True)
    return [list(row) if there else None for there, row in zip(valid, rows, strict=True)]


_WRITERS: dict[str, Callable[[Any, TypeSignature], list[Any]]] = {
    **dict.fromkeys(("boolean", "tinyint", "smallint", "integer", "bigint"), _as_they_are),
    "char": _char,
    "double": _double,
    "real": _real,
    "decimal": _decimal,
    "varbinary": _binary,
    "uuid": _uuid,
    "date": _date,
    "time": _time,
    "timestamp": _timestamp,
    "timestamp with time zone": _timestamp_in_utc,
    "interval day to second": _interval,
    "interval year to month": _interval,
    "array": _array,
    "map": _map,
    "row": _row,
}
