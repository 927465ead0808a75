"""A query's record, from being queued to being done: Athena's `QueryExecution` and its states.

Times are UTC seconds, durations seconds, sizes bytes. The record is what every door shows of a
query; results themselves lie on the object store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from lakeveil.core.query.failures import QueryFailure


class QueryState(StrEnum):
    """Athena's states of a query."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self not in {QueryState.QUEUED, QueryState.RUNNING}


class StatementType(StrEnum):
    """Athena's kinds of statements."""

    DDL = "DDL"
    DML = "DML"
    UTILITY = "UTILITY"


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of a result: its name, and its type as Trino spells it (`decimal(12,2)`)."""

    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryStatistics:
    """What a query took. `queued_s`, `planning_s`, `engine_s`, `writing_s` are parts of `total_s`.

    `scanned_bytes` were read from the store: column chunks of row groups that were not skipped,
    and the files' footers. `written_bytes` and `written_rows` are what it left in tables.
    """

    scanned_bytes: int = 0
    result_rows: int = 0
    result_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    queued_s: float = 0.0
    planning_s: float = 0.0
    engine_s: float = 0.0
    writing_s: float = 0.0
    total_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryExecution:
    """One query. `principal` is the ARN of who it belongs to, `session` the caller's ARN.

    `output` is where its result lies or will lie (`s3://.../ID.csv`), empty where it has none;
    `manifest` lists the files that a statement wrote. `server` is the process that runs it.
    """

    id: str
    account: str
    workgroup: str
    principal: str
    session: str = ""
    speaks_for: str = ""
    """A digest of all that spoke for the principal.

    Two people in one role may see different rows, so their results are not each other's.
    """
    access_key: str = ""
    sql: str
    parameters: tuple[str, ...] = ()
    database: str = ""
    catalog: str = ""
    state: QueryState = QueryState.QUEUED
    statement: StatementType = StatementType.DML
    substatement: str = ""
    """Athena's name of the exact kind: `SELECT`, `CREATE_TABLE_AS_SELECT`, ..."""
    output: str = ""
    manifest: str = ""
    columns: tuple[ResultColumn, ...] = ()
    failure: QueryFailure | None = None
    statistics: QueryStatistics = field(default_factory=QueryStatistics)
    submitted_at: float = 0.0
    started_at: float | None = None
    completed_at: float | None = None
    server: str = ""
    client_token: str = ""
    update_count: int | None = None

    def running(self, *, now: float, server: str) -> QueryExecution:
        """The same, having begun."""
        return replace(self, state=QueryState.RUNNING, started_at=now, server=server)

    def failed(self, failure: QueryFailure, *, now: float) -> QueryExecution:
        """The same, having failed."""
        return replace(self, state=QueryState.FAILED, failure=failure, completed_at=now)


def speaks_for(identities: Iterable[str]) -> str:
    """A digest of a principal's identifiers, in whatever order they come."""
    return hashlib.sha256("\n".join(sorted(identities)).encode()).hexdigest()
