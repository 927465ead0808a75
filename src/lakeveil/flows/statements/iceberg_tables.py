"""Making an Iceberg table from a statement: its columns, its partitioning, its properties.

The first metadata file is written before the table is entered, partitioned as asked. Until then
nothing points at it. Properties are those of Athena's (user guide, "Creating Iceberg tables").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.lake import Column
from lakeveil.core.access.locations import normalised
from lakeveil.core.access.tables.table_document import checked_location
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.flows.catalog_desk import looking_at, refusals_on_record, said_table
from lakeveil.flows.change_access import changing
from lakeveil.flows.change_catalog import check_name
from lakeveil.flows.change_tables import new_record
from lakeveil.flows.iceberg_rows import iceberg_document
from lakeveil.flows.run_query import Asked
from lakeveil.flows.statements.derive import Origins, inherit
from lakeveil.ports.iceberg import IcebergDocument, IcebergMetadata
from lakeveil.ports.lake import LakeReader
from lakeveil.sql.statements import PartitionTransform

Check = Callable[[LakeReader, Authority, str], None]
"""Whether a table may be made at a location; asked before anything is written, and again after."""

MANAGED = "Managed"
"""The member of a table's document that says that its files are the table's alone.

Only a statement sets it, and no client can: a definition that one sends in its place lacks it.
"""

_LAST_ADDED = -1
_CODECS = frozenset({"snappy", "zstd", "gzip", "none"})
_MILLISECONDS = {
    "vacuum_max_snapshot_age_seconds": "history.expire.max-snapshot-age-ms",
}
_AS_THEY_ARE = {
    "vacuum_min_snapshots_to_keep": "history.expire.min-snapshots-to-keep",
}
_SIZES = frozenset(
    {
        "optimize_rewrite_data_file_threshold",
        "optimize_rewrite_delete_file_threshold",
    }
)
"""How much OPTIMIZE waits for in Athena; here it does not wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIceberg:
    """A table to be made. `columns` are names and types, in Hive's spelling.

    `comments` are of columns, by name.
    """

    name: TableName
    columns: tuple[tuple[str, str], ...]
    location: str
    transforms: Sequence[PartitionTransform] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    comment: str = ""
    comments: Mapping[str, str] = field(default_factory=dict)


def create_iceberg(
    new: NewIceberg, *, check: Check, asked: Asked, origins: Origins | None = None
) -> IcebergMetadata:
    """Make an Iceberg table without a row; with `origins` its columns are tagged by them.

    Raises:
        QueryError: a column to partition by that is not there.
        UsageError: a type or transform that cannot be.
        As `check`.
    """
    name = replace(new.name, table=check_name(new.name.table))
    location = checked_location(new.location)
    desk, call = asked.desk.catalog, asked.call
    columns = [Column(column, kind) for column, kind in new.columns]
    updates = list(_partitioning(new, columns))
    with refusals_on_record(call, desk, said_table(name)), desk.lake.looking() as lake:
        check(lake, looking_at(lake, call.who, desk), location)
    found = desk.iceberg.create(
        columns, location=location, properties=new.properties, comments=new.comments
    )
    if updates:
        found = desk.iceberg.evolve(found.metadata_location, updates)
    location = normalised(found.location)
    said = {"location": location, "metadata_location": found.metadata_location}
    with changing(call, desk.access, said_table(name), asked=said) as change:
        check(change.lake, change.authority, location)
        change.lake.set_iceberg_entry(name, expected=None, new=found.metadata_location)
        described = {MANAGED: True, **({"Description": new.comment} if new.comment else {})}
        document = iceberg_document(described, found, previous="")
        record = new_record(name, found.columns, document, location=location, change=change)
        change.lake.put_table(replace(record, metadata_location=found.metadata_location))
        if origins is not None:
            inherit(change, name, [column.name for column in found.columns], origins)
    return found


def iceberg_properties(given: Mapping[str, str]) -> dict[str, str]:
    """Athena's properties of an Iceberg table in Iceberg's own words.

    Raises:
        QueryError: INVALID_TABLE_PROPERTY, it is none of Athena's, or has no such value.
    """
    made: dict[str, str] = {}
    for name, value in given.items():
        key, folded = name.lower(), value.lower()
        if key == "table_type":
            continue
        if key == "format" and folded == "parquet":
            made["write.format.default"] = "parquet"
        elif key == "write_compression" and folded in _CODECS:
            made["write.parquet.compression-codec"] = "uncompressed" if folded == "none" else folded
        elif key in _MILLISECONDS and value.isdecimal():
            made[_MILLISECONDS[key]] = str(int(value) * 1000)
        elif key in _AS_THEY_ARE and value.isdecimal():
            made[_AS_THEY_ARE[key]] = value
        elif key in _SIZES and value.isdecimal():
            continue
        else:
            raise QueryError(
                ErrorName.INVALID_TABLE_PROPERTY,
                f"Table property '{name[:128]}' does not exist for Iceberg tables, or has not the "
                "value that was given",
            )
    return made


def athena_properties(properties: Mapping[str, str]) -> dict[str, str]:
    """Iceberg's properties in Athena's words, as far as it has any: `iceberg_properties` back."""
    made = {"table_type": "iceberg"}
    if properties.get("write.format.default"):
        made["format"] = properties["write.format.default"]
    if codec := properties.get("write.parquet.compression-codec"):
        made["write_compression"] = "none" if codec == "uncompressed" else codec
    for name, key in _MILLISECONDS.items():
        if properties.get(key, "").isdecimal():
            made[name] = str(int(properties[key]) // 1000)
    for name, key in _AS_THEY_ARE.items():
        if properties.get(key, "").isdecimal():
            made[name] = properties[key]
    return made


def _partitioning(new: NewIceberg, columns: Sequence[Column]) -> list[IcebergDocument]:
    if not new.transforms:
        return []
    # The columns of a new table are numbered in order.
    numbers = {column.name: place for place, column in enumerate(columns, start=1)}
    fields = []
    for one in new.transforms:
        column = one.column.lower()
        if column not in numbers:
            raise QueryError(
                ErrorName.COLUMN_NOT_FOUND, f"Column '{column}' to partition by is not there"
            )
        kind = one.transform.lower()
        sized = f"{kind}[{one.argument}]" if one.argument is not None else kind
        named = column if kind == "identity" else f"{column}_{_SHORT.get(kind, kind)}"
        fields.append({"source-id": numbers[column], "transform": sized, "name": named})
    return [
        {"action": "add-spec", "spec": {"fields": fields}},
        {"action": "set-default-spec", "spec-id": _LAST_ADDED},
    ]


_SHORT = {"truncate": "trunc"}
