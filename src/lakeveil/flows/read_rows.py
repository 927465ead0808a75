"""Reading the rows of a result with their types, for whoever the query belongs to.

A query that was asked for typed rows left them as JSON, a line for each row; a statement that
answers lines left those. What was asked for as CSV is text and no more, and is not read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lakeveil.core.query.execution import QueryExecution, QueryState
from lakeveil.core.query.result_forms import JSON_LINES, TEXT
from lakeveil.errors import UsageError
from lakeveil.flows.change_access import Call
from lakeveil.flows.look_at_queries import own_query
from lakeveil.flows.query_desk import QueryDesk

READ = "athena:GetQueryResults"
MAX_ROWS = 10_000
"""Of one page; large rows make it shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Lines of a result, and where the next ones begin; None at the end."""

    lines: Sequence[str]
    next: int | None


def read_rows(
    query_id: str, *, start: int, call: Call, desk: QueryDesk
) -> tuple[QueryExecution, Lines]:
    """Lines of a result, from where those before ended (0 for the first).

    Raises:
        NotFound: the query is not there for the caller, or its result was removed.
        Refused: the caller may not read results in its workgroup any more.
        UsageError: it has no such result, or not yet.
    """
    found = own_query(query_id, READ, call=call, desk=desk)
    if found.state is not QueryState.SUCCEEDED or not found.output.endswith((JSON_LINES, TEXT)):
        raise UsageError(
            "The query has no rows to read here.",
            why="it has not succeeded, or was asked for as CSV",
            fix="read its result where it was asked",
            code="no_result",
        )
    rows, after = desk.results.page(found.output, start=start, limit=MAX_ROWS)
    return found, Lines(lines=[line or "" for (line,) in rows], next=after)
