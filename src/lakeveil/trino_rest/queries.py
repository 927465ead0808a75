"""What the door does with statements and queries: start, look, read a page, stop.

Queries and results are found for their principal alone. An address for the next answer has a slug
besides the query's id: a keyed hash of the query and its principal, so nobody makes one up.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from lakeveil.core.query.execution import QueryExecution, ResultColumn
from lakeveil.core.query.failures import ErrorName, QueryError, QueryFailure
from lakeveil.core.query.result_forms import JSON_LINES, TEXT
from lakeveil.errors import LakeveilError, NotFound, Refused, Unavailable
from lakeveil.flows.change_access import Call
from lakeveil.flows.look_at_queries import own_query, stop_query
from lakeveil.flows.query_desk import QueryDesk
from lakeveil.flows.read_rows import read_rows
from lakeveil.flows.run_query import failure_of
from lakeveil.flows.start_query import START, start_query
from lakeveil.trino_rest.attention import Attention
from lakeveil.trino_rest.documents import (
    UPDATES,
    QueryResults,
    failure_told,
    state_of,
    update_of,
)
from lakeveil.trino_rest.headers import RequestHeaders
from lakeveil.trino_rest.session import client_session
from lakeveil.trino_rest.shown import shown_columns, shown_rows
from lakeveil.trino_rest.sign_in import SignedIn
from lakeveil.trino_rest.statements import Asking, Settled, understood

LOOK = "athena:GetQueryExecution"
MOST_LINES = 100_000
"""Of what a statement shows; more of it is refused, as it comes in one piece."""
MAX_PLACE = 18
"""Digits of a place in a result."""
_ROWS = (ResultColumn("rows", "bigint"),)
_DONE = (ResultColumn("result", "boolean"),)

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What an address names: a query, its slug, and where in its result to go on."""

    query_id: str
    slug: str
    start: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Queries:
    """Statements of one lake. `submit` hands a queued query to who runs it: account and id."""

    desk: QueryDesk
    submit: Callable[[str, str], None]
    attention: Attention = field(default_factory=Attention)

    def answer(
        self, text: str, headers: RequestHeaders, who: SignedIn, *, base: str, call: Call
    ) -> tuple[QueryResults, Headers]:
        """The first answer to a statement.

        Raises:
            Unavailable: the state does not answer.
        """
        query_id = call.request_id
        try:
            session = client_session(headers)
            if not who.may_be_called(session.user):
                raise QueryError(
                    ErrorName.PERMISSION_DENIED,
                    f"Access Denied: User {call.who.caller_arn} cannot impersonate another user",
                )
            found = understood(text, Asking(session=session, call=call, desk=self.desk))
            if isinstance(found, Settled):
                return _settled(found, query_id, base), found.headers
            started = start_query(found, call=call, desk=self.desk)
        except Unavailable:
            raise
        except LakeveilError as error:
            return _failed(query_id, base, told(error)), ()
        self.attention.seen(started.account, started.id, now=self.desk.clock.now())
        self.submit(started.account, started.id)
        return self._under_way(started, base, "queued"), ()

    def look(self, place: Place, *, call: Call) -> QueryExecution:
        """A query as it is now.

        Raises:
            NotFound: there is none, it is somebody else's, or the slug is not its own.
            Refused: the caller may not look at queries in its workgroup any more.
        """
        found = own_query(place.query_id, LOOK, call=call, desk=self.desk)
        if not hmac.compare_digest(self._slug(found).encode(), place.slug.encode()):
            raise NotFound("Query not found", code="query_not_found")
        if not found.state.over:
            self.attention.seen(found.account, found.id, now=self.desk.clock.now())
        return found

    def page(self, found: QueryExecution, start: int, *, base: str, call: Call) -> QueryResults:
        """What is to be told of a query, with rows once it has succeeded.

        Raises:
            NotFound: its result is gone.
            Unavailable: the store does not answer.
        """
        if not found.state.over:
            return self._under_way(found, base, "executing")
        self.attention.over(found.id)
        whole = QueryResults(
            id=found.id,
            info_uri=_info(base, found.id),
            state=state_of(found),
            statistics=found.statistics,
        )
        if failure := failure_told(found):
            return replace(whole, failure=failure)
        try:
            return self._succeeded(whole, found, start, base=base, call=call)
        except (NotFound, Unavailable):
            raise
        except LakeveilError as error:
            return replace(whole, state="FAILED", failure=told(error))

    def stop(self, place: Place, *, call: Call) -> None:
        """End a query, at its principal's wish.

        Raises:
            NotFound: there is none, it is somebody else's, or the slug is not its own.
        """
        found = self.look(place, call=call)
        self.attention.over(found.id)
        stop_query(found.id, call=call, desk=self.desk)

    def own(self, query_id: str, *, call: Call) -> QueryExecution:
        """A query of the caller's, by its id alone.

        Raises:
            NotFound: there is none, or it is somebody else's.
        """
        return own_query(query_id, LOOK, call=call, desk=self.desk)

    def stop_own(self, query_id: str, *, call: Call) -> None:
        """End a query of the caller's, by its id alone.

        Raises:
            NotFound: there is none, or it is somebody else's.
        """
        stop_query(query_id, call=call, desk=self.desk)
        self.attention.over(query_id)

    def cancel_abandoned(self) -> None:
        """End the queries whose clients are gone."""
        now = self.desk.clock.now()
        for account, query_id in self.attention.abandoned(now=now):
            self.desk.log.cancel(account, query_id, now=now)
            self.desk.jobs.stop(query_id)

    # -- answers -------------------------------------------------------------------------------
    def _under_way(self, found: QueryExecution, base: str, stage: str) -> QueryResults:
        return QueryResults(
            id=found.id,
            info_uri=_info(base, found.id),
            next_uri=self._next(found, 0, base, stage),
            state=state_of(found),
            statistics=found.statistics,
        )

    def _succeeded(
        self, whole: QueryResults, found: QueryExecution, start: int, *, base: str, call: Call
    ) -> QueryResults:
        if found.substatement in UPDATES:
            count = found.update_count or 0
            return replace(
                whole,
                columns=_ROWS,
                rows=[f"[{count}]"],
                update_type=update_of(found),
                update_count=count,
            )
        if found.output.endswith(JSON_LINES):
            _, page = read_rows(found.id, start=start, call=call, desk=self.desk)
            after = "" if page.next is None else self._next(found, page.next, base, "executing")
            return replace(whole, columns=found.columns, rows=page.lines, next_uri=after)
        if found.output.endswith(TEXT) and found.columns:
            names = shown_columns(found)
            rows = shown_rows(found, self._lines(found, call))
            return replace(
                whole,
                columns=[ResultColumn(name, "varchar") for name in names],
                rows=[json.dumps(row, ensure_ascii=False) for row in rows],
            )
        return replace(whole, columns=_DONE, rows=["[true]"], update_type=update_of(found))

    def _lines(self, found: QueryExecution, call: Call) -> list[str]:
        lines: list[str] = []
        start: int | None = 0
        while start is not None:
            _, page = read_rows(found.id, start=start, call=call, desk=self.desk)
            lines += page.lines
            start = page.next
            if len(lines) > MOST_LINES:
                raise QueryError(
                    ErrorName.NOT_SUPPORTED, f"The answer has more than {MOST_LINES} lines"
                )
        return lines

    # -- addresses -----------------------------------------------------------------------------
    def _next(self, found: QueryExecution, start: int, base: str, stage: str) -> str:
        return f"{base}/v1/statement/{stage}/{found.id}/{self._slug(found)}/{start}"

    def _slug(self, found: QueryExecution) -> str:
        said = f"trino next uri\0{found.id}\0{found.principal}\0{found.speaks_for}"
        return hmac.new(self.desk.salt.encode(), said.encode(), hashlib.sha256).hexdigest()[:32]


