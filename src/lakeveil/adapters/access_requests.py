"""Requests for access in our database; see `lakeveil.ports.access_requests`."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from lakeveil.adapters.database import reading, transaction
from lakeveil.adapters.tables.requests import access_requests
from lakeveil.core.access.explaining.access_requests import (
    ANSWER_WITHIN_S,
    AccessRequest,
    RequestState,
)
from lakeveil.core.access.grants import TableName
from lakeveil.errors import Conflict

_T = access_requests
# As `AccessRequest.ends_at` has it.
_ends_at = sa.func.coalesce(
    sa.case(
        (_T.c.state.in_([RequestState.APPROVED, RequestState.EMERGENCY]), _T.c.until),
        (_T.c.state.in_([RequestState.DENIED, RequestState.WITHDRAWN]), _T.c.answered_at),
        else_=None,
    ),
    _T.c.asked_at + ANSWER_WITHIN_S,
)


class SqlAccessRequests:
    """`AccessRequests` over an engine from `open_database`. Thread-safe."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, request: AccessRequest) -> AccessRequest:
        """See `AccessRequests`."""
        kept = replace(request, id=secrets.token_hex(6))
        with transaction(self._engine) as tx:
            tx.execute(sa.insert(_T).values(**_values(kept)))
        return kept

    def find(self, request_id: str) -> AccessRequest | None:
        """See `AccessRequests`."""
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(_T).where(_T.c.id == request_id)).first()
        return None if row is None else _request(row)

    def of_account(
        self,
        account: str,
        *,
        states: frozenset[RequestState] = frozenset(),
        since: float | None = None,
    ) -> Sequence[AccessRequest]:
        """See `AccessRequests`."""
        query = sa.select(_T).where(_T.c.account == account)
        if states:
            query = query.where(_T.c.state.in_(sorted(states)))
        if since is not None:
            query = query.where(_ends_at > since)
        return self._all(query)

    def of_requester(self, arn: str) -> Sequence[AccessRequest]:
        """See `AccessRequests`."""
        return self._all(sa.select(_T).where(_T.c.requester == arn))

    def replace(self, before: AccessRequest, after: AccessRequest) -> None:
        """See `AccessRequests`."""
        with transaction(self._engine) as tx:
            done = tx.execute(
                sa.update(_T)
                .where(
                    _T.c.id == before.id,
                    _T.c.state == before.state.value,
                    _T.c.grant_id == before.grant,
                )
                .values(**_values(after))
            )
            if done.rowcount != 1:
                raise Conflict(
                    f"request `{before.id}` was changed by somebody else",
                    why="it is not as it was when you looked",
                    fix="lakeveil access requests",
                )

    def _all(self, query: sa.Select[Any]) -> Sequence[AccessRequest]:
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(_T.c.asked_at, _T.c.id)).all()
        return [_request(row) for row in rows]


def _values(request: AccessRequest) -> dict[str, Any]:
    return {
        "id": request.id,
        "requester": request.requester,
        "requester_account": request.requester_account,
        "account": request.table.account,
        "database": request.table.database,
        "table_name": request.table.table,
        "columns_json": json.dumps(list(request.columns)),
        "reason": request.reason,
        "asked_at": request.asked_at,
        "state": request.state.value,
        "answered_by": request.answered_by,
        "answered_at": request.answered_at,
        "answer": request.answer,
        "until": request.until,
        "grant_id": request.grant,
        "own": request.own,
    }


def _request(row: Any) -> AccessRequest:
    return AccessRequest(
        id=row.id,
        requester=row.requester,
        requester_account=row.requester_account,
        table=TableName(row.account, row.database, row.table_name),
        columns=tuple(json.loads(row.columns_json)),
        reason=row.reason,
        asked_at=row.asked_at,
        state=RequestState(row.state),
        answered_by=row.answered_by,
        answered_at=row.answered_at,
        answer=row.answer,
        until=row.until,
        grant=row.grant_id,
        own=row.own,
    )
