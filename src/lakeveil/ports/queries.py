"""Records of queries, and what surrounds them: workgroups, named queries, prepared statements.

Everything belongs to an account; who may see or change which, flows decide. Methods raise
`Unavailable` when the state does not answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lakeveil.core.query.execution import QueryExecution, QueryState, QueryStatistics
from lakeveil.core.query.workgroups import Workgroup


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedQuery:
    """A query that was saved under a name. `id` names it for good."""

    id: str
    account: str
    workgroup: str
    name: str
    database: str
    sql: str
    description: str = ""
    created_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedStatement:
    """A statement with `?` for its parameters, by name within a workgroup."""

    account: str
    workgroup: str
    name: str
    sql: str
    description: str = ""
    changed_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a workgroup's queries of one day (UTC, `2026-01-31`) have read and cost."""

    workgroup: str
    day: str
    queries: int
    scanned_bytes: int
    price: float
    tags: Mapping[str, str]


class QueryLog(Protocol):
    """Queries on record."""

    def add(self, execution: QueryExecution) -> QueryExecution:
        """Put a query on record; one with the same principal's client token is returned instead.

        Raises:
            Conflict: the token belongs to another request.
        """
        ...

    def get(self, account: str, query_id: str) -> QueryExecution | None:
        """One query."""
        ...

    def begin(self, query_id: str, *, server: str, now: float) -> QueryExecution | None:
        """Make a queued query a running one; None where it is queued no more."""
        ...

    def note(self, query_id: str, statistics: QueryStatistics) -> bool:
        """Keep how far a running query is; False where it is no longer running."""
        ...

    def finish(self, execution: QueryExecution) -> bool:
        """Put a query's end on record; False where another end was there first."""
        ...

    def cancel(self, account: str, query_id: str, *, now: float) -> QueryExecution | None:
        """End a query that is not over, as its principal wishes; None where there is none."""
        ...

    def ids(
        self,
        account: str,
        workgroup: str,
        *,
        principal: str,
        before: str | None = None,
        limit: int = 50,
    ) -> list[str]:
        """Ids of a principal's queries in a workgroup, newest first, those older than `before`."""
        ...

    def beat(self, server: str, *, now: float) -> None:
        """Say that a server is alive."""
        ...

    def abandon(self, *, silent_since: float, now: float) -> list[QueryExecution]:
        """Fail the queries of servers that have been silent, so that no state lies."""
        ...

    def scanned_since(self, account: str, workgroup: str, since: float) -> int:
        """Bytes that a workgroup's queries have read since a time, running ones included."""
        ...

    def usage(self, account: str, *, since: float, until: float) -> list[Usage]:
        """What each workgroup used on each day."""
        ...

    def in_state(self, account: str, workgroup: str, states: Sequence[QueryState]) -> int:
        """How many queries of a workgroup are in one of these states."""
        ...


class Workgroups(Protocol):
    """Workgroups and what is kept in them."""

    def get(self, account: str, name: str) -> Workgroup | None:
        """One workgroup; every account has `primary`."""
        ...

    def all(self, account: str) -> list[Workgroup]:
        """All of an account's, by name."""
        ...

    def create(self, workgroup: Workgroup) -> None:
        """Make one.

        Raises:
            Conflict: there is one of that name.
        """
        ...

    def put(self, workgroup: Workgroup) -> None:
        """Replace one."""
        ...

    def remove(self, account: str, name: str, *, everything: bool) -> None:
        """Remove one, with what is saved in it if `everything`.

        Raises:
            Conflict: something is saved in it.
        """
        ...

    def put_named(self, query: NamedQuery) -> None:
        """Save a query, or replace it."""
        ...

    def named(self, account: str, query_id: str) -> NamedQuery | None:
        """One saved query."""
        ...

    def named_in(self, account: str, workgroup: str) -> Iterator[NamedQuery]:
        """Those of a workgroup, by name and id."""
        ...

    def remove_named(self, account: str, query_id: str) -> None:
        """Forget one."""
        ...

    def put_prepared(self, statement: PreparedStatement, *, new: bool) -> None:
        """Keep a prepared statement.

        Raises:
            Conflict: it is `new`, and there is one of that name.
        """
        ...

    def prepared(self, account: str, workgroup: str, name: str) -> PreparedStatement | None:
        """One prepared statement."""
        ...

    def prepared_in(self, account: str, workgroup: str) -> Iterator[PreparedStatement]:
        """Those of a workgroup, by name."""
        ...

    def remove_prepared(self, account: str, workgroup: str, name: str) -> None:
        """Forget one."""
        ...
