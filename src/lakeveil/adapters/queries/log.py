"""Queries on record. A state only ever moves on: every change names the states it starts from."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import sqlalchemy as sa

from lakeveil.adapters.database import reading, transaction
from lakeveil.adapters.tables.queries import queries, query_servers, workgroups
from lakeveil.core.query.execution import QueryExecution, QueryState, QueryStatistics
from lakeveil.core.query.failures import ErrorName, QueryFailure
from lakeveil.errors import Conflict
from lakeveil.ports.queries import Usage

_T = queries
_OPEN = (QueryState.QUEUED.value, QueryState.RUNNING.value)

Price = Callable[[int], float]
"""What a number of scanned bytes costs."""


class SqlQueryLog:
    """`QueryLog` over an engine from `open_database`. Thread-safe."""

    def __init__(self, engine: sa.Engine, *, price: Price = lambda _bytes: 0.0) -> None:
        self._engine = engine
        self._price = price

    def add(self, execution: QueryExecution) -> QueryExecution:
        """See `QueryLog`."""
        with transaction(self._engine) as tx:
            if execution.client_token:
                before = tx.execute(
                    sa.select(_T.c.record).where(
                        _T.c.account == execution.account,
                        _T.c.principal == execution.principal,
                        _T.c.client_token == execution.client_token,
                    )
                ).scalar()
                if before is not None:
                    return _same_request(_read(before), execution)
            last = tx.execute(sa.select(sa.func.max(_T.c.number))).scalar() or 0
            tx.execute(sa.insert(_T).values(number=last + 1, **_columns(execution)))
        return execution

    def get(self, account: str, query_id: str) -> QueryExecution | None:
        """See `QueryLog`."""
        with reading(self._engine) as connection:
            row = connection.execute(
                sa.select(_T.c.record).where(_T.c.id == query_id, _T.c.account == account)
            ).scalar()
        return None if row is None else _read(row)

    def begin(self, query_id: str, *, server: str, now: float) -> QueryExecution | None:
        """See `QueryLog`."""
        return self._moved(
            query_id, (QueryState.QUEUED,), lambda found: found.running(now=now, server=server)
        )

    def note(self, query_id: str, statistics: QueryStatistics) -> bool:
        """See `QueryLog`."""
        moved = self._moved(
            query_id, (QueryState.RUNNING,), lambda found: replace(found, statistics=statistics)
        )
        return moved is not None

    def finish(self, execution: QueryExecution) -> bool:
        """See `QueryLog`."""
        states = (QueryState.QUEUED, QueryState.RUNNING)
        return self._moved(execution.id, states, lambda _found: execution) is not None

    def cancel(self, account: str, query_id: str, *, now: float) -> QueryExecution | None:
        """See `QueryLog`."""

        def cancelled(found: QueryExecution) -> QueryExecution:
            failure = QueryFailure(ErrorName.USER_CANCELED, "Query was cancelled.")
            return replace(found, state=QueryState.CANCELLED, failure=failure, completed_at=now)

        if self.get(account, query_id) is None:
            return None
        states = (QueryState.QUEUED, QueryState.RUNNING)
        self._moved(query_id, states, cancelled)
        return self.get(account, query_id)

    def ids(
        self,
        account: str,
        workgroup: str,
        *,
        principal: str,
        before: str | None = None,
        limit: int = 50,
    ) -> list[str]:
        """See `QueryLog`."""
        query = sa.select(_T.c.id).where(
            _T.c.account == account, _T.c.workgroup == workgroup, _T.c.principal == principal
        )
        if before is not None:
            # Somebody else's id is no place in this list.
            last = (
                sa.select(_T.c.number)
                .where(_T.c.id == before, _T.c.account == account, _T.c.principal == principal)
                .scalar_subquery()
            )
            query = query.where(_T.c.number < last)
        with reading(self._engine) as connection:
            found = connection.execute(query.order_by(_T.c.number.desc()).limit(limit))
            return [row.id for row in found]

    def beat(self, server: str, *, now: float) -> None:
        """See `QueryLog`."""
        with transaction(self._engine) as tx:
            done = tx.execute(
                sa.update(query_servers).where(query_servers.c.server == server).values(seen_at=now)
            )
            if not done.rowcount:
                tx.execute(sa.insert(query_servers).values(server=server, seen_at=now))

    def abandon(self, *, silent_since: float, now: float) -> list[QueryExecution]:
        """See `QueryLog`."""
        failure = QueryFailure(
            ErrorName.ABANDONED_QUERY, "The server that ran the query stopped. Run it again."
        )
        alive = sa.select(query_servers.c.server).where(query_servers.c.seen_at > silent_since)
        failed: list[QueryExecution] = []
        with transaction(self._engine) as tx:
            rows = tx.execute(
                sa.select(_T.c.record).where(_T.c.state.in_(_OPEN), _T.c.server.not_in(alive))
            ).scalars()
            for record in rows.all():
                found = _read(record).failed(failure, now=now)
                tx.execute(sa.update(_T).where(_T.c.id == found.id).values(**_columns(found)))
                failed.append(found)
            tx.execute(sa.delete(query_servers).where(query_servers.c.seen_at <= silent_since))
        return failed

    def scanned_since(self, account: str, workgroup: str, since: float) -> int:
        """See `QueryLog`."""
        with reading(self._engine) as connection:
            total = connection.execute(
                sa.select(sa.func.sum(_T.c.scanned_bytes)).where(
                    _T.c.account == account,
                    _T.c.workgroup == workgroup,
                    _T.c.submitted_at >= since,
                )
            ).scalar()
        return int(total or 0)

    def usage(self, account: str, *, since: float, until: float) -> list[Usage]:
        """See `QueryLog`."""
        counted: dict[tuple[str, str], list[int]] = defaultdict(list)
        with reading(self._engine) as connection:
            rows = connection.execute(
                sa.select(_T.c.workgroup, _T.c.submitted_at, _T.c.scanned_bytes).where(
                    _T.c.account == account,
                    _T.c.submitted_at >= since,
                    _T.c.submitted_at < until,
                )
            ).all()
            records = connection.execute(
                sa.select(workgroups.c.name, workgroups.c.record).where(
                    workgroups.c.account == account
                )
            ).all()
        tags: dict[str, Mapping[str, str]] = {
            row.name: json.loads(row.record).get("tags", {}) for row in records
        }
        for row in rows:
            day = datetime.fromtimestamp(row.submitted_at, UTC).date().isoformat()
            counted[row.workgroup, day].append(row.scanned_bytes)
        return [
            Usage(
                workgroup=workgroup,
                day=day,
                queries=len(sizes),
                scanned_bytes=sum(sizes),
                price=sum(self._price(size) for size in sizes),
                tags=tags.get(workgroup, {}),
            )
            for (workgroup, day), sizes in sorted(counted.items())
        ]

    def in_state(self, account: str, workgroup: str, states: Sequence[QueryState]) -> int:
        """See `QueryLog`."""
        with reading(self._engine) as connection:
            found = connection.execute(
                sa.select(sa.func.count()).where(
                    _T.c.account == account,
                    _T.c.workgroup == workgroup,
                    _T.c.state.in_([state.value for state in states]),
                )
            ).scalar()
        return int(found or 0)

    def _moved(
        self,
        query_id: str,
        states: Sequence[QueryState],
        change: Callable[[QueryExecution], QueryExecution],
    ) -> QueryExecution | None:
        """A query changed, if it is in one of some states; else None."""
        with transaction(self._engine) as tx:
            record = tx.execute(
                sa.select(_T.c.record).where(
                    _T.c.id == query_id, _T.c.state.in_([state.value for state in states])
                )
            ).scalar()
            if record is None:
                return None
            after = change(_read(record))
            tx.execute(sa.update(_T).where(_T.c.id == query_id).values(**_columns(after)))
        return after


def _columns(execution: QueryExecution) -> dict[str, object]:
    return {
        "id": execution.id,
        "account": execution.account,
        "workgroup": execution.workgroup,
        "principal": execution.principal,
        "state": execution.state.value,
        "server": execution.server,
        "client_token": execution.client_token or None,
        "submitted_at": execution.submitted_at,
        "scanned_bytes": execution.statistics.scanned_bytes,
        "record": msgspec.json.encode(execution).decode(),
    }


def _read(record: str) -> QueryExecution:
    return msgspec.json.decode(record, type=QueryExecution)


def _same_request(before: QueryExecution, now: QueryExecution) -> QueryExecution:
    def asked(one: QueryExecution) -> tuple[object, ...]:
        return (one.sql, one.parameters, one.workgroup, one.database, one.catalog)

    if asked(before) != asked(now):
        raise Conflict(
            "The client request token was used for another request.",
            code="client_token_conflict",
        )
    return before
