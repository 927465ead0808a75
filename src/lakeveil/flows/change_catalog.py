"""What every change of the catalog asks: whether data may be kept there, under this name.

A table opens what lies at its location to whoever is granted the table, and all of it to whoever
made it. So a location is given away with care (Lake Formation developer guide, "Underlying data
access control"), and with more care than there:

- It lies under a location that the account registered; elsewhere the service's own key would reach
  what no grant is about.
- Whoever puts a table there holds DATA_LOCATION_ACCESS on it or administers the account, unless it
  lies within the database's own location.
- Where it overlaps another table's location, they read every cell of that table already. Otherwise
  a second table over the same files would show them what the first one hides.
"""

from __future__ import annotations

import re

from lakeveil.core.access.deciding.data_access import decide_data
from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.locations import is_under
from lakeveil.core.access.tables.table_document import Document, checked_location
from lakeveil.errors import UsageError
from lakeveil.flows.change_access import insufficient
from lakeveil.ports.lake import DatabaseRecord, LakeReader

_NAME = re.compile(r"[^\s./\\\0-\x1f]([^./\\\0-\x1f]*[^\s./\\\0-\x1f])?")


def check_name(name: str) -> str:
    """A name for a database or table, in lower case.

    Raises:
        UsageError: a name like that would be ambiguous in ARNs, or where `database.table` stands.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"Name `{name[:255]}` is invalid: it has a dot, a slash, or blanks around it."
        )
    return name.lower()


def location_of_database(record: DatabaseRecord) -> str:
    """Where a database keeps tables that nobody said another location for; may be empty."""
    return checked_location(str(record.document.get("LocationUri", "")))


def check_location(
    lake: LakeReader, authority: Authority, account: str, location: str, *, within: str = ""
) -> None:
    """Refuse a location that the caller may not keep data at; none at all is allowed.

    `within` is a location that was checked when it was given to what this one belongs to.

    Raises:
        Refused: the caller holds no DATA_LOCATION_ACCESS on it.
        UsageError: it is not registered.
    """
    if not location:
        return
    inside = bool(within) and is_under(location, within)
    if not inside and not authority.location(account, location)[0]:
        raise insufficient("Data Location Access", location)
    places = lake.locations(account)
    if not any(is_under(location, place.location) for place in places):
        raise UsageError(
            f"Location `{location}` is not registered: an administrator registers it with Lake "
            "Formation first."
        )


def check_no_overlap(
    lake: LakeReader, authority: Authority, name: TableName, location: str
) -> None:
    """Refuse a location where another table keeps data that the caller may not read all of.

    Raises:
        Refused: in the words for a location that one may not use.
    """
    if not location:
        return
    who, policy, now = authority.who, authority.policy, authority.now
    for other in lake.tables_at(name.account, location):
        if other.table.name == name:
            continue
        if not decide_data(who, other.table, policy, now=now).full_read:
            raise insufficient("Data Location Access", location)


def merged(before: Document, after: Document, *keep: str) -> dict[str, object]:
    """A new document with those members of the old one that clients do not send."""
    return {**after, **{key: before[key] for key in keep if key in before}}
