"""Our row of an Iceberg table: made of its metadata file, never of what a client says of it.

Columns come from the schema of the current metadata, with the numbers that Iceberg gave them. So a
column that was renamed is known again, and all that names it goes along (`tables.renames`). So is
one that was dropped and comes back, as a writer may make an older schema current again.
Whoever writes data through PyIceberg's own catalog moves the entry alone; our row follows when the
table is next looked at. Until it has, or where it cannot, the table is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import structlog

from lakeveil.core.access.grants import TableName
from lakeveil.core.access.locations import is_under
from lakeveil.core.access.tables.renames import (
    Carried,
    Numbers,
    Renames,
    carried,
    carried_tags,
    unknown_excluded,
    withheld,
)
from lakeveil.core.access.tables.table_document import (
    ICEBERG,
    METADATA_LOCATION,
    PREVIOUS_METADATA_LOCATION,
    TABLE_TYPE,
    Document,
)
from lakeveil.core.audit import AuditEvent, AuditOutcome
from lakeveil.errors import Conflict, LakeveilError, Unavailable, UsageError
from lakeveil.flows.catalog_desk import CatalogDesk, said_table
from lakeveil.ports.iceberg import IcebergField, IcebergMetadata
from lakeveil.ports.lake import Assignment, LakeWriter, Place, TableRecord

ORIGIN = "Iceberg"
"""The member of a table's document that is ours: its identifier and its columns' numbers.

`Fields` are those that it has, `Former` those that are gone, `LastColumnId` the last one given.
"""

SYSTEM = "lakeveil"

log = structlog.get_logger(component="catalog")


def iceberg_document(document: Document, found: IcebergMetadata, *, previous: str) -> Document:
    """A table's document with everything that the metadata file knows better."""
    descriptor = {
        key: value
        for key, value in document.get("StorageDescriptor", {}).items()
        if key in {"InputFormat", "OutputFormat", "SerdeInfo", "Parameters"}
    }
    parameters = dict(document.get("Parameters", {}))
    parameters.pop(PREVIOUS_METADATA_LOCATION, None)
    parameters |= {TABLE_TYPE: ICEBERG, METADATA_LOCATION: found.metadata_location}
    if previous:
        parameters[PREVIOUS_METADATA_LOCATION] = previous
    return {
        "TableType": "EXTERNAL_TABLE",
        **{key: value for key, value in document.items() if key != "PartitionKeys"},
        "Parameters": parameters,
        "StorageDescriptor": {
            **descriptor,
            "Location": found.location,
            "Columns": [_column(field) for field in found.fields],
        },
        ORIGIN: {
            "TableUuid": found.table_uuid,
            "Fields": {field.column.name: field.id for field in found.fields},
            "LastColumnId": found.last_column_id,
        },
    }


def check_same_table(before: TableRecord, found: IcebergMetadata) -> None:
    """Refuse metadata of another table, or of one that moved away.

    Raises:
        UsageError: it is.
    """
    if before.document.get(ORIGIN, {}).get("TableUuid") != found.table_uuid:
        raise UsageError("The new metadata file is of another table: its identifier differs.")
    inside = is_under(found.location, before.location) and is_under(
        found.metadata_location, before.location
    )
    if not inside or not is_under(before.location, found.location):
        raise UsageError("The new metadata file leads away from the table's location.")


def follow(lake: LakeWriter, before: TableRecord, after: TableRecord) -> TableRecord:
    """Write a new version of an Iceberg table; what names a renamed column goes along.

    Raises:
        UsageError: a row filter would be too long with the new names.
    """
    numbers, now = _numbers(before.document), _numbers(after.document)
    renames = Renames(numbers.known, now.columns)
    if renames:
        _carry(lake, before.table.name, renames, numbers.unknown(now.columns))
    left = numbers.followed(now.columns, now.last)
    origin = {
        **after.document[ORIGIN],
        "Former": dict(left.former),
        "LastColumnId": left.last,
    }
    return lake.put_table(replace(after, document={**after.document, ORIGIN: origin}))


