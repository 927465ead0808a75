"""Running one query: look, check, decide, put on record, and only then read.

    text -> checked against the catalog as its principal sees it, in one consistent look
         -> a governed view of each table, made of the decision it was checked against
         -> the files of that very state
         -> intent on record -> engine -> result -> completion on record

Whatever errs, the query fails and says no more than it may. Who asks is looked up again when it
begins: a key that was revoked while the query waited reads nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from lakeveil.core.access.grants import TableName
from lakeveil.core.access.lake import Table
from lakeveil.core.access.tables.partitions import NULL
from lakeveil.core.audit import AuditEvent, AuditId, AuditOutcome, Json
from lakeveil.core.identity.principal import Principal
from lakeveil.core.query.execution import (
    QueryExecution,
    QueryState,
    QueryStatistics,
    ResultColumn,
)
from lakeveil.core.query.failures import ErrorName, QueryError, QueryFailure
from lakeveil.core.query.workgroups import Workgroup
from lakeveil.errors import Conflict, LakeveilError, NotFound, Refused, Unavailable, UsageError
from lakeveil.flows.catalog_desk import SeenTable, looking_at
from lakeveil.flows.change_access import Call
from lakeveil.flows.iceberg_rows import catch_up
from lakeveil.flows.own_locations import READ, allows_below
from lakeveil.flows.query_catalog import BehindTable, SeenCatalog
from lakeveil.flows.query_desk import QueryDesk, said_query
from lakeveil.flows.start_query import START, check_may_write, scanned_within, usable_workgroup
from lakeveil.ports.engine import EngineJob, EngineRelation, JobLimits, RunningJob
from lakeveil.sql.governed import governed_view
from lakeveil.sql.guard import check_query
from lakeveil.sql.pruning import unwanted
from lakeveil.sql.relations import CheckedQuery, UsedRelation
from lakeveil.sql.statements import Query

Partitions = Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]

MAX_CATCHING_UP = 20
"""Tables of one query whose rows may have to follow their entries."""

log = structlog.get_logger(component="query")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A query that begins: who asks as things stand now, and in which workgroup."""

    execution: QueryExecution
    call: Call
    workgroup: Workgroup
    desk: QueryDesk

    @property
    def who(self) -> Principal:
        """Who asks."""
        return self.call.who


@dataclass(frozen=True, slots=True, kw_only=True)
class Governed:
    """A checked query with what was decided of each of its tables."""

    checked: CheckedQuery
    tables: Mapping[str, SeenTable]
    """By alias."""
    partitions: Mapping[str, tuple[tuple[tuple[str, ...], Mapping[str, Any]], ...]]
    planning_s: float
    views: Mapping[TableName, Table] = field(default_factory=dict)
    """Views that were written out, as they were; what tells of the catalog itself is not there."""


@dataclass(slots=True, kw_only=True)
class Took:
    """Where the time went, filled in on the way; seconds."""

    planning_s: float = 0.0
    engine_s: float = 0.0
    writing_s: float = 0.0
    started: float = field(default_factory=time.monotonic)


def asked_again(execution: QueryExecution, desk: QueryDesk) -> Asked:
    """Who asked, as things stand when the query begins.

    Raises:
        Refused: the key is good no more, belongs to another, or may not use the workgroup.
    """
    who = desk.who_now(execution.access_key)
    if who.arn != execution.principal or who.account != execution.account:
        raise Refused("The key is not its principal's any more.", code="key_of_another")
    call = Call(who=who, action=START, access_key=execution.access_key, request_id=execution.id)
    workgroup = usable_workgroup(execution.workgroup, START, call=call, desk=desk)
    if execution.output:
        check_may_write(execution.output, call=call, desk=desk)
    return Asked(execution=execution, call=call, workgroup=workgroup, desk=desk)


def govern(query: Query | str, asked: Asked) -> Governed:
    """Check a query against what its principal sees, in one consistent look.

    Raises:
        QueryError: it may not run.
    """
    began = time.monotonic()
    for _ in range(MAX_CATCHING_UP):
        try:
            return replace(_govern(query, asked), planning_s=time.monotonic() - began)
        except BehindTable as behind:
            catch_up(behind.name, asked.desk.catalog)
    raise QueryError(ErrorName.TRANSACTION_CONFLICT, "The tables change too fast. Try again.")


