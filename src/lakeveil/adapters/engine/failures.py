"""What went wrong in DuckDB, as one of Trino's errors in words of our own.

DuckDB's words go no further than the process in which they arose: they hold values, URLs and what
a policy says. A worker sends the name of an error and nothing else; its text is made here, in the
parent, which also takes no name for granted.

What is guaranteed about rows that a view holds back (a row filter, deleted rows):

- Whether a query fails does not depend on them. DuckDB may evaluate an expression of the query
  before the filter of the view. Hence a query over such a view hands out nothing before it is
  complete; should it fail on data, the permitted rows are first written to tables of their own,
  and the query runs once more over those. That second run alone is what its principal sees.
- How it failed says no more than that: all failures on data are one (`collapse`), also where
  columns are masked, as a mask may fail on the value that it hides.
- Time and bytes read do depend on the rows of the files. They are no secret of this engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import duckdb

from lakeveil.core.query.failures import ErrorKind, ErrorName, QueryError
from lakeveil.sql.failures import error_name

ON_DATA = frozenset(
    {
        ErrorName.DIVISION_BY_ZERO,
        ErrorName.INVALID_CAST_ARGUMENT,
        ErrorName.INVALID_FUNCTION_ARGUMENT,
        ErrorName.NUMERIC_VALUE_OUT_OF_RANGE,
        ErrorName.SUBQUERY_MULTIPLE_ROWS,
        ErrorName.GENERIC_USER_ERROR,
    }
)
"""Failures that depend on values. After them the process is as good as before."""

_TEXTS: Mapping[ErrorName, str] = MappingProxyType(
    {
        ErrorName.DIVISION_BY_ZERO: "Division by zero",
        ErrorName.INVALID_CAST_ARGUMENT: "A value cannot be cast to the type asked for",
        ErrorName.INVALID_FUNCTION_ARGUMENT: "A function cannot take one of its arguments",
        ErrorName.NUMERIC_VALUE_OUT_OF_RANGE: "A number is out of the range of its type",
        ErrorName.SUBQUERY_MULTIPLE_ROWS: "Scalar sub-query has returned multiple rows",
        ErrorName.GENERIC_USER_ERROR: "The query failed on a value of the data",
        ErrorName.TYPE_MISMATCH: "An operator or function cannot be applied to these types",
        ErrorName.EXPRESSION_NOT_AGGREGATE: (
            "An expression must be an aggregate expression or appear in GROUP BY clause"
        ),
        ErrorName.NOT_SUPPORTED: "The engine does not support this query",
        ErrorName.GENERIC_INTERNAL_ERROR: "The engine could not run the query",
        ErrorName.EXCEEDED_SPILL_LIMIT: "Query exceeded the limit of temporary space",
        ErrorName.EXCEEDED_LOCAL_MEMORY_LIMIT: "Query exceeded the memory limit of a process",
        ErrorName.EXCEEDED_SCAN_LIMIT: "Query exceeded the limit of bytes scanned",
        ErrorName.EXCEEDED_TIME_LIMIT: "Query exceeded the time limit",
        ErrorName.USER_CANCELED: "Query was canceled",
        ErrorName.SERVER_SHUTTING_DOWN: "The server is shutting down",
    }
)

_TYPES = (
    (duckdb.OutOfMemoryException, ErrorName.EXCEEDED_LOCAL_MEMORY_LIMIT),
    (duckdb.ConversionException, ErrorName.INVALID_CAST_ARGUMENT),
    (duckdb.OutOfRangeException, ErrorName.NUMERIC_VALUE_OUT_OF_RANGE),
    (duckdb.TypeMismatchException, ErrorName.INVALID_CAST_ARGUMENT),
    (duckdb.InvalidInputException, ErrorName.INVALID_FUNCTION_ARGUMENT),
    (duckdb.InvalidTypeException, ErrorName.TYPE_MISMATCH),
    (duckdb.NotImplementedException, ErrorName.NOT_SUPPORTED),
    (duckdb.SyntaxException, ErrorName.NOT_SUPPORTED),
    (duckdb.ParserException, ErrorName.NOT_SUPPORTED),
    (duckdb.SequenceException, ErrorName.NOT_SUPPORTED),
)
"""The first that fits. Whatever is not here is an internal error: the store, a lock, a bug."""

_BY_WORDS = {
    ("bad_alloc", "allocate memory"): ErrorName.EXCEEDED_LOCAL_MEMORY_LIMIT,
    ("max_temp_directory_size", "File too large", "No space left"): ErrorName.EXCEEDED_SPILL_LIMIT,
    ("database has been invalidated", "configuration has been locked"): (
        ErrorName.GENERIC_INTERNAL_ERROR
    ),
}
_SAID = "Invalid Input Error: "


def classify(error: BaseException) -> ErrorName:
    """The name of what went wrong; in the worker.

    `error('NAME')` in SQL, perhaps with `: ` and words behind the name, is that error where it is
    one of `ON_DATA`: so functions fail as Trino's do.
    """
    words = str(error)
    if isinstance(error, MemoryError):
        return ErrorName.EXCEEDED_LOCAL_MEMORY_LIMIT
    for parts, name in _BY_WORDS.items():
        if any(part in words for part in parts):
            return name
    if isinstance(error, duckdb.BinderException):
        return _binding(words)
    if isinstance(error, duckdb.InvalidInputException):
        return _said(words)
    meant = error_name(type(error).__name__, words)
    fitting = (name for kind, name in _TYPES if isinstance(error, kind))
    return meant or next(fitting, ErrorName.GENERIC_INTERNAL_ERROR)


def query_error(name: str, *, collapse: bool) -> QueryError:
    """The error that a worker named, as its principal sees it; in the parent.

    With `collapse` every failure on data is the same one.
    """
    try:
        known = ErrorName[name]
    except KeyError:
        known = ErrorName.GENERIC_INTERNAL_ERROR
    if known not in _TEXTS:
        known = ErrorName.GENERIC_INTERNAL_ERROR
    if collapse and known in ON_DATA:
        known = ErrorName.GENERIC_USER_ERROR
    return QueryError(known, _TEXTS[known])


def may_depend_on_data(name: ErrorName) -> bool:
    """Whether other rows might not have failed: then a guarded query runs again without them."""
    return name in ON_DATA or name is ErrorName.EXCEEDED_LOCAL_MEMORY_LIMIT


def healthy_after(name: ErrorName) -> bool:
    """Whether a process that failed so is in order."""
    return name.kind is ErrorKind.USER_ERROR


def _said(words: str) -> ErrorName:
    if "More than one row returned by a subquery" in words:
        return ErrorName.SUBQUERY_MULTIPLE_ROWS
    said = words.removeprefix(_SAID).partition(":")[0].strip()
    try:
        name = ErrorName[said]
    except KeyError:
        return ErrorName.INVALID_FUNCTION_ARGUMENT
    return name if name in ON_DATA else ErrorName.INVALID_FUNCTION_ARGUMENT


def _binding(words: str) -> ErrorName:
    if _is_about_types(words):
        return ErrorName.TYPE_MISMATCH
    if "must appear in the GROUP BY" in words:
        return ErrorName.EXPRESSION_NOT_AGGREGATE
    return ErrorName.NOT_SUPPORTED


def _is_about_types(words: str) -> bool:
    return any(
        w in words
        for w in (
            "No function matches",
            "Could not choose a best candidate",
            "Cannot compare values",
            "Cannot mix values",
            "Cannot combine types",
        )
    )
