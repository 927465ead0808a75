"""Why a query failed: Trino's error names, and what Athena makes of them.

Names, codes and types are Trino's (`StandardErrorCode`, `HiveErrorCode`); clients retry, blame the
user or give up by them. A message is made here or by the guard and never by an engine, whose own
words may hold values that the caller may not see, addresses, or what a policy says.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lakeveil.errors import LakeveilError


class ErrorKind(StrEnum):
    """Whose fault it is, as Trino says it."""

    USER_ERROR = "USER_ERROR"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    INSUFFICIENT_RESOURCES = "INSUFFICIENT_RESOURCES"
    EXTERNAL = "EXTERNAL"


class ErrorName(StrEnum):
    """Trino's errors that occur here."""

    GENERIC_USER_ERROR = "GENERIC_USER_ERROR"
    SYNTAX_ERROR = "SYNTAX_ERROR"
    ABANDONED_QUERY = "ABANDONED_QUERY"
    USER_CANCELED = "USER_CANCELED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    NOT_FOUND = "NOT_FOUND"
    FUNCTION_NOT_FOUND = "FUNCTION_NOT_FOUND"
    INVALID_FUNCTION_ARGUMENT = "INVALID_FUNCTION_ARGUMENT"
    DIVISION_BY_ZERO = "DIVISION_BY_ZERO"
    INVALID_CAST_ARGUMENT = "INVALID_CAST_ARGUMENT"
    OPERATOR_NOT_FOUND = "OPERATOR_NOT_FOUND"
    INVALID_VIEW = "INVALID_VIEW"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    INVALID_SESSION_PROPERTY = "INVALID_SESSION_PROPERTY"
    CONSTRAINT_VIOLATION = "CONSTRAINT_VIOLATION"
    TRANSACTION_CONFLICT = "TRANSACTION_CONFLICT"
    INVALID_TABLE_PROPERTY = "INVALID_TABLE_PROPERTY"
    NUMERIC_VALUE_OUT_OF_RANGE = "NUMERIC_VALUE_OUT_OF_RANGE"
    SUBQUERY_MULTIPLE_ROWS = "SUBQUERY_MULTIPLE_ROWS"
    SCHEMA_NOT_EMPTY = "SCHEMA_NOT_EMPTY"
    QUERY_TEXT_TOO_LARGE = "QUERY_TEXT_TOO_LARGE"
    TYPE_NOT_FOUND = "TYPE_NOT_FOUND"
    CATALOG_NOT_FOUND = "CATALOG_NOT_FOUND"
    SCHEMA_NOT_FOUND = "SCHEMA_NOT_FOUND"
    TABLE_NOT_FOUND = "TABLE_NOT_FOUND"
    COLUMN_NOT_FOUND = "COLUMN_NOT_FOUND"
    SCHEMA_ALREADY_EXISTS = "SCHEMA_ALREADY_EXISTS"
    TABLE_ALREADY_EXISTS = "TABLE_ALREADY_EXISTS"
    COLUMN_ALREADY_EXISTS = "COLUMN_ALREADY_EXISTS"
    DUPLICATE_COLUMN_NAME = "DUPLICATE_COLUMN_NAME"
    MISSING_COLUMN_NAME = "MISSING_COLUMN_NAME"
    TYPE_MISMATCH = "TYPE_MISMATCH"
    INVALID_LITERAL = "INVALID_LITERAL"
    MISMATCHED_COLUMN_ALIASES = "MISMATCHED_COLUMN_ALIASES"
    AMBIGUOUS_NAME = "AMBIGUOUS_NAME"
    INVALID_COLUMN_REFERENCE = "INVALID_COLUMN_REFERENCE"
    MISSING_GROUP_BY = "MISSING_GROUP_BY"
    NESTED_AGGREGATION = "NESTED_AGGREGATION"
    NESTED_WINDOW = "NESTED_WINDOW"
    EXPRESSION_NOT_IN_DISTINCT = "EXPRESSION_NOT_IN_DISTINCT"
    EXPRESSION_NOT_AGGREGATE = "EXPRESSION_NOT_AGGREGATE"
    EXPRESSION_NOT_SCALAR = "EXPRESSION_NOT_SCALAR"
    EXPRESSION_NOT_CONSTANT = "EXPRESSION_NOT_CONSTANT"
    INVALID_ARGUMENTS = "INVALID_ARGUMENTS"
    TOO_MANY_ARGUMENTS = "TOO_MANY_ARGUMENTS"
    INVALID_PARAMETER_USAGE = "INVALID_PARAMETER_USAGE"
    GENERIC_INTERNAL_ERROR = "GENERIC_INTERNAL_ERROR"
    SERVER_SHUTTING_DOWN = "SERVER_SHUTTING_DOWN"
    QUERY_QUEUE_FULL = "QUERY_QUEUE_FULL"
    EXCEEDED_TIME_LIMIT = "EXCEEDED_TIME_LIMIT"
    EXCEEDED_SPILL_LIMIT = "EXCEEDED_SPILL_LIMIT"
    EXCEEDED_LOCAL_MEMORY_LIMIT = "EXCEEDED_LOCAL_MEMORY_LIMIT"
    EXCEEDED_SCAN_LIMIT = "EXCEEDED_SCAN_LIMIT"
    HIVE_BAD_DATA = "HIVE_BAD_DATA"
    HIVE_PATH_ALREADY_EXISTS = "HIVE_PATH_ALREADY_EXISTS"

    @property
    def number(self) -> int:
        """Trino's number."""
        return _NUMBERS[self]

    @property
    def kind(self) -> ErrorKind:
        """Whose fault it is; Trino numbers each kind from a number of its own on."""
        if self.number < _FIRST_INTERNAL:
            return ErrorKind.USER_ERROR
        if self.number < _FIRST_RESOURCES:
            return ErrorKind.INTERNAL_ERROR
        if self.number < _FIRST_EXTERNAL:
            return ErrorKind.INSUFFICIENT_RESOURCES
        return ErrorKind.EXTERNAL


