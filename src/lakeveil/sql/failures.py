"""Which of Trino's errors an engine's failure is. Its own words go no further.

Queries fail on purpose with a conversion of `lakeveil:NAME` (see `functions.templates`); a sum that
leaves its type shows as a number of 128 bits, which nothing else has.
"""

from __future__ import annotations

import re

from lakeveil.core.query.failures import ErrorName

ERROR_PREFIX = "lakeveil:"
"""What the engine's conversion error quotes where a query fails with an error of Trino's."""

_OURS = re.compile(rf"^[^\n]*Could not convert string '{ERROR_PREFIX}([A-Z_]+)' to BOOL")
_BY_CLASS = {
    "ConversionException": ErrorName.INVALID_CAST_ARGUMENT,
    "OutOfRangeException": ErrorName.NUMERIC_VALUE_OUT_OF_RANGE,
    "InvalidInputException": ErrorName.INVALID_FUNCTION_ARGUMENT,
}


def error_name(kind: str, message: str) -> ErrorName | None:
    """The error for an exception of DuckDB's by the name of its class; None if it is no user's."""
    ours = _OURS.match(message)
    if kind == "ConversionException" and ours and ours[1] in ErrorName.__members__:
        return ErrorName[ours[1]]
    if kind == "ConversionException" and "Type INT128 with value" in message.partition("\n")[0]:
        return ErrorName.NUMERIC_VALUE_OUT_OF_RANGE
    if kind == "InvalidInputException" and "more than one row" in message.lower():
        return ErrorName.SUBQUERY_MULTIPLE_ROWS
    return _BY_CLASS.get(kind)