def _carry(lake: LakeWriter, name: TableName, renames: Renames, unknown: frozenset[str]) -> None:
    explicit: dict[str, dict[str, str]] = {}
    keys = set()
    for found in lake.assignments(name.account, name.database, name.table):
        keys.add(found.key)
        if found.place.column:
            explicit.setdefault(found.place.column, {})[found.key] = found.value
    tags = {**carried_tags(explicit, renames), **withheld(unknown, keys)}
    for column, own in tags.items():
        _retag(lake, Place(name.account, name.database, name.table, column), explicit, own)
    _write(lake, name, carried(lake.policy(), name, renames))
    _write(lake, name, unknown_excluded(lake.policy(), name, unknown))


def _write(lake: LakeWriter, name: TableName, changes: Carried) -> None:
    for grant in changes.grants:
        lake.put_grant(grant)
    for row_filter in changes.filters:
        lake.put_filter(row_filter)
    for grant_id in changes.gone_grants:
        lake.remove_grant(grant_id)
    for filter_name in changes.gone_filters:
        lake.remove_filter(name, filter_name)


def is_behind(record: TableRecord, entry: str | None) -> bool:
    """Whether our row was made of another metadata file than the entry points at."""
    return bool(record.metadata_location) and record.metadata_location != (entry or "")


def catch_up(name: TableName, desk: CatalogDesk) -> bool:
    """Bring our row to what the entry says; where that fails the table stays hidden.

    Returns:
        Whether it is worth trying with another table: not while the store is away.
    """
    try:
        _catch_up(name, desk)
    except LakeveilError as error:
        log.warning("table hidden", table=str(name), reason=error.code, why=error.what)
        return not isinstance(error, Unavailable)
    return True


def _catch_up(name: TableName, desk: CatalogDesk) -> None:
    entry = desk.lake.iceberg_entry(name)
    if entry is None:
        raise UsageError("the catalog entry of an Iceberg table is gone", code="no_entry")
    found = desk.iceberg.read(entry)
    with desk.lake.changing() as lake:
        before = lake.table(name)
        if before is None or not is_behind(before, entry):
            return
        if lake.iceberg_entry(name) != entry:
            # Nobody goes back to an older file; whoever looks next sees the newest.
            raise Conflict("the table was changed while it was looked at")
        check_same_table(before, found)
        follow(
            lake,
            before,
            replace(
                before,
                table=replace(before.table, columns=found.columns),
                document=iceberg_document(
                    before.document, found, previous=before.metadata_location
                ),
                metadata_location=entry,
                updated_at=desk.clock.now(),
                updated_by=SYSTEM,
            ),
        )
    desk.audit.record(
        AuditEvent(
            principal=SYSTEM,
            action="glue:UpdateTable",
            outcome=AuditOutcome.DONE,
            account=name.account,
            resource=said_table(name),
            before={"metadata_location": before.metadata_location},
            after={"metadata_location": entry},
        )
    )


def _retag(
    lake: LakeWriter,
    place: Place,
    explicit: Mapping[str, Mapping[str, str]],
    tags: Mapping[str, str],
) -> None:
    for key in explicit.get(place.column, {}):
        lake.unassign(place, key)
    for key, value in tags.items():
        lake.assign(Assignment(place=place, key=key, value=value, set_by=SYSTEM))


def last_column_id(document: Document) -> int:
    """The last number that was given to a column of an Iceberg table, or to a part of one."""
    return _numbers(document).last


def _numbers(document: Document) -> Numbers:
    origin = document.get(ORIGIN, {})
    columns = dict(origin.get("Fields", {}))
    given = max(columns.values(), default=0)
    return Numbers(columns, dict(origin.get("Former", {})), origin.get("LastColumnId", given))


def _column(field: IcebergField) -> dict[str, Any]:
    shown: dict[str, Any] = {"Name": field.column.name, "Type": field.column.type}
    if field.doc:
        shown["Comment"] = field.doc[:255]
    shown["Parameters"] = {
        "iceberg.field.id": str(field.id),
        "iceberg.field.optional": str(not field.required).lower(),
        "iceberg.field.current": "true",
    }
    return shown
