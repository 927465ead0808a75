"""Creating, changing and dropping tables that are not Iceberg's, and dropping any.

Whoever creates a table owns it; it starts with the tags it inherits and no grant. Changing a table
takes ALTER and sight of its entire definition: a client sends back all of it, and what it cannot
see it would drop. To whoever lacks either the refusal is the same.
"""

from __future__ import annotations

from dataclasses import replace

from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.lake import Column, Table
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tables.renames import excluded_too, in_doubt
from lakeveil.core.access.tables.table_document import (
    METADATA_LOCATION,
    Document,
    columns_in,
    is_iceberg,
    location_in,
    parameter,
    tidied,
)
from lakeveil.errors import Conflict, NotFound, UsageError
from lakeveil.flows.catalog_desk import (
    CatalogDesk,
    SeenTable,
    known_database,
    known_table,
    said_table,
)
from lakeveil.flows.change_access import Call, Change, changing, insufficient
from lakeveil.flows.change_catalog import (
    check_location,
    check_name,
    check_no_overlap,
    location_of_database,
)
from lakeveil.ports.lake import Assignment, LakeReader, Place, TableRecord

STALE = "Update table failed due to concurrent modifications."


def create_table(name: TableName, document: Document, *, call: Call, desk: CatalogDesk) -> None:
    """Create a table over files that a client says the columns of.

    Raises:
        NotFound: the database is not there for the caller.
        Refused: the caller lacks CREATE_TABLE, or may not use the location.
        Conflict: there is a table of that name, whether or not the caller may know of it: names
            are given once, so whoever may create tables here learns as much, and nothing else.
        UsageError: something in the document is invalid, or the location is not registered.
    """
    name = replace(name, table=check_name(name.table))
    tidy = tidied(document)
    if is_iceberg(tidy) or parameter(tidy, METADATA_LOCATION):
        raise UsageError("An Iceberg table is created with its metadata.")
    location = location_in(tidy)
    with changing(call, desk.access, said_table(name), asked={"location": location}) as change:
        check_creation(change.lake, change.authority, name, location)
        change.lake.put_table(
            new_record(name, columns_in(tidy), tidy, location=location, change=change)
        )


def check_creation(lake: LakeReader, authority: Authority, name: TableName, location: str) -> None:
    """Whether the caller may create a table of that name there.

    Raises:
        As `create_table`.
    """
    database = known_database(lake, authority, name.account, name.database)
    if Permission.CREATE_TABLE not in authority.database(database.database)[0]:
        raise insufficient("Create Table", f"database {name.database}")
    check_location(lake, authority, name.account, location, within=location_of_database(database))
    if lake.table(name) is not None:
        raise Conflict("Table already exists.", code="already_exists")
    check_no_overlap(lake, authority, name, location)


def new_record(
    name: TableName,
    columns: tuple[Column, ...],
    document: Document,
    *,
    location: str,
    change: Change,
) -> TableRecord:
    """A table that the caller makes now, and owns."""
    who = change.authority.who.arn
    return TableRecord(
        table=Table(name=name, columns=columns, owner=who),
        document=document,
        location=location,
        created_at=change.now,
        updated_at=change.now,
        updated_by=who,
    )


def update_table(
    name: TableName,
    document: Document,
    *,
    version: str = "",
    skip_archive: bool = False,
    call: Call,
    desk: CatalogDesk,
) -> None:
    """Replace a table's definition. Its tags stay, those of columns that are gone as well.

    `version` is the one that is replaced; without it, whichever is current.

    Raises:
        NotFound: the table is not there for the caller.
        Refused: the caller may not alter it, or may not use a new location.
        Conflict: another version is current.
        UsageError: something in the document is invalid, or a new location is not registered.
    """
    tidy = tidied(document)
    location = location_in(tidy)
    with changing(call, desk.access, said_table(name), asked={"location": location}) as change:
        before = alterable(change.lake, change.authority, name).record
        if before.metadata_location or is_iceberg(tidy) or parameter(tidy, METADATA_LOCATION):
            raise UsageError("A table does not become, or cease to be, an Iceberg table.")
        check_version(before, version)
        if location != before.location:
            check_move(change.lake, change.authority, name, location)
        columns = columns_in(tidy)
        if _keys(columns) != _keys(before.table.columns) and any(change.lake.partitions(name)):
            # The values of its partitions would be read as those of other columns.
            raise UsageError("Partition keys of a table with partitions cannot be changed.")
        after = replace(
            before,
            table=replace(before.table, columns=columns),
            document=tidy,
            location=location,
            updated_at=change.now,
            updated_by=call.who.arn,
        )
        _close_what_is_in_doubt(before, after, change)
        change.lake.put_table(after)
        if skip_archive:
            change.lake.remove_table_version(name, before.version)
        change.said["before"] = {"version": before.version, "location": before.location}


