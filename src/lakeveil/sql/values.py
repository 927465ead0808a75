"""Values as Athena prints them, in `GetQueryResults` and in the CSV file of a result.

Values are Python's, as Arrow hands them out (a map is pairs or a dict, a row a dict or a tuple);
types are Trino's spelling. NULL is nothing at the top, `null` inside. Numbers are Java's: 1.0E7.
"""

from __future__ import annotations

import datetime as dt
import functools
import math
import struct
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import sqlglot
from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.functions.reading import LakeveilTypes
from lakeveil.sql.types import decimal_of, fields_of, inner_of, kind_of

_PLAIN_LOW, _PLAIN_HIGH = 1e-3, 1e7


def athena_text(value: Any, trino: str) -> str | None:
    """A value of a column as text; None for NULL.

    Raises:
        QueryError: NOT_SUPPORTED, a type that results cannot have.
    """
    return None if value is None else _text(value, _type(trino))


def csv_field(value: Any, trino: str) -> str:
    """A value as a field of a result's CSV: always in quotes, NULL without."""
    text = athena_text(value, trino)
    return "" if text is None else '"' + text.replace('"', '""') + '"'


@functools.lru_cache(maxsize=4096)
def _type(trino: str) -> exp.DataType:
    found = sqlglot.parse_one(trino, dialect=LakeveilTypes, into=exp.DataType)
    if not kind_of(found):
        raise QueryError(ErrorName.NOT_SUPPORTED, f"Results have no type `{trino}`")
    return found


def _text(value: Any, data_type: exp.DataType) -> str:
    if value is None:
        return "null"
    kind = kind_of(data_type)
    if kind in _NESTED:
        return _NESTED[kind](value, data_type)
    if kind == "decimal":
        return f"{Decimal(value):.{decimal_of(data_type)[1]}f}"
    writer = _WRITERS.get(kind)
    return writer(value) if writer is not None else str(value)


# -- numbers and times -------------------------------------------------------------------------
def java_double(value: float) -> str:
    """Java's `Double.toString`: 1.0, 1.0E7, 1.0E-4, NaN, -Infinity."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return _java(repr(float(value)), value)


def _java_real(value: float) -> str:
    if not math.isfinite(value):
        return java_double(value)
    # The shortest digits that are still the same number of 32 bits.
    single = _single(value)
    digits = next(t for n in range(1, 10) if _single(float(t := f"{value:.{n}g}")) == single)
    return _java(repr(float(digits)), value)


def _single(value: float) -> bytes:
    return struct.pack("f", value)


def _java(shortest: str, value: float) -> str:
    if value == 0 or _PLAIN_LOW <= abs(value) < _PLAIN_HIGH:
        return f"{Decimal(shortest):f}" if "e" in shortest else shortest
    sign, digits, exponent = Decimal(shortest).as_tuple()
    text = "".join(map(str, digits)).rstrip("0") or "0"
    power = int(exponent) + len(digits) - 1
    return f"{'-' if sign else ''}{text[0]}.{text[1:] or '0'}E{power}"


def _timestamp(value: dt.datetime) -> str:
    if value.tzinfo is not None:
        value = value.astimezone(dt.UTC).replace(tzinfo=None)
    micros = value.microsecond
    fraction = f"{micros // 1000:03}" if micros % 1000 == 0 else f"{micros:06}"
    return f"{value.year:04}-{value:%m-%d %H:%M:%S}.{fraction}"


def _time(value: dt.time) -> str:
    micros = value.microsecond
    fraction = f"{micros // 1000:03}" if micros % 1000 == 0 else f"{micros:06}"
    return f"{value:%H:%M:%S}.{fraction}"


def _days(value: dt.timedelta | Any) -> str:
    """`2 03:04:05.000`; Arrow's intervals of months, days and nanoseconds, too."""
    if not isinstance(value, dt.timedelta):
        micros = value.nanoseconds // 1000
        value = dt.timedelta(days=value.months * 30 + value.days, microseconds=micros)
    total = round(value / dt.timedelta(milliseconds=1))
    sign, total = ("-", -total) if total < 0 else ("", total)
    seconds, millis = divmod(total, 1000)
    days, seconds = divmod(seconds, 86400)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{sign}{days} {clock}.{millis:03}"


def _months(value: Any) -> str:
    months = value.days // 30 if isinstance(value, dt.timedelta) else int(value.months)
    sign, months = ("-", -months) if months < 0 else ("", months)
    return f"{sign}{months // 12}-{months % 12}"


# -- nested ------------------------------------------------------------------------------------
def _array(value: Iterable[Any], data_type: exp.DataType) -> str:
    element = inner_of(data_type)[0]
    return f"[{', '.join(_text(one, element) for one in value)}]"


def _map(value: Any, data_type: exp.DataType) -> str:
    key, inner = inner_of(data_type)
    pairs = value.items() if isinstance(value, Mapping) else value
    return f"{{{', '.join(f'{_text(k, key)}={_text(v, inner)}' for k, v in pairs)}}}"


def _row(value: Any, data_type: exp.DataType) -> str:
    values = list(value.values()) if isinstance(value, Mapping) else list(value)
    parts = [
        f"{name or f'field{i}'}={_text(one, kind)}"
        for i, (one, (name, kind)) in enumerate(zip(values, fields_of(data_type), strict=True))
    ]
    return f"{{{', '.join(parts)}}}"


_NESTED = {"array": _array, "map": _map, "row": _row}
_WRITERS: dict[str, Any] = {
    "boolean": lambda value: "true" if value else "false",
    "double": java_double,
    "real": _java_real,
    "timestamp": _timestamp,
    "timestamp with time zone": lambda value: f"{_timestamp(value)} UTC",
    "time": _time,
    "date": lambda value: value.isoformat(),
    "varbinary": lambda value: bytes(value).hex(" "),
    "interval day to second": _days,
    "interval year to month": _months,
}
