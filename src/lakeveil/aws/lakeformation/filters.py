"""Data cells filters: rows and columns of a table under a name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lakeveil.aws.lakeformation.shapes import Shape, account_of, table_of
from lakeveil.aws.paging import page
from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.grants import DataCellsFilter, TableName
from lakeveil.errors import UsageError
from lakeveil.flows.change_access import AccessDesk, Call, looking
from lakeveil.flows.change_filters import create_filter, delete_filter, update_filter
from lakeveil.flows.known_resources import filters_of, known_database, known_filter, known_table

PAGE = 100


def create_data_cells_filter(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """CreateDataCellsFilter."""
    asked = params["TableData"]
    if "VersionId" in asked:
        raise UsageError("A filter that is created has no VersionId.")
    create_filter(_filter(asked, call), call=call, desk=desk)
    return {}


def update_data_cells_filter(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """UpdateDataCellsFilter: with a VersionId, only if nobody else changed it since."""
    update_filter(_filter(params["TableData"], call), call=call, desk=desk)
    return {}


def get_data_cells_filter(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """GetDataCellsFilter."""
    authority = looking(call.who, desk)
    found = known_filter(desk.lake, authority, _table(params, call), params["Name"])
    return {"DataCellsFilter": _shape(found)}


def delete_data_cells_filter(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """DeleteDataCellsFilter: the grants on it go with it."""
    for member in ("DatabaseName", "TableName", "Name"):
        if member not in params:
            raise UsageError(f"{member} is missing.")
    delete_filter(_table(params, call), params["Name"], call=call, desk=desk)
    return {}


def list_data_cells_filter(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """ListDataCellsFilter: of one table, of a database, or of the caller's whole catalog."""
    found, token = page(
        _listed(call, params, desk, looking(call.who, desk)),
        lambda one: (one.table.database, one.table.table, one.name),
        params,
        asker=f"ListDataCellsFilter {call.who.caller_arn}",
        size=PAGE,
    )
    return {"DataCellsFilters": [_shape(one) for one in found], **token}


def _listed(
    call: Call, params: Shape, desk: AccessDesk, authority: Authority
) -> Iterator[DataCellsFilter]:
    if "Table" not in params:
        account, database = call.who.account, None
    else:
        asked = table_of(params["Table"], call.who.account)
        account, database = asked.account, asked.database
        if asked.table is not None:
            name = TableName(account, database, asked.table)
            yield from filters_of(authority, known_table(desk.lake, authority, name))
            return
        known_database(desk.lake, authority, account, database)
    names = {name for name, _ in authority.policy.filters if name.account == account}
    for name in sorted(names):
        if database in {None, name.database}:
            record = desk.lake.table(name)
            if record is not None and authority.knows_table(record.table):
                yield from filters_of(authority, record.table)


def _table(params: Shape, call: Call) -> TableName:
    return TableName(
        account_of(params, call.who.account, "TableCatalogId"),
        params["DatabaseName"].lower(),
        params["TableName"].lower(),
    )


def _filter(shape: Shape, call: Call) -> DataCellsFilter:
    named, wildcard = shape.get("ColumnNames"), shape.get("ColumnWildcard")
    if (not named) == (wildcard is None):
        raise UsageError("Give either ColumnNames, or ColumnWildcard.")
    listed = named or (wildcard or {}).get("ExcludedColumnNames", [])
    return DataCellsFilter(
        table=_table(shape, call),
        name=shape["Name"],
        named=frozenset(name.lower() for name in listed),
        excluding=not named,
        rows=_rows(shape.get("RowFilter", {})),
        version=shape.get("VersionId", ""),
    )


def _rows(shape: Shape) -> str | None:
    expression, every = shape.get("FilterExpression"), "AllRowsWildcard" in shape
    if every == (expression is not None):
        raise UsageError("RowFilter has either FilterExpression, or AllRowsWildcard.")
    return None if every else str(expression)


def _shape(found: DataCellsFilter) -> dict[str, Any]:
    names = sorted(found.named)
    rows: dict[str, Any] = (
        {"AllRowsWildcard": {}} if found.rows is None else {"FilterExpression": found.rows}
    )
    wildcard = {"ExcludedColumnNames": names} if names else {}
    return {
        "TableCatalogId": found.table.account,
        "DatabaseName": found.table.database,
        "TableName": found.table.table,
        "Name": found.name,
        "RowFilter": rows,
        **({"ColumnWildcard": wildcard} if found.excluding else {"ColumnNames": names}),
        "VersionId": found.version or None,
    }
