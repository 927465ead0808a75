"""GetUnfiltered...: whole definitions, for query engines that are trusted to filter."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lakeveil.aws.glue.partitions import PAGE, in_segment, sort_key
from lakeveil.aws.glue.shapes import (
    Shape,
    is_registered,
    partition_shape,
    refuse_unserved,
    table_name,
    table_shape,
)
from lakeveil.aws.paging import page
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tables.partitions import selection
from lakeveil.flows.catalog_desk import CatalogDesk
from lakeveil.flows.change_access import Call
from lakeveil.flows.read_catalog import SeenPartition, partition_keys
from lakeveil.flows.read_unfiltered import (
    Filtering,
    Unfiltered,
    read_unfiltered,
    unfiltered_partitions,
)

_UNSERVED = ("ParentResourceArn", "RootResourceArn", "SupportedDialect")


def get_unfiltered_table_metadata(
    call: Call, params: Shape, desk: CatalogDesk, *, trusted_engines: Collection[str]
) -> Shape:
    """GetUnfilteredTableMetadata."""
    refuse_unserved(params, *_UNSERVED)
    found = _read("Name", call, params, desk, trusted_engines)
    table = found.table
    limited = not all(column.visible.every for column in found.columns)
    return {
        "Table": table_shape(table),
        "AuthorizedColumns": _authorized(found),
        "IsRegisteredWithLakeFormation": is_registered(table),
        "CellFilters": [
            {"ColumnName": column.name, "RowFilterExpression": column.visible.text()}
            for column in found.columns
            if limited
        ],
        "RowFilter": None if found.rows.every else found.rows.text(),
        "QueryAuthorizationId": found.authorization,
        "Permissions": _permissions(found),
    }


def get_unfiltered_partitions_metadata(
    call: Call, params: Shape, desk: CatalogDesk, *, trusted_engines: Collection[str]
) -> Shape:
    """GetUnfilteredPartitionsMetadata."""
    found = _read("TableName", call, params, desk, trusted_engines)
    chosen = selection(params.get("Expression", ""), partition_keys(found.table))
    entries, token = page(
        (
            one
            for one in unfiltered_partitions(found, desk=desk)
            if in_segment(one.values, params) and chosen(one.values)
        ),
        lambda one: (sort_key(one.values),),
        params,
        asker=f"GetUnfilteredPartitionsMetadata {call.who.caller_arn}",
        size=PAGE,
    )
    return {"UnfilteredPartitions": [_partition(found, one) for one in entries], **token}


def get_unfiltered_partition_metadata(
    call: Call, params: Shape, desk: CatalogDesk, *, trusted_engines: Collection[str]
) -> Shape:
    """GetUnfilteredPartitionMetadata."""
    found = _read("TableName", call, params, desk, trusted_engines)
    (one,) = unfiltered_partitions(found, values=params["PartitionValues"], desk=desk)
    return _partition(found, one)


def _read(
    member: str,
    call: Call,
    params: Shape,
    desk: CatalogDesk,
    trusted_engines: Collection[str],
) -> Unfiltered:
    return read_unfiltered(
        table_name(params, call.who.account, member),
        supported=[Filtering[name] for name in params["SupportedPermissionTypes"]],
        permissions=[
            Permission(name) for name in params.get("Permissions", ()) if name != Permission.ALL
        ],
        trusted_engines=trusted_engines,
        call=call,
        desk=desk,
    )


def _authorized(found: Unfiltered) -> list[str]:
    return [column.name for column in found.columns]


def _permissions(found: Unfiltered) -> list[str]:
    # The model does not know DESCRIBE here.
    return sorted(found.table.data.permissions - {Permission.DESCRIBE})


def _partition(found: Unfiltered, one: SeenPartition) -> dict[str, Any]:
    return {
        "Partition": partition_shape(one),
        "AuthorizedColumns": _authorized(found),
        "IsRegisteredWithLakeFormation": is_registered(found.table),
    }
