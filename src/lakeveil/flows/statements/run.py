"""One query from the queue to its end, whatever its statement is.

Nothing is raised: what fails becomes a record that says no more than its principal may know. A
query that was stopped meanwhile is over already, and what its statement left by then is taken
back. Refusals go on record, and so does asking for what is not there for the one who asks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import structlog

from lakeveil.core.audit import AuditEvent, AuditOutcome
from lakeveil.core.query.execution import QueryExecution
from lakeveil.core.query.failures import ErrorName, QueryError, QueryFailure
from lakeveil.errors import LakeveilError, Refused
from lakeveil.flows.query_desk import said_query
from lakeveil.flows.run_query import Asked, asked_again, failure_of, run_select
from lakeveil.flows.start_query import START
from lakeveil.flows.statements import (
    alter_tables,
    change_rows,
    create_as,
    define_databases,
    define_tables,
    define_views,
    describe,
    drop_tables,
    explain,
    insert,
    maintain,
    merge,
    partitions,
    prepared,
    show,
    unload,
)
from lakeveil.flows.statements.answers import Answer, done, text_location
from lakeveil.flows.statements.desk import StatementDesk
from lakeveil.flows.statements.naming import database_of
from lakeveil.flows.statements.show import tables_in
from lakeveil.sql import statements as sql
from lakeveil.sql.parse import parse

_REFUSALS = frozenset(
    {
        ErrorName.PERMISSION_DENIED,
        ErrorName.SCHEMA_NOT_FOUND,
        ErrorName.TABLE_NOT_FOUND,
        ErrorName.COLUMN_NOT_FOUND,
    }
)

log = structlog.get_logger(component="query")


def execute(account: str, query_id: str, desk: StatementDesk) -> None:
    """Run a queued query to its end; one that is queued no more is left alone."""
    try:
        execution = desk.log.begin(query_id, server=desk.server, now=desk.clock.now())
    except LakeveilError as error:
        log.warning("query not begun", query=query_id, reason=error.code, why=error.what)
        return
    if execution is None or execution.account != account:
        return
    answer: Answer | None = None
    try:
        asked = asked_again(execution, desk)
        statement = parse(execution.sql, execution.parameters)
        execution = described(execution, statement)
        answer = run(statement, replace(asked, execution=execution), desk)
        ended = answer.execution
    except Exception as error:  # noqa: BLE001 - whatever errs, the query has failed
        ended = _failed(execution, error, desk)
    _finish(ended, answer, desk)


def run(statement: sql.Statement, asked: Asked, desk: StatementDesk) -> Answer:
    """Run a statement.

    Raises:
        QueryError: it cannot be run, or did not end well.
        LakeveilError: as the flows that it goes through.
    """
    if isinstance(statement, sql.Execute):
        statement, asked = prepared.executed(statement, asked)
        asked = replace(asked, execution=described(asked.execution, statement))
    if isinstance(statement, sql.Select):
        return Answer(execution=run_select(statement.query, asked))
    if isinstance(statement, sql.SetLocation) and statement.partition is not None:
        return partitions.set_partition_location(statement, statement.partition, asked)
    kind = type(statement)
    if kind in _WITH_WRITERS:
        return _WITH_WRITERS[kind](statement, asked, desk)
    if kind in _PLAIN:
        return _PLAIN[kind](statement, asked)
    raise QueryError(
        ErrorName.NOT_SUPPORTED, f"{statement.substatement or 'This statement'} is not supported"
    )


def described(execution: QueryExecution, statement: sql.Statement) -> QueryExecution:
    """The record, with what kind of statement it is of."""
    return replace(execution, statement=statement.kind, substatement=statement.substatement)


def _use(statement: sql.Use, asked: Asked) -> Answer:
    """USE: whether the database is there; queries of Athena's have no session to keep it in."""
    tables_in(database_of(statement.database, asked), asked)
    return done(asked)


