"""Data cells filters: rows and columns of a table, under a name that grants can use.

A filter that is widened widens every grant on it, so whoever changes one must be able to pass on
all of the table. Row filters are read and checked against the table before they are kept. Their
constants may be people's data: on record they go encrypted.
"""

from __future__ import annotations

import secrets
from contextlib import AbstractContextManager
from dataclasses import replace

from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.grants import DataCellsFilter, TableName
from lakeveil.core.access.lake import Table
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tables.row_filter import parse
from lakeveil.core.access.tables.row_filter_rows import check
from lakeveil.core.audit import Json
from lakeveil.errors import Conflict, NotFound, UsageError
from lakeveil.flows.change_access import (
    AccessDesk,
    Call,
    Change,
    changing,
    insufficient,
)
from lakeveil.flows.known_resources import known_filter, known_table

MAX_FILTERS = 100
"""Of one table."""


def create_filter(asked: DataCellsFilter, *, call: Call, desk: AccessDesk) -> DataCellsFilter:
    """Define a filter.

    Raises:
        Conflict: the table has one of that name.
        NotFound: the table is not there for the caller.
        UsageError: its columns or its row filter do not fit the table.
        Refused: the caller may not pass on all of the table.
    """
    found = replace(asked, version=secrets.token_hex(8))
    with _changing(found, call, desk) as change:
        table = _changeable(found.table, change)
        _check(found, table)
        filters = change.authority.policy.filters
        if (found.table, found.name) in filters:
            raise Conflict("Data cells filter already exists.", code="already_exists")
        if sum(1 for name, _ in filters if name == found.table) >= MAX_FILTERS:
            raise UsageError(
                f"Resource number limit exceeded: a table has at most {MAX_FILTERS} filters.",
                code="limit_exceeded",
            )
        change.lake.put_filter(found)
    return found


def update_filter(asked: DataCellsFilter, *, call: Call, desk: AccessDesk) -> DataCellsFilter:
    """Replace a filter; every grant on it moves with it. `version` is the one that is replaced.

    Raises:
        Conflict: somebody else replaced it meanwhile.
        As `create_filter`.
    """
    found = replace(asked, version=secrets.token_hex(8))
    with _changing(found, call, desk) as change:
        table = _changeable(found.table, change)
        before = _existing(found.table, found.name, change.authority)
        if asked.version and asked.version != before.version:
            raise Conflict("The data cells filter was changed meanwhile.")
        _check(found, table)
        change.lake.put_filter(found)
        change.said["before"] = _shape(before)
    return found


def delete_filter(table: TableName, name: str, *, call: Call, desk: AccessDesk) -> None:
    """Remove a filter, with the grants on it.

    Raises:
        NotFound: it is not there for the caller.
        Refused: the caller neither may pass on all of the table nor holds DROP on the filter.
    """
    with changing(call, desk, f"filter {table.account}/{table}/{name}") as change:
        before = known_filter(change.lake, change.authority, table, name)
        found = known_table(change.lake, change.authority, table)
        drops = Permission.DROP in change.authority.filter(before)
        if not drops and not change.authority.may_change_filters(found):
            raise insufficient("Drop", f"filter {name}")
        change.lake.remove_filter(table, name)
        change.said["before"] = _shape(before)


def _changing(
    found: DataCellsFilter, call: Call, desk: AccessDesk
) -> AbstractContextManager[Change]:
    return changing(
        call,
        desk,
        f"filter {found.table.account}/{found.table}/{found.name}",
        asked=_shape(found),
        sensitive={"row_filter": found.rows} if found.rows else None,
    )


def _changeable(name: TableName, change: Change) -> Table:
    table = known_table(change.lake, change.authority, name)
    if not change.authority.may_change_filters(table):
        raise insufficient("Select with grant option", f"table {name}")
    return table


def _existing(table: TableName, name: str, authority: Authority) -> DataCellsFilter:
    found = authority.policy.filters.get((table, name))
    if found is None:
        raise _no_filter()
    return found


def _check(found: DataCellsFilter, table: Table) -> None:
    columns = {column.name: column.type for column in table.columns}
    unknown = sorted(found.named - set(columns))
    if unknown:
        raise UsageError(f"The filter names a column that the table lacks: `{unknown[0]}`.")
    picked = set(columns) - found.named if found.excluding else found.named
    if not picked:
        raise UsageError("The filter leaves no column.")
    if found.rows is not None:
        check(parse(found.rows), columns)


def _shape(found: DataCellsFilter) -> dict[str, Json]:
    return {
        "columns": sorted(found.named),
        "excluding": found.excluding,
        "all_rows": found.rows is None,
        "version": found.version,
    }


def _no_filter() -> NotFound:
    return NotFound("Data cells filter not found.")
