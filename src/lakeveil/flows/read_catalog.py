"""Looking at the catalog: databases, tables, versions and partitions, as one caller sees them.

Everything goes through the decision. A table without DESCRIBE is not there; neither is a hidden
column, whatever carries its name (`tables.shown_document`). Administrators and owners know every
column by name, as they tag them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import compress
from typing import Any

from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.lake import Column
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tables.partitions import sees_partition, selection
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import NotFound
from lakeveil.flows.catalog_desk import (
    CatalogDesk,
    SeenTable,
    known_database,
    known_table,
    looking_at,
    seen,
    table_not_found,
)
from lakeveil.flows.iceberg_rows import catch_up, is_behind
from lakeveil.ports.lake import DatabaseRecord, LakeReader

_MAKES = frozenset({Permission.CREATE_TABLE, Permission.ALTER})


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPartition:
    """A partition of a table that somebody sees; `document` is as it was written."""

    table: SeenTable
    values: tuple[str, ...]
    document: Mapping[str, Any]


def read_database(
    account: str, name: str, *, who: Principal, desk: CatalogDesk
) -> tuple[DatabaseRecord, bool]:
    """A database, and whether its path may be shown: to who administers, owns or creates there.

    Raises:
        NotFound: it is not there for the caller.
    """
    with desk.lake.looking() as lake:
        authority = looking_at(lake, who, desk)
        record = known_database(lake, authority, account, name)
        return record, _shows_path(authority, record)


def read_databases(
    accounts: Sequence[str] | None, *, who: Principal, desk: CatalogDesk
) -> Iterator[tuple[DatabaseRecord, bool]]:
    """The databases that are there for the caller, by account and name.

    `accounts` None: its own and every other that something was shared from.
    """
    with desk.lake.looking() as lake:
        authority = looking_at(lake, who, desk)
        for account in accounts if accounts is not None else accounts_in_reach(authority):
            for record in lake.databases(account):
                if authority.knows_database(record.database):
                    yield record, _shows_path(authority, record)


def accounts_in_reach(authority: Authority) -> list[str]:
    """The caller's account, and those whose resources its grants are about."""
    shared = {grant.resource.account for grant in authority.grants()}
    return sorted({authority.who.account, *shared})


def read_table(name: TableName, *, who: Principal, desk: CatalogDesk) -> SeenTable:
    """A table as the caller sees it.

    Raises:
        NotFound: it is not there for the caller.
    """
    with looking_at_table(name, who=who, desk=desk) as (_, found):
        return found


@contextmanager
def looking_at_table(
    name: TableName, *, who: Principal, desk: CatalogDesk
) -> Iterator[tuple[LakeReader, SeenTable]]:
    """A table as the caller sees it, with the very state that it was seen in.

    Raises:
        NotFound: it is not there for the caller.
    """
    for again in (True, False):
        with desk.lake.looking() as lake:
            authority = looking_at(lake, who, desk)
            found = known_table(lake, authority, name)
            if not _is_behind(lake, found):
                yield lake, found
                return
            if not again:
                table_not_found(lake, authority, name)
        # Only a table that is there for the caller gets here: by the time this takes, whoever
        # may not know of one would be told of it.
        catch_up(name, desk)


def read_tables(
    account: str, database: str | None, *, who: Principal, desk: CatalogDesk
) -> Iterator[SeenTable]:
    """The tables of a database, or of all, that are there for the caller, in order of names."""
    store_answers = True
    with desk.lake.looking() as lake:
        authority = looking_at(lake, who, desk)
        entries = lake.iceberg_entries(account, database)
        for record in lake.tables(account, database):
            name = record.table.name
            found = seen(authority, record)
            if found is not None and is_behind(record, entries.get(name)):
                # One that is away would be waited for once for each table.
                store_answers = store_answers and catch_up(name, desk)
                found = _seen_now(name, who, desk)
            if found is not None:
                yield found


def check_database(account: str, name: str, *, who: Principal, desk: CatalogDesk) -> None:
    """Whether a database is there for the caller.

    Raises:
        NotFound: it is not.
    """
    with desk.lake.looking() as lake:
        known_database(lake, looking_at(lake, who, desk), account, name)


def read_versions(name: TableName, *, who: Principal, desk: CatalogDesk) -> list[SeenTable]:
    """All versions of a table that are there for the caller, newest first.

    Each is judged by its own columns under today's tags and grants; columns that are gone keep the
    tags that they had.

    Raises:
        NotFound: the table is not there for the caller.
    """
    with looking_at_table(name, who=who, desk=desk) as (lake, _):
        authority = looking_at(lake, who, desk)
        versions = (seen(authority, record) for record in lake.table_versions(name))
        return [found for found in versions if found is not None]


def partition_keys(table: SeenTable) -> tuple[Column, ...]:
    """The columns that a table is partitioned by, hidden ones too."""
    return tuple(column for column in table.record.table.columns if column.partition)


def read_partitions(
    name: TableName, expression: str = "", *, who: Principal, desk: CatalogDesk
) -> Iterator[SeenPartition]:
    """Those partitions of a table that the caller may see, in order of their values.

    Raises:
        NotFound: the table is not there for the caller.
        UsageError: the expression is none over partition keys that the caller may know of.
    """
    with looking_at_table(name, who=who, desk=desk) as (lake, table):
        keys = partition_keys(table)
        known = [key.name in table.view.known for key in keys]
        chosen = selection(expression, list(compress(keys, known)))
        for values, document in lake.partitions(name):
            if sees_partition(table.data, keys, values) and chosen(list(compress(values, known))):
                yield SeenPartition(table=table, values=values, document=document)


def read_partition(
    name: TableName, values: Sequence[str], *, who: Principal, desk: CatalogDesk
) -> SeenPartition:
    """One partition of a table.

    Raises:
        NotFound: table or partition are not there for the caller.
    """
    for found in read_named_partitions(name, [values], who=who, desk=desk):
        return found
    raise NotFound("Cannot find partition.")


def read_named_partitions(
    name: TableName, every: Sequence[Sequence[str]], *, who: Principal, desk: CatalogDesk
) -> list[SeenPartition]:
    """Those of some partitions that are there for the caller, by their values.

    Raises:
        NotFound: the table is not there for the caller.
    """
    with looking_at_table(name, who=who, desk=desk) as (lake, table):
        keys = partition_keys(table)
        return [
            SeenPartition(table=table, values=tuple(values), document=document)
            for values in every
            if sees_partition(table.data, keys, values)
            and (document := lake.partition(name, values)) is not None
        ]


def _seen_now(name: TableName, who: Principal, desk: CatalogDesk) -> SeenTable | None:
    with desk.lake.looking() as lake:
        record = lake.table(name)
        if record is None or is_behind(record, lake.iceberg_entry(name)):
            return None
        return seen(looking_at(lake, who, desk), record)


def _is_behind(lake: LakeReader, table: SeenTable) -> bool:
    record = table.record
    return bool(record.metadata_location) and is_behind(record, lake.iceberg_entry(table.name))


def _shows_path(authority: Authority, record: DatabaseRecord) -> bool:
    database = record.database
    owns = bool(database.owner) and database.owner in authority.who.identities
    held = authority.database(database)[0]
    return owns or authority.views(database.account) or not held.isdisjoint(_MAKES)
