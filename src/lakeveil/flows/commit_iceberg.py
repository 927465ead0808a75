"""Creating Iceberg tables and committing to them, from the side of the catalog.

A client that writes its own metadata (PyIceberg, Spark) says which file is current from now on. The
file is read with the service's key, so first it is checked that the caller may keep data there.
Reading happens before the transaction; in it everything is checked again, and row and entry change
together, if the entry is still what the change was made from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.locations import is_under, normalised
from lakeveil.core.access.tables.table_document import (
    METADATA_LOCATION,
    PREVIOUS_METADATA_LOCATION,
    Document,
    checked_location,
    columns_in,
    location_in,
    parameter,
    tidied,
)
from lakeveil.errors import Conflict, UsageError
from lakeveil.flows.catalog_desk import (
    CatalogDesk,
    looking_at,
    refusals_on_record,
    said_table,
)
from lakeveil.flows.change_access import Call, Change, changing
from lakeveil.flows.change_catalog import check_name
from lakeveil.flows.change_tables import (
    STALE,
    alterable,
    check_creation,
    check_version,
    new_record,
)
from lakeveil.flows.iceberg_rows import (
    ORIGIN,
    check_same_table,
    follow,
    iceberg_document,
)
from lakeveil.flows.read_catalog import read_table
from lakeveil.ports.iceberg import IcebergDefinition, IcebergDocument, IcebergMetadata
from lakeveil.ports.lake import LakeReader, TableRecord


def create_iceberg_table(
    name: TableName,
    document: Document,
    *,
    format_version: int = 2,
    call: Call,
    desk: CatalogDesk,
) -> None:
    """Create an Iceberg table of the columns that a document has, without a row in it.

    Raises:
        As `change_tables.create_table`; UsageError also for a type that Iceberg does not know.
    """
    name = replace(name, table=check_name(name.table))
    tidy = tidied(document)
    columns, location = columns_in(tidy), location_in(tidy)
    if not columns or not location:
        raise UsageError("An Iceberg table has at least one column, and a location.")
    _check_creation(name, location, call, desk)
    found = desk.iceberg.create(
        columns,
        location=location,
        partition_by=[column.name for column in columns if column.partition],
        format_version=format_version,
    )
    _enter(name, tidy, found, call, desk)


def define_iceberg_table(
    name: TableName,
    document: Document,
    definition: IcebergDefinition,
    *,
    call: Call,
    desk: CatalogDesk,
) -> None:
    """Create an Iceberg table of a schema that numbers its own fields.

    Raises:
        As `create_iceberg_table`.
    """
    name = replace(name, table=check_name(name.table))
    location = checked_location(definition.location)
    if not location:
        raise UsageError("An Iceberg table has a location.")
    _check_creation(name, location, call, desk)
    found = desk.iceberg.define(replace(definition, location=location))
    _enter(name, tidied(document), found, call, desk)


def register_iceberg_table(
    name: TableName, document: Document, *, call: Call, desk: CatalogDesk
) -> None:
    """Create a table whose first metadata file a client wrote under the table's location.

    Raises:
        As `change_tables.create_table`; UsageError also where the file is no such metadata.
    """
    name = replace(name, table=check_name(name.table))
    tidy = tidied({**document, "PartitionKeys": []})
    location, file = location_in(tidy), parameter(tidy, METADATA_LOCATION)
    _check_file(file, location)
    _check_creation(name, location, call, desk)
    found = desk.iceberg.read(file)
    if normalised(found.location) != location:
        raise UsageError("The metadata file is of a table at another location.")
    _enter(name, tidy, found, call, desk)


def commit_iceberg_table(
    name: TableName,
    document: Document,
    *,
    version: str = "",
    skip_archive: bool = False,
    call: Call,
    desk: CatalogDesk,
) -> None:
    """Make another metadata file the current one of a table, and its columns the table's.

    The change says what it was made from: by `version`, or in its previous metadata location.
    Of two changes made from the same, one gets through.

    Raises:
        NotFound: the table is not there for the caller.
        Refused: the caller may not alter it.
        Conflict: something else is current than what the change was made from.
        UsageError: the file is not of this table, or the change does not say what it is made from.
    """
    said = said_table(name)
    file = parameter(document, METADATA_LOCATION)
    with refusals_on_record(call, desk, said):
        read_table(name, who=call.who, desk=desk)
        with desk.lake.looking() as lake:
            base = _base(lake, looking_at(lake, call.who, desk), name, document, version)
    found = None
    if file != base.metadata_location:
        _check_file(file, base.location)
        found = desk.iceberg.read(file)
        check_same_table(base, found)
    with changing(call, desk.access, said, asked={"metadata_location": file}) as change:
        before = _base(change.lake, change.authority, name, document, version)
        if before.metadata_location != base.metadata_location:
            raise Conflict(STALE)
        if found is not None:
            change.lake.set_iceberg_entry(name, expected=before.metadata_location, new=file)
        elif change.lake.iceberg_entry(name) != file:
            raise Conflict(STALE)
        after = _committed(before, document, found)
        _follow(before, after, call, change, skip_archive=skip_archive)


def evolve_iceberg_table(
    name: TableName,
    updates: Sequence[IcebergDocument],
    *,
    version: str = "",
    skip_archive: bool = False,
    call: Call,
    desk: CatalogDesk,
) -> None:
    """Change schema, partitioning, sort order or properties, by writing the next metadata file.

    It takes what a commit takes. Names of columns are carried along as there, and what is new
    stands under the tags that it inherits. The change is made from whatever is current, and from
    nothing else if somebody gets between.

    Raises:
        NotFound: the table is not there for the caller.
        Refused: the caller may not alter it.
        Conflict: another version is current, or somebody else changed the table meanwhile.
        UsageError: it is no Iceberg table, or cannot become what is asked for.
    """
    said = said_table(name)
    with refusals_on_record(call, desk, said):
        read_table(name, who=call.who, desk=desk)
        with desk.lake.looking() as lake:
            base = _current(lake, looking_at(lake, call.who, desk), name, version)
    found = desk.iceberg.evolve(base.metadata_location, updates)
    check_same_table(base, found)
    asked = {
        "metadata_location": found.metadata_location,
        "updates": [str(update["action"]) for update in updates],
    }
    with changing(call, desk.access, said, asked=asked) as change:
        before = _current(change.lake, change.authority, name, version)
        if before.metadata_location != base.metadata_location:
            raise Conflict(STALE)
        change.lake.set_iceberg_entry(
            name, expected=before.metadata_location, new=found.metadata_location
        )
        after = _committed(before, before.document, found)
        _follow(before, after, call, change, skip_archive=skip_archive)


def _follow(
    before: TableRecord, after: TableRecord, call: Call, change: Change, *, skip_archive: bool
) -> None:
    follow(
        change.lake,
        before,
        replace(after, updated_at=change.now, updated_by=call.who.arn),
    )
    if skip_archive:
        change.lake.remove_table_version(before.table.name, before.version)
    change.said["before"] = {"metadata_location": before.metadata_location}


def _committed(
    before: TableRecord, document: Document, found: IcebergMetadata | None
) -> TableRecord:
    """The table with a new metadata file, or (None) with the same one and another description."""
    if found is not None:
        return replace(
            before,
            table=replace(before.table, columns=found.columns),
            document=iceberg_document(document, found, previous=before.metadata_location),
            metadata_location=found.metadata_location,
        )
    kept = {key: before.document[key] for key in (ORIGIN, "StorageDescriptor")}
    given = {key: value for key, value in document.items() if key != "PartitionKeys"}
    parameters = {
        **document.get("Parameters", {}),
        METADATA_LOCATION: before.metadata_location,
    }
    return replace(before, document={**given, "Parameters": parameters, **kept})


def _base(
    lake: LakeReader, authority: Authority, name: TableName, document: Document, version: str
) -> TableRecord:
    """The table that is changed, as it is now, if the change was made from that.

    Raises:
        As `commit_iceberg_table`.
    """
    before = _current(lake, authority, name, version)
    file = parameter(document, METADATA_LOCATION)
    previous = parameter(document, PREVIOUS_METADATA_LOCATION)
    if file != before.metadata_location:
        if not version and not previous:
            raise UsageError("Say by VersionId or previous_metadata_location what is replaced.")
        if previous and previous != before.metadata_location:
            raise Conflict(STALE)
    return before


def _current(lake: LakeReader, authority: Authority, name: TableName, version: str) -> TableRecord:
    before = alterable(lake, authority, name).record
    if not before.metadata_location:
        raise UsageError("A table does not become, or cease to be, an Iceberg table.")
    check_version(before, version)
    return before


def _check_file(file: str, location: str) -> None:
    if not location or not is_under(file, location) or normalised(file) == location:
        raise UsageError("metadata_location does not lie under the table's location.")


def _check_creation(name: TableName, location: str, call: Call, desk: CatalogDesk) -> None:
    with refusals_on_record(call, desk, said_table(name)), desk.lake.looking() as lake:
        check_creation(lake, looking_at(lake, call.who, desk), name, location)


def _enter(
    name: TableName, document: Document, found: IcebergMetadata, call: Call, desk: CatalogDesk
) -> None:
    location = normalised(found.location)
    asked = {"location": location, "metadata_location": found.metadata_location}
    with changing(call, desk.access, said_table(name), asked=asked) as change:
        check_creation(change.lake, change.authority, name, location)
        change.lake.set_iceberg_entry(name, expected=None, new=found.metadata_location)
        whole = iceberg_document(document, found, previous="")
        record = new_record(name, found.columns, whole, location=location, change=change)
        change.lake.put_table(replace(record, metadata_location=found.metadata_location))