def _govern(query: Query | str, asked: Asked) -> Governed:
    desk, execution = asked.desk, asked.execution
    with desk.catalog.lake.looking() as lake:
        authority = looking_at(lake, asked.who, desk.catalog)
        catalog = SeenCatalog(lake, authority)
        checked = check_query(
            query,
            catalog=catalog,
            database=execution.database,
            parameters=execution.parameters,
            now=execution.submitted_at,
        )
        tables: dict[str, SeenTable] = {}
        partitions = {}
        for used in checked.relations:
            found = catalog.table(used.relation.name)
            if found is None:
                raise QueryError(ErrorName.TABLE_NOT_FOUND, "A table of the query is gone.")
            _check_own_files(found, asked)
            tables[used.alias] = found
            if not used.relation.iceberg:
                every = lake.partitions(found.name)
                partitions[used.alias] = tuple(wanted_partitions(every, used, found))
        views = {
            name: found.record.table for name in checked.views if (found := catalog.table(name))
        }
    return Governed(
        checked=checked, tables=tables, partitions=partitions, planning_s=0.0, views=views
    )


def wanted_partitions(every: Partitions, used: UsedRelation, found: SeenTable) -> Partitions:
    """The partitions of a table that a query may want rows of.

    Only by columns that its principal sees in full: what is masked is compared as its mask.
    """
    keys = [column for column in found.record.table.columns if column.partition]
    full = {column.name for column in found.data.columns if column.visible.every}
    types = {key.name: key.type for key in keys if key.name in full}
    for values, document in every:
        known = {
            key.name: value
            for key, value in zip(keys, values, strict=False)
            if key.name in full and value != NULL
        }
        if not unwanted(used.wanted, types, known):
            yield values, document


def _check_own_files(found: SeenTable, asked: Asked) -> None:
    """Refuse files that no registered location holds, to whoever's own rights do not reach them.

    Nothing else speaks of such a table: who owns it may have lost the folder since.
    """
    if found.record.table.governed:
        return
    if not allows_below(asked.who.rights, READ, found.record.location, asked.execution.id):
        raise QueryError(
            ErrorName.PERMISSION_DENIED,
            f"Access Denied: Cannot select from table {found.name}: its files lie outside of the "
            f"lake, and you lack {READ} there",
        )


@contextmanager
def reading(governed: Governed, asked: Asked, took: Took) -> Iterator[RunningJob]:
    """Put on record what is about to be read, read it, and put on record what became of it.

    Raises:
        QueryError: the query failed.
    """
    began = time.monotonic()
    desk, execution = asked.desk, asked.execution
    job = EngineJob(
        id=execution.id,
        binding=" ".join(
            (execution.session or execution.principal, execution.speaks_for, execution.workgroup)
        ),
        sql=governed.checked.sql,
        relations=tuple(_relation(used, governed, desk) for used in governed.checked.relations),
        limits=_limits(asked),
        strict=asked.workgroup.strict,
    )
    took.planning_s += governed.planning_s + time.monotonic() - began
    intent = desk.catalog.audit.intend(_event(governed, asked))
    try:
        with desk.engine.run(job) as running, desk.jobs.holding(execution.id, running):
            yield running
            done = running.statistics()
    except BaseException as error:
        code = error.code if isinstance(error, LakeveilError) else type(error).__name__
        _complete(desk, intent, AuditOutcome.FAILED, error_code=code)
        raise
    took.engine_s += done.engine_s
    desk.catalog.audit.complete(
        intent,
        outcome=AuditOutcome.DONE,
        rows=done.rows,
        detail={"scanned_bytes": done.scanned_bytes},
    )


def run_select(query: Query | str, asked: Asked) -> QueryExecution:
    """A query whose rows become a result file."""
    took = Took()
    governed = govern(query, asked)
    columns = result_columns(governed.checked)
    execution, desk = asked.execution, asked.desk
    with reading(governed, asked, took) as running:
        written, rows = desk.results.write(execution.output, columns, running.batches())
        statistics = running.statistics()
    took.writing_s = max(0.0, time.monotonic() - took.started - took.planning_s - took.engine_s)
    return succeeded(
        replace(execution, columns=columns),
        took,
        desk,
        QueryStatistics(
            scanned_bytes=statistics.scanned_bytes, result_rows=rows, result_bytes=written
        ),
    )


