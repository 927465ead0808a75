"""Dates and times. The session's zone is UTC; a moment is shown in UTC or not at all.

https://trino.io/docs/current/functions/datetime.html. Patterns and units are constants. What
formats a moment `AT TIME ZONE` gets the wall clock of that zone: see `dialect.zones`.
"""

from __future__ import annotations

import re

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.functions.casts import cast_to
from lakeveil.sql.functions.table import Call, Function, Rewrite, fn, refused, section
from lakeveil.sql.functions.templates import fill
from lakeveil.sql.types import kind_of, named

_TIMES = ("date", "timestamp", "timestamptz")
_CLOCKED = ("timestamp", "timestamptz")
_UNITS = {
    "millisecond": "to_milliseconds(_1)",
    "second": "to_seconds(_1)",
    "minute": "to_minutes(_1)",
    "hour": "to_hours(_1)",
    "day": "to_days(CAST(_1 AS INTEGER))",
    "week": "to_weeks(CAST(_1 AS INTEGER))",
    "month": "to_months(CAST(_1 AS INTEGER))",
    "quarter": "to_months(CAST(3 * _1 AS INTEGER))",
    "year": "to_years(CAST(_1 AS INTEGER))",
}
_OF_DAY = ("millisecond", "second", "minute", "hour")


def _constant(node: exp.Expr, what: str) -> str:
    if isinstance(node, exp.Literal) and node.is_string:
        return node.name
    raise QueryError(ErrorName.NOT_SUPPORTED, f"{what} must be a constant")


def _unit(one: Call) -> str:
    unit = _constant(one.given[0], f"{one.name}: its unit").lower()
    of_date = kind_of(one.types[-1]) == "date" and unit in _OF_DAY
    if unit not in _UNITS or of_date:
        raise QueryError(
            ErrorName.INVALID_FUNCTION_ARGUMENT, f"'{unit}' is not a valid field of this type"
        )
    return unit


def _date_add(one: Call) -> exp.Expr:
    return fill(f"result(_2 + {_UNITS[_unit(one)]})", one.args, one.returns)


def _date_diff(one: Call) -> exp.Expr:
    return fill(f"date_sub('{_unit(one)}', _1, _2)", one.args)


def _date_trunc(one: Call) -> exp.Expr:
    return fill(f"result(date_trunc('{_unit(one)}', _1))", one.args, one.returns)


def _field(names: str, engine: str) -> Function:
    return fn(names, *((f"{kind} -> bigint", engine) for kind in _TIMES))


def _clock(names: str, engine: str) -> Function:
    kinds = ("timestamp", "timestamptz", "time")
    return fn(names, *((f"{kind} -> bigint", engine) for kind in kinds))


# -- patterns ----------------------------------------------------------------------------------
_MYSQL = {
    **{letter: f"%{letter}" for letter in "YymdHSpjf%"},
    "a": "%a",
    "b": "%b",
    "c": "%-m",
    "e": "%-d",
    "h": "%I",
    "I": "%I",
    "i": "%M",
    "k": "%-H",
    "l": "%-I",
    "M": "%B",
    "r": "%I:%M:%S %p",
    "s": "%S",
    "T": "%H:%M:%S",
    "v": "%V",
    "W": "%A",
    "x": "%G",
}
_MYSQL_READ = frozenset("YymdHSpfceIihklMbrsT%")
_JODA = {
    "yyyy": "%Y",
    "yy": "%y",
    "MM": "%m",
    "M": "%-m",
    "MMM": "%b",
    "MMMM": "%B",
    "dd": "%d",
    "d": "%-d",
    "HH": "%H",
    "H": "%-H",
    "hh": "%I",
    "h": "%-I",
    "mm": "%M",
    "m": "%-M",
    "ss": "%S",
    "s": "%-S",
    "SSS": "%g",
    "a": "%p",
    "EEE": "%a",
    "EEEE": "%A",
    "DDD": "%j",
    "YYYY": "%Y",
    "xxxx": "%G",
    "ww": "%V",
}
_JODA_READ = frozenset(("yyyy", "MM", "MMM", "MMMM", "dd", "HH", "hh", "mm", "ss", "SSS", "a"))
_JODA_PART = re.compile(r"'((?:[^']|'')*)'|([a-zA-Z])\2*|[^a-zA-Z']+", re.DOTALL)


def mysql_pattern(pattern: str, *, reading: bool = False) -> str:
    """MySQL's pattern as the engine's.

    Raises:
        QueryError: NOT_SUPPORTED, a specifier that Trino or the engine does not have.
    """
    parts, i = [], 0
    while i < len(pattern):
        char = pattern[i]
        if char == "%" and i + 1 < len(pattern):
            letter = pattern[i + 1]
            if letter not in _MYSQL or (reading and letter not in _MYSQL_READ):
                raise QueryError(ErrorName.NOT_SUPPORTED, f"%{letter} not supported in date format")
            parts.append(_MYSQL[letter])
            i += 2
            continue
        parts.append(char)
        i += 1
    return "".join(parts)


def joda_pattern(pattern: str, *, reading: bool = False) -> str:
    """Joda's pattern as the engine's.

    Raises:
        QueryError: NOT_SUPPORTED, letters that the engine does not have.
    """
    parts, end = [], 0
    for found in _JODA_PART.finditer(pattern):
        if found.start() != end:
            break
        end = found.end()
        text = found[0]
        if found[1] is not None:
            parts.append((found[1].replace("''", "'") or "'").replace("%", "%%"))
        elif found[2] is None:
            parts.append(text.replace("%", "%%"))
        elif text in _JODA and (not reading or text in _JODA_READ):
            parts.append(_JODA[text])
        else:
            raise QueryError(ErrorName.NOT_SUPPORTED, f"`{text}` not supported in a date pattern")
    if end != len(pattern):
        raise QueryError(ErrorName.INVALID_FUNCTION_ARGUMENT, "Invalid date pattern")
    return "".join(parts)