_FIRST_INTERNAL, _FIRST_RESOURCES = 0x1_0000, 0x2_0000
_FIRST_EXTERNAL = 0x100_0000
"""From here on they are the Hive connector's (`HiveErrorCode`); those named here are EXTERNAL."""
_NUMBERS = {
    ErrorName.GENERIC_USER_ERROR: 0,
    ErrorName.SYNTAX_ERROR: 1,
    ErrorName.ABANDONED_QUERY: 2,
    ErrorName.USER_CANCELED: 3,
    ErrorName.PERMISSION_DENIED: 4,
    ErrorName.NOT_FOUND: 5,
    ErrorName.FUNCTION_NOT_FOUND: 6,
    ErrorName.INVALID_FUNCTION_ARGUMENT: 7,
    ErrorName.DIVISION_BY_ZERO: 8,
    ErrorName.INVALID_CAST_ARGUMENT: 9,
    ErrorName.OPERATOR_NOT_FOUND: 10,
    ErrorName.INVALID_VIEW: 11,
    ErrorName.ALREADY_EXISTS: 12,
    ErrorName.NOT_SUPPORTED: 13,
    ErrorName.INVALID_SESSION_PROPERTY: 14,
    ErrorName.CONSTRAINT_VIOLATION: 16,
    ErrorName.TRANSACTION_CONFLICT: 17,
    ErrorName.INVALID_TABLE_PROPERTY: 18,
    ErrorName.NUMERIC_VALUE_OUT_OF_RANGE: 19,
    ErrorName.SUBQUERY_MULTIPLE_ROWS: 28,
    ErrorName.SCHEMA_NOT_EMPTY: 34,
    ErrorName.QUERY_TEXT_TOO_LARGE: 35,
    ErrorName.TYPE_NOT_FOUND: 43,
    ErrorName.CATALOG_NOT_FOUND: 44,
    ErrorName.SCHEMA_NOT_FOUND: 45,
    ErrorName.TABLE_NOT_FOUND: 46,
    ErrorName.COLUMN_NOT_FOUND: 47,
    ErrorName.SCHEMA_ALREADY_EXISTS: 49,
    ErrorName.TABLE_ALREADY_EXISTS: 50,
    ErrorName.COLUMN_ALREADY_EXISTS: 51,
    ErrorName.DUPLICATE_COLUMN_NAME: 54,
    ErrorName.MISSING_COLUMN_NAME: 55,
    ErrorName.TYPE_MISMATCH: 58,
    ErrorName.INVALID_LITERAL: 59,
    ErrorName.MISMATCHED_COLUMN_ALIASES: 61,
    ErrorName.AMBIGUOUS_NAME: 62,
    ErrorName.INVALID_COLUMN_REFERENCE: 63,
    ErrorName.MISSING_GROUP_BY: 64,
    ErrorName.NESTED_AGGREGATION: 67,
    ErrorName.NESTED_WINDOW: 68,
    ErrorName.EXPRESSION_NOT_IN_DISTINCT: 69,
    ErrorName.EXPRESSION_NOT_AGGREGATE: 73,
    ErrorName.EXPRESSION_NOT_SCALAR: 74,
    ErrorName.EXPRESSION_NOT_CONSTANT: 75,
    ErrorName.INVALID_ARGUMENTS: 76,
    ErrorName.TOO_MANY_ARGUMENTS: 77,
    ErrorName.INVALID_PARAMETER_USAGE: 80,
    ErrorName.GENERIC_INTERNAL_ERROR: 65536,
    ErrorName.SERVER_SHUTTING_DOWN: 65545,
    ErrorName.QUERY_QUEUE_FULL: 131074,
    ErrorName.EXCEEDED_TIME_LIMIT: 131075,
    ErrorName.EXCEEDED_SPILL_LIMIT: 131078,
    ErrorName.EXCEEDED_LOCAL_MEMORY_LIMIT: 131079,
    ErrorName.EXCEEDED_SCAN_LIMIT: 131081,
    ErrorName.HIVE_BAD_DATA: _FIRST_EXTERNAL + 7,
    ErrorName.HIVE_PATH_ALREADY_EXISTS: _FIRST_EXTERNAL + 15,
}


@dataclass(frozen=True, slots=True)
class QueryFailure:
    """What is told of a failure. `line` and `column` count from 1; 0 is nowhere."""

    name: ErrorName
    message: str
    line: int = 0
    column: int = 0

    @property
    def text(self) -> str:
        """As Athena and Trino print it: `COLUMN_NOT_FOUND: line 1:8: Column 'x' ...`."""
        where = f"line {self.line}:{self.column}: " if self.line else ""
        return f"{self.name.name}: {where}{self.message}"


class QueryError(LakeveilError):
    """A query cannot be run, or did not end well; `failure` is all that its principal learns."""

    http_status = 400

    def __init__(self, name: ErrorName, message: str, *, line: int = 0, column: int = 0) -> None:
        self.failure = QueryFailure(name, message, line, column)
        super().__init__(self.failure.text, code=name.name.lower())

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross from the engine's process to the server.
        return (_rebuilt, (self.failure,))


def _rebuilt(failure: QueryFailure) -> QueryError:
    return QueryError(failure.name, failure.message, line=failure.line, column=failure.column)