def _failed(execution: QueryExecution, error: Exception, desk: StatementDesk) -> QueryExecution:
    failure: QueryFailure = failure_of(error)
    if failure.name is ErrorName.GENERIC_INTERNAL_ERROR:
        log.warning("query failed", query=execution.id, error=type(error).__name__, exc_info=error)
    if isinstance(error, Refused) or failure.name in _REFUSALS:
        _put_refusal_on_record(execution, failure, error, desk)
    ended = execution.failed(failure, now=desk.clock.now())
    return replace(ended, output=text_location(execution.output)) if _is_text(execution) else ended


def _is_text(execution: QueryExecution) -> bool:
    return bool(execution.output) and execution.statement is not sql.Select.kind


def _put_refusal_on_record(
    execution: QueryExecution, failure: QueryFailure, error: Exception, desk: StatementDesk
) -> None:
    code = error.code if isinstance(error, LakeveilError) else failure.name.name.lower()
    event = AuditEvent(
        principal=execution.principal,
        session=execution.session,
        account=execution.account,
        action=START,
        access_key=execution.access_key,
        request_id=execution.id,
        resource=said_query(execution),
        outcome=AuditOutcome.REFUSED,
        error_code=code,
        sensitive={"sql": execution.sql, "parameters": "\n".join(execution.parameters)},
    )
    try:
        desk.catalog.audit.record(event)
    except LakeveilError:
        log.exception("refusal not on record", query=execution.id)


def _finish(ended: QueryExecution, answer: Answer | None, desk: StatementDesk) -> None:
    try:
        kept = desk.log.finish(ended)
    except LakeveilError as error:
        log.warning("end not on record", query=ended.id, reason=error.code, why=error.what)
        return
    if kept or answer is None:
        return
    try:
        answer.undo()
        if ended.output:
            desk.files.remove([ended.output, f"{ended.output}.metadata"])
    except Exception:
        log.exception("a stopped query left something behind", query=ended.id)


_PLAIN: dict[type[sql.Statement], Callable[[Any, Asked], Answer]] = {
    sql.CreateTable: define_tables.create_table,
    sql.AddColumns: alter_tables.add_columns,
    sql.DropColumn: alter_tables.drop_column,
    sql.ChangeColumn: alter_tables.change_column,
    sql.SetLocation: alter_tables.set_location,
    sql.SetTableProperties: alter_tables.set_properties,
    sql.AddPartitions: partitions.add_partitions,
    sql.DropPartitions: partitions.drop_partitions,
    sql.CreateView: define_views.create_view,
    sql.DropView: define_views.drop_view,
    sql.CreateDatabase: define_databases.create_database,
    sql.AlterDatabase: define_databases.alter_database,
    sql.DropDatabase: define_databases.drop_database,
    sql.ShowDatabases: show.show_databases,
    sql.ShowTables: show.show_tables,
    sql.ShowViews: show.show_views,
    sql.ShowColumns: show.show_columns,
    sql.ShowPartitions: show.show_partitions,
    sql.ShowTableProperties: show.show_properties,
    sql.ShowCreateTable: describe.show_create_table,
    sql.ShowCreateView: describe.show_create_view,
    sql.Describe: describe.describe,
    sql.Explain: explain.explain,
    sql.Prepare: prepared.prepare,
    sql.Deallocate: prepared.deallocate,
    sql.Use: _use,
}
_WITH_WRITERS: dict[type[sql.Statement], Callable[[Any, Asked, StatementDesk], Answer]] = {
    sql.CreateTableAs: create_as.create_table_as,
    sql.DropTable: drop_tables.drop_table,
    sql.Insert: insert.insert,
    sql.Unload: unload.unload,
    sql.MsckRepair: partitions.repair,
    sql.Delete: change_rows.delete,
    sql.Update: change_rows.update,
    sql.Merge: merge.merge,
    sql.Optimize: maintain.optimize,
    sql.Vacuum: maintain.vacuum,
}
"""Those that write files, or remove them."""
