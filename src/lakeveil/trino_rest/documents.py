"""`QueryResults`: the document that every answer about a query is, as Trino's clients read it.

Rows come as JSON already, a text each, and are put in as they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lakeveil.core.query.execution import (
    QueryExecution,
    QueryState,
    QueryStatistics,
    ResultColumn,
)
from lakeveil.core.query.failures import ErrorName, QueryFailure
from lakeveil.core.query.type_signature import type_signature

_STATES: Mapping[QueryState, str] = {
    QueryState.QUEUED: "QUEUED",
    QueryState.RUNNING: "RUNNING",
    QueryState.SUCCEEDED: "FINISHED",
    QueryState.FAILED: "FAILED",
    QueryState.CANCELLED: "FAILED",
}
CANCELLED = QueryFailure(ErrorName.USER_CANCELED, "Query was canceled")
_UNEXPLAINED = QueryFailure(ErrorName.GENERIC_INTERNAL_ERROR, "The query failed. Try again.")
UPDATES: Mapping[str, str] = {
    "INSERT": "INSERT",
    "CREATE_TABLE_AS_SELECT": "CREATE TABLE",
    "DELETE": "DELETE",
    "UPDATE": "UPDATE",
    "MERGE": "MERGE",
}
"""Statements that count rows, as Trino calls them."""
_DEFINITIONS: Mapping[str, str] = {
    "CREATE_DATABASE": "CREATE SCHEMA",
    "DROP_DATABASE": "DROP SCHEMA",
    "ALTER_TABLE_ADD_COLUMNS": "ADD COLUMN",
    "ALTER_TABLE_DROP_COLUMN": "DROP COLUMN",
    "ALTER_TABLE_RENAME": "RENAME TABLE",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResults:
    """One answer. `columns` None: not known yet; `rows` are JSON arrays, each as its text."""

    id: str
    info_uri: str
    next_uri: str = ""
    state: str = "FINISHED"
    statistics: QueryStatistics = field(default_factory=QueryStatistics)
    columns: Sequence[ResultColumn] | None = None
    rows: Sequence[str] = ()
    failure: QueryFailure | None = None
    update_type: str = ""
    update_count: int | None = None

    def encoded(self) -> bytes:
        """The document."""
        document: dict[str, Any] = {
            "id": self.id,
            "infoUri": self.info_uri,
            **({"nextUri": self.next_uri} if self.next_uri else {}),
            "stats": statement_stats(self.state, self.statistics),
            "warnings": [],
        }
        if self.columns is not None:
            document["columns"] = [_column(column) for column in self.columns]
        if self.failure is not None:
            document["error"] = query_error(self.failure)
        if self.update_type:
            document["updateType"] = self.update_type
        if self.update_count is not None:
            document["updateCount"] = self.update_count
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        if self.rows:
            text = f'{text[:-1]},"data":[{",".join(self.rows)}]}}'
        return text.encode()


def state_of(execution: QueryExecution) -> str:
    """A query's state as Trino calls it."""
    return _STATES[execution.state]


def failure_told(execution: QueryExecution) -> QueryFailure | None:
    """Why a query did not succeed; None where it may yet."""
    if execution.state is QueryState.CANCELLED:
        return CANCELLED
    if execution.state is QueryState.FAILED:
        return execution.failure or _UNEXPLAINED
    return None


def update_of(execution: QueryExecution) -> str:
    """What a statement without rows of its own is called."""
    kind = execution.substatement
    return UPDATES.get(kind) or _DEFINITIONS.get(kind) or kind.replace("_", " ")


def statement_stats(state: str, took: QueryStatistics) -> dict[str, Any]:
    """`StatementStats`: everything runs in one place, so there is one split."""
    running, done = state == "RUNNING", state in {"FINISHED", "FAILED"}
    return {
        "state": state,
        "queued": state == "QUEUED",
        "scheduled": state != "QUEUED",
        **({"progressPercentage": 100.0} if state == "FINISHED" else {}),
        "nodes": 1,
        "totalSplits": 1,
        "queuedSplits": int(state == "QUEUED"),
        "runningSplits": int(running),
        "completedSplits": int(done),
        "planningTimeMillis": _ms(took.planning_s),
        "cpuTimeMillis": _ms(took.engine_s),
        "wallTimeMillis": _ms(took.engine_s),
        "queuedTimeMillis": _ms(took.queued_s),
        "elapsedTimeMillis": _ms(took.total_s),
        "processedRows": took.result_rows,
        "processedBytes": took.scanned_bytes,
        "physicalInputBytes": took.scanned_bytes,
        "physicalWrittenBytes": took.written_bytes,
        "peakMemoryBytes": 0,
        "spilledBytes": 0,
    }


def query_error(failure: QueryFailure) -> dict[str, Any]:
    """`QueryError`. The message has its place in front, as Trino's has."""
    where = f"line {failure.line}:{failure.column}: " if failure.line else ""
    message = f"{where}{failure.message}"
    location = (
        {"errorLocation": {"lineNumber": failure.line, "columnNumber": failure.column}}
        if failure.line
        else {}
    )
    return {
        "message": message,
        "errorCode": failure.name.number,
        "errorName": failure.name.name,
        "errorType": failure.name.kind.value,
        **location,
        "failureInfo": {
            "type": "io.trino.spi.TrinoException",
            "message": message,
            "suppressed": [],
            "stack": [],
            **location,
        },
    }


def _column(column: ResultColumn) -> dict[str, Any]:
    signature = type_signature(column.type)
    return {"name": column.name, "type": signature.text, "typeSignature": signature.as_dict()}


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