def told(error: LakeveilError) -> QueryFailure:
    """An error as Trino names it."""
    if isinstance(error, Refused) and error.code == "too_many_requests":
        return QueryFailure(ErrorName.QUERY_QUEUE_FULL, error.what)
    return failure_of(error)


def call_of(who: SignedIn, action: str, *, request_id: str, source_ip: str) -> Call:
    """A call of the caller's."""
    return Call(
        who=who.principal,
        action=action,
        access_key=who.access_key,
        request_id=request_id,
        source_ip=source_ip,
    )


def started_call(who: SignedIn, *, source_ip: str) -> Call:
    """The call that begins a statement, under an id of its own."""
    return call_of(who, START, request_id=str(uuid.uuid4()), source_ip=source_ip)


def _settled(found: Settled, query_id: str, base: str) -> QueryResults:
    rows = [json.dumps(list(row), ensure_ascii=False) for row in found.rows]
    columns: Sequence[ResultColumn] = [ResultColumn(name, "varchar") for name in found.columns]
    return QueryResults(
        id=query_id,
        info_uri=_info(base, query_id),
        columns=columns or _DONE,
        rows=rows if columns else ["[true]"],
        update_type=found.update_type,
    )


def _failed(query_id: str, base: str, failure: QueryFailure) -> QueryResults:
    return QueryResults(
        id=query_id, info_uri=_info(base, query_id), state="FAILED", failure=failure
    )


def _info(base: str, query_id: str) -> str:
    return f"{base}/v1/query/{query_id}"