def result_columns(checked: CheckedQuery) -> tuple[ResultColumn, ...]:
    """What a result's columns are called and of which types they are."""
    return tuple(ResultColumn(column.name, column.type) for column in checked.columns)


def succeeded(
    execution: QueryExecution, took: Took, desk: QueryDesk, statistics: QueryStatistics
) -> QueryExecution:
    """The record of a query that ended well."""
    now = desk.clock.now()
    started = execution.started_at or now
    return replace(
        execution,
        state=QueryState.SUCCEEDED,
        completed_at=now,
        statistics=replace(
            statistics,
            queued_s=max(0.0, started - execution.submitted_at),
            planning_s=took.planning_s,
            engine_s=took.engine_s,
            writing_s=took.writing_s,
            total_s=max(0.0, now - execution.submitted_at),
        ),
    )


def failure_of(error: Exception) -> QueryFailure:
    """What a query's principal is told of an error."""
    if isinstance(error, QueryError):
        return error.failure
    for kind, name in _NAMES.items():
        if isinstance(error, kind):
            return QueryFailure(name, _said(error))
    away = isinstance(error, Unavailable)
    what = "A component did not answer." if away else "The query could not be run."
    return QueryFailure(ErrorName.GENERIC_INTERNAL_ERROR, f"{what} Try again.")


_NAMES: Mapping[type[LakeveilError], ErrorName] = {
    Refused: ErrorName.PERMISSION_DENIED,
    NotFound: ErrorName.NOT_FOUND,
    Conflict: ErrorName.TRANSACTION_CONFLICT,
    UsageError: ErrorName.INVALID_ARGUMENTS,
}


def _said(error: LakeveilError) -> str:
    return " ".join(part for part in (error.what, error.fix and f"To do: {error.fix}.") if part)


def _relation(used: UsedRelation, governed: Governed, desk: QueryDesk) -> EngineRelation:
    found = governed.tables[used.alias]
    as_of = used.as_of
    scan = desk.planner.plan(
        found.record,
        snapshot=as_of.snapshot if as_of else None,
        timestamp_ms=as_of.timestamp_ms if as_of else None,
        partitions=iter(governed.partitions.get(used.alias, ())),
    )
    view = governed_view(
        found.data, [(column.name, column.type) for column in scan.columns], salt=desk.salt
    )
    # Of what may be seen, only what the query reads: the less there is, the less can leak.
    columns = {name: text for name, text in view.columns.items() if name in used.columns}
    return EngineRelation(
        alias=used.alias, scan=scan, view=replace(view, columns=columns or _NO_COLUMN)
    )


_NO_COLUMN = {"_none": "1"}
"""Where rows are only counted."""


def _limits(asked: Asked) -> JobLimits:
    caps = [asked.workgroup.bytes_cutoff] if asked.workgroup.bytes_cutoff else []
    for limit in asked.workgroup.limits:
        left = limit.bytes - scanned_within(limit, asked.workgroup, asked.desk)
        caps.append(max(1, left))
    limits = asked.desk.limits
    if limits.scanned_bytes is not None:
        caps.append(limits.scanned_bytes)
    return replace(limits, scanned_bytes=min(caps) if caps else None)


def _event(governed: Governed, asked: Asked) -> AuditEvent:
    execution = asked.execution
    grants: set[str] = set()
    said: dict[str, Json] = {}
    for used in governed.checked.relations:
        found = governed.tables[used.alias]
        shown = {c.name: c for c in found.data.columns if c.name in used.columns}
        grants |= {grant for column in shown.values() for grant in column.grants}
        said[str(found.name)] = {
            "visible": sorted(name for name, c in shown.items() if c.visible),
            "masked": sorted(name for name, c in shown.items() if c.masked and not c.visible),
            "rows": "all" if found.data.rows.every else "some",
        }
    event = asked.call.event(
        AuditOutcome.ALLOWED,
        said_query(execution),
        sensitive={"sql": execution.sql, "parameters": "\n".join(execution.parameters)},
    )
    return replace(event, decision=said, grants=tuple(sorted(grants)))


def _complete(desk: QueryDesk, intent: AuditId, outcome: AuditOutcome, *, error_code: str) -> None:
    try:
        desk.catalog.audit.complete(intent, outcome=outcome, error_code=error_code)
    except LakeveilError:
        # The intent stays on record without one; what failed is worth more than this.
        log.exception("completion not on record")