def _formatted(one: Call) -> exp.Expr:
    text = _constant(one.given[1], f"{one.name}: its format")
    pattern = mysql_pattern(text) if one.name == "date_format" else joda_pattern(text)
    value = "timezone('UTC', _0)" if kind_of(one.types[0]).endswith("zone") else "_0"
    return fill(f"strftime({value}, _1)", [one.args[0], exp.Literal.string(pattern)])


def _parsed(one: Call) -> exp.Expr:
    text = _constant(one.given[1], f"{one.name}: its format")
    mysql = one.name == "date_parse"
    pattern = mysql_pattern(text, reading=True) if mysql else joda_pattern(text, reading=True)
    value = "strptime(_0, _1)" if mysql else "timezone('UTC', strptime(_0, _1))"
    return fill(value, [one.args[0], exp.Literal.string(pattern)])


def _of_date(one: Call) -> exp.Expr:
    return cast_to(one.args[0], one.types[0], named("date"))


_ISO = r"\d{4}-\d{2}-\d{2}(T\d{2}(:\d{2}(:\d{2}(\.\d{1,9})?)?)?(Z|[+-]\d{2}:\d{2})?)?"
_ISO_TIMESTAMP = (
    f"CASE WHEN regexp_full_match(_0, '{_ISO}') "
    "THEN date_trunc('millisecond', CAST(_0 AS TIMESTAMPTZ)) "
    "WHEN _0 IS NOT NULL THEN error('INVALID_FUNCTION_ARGUMENT', _0) END"
)
_ISO_DATE = (
    r"CASE WHEN regexp_full_match(_0, '\d{4}-\d{2}-\d{2}') THEN CAST(_0 AS DATE) "
    "WHEN _0 IS NOT NULL THEN error('INVALID_FUNCTION_ARGUMENT', _0) END"
)
_FROM_UNIX = "make_timestamptz(CAST(round(_0 * 1000) AS BIGINT) * 1000)"
_FORMATS: tuple[tuple[str, Rewrite], ...] = tuple(
    (f"{kind}, varchar -> varchar", _formatted) for kind in _TIMES
)

ROWS = section(
    "Date and time functions and operators",
    fn("current_timezone", (" -> varchar", "'UTC'")),
    fn("date", *((f"{kind} -> date", _of_date) for kind in ("varchar", *_TIMES))),
    fn(
        "date_add",
        *((f"varchar, bigint, {kind} -> {kind}", _date_add) for kind in _TIMES),
    ),
    fn(
        "date_diff",
        *((f"varchar, {kind}, {kind} -> bigint", _date_diff) for kind in _TIMES),
        note="whole units",
    ),
    fn("date_format", *_FORMATS, note="MySQL's patterns, but %D %U %u %V %w %X"),
    fn("date_parse", ("varchar, varchar -> timestamp", _parsed), note="MySQL's patterns"),
    fn("date_trunc", *((f"varchar, {kind} -> {kind}", _date_trunc) for kind in _TIMES)),
    _field("day day_of_month", "day(_0)"),
    _field("day_of_week dow", "isodow(_0)"),
    _field("day_of_year doy", "dayofyear(_0)"),
    fn("format_datetime", *_FORMATS, note="Joda's patterns: years to milliseconds, no zones"),
    fn("from_iso8601_date", ("varchar -> date", _ISO_DATE), note="calendar dates"),
    fn("from_iso8601_timestamp", ("varchar -> timestamptz", _ISO_TIMESTAMP), note="calendar dates"),
    fn("from_unixtime", ("double -> timestamptz", _FROM_UNIX), note="without a zone"),
    _clock("hour", "hour(_0)"),
    fn("last_day_of_month", *((f"{kind} -> date", "last_day(_0)") for kind in _TIMES)),
    _clock("millisecond", "millisecond(_0) % 1000"),
    _clock("minute", "minute(_0)"),
    _field("month", "month(_0)"),
    fn("now", (" -> timestamptz", "date_trunc('millisecond', get_current_timestamp())")),
    fn("parse_datetime", ("varchar, varchar -> timestamptz", _parsed), note="Joda's patterns"),
    _field("quarter", "quarter(_0)"),
    _clock("second", "second(_0)"),
    fn(
        "to_iso8601",
        ("date -> varchar", "CAST(_0 AS VARCHAR)"),
        ("timestamp -> varchar", "strftime(_0, '%Y-%m-%dT%H:%M:%S.%g')"),
        ("timestamptz -> varchar", "strftime(timezone('UTC', _0), '%Y-%m-%dT%H:%M:%S.%gZ')"),
    ),
    fn("to_milliseconds", ("interval -> bigint", "CAST(round(epoch(_0) * 1000) AS BIGINT)")),
    fn("to_unixtime", *((f"{kind} -> double", "epoch(_0)") for kind in _CLOCKED)),
    _field("week week_of_year", "week(_0)"),
    _field("year", "year(_0)"),
    _field("year_of_week yow", "isoyear(_0)"),
    refused(
        "at_timezone with_timezone timezone timezone_hour timezone_minute",
        "values keep no zone; write AT TIME ZONE inside what formats or casts them",
    ),
    refused("from_unixtime_nanos human_readable_seconds", "the engine has no such function"),
)
