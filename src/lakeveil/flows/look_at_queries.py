"""Looking at queries, and ending them: everybody their own.

A query and its result belong to the principal that ran it. For anybody else it is not there, and
neither is it for somebody in the same role for whom other groups speak: what they may see differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lakeveil.core.query.execution import QueryExecution, QueryState, speaks_for
from lakeveil.core.query.result_forms import JSON_LINES
from lakeveil.errors import NotFound, UsageError
from lakeveil.flows.change_access import Call
from lakeveil.flows.query_desk import QueryDesk
from lakeveil.flows.start_query import require_workgroup_right

MAX_PAGE = 1000
"""Rows of a page of results, Athena's limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultPage:
    """Rows of a result, and where the next ones begin; None at the end. NULL is None."""

    rows: Sequence[tuple[str | None, ...]]
    next: int | None


def own_query(query_id: str, action: str, *, call: Call, desk: QueryDesk) -> QueryExecution:
    """A query of the caller's.

    Raises:
        NotFound: there is none, or it is somebody else's.
        Refused: the caller may not call `action` on its workgroup any more.
    """
    found = desk.log.get(call.who.account, query_id)
    mine = (
        found is not None
        and found.principal == call.who.arn
        and found.speaks_for == speaks_for(call.who.identities)
    )
    if found is None or not mine:
        raise NotFound(f"QueryExecution {query_id} was not found", code="query_not_found")
    require_workgroup_right(found.workgroup, action, call=call, desk=desk)
    return found


def own_queries(
    workgroup: str, *, before: str | None, limit: int, call: Call, desk: QueryDesk
) -> list[str]:
    """Ids of the caller's queries in a workgroup, newest first.

    Raises:
        Refused: the caller may not list them.
    """
    require_workgroup_right(workgroup, "athena:ListQueryExecutions", call=call, desk=desk)
    return desk.log.ids(
        call.who.account, workgroup, principal=call.who.arn, before=before, limit=limit
    )


def stop_query(query_id: str, *, call: Call, desk: QueryDesk) -> None:
    """End a query of the caller's; one that is over stays as it is.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    own_query(query_id, "athena:StopQueryExecution", call=call, desk=desk)
    desk.log.cancel(call.who.account, query_id, now=desk.clock.now())
    desk.jobs.stop(query_id)


def read_result(
    query_id: str, *, start: int, limit: int, call: Call, desk: QueryDesk
) -> tuple[QueryExecution, ResultPage]:
    """A page of a result, from where the one before ended (0 for the first).

    Raises:
        NotFound: the query is not there for the caller, or its result was removed.
        UsageError: it has no result, or not yet.
    """
    found = own_query(query_id, "athena:GetQueryResults", call=call, desk=desk)
    if found.state is not QueryState.SUCCEEDED:
        raise UsageError(
            f"Query has not yet finished. Current state: {found.state}"
            if not found.state.over
            else f"Query did not finish successfully. Final query state: {found.state}",
            code="no_result",
        )
    if not found.output:
        return found, ResultPage(rows=(), next=None)
    if found.output.endswith(JSON_LINES):
        raise UsageError(
            "The query's result is no CSV.",
            why="it was asked by Trino's protocol, and its rows keep their types",
            fix="read it there, or run it here",
            code="no_result",
        )
    rows, after = desk.results.page(found.output, start=start, limit=min(limit, MAX_PAGE))
    return found, ResultPage(rows=rows, next=after)
