"""Creating, changing and dropping databases, and the plain tags on them.

Whoever creates a database owns it. Dropping one drops its tables, so it takes the right to drop
each of them, too: an owner of a database has no right on what others made in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lakeveil.core.access.lake import Database
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tables.table_document import Document
from lakeveil.errors import Conflict, UsageError
from lakeveil.flows.catalog_desk import CatalogDesk, known_database
from lakeveil.flows.change_access import Call, Change, changing, insufficient
from lakeveil.flows.change_catalog import (
    check_location,
    check_name,
    location_of_database,
    merged,
)
from lakeveil.ports.lake import DatabaseRecord

RESOURCE_TAGS = "ResourceTags"
"""The member of a database's document that holds plain tags, which decide nothing."""

MAX_RESOURCE_TAGS = 50


def create_database(
    account: str,
    name: str,
    document: Document,
    *,
    tags: Mapping[str, str] | None = None,
    call: Call,
    desk: CatalogDesk,
) -> None:
    """Create a database.

    Raises:
        Refused: the caller lacks CREATE_DATABASE, or may not use the location.
        Conflict: there is one of that name. Who may create databases learns as much of any name.
        UsageError: name or location are invalid, or the location is not registered.
    """
    name = check_name(name)
    record = DatabaseRecord(
        database=Database(account=account, name=name, owner=call.who.arn),
        document={**document, RESOURCE_TAGS: dict(tags or {})},
        created_at=desk.clock.now(),
    )
    location = location_of_database(record)
    with changing(call, desk.access, _said(account, name), asked={"location": location}) as change:
        if Permission.CREATE_DATABASE not in change.authority.catalog(account)[0]:
            raise insufficient("Create Database", "Catalog")
        check_location(change.lake, change.authority, account, location)
        if change.lake.database(account, name) is not None:
            raise Conflict("Database already exists.", code="already_exists")
        change.lake.put_database(record)


def update_database(
    account: str, name: str, document: Document, *, call: Call, desk: CatalogDesk
) -> None:
    """Replace a database's description, location and parameters.

    Raises:
        NotFound: it is not there for the caller.
        Refused: the caller lacks ALTER, or may not use a new location.
        UsageError: the location is invalid or not registered.
    """
    with changing(call, desk.access, _said(account, name)) as change:
        before = _allowed(change, account, name, Permission.ALTER)
        after = DatabaseRecord(
            database=before.database,
            document=merged(before.document, document, RESOURCE_TAGS),
            created_at=before.created_at,
            discoverable=before.discoverable,
        )
        location = location_of_database(after)
        if location != location_of_database(before):
            # Whoever creates tables within it is not asked about locations any more.
            check_location(change.lake, change.authority, account, location)
        change.lake.put_database(after)
        change.said["before"] = {"location": location_of_database(before)}
        change.said["after"] = {"location": location}


def delete_database(account: str, name: str, *, call: Call, desk: CatalogDesk) -> None:
    """Drop a database with its tables. Files stay.

    Raises:
        NotFound: it is not there for the caller.
        Refused: the caller lacks DROP on it, or on a table in it.
    """
    with changing(call, desk.access, _said(account, name)) as change:
        _allowed(change, account, name, Permission.DROP)
        authority, dropped = change.authority, []
        for record in list(change.lake.tables(account, name)):
            held = authority.decision(record.table)
            if Permission.DROP not in held.permissions:
                # In the words for the database: the table may be hidden from the caller.
                raise insufficient("Drop", f"database {name}")
            if record.metadata_location:
                change.lake.remove_iceberg_entry(record.table.name)
            dropped.append(record.table.name.table)
        change.lake.remove_database(account, name)
        change.said["tables"] = dropped


def tag_database(
    account: str,
    name: str,
    *,
    add: Mapping[str, str] | None = None,
    remove: Iterable[str] = (),
    call: Call,
    desk: CatalogDesk,
) -> None:
    """Change the plain tags of a database. They are for people; LF-Tags decide.

    Raises:
        NotFound: it is not there for the caller.
        Refused: the caller lacks ALTER.
        UsageError: there would be too many.
    """
    with changing(call, desk.access, _said(account, name)) as change:
        before = _allowed(change, account, name, Permission.ALTER)
        tags = {**before.document.get(RESOURCE_TAGS, {}), **(add or {})}
        for key in remove:
            tags.pop(key, None)
        if len(tags) > MAX_RESOURCE_TAGS:
            raise UsageError(
                f"Resource number limit exceeded: at most {MAX_RESOURCE_TAGS} tags.",
                code="limit_exceeded",
            )
        change.lake.put_database(
            DatabaseRecord(
                database=before.database,
                document={**before.document, RESOURCE_TAGS: tags},
                created_at=before.created_at,
                discoverable=before.discoverable,
            )
        )
        change.said["tags"] = sorted(tags)


def _allowed(change: Change, account: str, name: str, permission: Permission) -> DatabaseRecord:
    record = known_database(change.lake, change.authority, account, name)
    if permission not in change.authority.database(record.database)[0]:
        raise insufficient(permission.value.title(), f"database {name}")
    return record


def _said(account: str, name: str) -> str:
    return f"database {account}/{name}"
