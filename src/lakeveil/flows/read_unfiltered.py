"""Whole definitions for query engines that enforce the decision themselves.

Such an engine is handed everything, hidden columns included, together with what it may let through:
the columns, the rows of each, the rows of the table (Lake Formation developer guide, "Application
integration for full table access" and "Permission filtering"). So it must be known to be one that
obeys; nobody else is answered. A column of which only a mask may be shown is not let through, as
there is no way to say so. What an engine says it can enforce must be enough for the decision.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from lakeveil.core.access.deciding.decision import ColumnDecision, Decision
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.rows import NONE, Rows
from lakeveil.core.access.tables.shown_document import View
from lakeveil.core.audit import AuditEvent, AuditOutcome
from lakeveil.errors import NotFound, Refused
from lakeveil.flows.catalog_desk import (
    CatalogDesk,
    SeenTable,
    refusals_on_record,
    said_table,
)
from lakeveil.flows.change_access import Call, insufficient
from lakeveil.flows.read_catalog import SeenPartition, looking_at_table


class Filtering(IntEnum):
    """How finely an engine can filter; each includes those before it."""

    NONE = 0
    COLUMN_PERMISSION = 1
    CELL_FILTER_PERMISSION = 2
    NESTED_PERMISSION = 3
    NESTED_CELL_PERMISSION = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfiltered:
    """A whole table, and what of it may be let through; `authorization` names the record of it."""

    table: SeenTable
    columns: tuple[ColumnDecision, ...]
    rows: Rows
    authorization: str


def read_unfiltered(
    name: TableName,
    *,
    supported: Collection[Filtering],
    permissions: Collection[Permission] = (),
    trusted_engines: Collection[str],
    call: Call,
    desk: CatalogDesk,
) -> Unfiltered:
    """A whole table for an engine that is trusted to filter it.

    Raises:
        NotFound: the table is not there for the caller.
        Refused: the caller is no trusted engine, or may not read the table; with the code
            `finer_than_supported` where the engine cannot filter as finely as it would have to.
    """
    said = said_table(name)
    with refusals_on_record(call, desk, said):
        _check_trusted(call, trusted_engines)
        with looking_at_table(name, who=call.who, desk=desk) as (_, table):
            columns, rows = _let_through(table.data)
        missing = sorted({Permission.SELECT, *permissions} - table.data.permissions)
        if missing or not columns:
            raise insufficient((missing or [Permission.SELECT])[0].value.title(), name.table)
        if _needed(table.data, columns) > max(supported, default=Filtering.NONE):
            raise Refused(
                "Unsupported permission types: the caller's access to the table is limited more "
                "finely than the engine can enforce.",
                code="finer_than_supported",
            )
    intent = desk.audit.intend(_event(call, said, table, columns))
    desk.audit.complete(intent, outcome=AuditOutcome.DONE)
    everything = View(
        known=[column.name for column in table.data.columns],
        hidden=(),
        entire=True,
        paths=True,
        values=True,
    )
    return Unfiltered(
        table=replace(table, view=everything),
        columns=columns,
        rows=rows,
        authorization=str(intent),
    )


def unfiltered_partitions(
    table: Unfiltered, *, values: Sequence[str] | None = None, desk: CatalogDesk
) -> Iterator[SeenPartition]:
    """The partitions of a table that was just handed to an engine: all of them, or one.

    Raises:
        NotFound: there is no partition of these values.
    """
    name = table.table.name
    if values is None:
        for found, document in desk.lake.partitions(name):
            yield SeenPartition(table=table.table, values=found, document=document)
        return
    one = desk.lake.partition(name, values)
    if one is None:
        raise NotFound("Cannot find partition.")
    yield SeenPartition(table=table.table, values=tuple(values), document=one)


def _check_trusted(call: Call, trusted_engines: Collection[str]) -> None:
    if call.who.arn not in trusted_engines:
        raise Refused(
            "Whole table definitions are handed to trusted query engines only.",
            code="no_trusted_engine",
        )


def _let_through(decision: Decision) -> tuple[tuple[ColumnDecision, ...], Rows]:
    columns = tuple(column for column in decision.columns if column.visible)
    rows = NONE
    for column in columns:
        rows |= column.visible
    return columns, rows


def _needed(decision: Decision, columns: Sequence[ColumnDecision]) -> Filtering:
    if not all(column.visible.every for column in columns):
        return Filtering.CELL_FILTER_PERMISSION
    return Filtering.NONE if len(columns) == len(decision.columns) else Filtering.COLUMN_PERMISSION


def _event(
    call: Call, said: str, table: SeenTable, columns: Sequence[ColumnDecision]
) -> AuditEvent:
    allowed = [column.name for column in columns]
    every = [column.name for column in table.data.columns]
    grants = sorted({grant for column in columns for grant in column.grants})
    return AuditEvent(
        principal=call.who.arn,
        session=call.who.session_arn,
        account=call.who.account,
        action=call.action,
        access_key=call.access_key,
        request_id=call.request_id,
        source_ip=call.source_ip,
        resource=said,
        outcome=AuditOutcome.ALLOWED,
        decision={"allowed": allowed, "hidden": [n for n in every if n not in allowed]},
        grants=tuple(grants),
    )