def _close_what_is_in_doubt(before: TableRecord, after: TableRecord, change: Change) -> None:
    name, lake = before.table.name, change.lake
    there, left = ([column.name for column in one.table.columns] for one in (before, after))
    explicit: dict[str, dict[str, str]] = {}
    for found in lake.assignments(name.account, name.database, name.table):
        if found.place.column:
            explicit.setdefault(found.place.column, {})[found.key] = found.value
    closed = in_doubt(there, left, explicit)
    for column, tags in closed.items():
        for key, value in tags.items():
            place = Place(name.account, name.database, name.table, column)
            lake.assign(Assignment(place=place, key=key, value=value, set_at=change.now))
    longer = excluded_too(lake.policy(), name, there, left)
    for grant in longer.grants:
        lake.put_grant(grant)
    for row_filter in longer.filters:
        lake.put_filter(row_filter)
    if closed:
        change.said["closed"] = sorted(closed)


def check_move(lake: LakeReader, authority: Authority, name: TableName, location: str) -> None:
    """Whether the caller may point a table at another location.

    Raises:
        Refused: it may not use that location.
        UsageError: it is not registered.
    """
    database = lake.database(name.account, name.database)
    within = location_of_database(database) if database else ""
    check_location(lake, authority, name.account, location, within=within)
    check_no_overlap(lake, authority, name, location)


def alterable(lake: LakeReader, authority: Authority, name: TableName) -> SeenTable:
    """A table that the caller may change the definition of.

    Raises:
        NotFound: it is not there for the caller.
        Refused: the caller may not.
    """
    found = known_table(lake, authority, name)
    if not found.allows(Permission.ALTER) or not found.view.entire:
        raise insufficient("Alter", name.table)
    return found


def check_version(before: TableRecord, version: str) -> None:
    """Refuse a change that was made from another version than the current one.

    Raises:
        Conflict: it was.
    """
    if version and version != str(before.version):
        raise Conflict(STALE)


def delete_table(name: TableName, *, call: Call, desk: CatalogDesk) -> None:
    """Drop a table, with its tags and the grants that name it. Files stay.

    Raises:
        NotFound: it is not there for the caller.
        Refused: the caller lacks DROP.
    """
    with changing(call, desk.access, said_table(name)) as change:
        found = known_table(change.lake, change.authority, name)
        if not found.allows(Permission.DROP):
            raise insufficient("Drop", name.table)
        change.lake.remove_table(name)
        if found.record.metadata_location:
            change.lake.remove_iceberg_entry(name)
        change.said["before"] = {
            "version": found.record.version,
            "location": found.record.location,
        }


def delete_table_version(name: TableName, version: str, *, call: Call, desk: CatalogDesk) -> None:
    """Forget an earlier version of a table.

    Raises:
        NotFound: table or version are not there for the caller.
        Refused: the caller may not alter the table.
        UsageError: it is the current version.
    """
    with changing(call, desk.access, said_table(name), asked={"version": version}) as change:
        current = alterable(change.lake, change.authority, name).record
        if version == str(current.version):
            raise UsageError("The current version of a table cannot be deleted.")
        known = {str(one.version): one.version for one in change.lake.table_versions(name)}
        if version not in known:
            raise NotFound("Version not found.")
        change.lake.remove_table_version(name, known[version])


def _keys(columns: tuple[Column, ...]) -> list[str]:
    return [column.name for column in columns if column.partition]
