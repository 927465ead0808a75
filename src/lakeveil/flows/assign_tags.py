"""Which LF-Tags a catalog, a database, a table or columns carry.

A resource carries one value of a key: assigning another one replaces it. Each tag of a call stands
for itself, and those that cannot be assigned are reported while the others are. Taking away a value
lets an inherited one show again, and whoever does that must be allowed to assign that one, too:
otherwise who may only close could open by taking back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lakeveil.core.access.grants import OnCatalog, OnColumns, OnDatabase, OnTable, TableName
from lakeveil.core.access.guards import shown
from lakeveil.core.access.lake import Database, Table
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import Tags, fold
from lakeveil.core.audit import Json
from lakeveil.errors import LakeveilError, NotFound, UsageError
from lakeveil.flows.change_access import (
    AccessDesk,
    Call,
    Change,
    changing,
    insufficient,
)
from lakeveil.flows.known_resources import NO_TAG, known_database, known_table, known_tag
from lakeveil.ports.lake import Assignment, Place

MAX_TAGS = 50
"""On one resource."""

Taggable = OnCatalog | OnDatabase | OnTable | OnColumns


@dataclass(frozen=True, slots=True)
class Failure:
    """A tag that was not assigned or removed, and why."""

    key: str
    value: str
    error: LakeveilError


@dataclass(frozen=True, slots=True)
class _Target:
    """A place with what it carries and what it inherits."""

    place: Place
    explicit: Tags
    inherited: Tags


def add_tags(
    resource: Taggable, tags: Iterable[tuple[str, str]], *, call: Call, desk: AccessDesk
) -> list[Failure]:
    """Assign tags, one value for each key.

    Raises:
        NotFound: the resource is not there for the caller.
        Refused: the caller may not tag it.
        UsageError: a key is named twice, a column is not there, or a resource cannot be tagged.
    """
    pairs = _pairs(tags)
    failures: list[Failure] = []
    with changing(call, desk, _said(resource), asked={"tags": _json(pairs)}) as change:
        targets = _targets(change, resource)
        change.said["before"] = {_at(t.place): dict(t.explicit) for t in targets}
        added: set[str] = set()
        for key, value in pairs:
            try:
                _check_assignable(change, resource.account, key, value)
                for target in targets:
                    if len({*target.explicit, *added, key}) > MAX_TAGS:
                        raise UsageError(
                            f"Resource number limit exceeded: at most {MAX_TAGS} tags.",
                            code="limit_exceeded",
                        )
            except LakeveilError as error:
                failures.append(Failure(key, value, error))
                continue
            added.add(key)
            for target in targets:
                change.lake.assign(
                    Assignment(
                        place=target.place,
                        key=key,
                        value=value,
                        set_by=call.who.arn,
                        set_at=change.now,
                    )
                )
        change.said["failed"] = [failure.key for failure in failures]
    return failures


def remove_tags(
    resource: Taggable, tags: Iterable[tuple[str, str]], *, call: Call, desk: AccessDesk
) -> list[Failure]:
    """Take away explicitly assigned tags; inherited ones show again.

    Raises:
        As `add_tags`.
    """
    pairs = _pairs(tags)
    failures: list[Failure] = []
    with changing(call, desk, _said(resource), asked={"tags": _json(pairs)}) as change:
        targets = _targets(change, resource)
        change.said["before"] = {_at(t.place): dict(t.explicit) for t in targets}
        for key, value in pairs:
            try:
                _check_removable(change, resource.account, key, value, targets)
            except LakeveilError as error:
                failures.append(Failure(key, value, error))
                continue
            for target in targets:
                change.lake.unassign(target.place, key)
        change.said["failed"] = [failure.key for failure in failures]
    return failures


def _check_assignable(change: Change, account: str, key: str, value: str) -> None:
    tag = known_tag(change.authority, account, key)
    rights = change.authority.tag(account, key)
    if value not in rights.known(tag.values):
        raise NotFound(NO_TAG)
    if not rights.allow(Permission.ASSOCIATE, {value}):
        raise insufficient("Associate", f"tag {key}")


def _check_removable(
    change: Change, account: str, key: str, value: str, targets: Sequence[_Target]
) -> None:
    _check_assignable(change, account, key, value)
    for target in targets:
        if target.explicit.get(key) != value:
            raise NotFound("Tag is not assigned to the resource.")
        shows = target.inherited.get(key)
        rights = change.authority.tag(account, key)
        if shows is not None and not rights.allow(Permission.ASSOCIATE, {shows}):
            raise insufficient("Associate", f"the inherited value of tag {key}")


def _targets(change: Change, resource: Taggable) -> list[_Target]:
    authority, account = change.authority, resource.account
    match resource:
        case OnCatalog():
            if not authority.administers(account):
                raise insufficient("data lake administrator", f"catalog {account}")
            explicit = {
                a.key: a.value
                for a in change.lake.assignments(account)
                if a.place == Place(account)
            }
            return [_Target(Place(account), explicit, {})]
        case OnDatabase(database=name):
            database = known_database(change.lake, authority, account, name)
            if not authority.may_tag_database(database):
                raise insufficient("all permissions with grant option", f"database {name}")
            return [_of_database(database)]
        case OnTable(database=database_name, table=str(table_name)):
            table = _tagged_table(change, TableName(account, database_name, table_name))
            place = Place(account, database_name, table_name)
            return [_Target(place, table.tags.table, table.tags.of_database())]
        case OnColumns(database=database_name, table=table_name, excluding=False):
            table = _tagged_table(change, TableName(account, database_name, table_name))
            return _of_columns(table, resource.named)
        case _:
            raise UsageError("Tags are assigned to a catalog, database, table, or named columns.")


def _tagged_table(change: Change, name: TableName) -> Table:
    table = known_table(change.lake, change.authority, name)
    if not change.authority.may_tag_table(table):
        raise insufficient("all permissions with grant option", f"table {name}")
    return table


def _of_database(database: Database) -> _Target:
    return _Target(Place(database.account, database.name), database.tags, database.catalog_tags)


def _of_columns(table: Table, named: frozenset[str]) -> list[_Target]:
    # Whoever may tag a table may know of all its columns.
    there = {column.name for column in table.columns}
    if not named or not named <= there:
        raise NotFound("Column not found.")
    name, inherited = table.name, table.tags.of_table()
    return [
        _Target(
            Place(name.account, name.database, name.table, column),
            shown(table.tags.columns.get(column, {})),
            inherited,
        )
        for column in sorted(named)
    ]


def _pairs(tags: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    pairs = [(fold(key), fold(value)) for key, value in tags]
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        raise UsageError("A resource has one value for each tag key; a key is named twice.")
    return pairs


def _json(pairs: Sequence[tuple[str, str]]) -> Json:
    return [list(pair) for pair in pairs]


def _said(resource: Taggable) -> str:
    match resource:
        case OnCatalog():
            return f"catalog {resource.account}"
        case OnDatabase():
            return f"database {resource.account}/{resource.database}"
        case _:
            return f"table {resource.account}/{resource.database}.{resource.table}"


def _at(place: Place) -> str:
    return "/".join(part for part in (place.database, place.table, place.column) if part) or "*"
