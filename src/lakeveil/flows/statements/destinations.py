"""Where a statement may write files: what its principal could have written without us.

The service writes with a key of its own, so each destination is checked before anything is read:

- **One's own place**: outside of everything that is registered. The principal's rights allow
  `s3:PutObject` there, and `s3:GetObject` as well where a table is to stand on it, since whoever
  owns a table reads whatever comes to lie in it. A Deny that could match anything below takes it
  away.
- **The lake**: under a location of the account. A table may be made there by who may keep data
  there (`change_catalog`), and only where no table keeps any: its files would be read as rows of
  the other one. Nothing else is written there, as a result's files have no tags.
"""

from __future__ import annotations

from collections.abc import Sequence

from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.locations import is_under, normalised
from lakeveil.core.access.permissions import Permission
from lakeveil.core.audit import AuditOutcome
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.errors import Conflict, Refused
from lakeveil.flows.catalog_desk import SeenTable, known_database
from lakeveil.flows.change_access import insufficient
from lakeveil.flows.change_tables import check_creation
from lakeveil.flows.own_locations import READ, WRITE, allows_below, object_arn
from lakeveil.flows.run_query import Asked
from lakeveil.ports.lake import LakeReader


def location_of(given: str) -> str:
    """A location as it was written, normalised.

    Raises:
        QueryError: it is none.
    """
    location = normalised(given)
    bucket, _, key = location.removeprefix("s3://").partition("/")
    if not bucket or not key or not given.startswith("s3://"):
        raise QueryError(
            ErrorName.INVALID_TABLE_PROPERTY,
            f"`{given[:255]}` is no location such as s3://bucket/prefix/",
        )
    return location


def is_registered(lake: LakeReader, location: str) -> bool:
    """Whether a location has anything to do with one that is registered, of any account."""
    return any(
        is_under(location, one.location) or is_under(one.location, location)
        for one in lake.locations()
    )


def check_own_place(location: str, actions: Sequence[str], asked: Asked) -> None:
    """Whether files may be written to a place of the caller's own.

    Raises:
        Refused: it is not theirs, or among the lake's data; that goes on record.
    """
    rights = asked.who.rights
    lake = asked.desk.catalog.lake
    allowed = all(allows_below(rights, action, location, asked.execution.id) for action in actions)
    if allowed and not is_registered(lake, location):
        return
    arn = object_arn(location)
    asked.desk.catalog.audit.record(
        asked.call.event(AuditOutcome.REFUSED, arn, error_code="destination_not_allowed")
    )
    if allowed:
        raise Refused(
            "The destination lies among the lake's data.",
            why="files there would be read as part of a table",
            fix="choose a location that is not registered with the lake",
            code="destination_not_allowed",
        )
    raise Refused(
        "Access denied when writing to the given location.",
        why=f"{asked.who.caller_arn} lacks {' or '.join(actions)} there",
        fix="choose a location of your own, or your workgroup's",
        code="destination_not_allowed",
    )


def check_own_table(found: SeenTable, asked: Asked) -> None:
    """Whether the caller may still write where a table lies that no registered location holds.

    Raises:
        Refused: they may not; no grant is about such a table, only their rights are.
    """
    if not found.record.table.governed:
        check_own_place(found.record.location, (WRITE, READ), asked)


def check_table_place(
    lake: LakeReader, authority: Authority, name: TableName, location: str, asked: Asked
) -> None:
    """Whether a table of a query's rows may be made at a location, and its files written there.

    Raises:
        NotFound: the database is not there for the caller.
        Refused: the caller lacks CREATE_TABLE, or may not use the location.
        Conflict: there is a table of that name, whether or not the caller may know of it.
        UsageError: something about the location.
    """
    if not is_registered(lake, location):
        _check_own_creation(lake, authority, name, location, asked)
        return
    check_creation(lake, authority, name, location)
    others = {place.account for place in lake.locations() if _touch(place.location, location)}
    if others != {name.account} or any(lake.tables_at(name.account, location)):
        raise insufficient("Data Location Access", location)


def _check_own_creation(
    lake: LakeReader, authority: Authority, name: TableName, location: str, asked: Asked
) -> None:
    database = known_database(lake, authority, name.account, name.database)
    if Permission.CREATE_TABLE not in authority.database(database.database)[0]:
        raise insufficient("Create Table", f"database {name.database}")
    rights = asked.who.rights
    for action in (WRITE, READ):
        if not allows_below(rights, action, location, asked.execution.id):
            raise insufficient("Data Location Access", location)
    if lake.table(name) is not None:
        raise Conflict("Table already exists.", code="already_exists")
    if any(lake.tables_at(name.account, location)):
        raise insufficient("Data Location Access", location)


def tables_touching(lake: LakeReader, found: SeenTable) -> list[str]:
    """Locations of other tables, of any account, that lie in a table's own or around it."""
    accounts = {found.name.account, *(place.account for place in lake.locations())}
    return [
        one.location
        for account in sorted(accounts)
        for one in lake.tables_at(account, found.record.location)
        if one.table.name != found.name
    ]


def check_empty(location: str, *, empty: bool) -> None:
    """Refuse a destination where something lies already.

    Raises:
        QueryError: in the words of Athena.
    """
    if not empty:
        raise QueryError(
            ErrorName.HIVE_PATH_ALREADY_EXISTS,
            f"Target directory already exists: {location}. You may need "
            "to manually clean the data at this location before retrying.",
        )


def _touch(one: str, other: str) -> bool:
    return is_under(one, other) or is_under(other, one)
