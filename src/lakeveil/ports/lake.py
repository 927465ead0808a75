"""The lake's own state: its catalog, what is tagged, and who was granted what.

Reading is in `Lake`; whoever changes something does it inside `Lake.changing()`, which holds the
one write transaction: what is read through the `LakeWriter` cannot change before it commits, so a
right that was checked there still holds when the change lands. An exception undoes everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from lakeveil.core.access.grants import DataCellsFilter, Grant, TableName
from lakeveil.core.access.lake import Database, LakeSettings, Policy, Table
from lakeveil.core.access.tags import LFTag, SavedExpression


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a tag can sit: a catalog, a database of it, a table of that, a column of that."""

    account: str
    database: str = ""
    table: str = ""
    column: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """An explicitly assigned tag; who set it and when (UTC seconds)."""

    place: Place
    key: str
    value: str
    set_by: str = ""
    set_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseRecord:
    """A database of the catalog. `document` is what Glue's `DatabaseInput` carries, name aside."""

    database: Database
    document: Mapping[str, Any] = field(default_factory=dict)
    created_at: float = 0.0
    discoverable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRecord:
    """A table of the catalog.

    `document` is what Glue's `TableInput` carries (name aside), as it was last written.
    `metadata_location` is set for Iceberg tables alone, whose columns come from that file.
    """

    table: Table
    document: Mapping[str, Any] = field(default_factory=dict)
    location: str = ""
    metadata_location: str = ""
    version: int = 0
    created_at: float = 0.0
    updated_at: float = 0.0
    updated_by: str = ""
    discoverable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A registered location: `s3://bucket/prefix`, and the rest of what was registered with it."""

    account: str
    location: str
    role: str = ""
    registered_at: float = 0.0
    registered_by: str = ""


class LakeReader(Protocol):
    """What can be looked up. Every method raises `Unavailable` when the state does not answer."""

    def policy(self) -> Policy:
        """The policy as it stands; the same object until something in it changes."""
        ...

    def database(self, account: str, name: str) -> DatabaseRecord | None:
        """One database."""
        ...

    def databases(self, account: str) -> list[DatabaseRecord]:
        """An account's databases in order of their names."""
        ...

    def table(self, name: TableName) -> TableRecord | None:
        """One table with its tags on all layers."""
        ...

    def tables(self, account: str, database: str | None = None) -> Iterator[TableRecord]:
        """The tables of a database, or of all of them, in order of database and name."""
        ...

    def table_versions(self, name: TableName) -> list[TableRecord]:
        """Earlier versions of a table and the current one, newest first; tags are today's."""
        ...

    def partitions(self, name: TableName) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
        """Values and document (Glue's `PartitionInput`, values aside), in order of the values."""
        ...

    def partition(self, name: TableName, values: Sequence[str]) -> Mapping[str, Any] | None:
        """One partition's document."""
        ...

    def iceberg_entry(self, name: TableName) -> str | None:
        """The metadata file that an Iceberg table's catalog entry points at."""
        ...

    def iceberg_entries(self, account: str, database: str | None = None) -> Mapping[TableName, str]:
        """The metadata file of every catalog entry, of one database or of all of them."""
        ...

    def tables_at(self, account: str, location: str) -> list[TableRecord]:
        """The tables whose data lies at or under a location, or that lies under theirs."""
        ...

    def assignments(self, account: str, database: str = "", table: str = "") -> list[Assignment]:
        """Every explicit tag on the way from the catalog to a database, or table with columns."""
        ...

    def locations(self, account: str | None = None) -> list[Location]:
        """The registered locations."""
        ...


class LakeWriter(LakeReader, Protocol):
    """Reads and writes of one transaction. Nothing here checks a right: flows do."""

    def put_tag(self, tag: LFTag) -> None:
        """Define a tag, or replace its values."""
        ...

    def remove_tag(self, account: str, key: str) -> None:
        """Remove a tag and every assignment of it."""
        ...

    def tag_values_in_use(self, account: str, key: str) -> frozenset[str]:
        """The values of a tag that some resource carries."""
        ...

    def put_expression(self, expression: SavedExpression) -> None:
        """Save an expression, or replace it."""
        ...

    def remove_expression(self, account: str, name: str) -> None:
        """Remove a saved expression, with the grants that name it."""
        ...

    def assign(self, assignment: Assignment) -> None:
        """Set a tag's value at a place, replacing another value of the same key."""
        ...

    def unassign(self, place: Place, key: str) -> None:
        """Remove an explicit value; an inherited one shows again."""
        ...

    def put_grant(self, grant: Grant) -> Grant:
        """Record a grant, or replace the one with its `id`; an empty `id` gets a new one."""
        ...

    def remove_grant(self, grant_id: str) -> None:
        """Remove a grant."""
        ...

    def put_filter(self, found: DataCellsFilter) -> None:
        """Define a data cells filter, or replace it."""
        ...

    def remove_filter(self, table: TableName, name: str) -> None:
        """Remove a filter, with the grants on it."""
        ...

    def put_settings(self, account: str, settings: LakeSettings) -> None:
        """Replace an account's settings."""
        ...

    def put_location(self, location: Location) -> None:
        """Register a location, or replace its registration."""
        ...

    def remove_location(self, account: str, location: str) -> None:
        """Deregister a location; tables under it are then shown to owner and administrators."""
        ...

    def put_database(self, record: DatabaseRecord) -> None:
        """Create a database, or replace its document and owner. Tags are kept."""
        ...

    def remove_database(self, account: str, name: str) -> None:
        """Remove a database with its tables, their tags, filters, and grants that name them."""
        ...

    def put_table(self, record: TableRecord) -> TableRecord:
        """Create a table, or make a new version of it.

        Tags are kept, also those of columns that are gone: one that comes back is as closed as it
        was.
        """
        ...

    def remove_table(self, name: TableName) -> None:
        """Remove a table with its tags, filters, and the grants that name it."""
        ...

    def remove_table_version(self, name: TableName, version: int) -> None:
        """Forget an earlier version."""
        ...

    def put_partition(
        self, name: TableName, values: Sequence[str], document: Mapping[str, Any]
    ) -> None:
        """Create a partition, or replace it."""
        ...

    def remove_partition(self, name: TableName, values: Sequence[str]) -> None:
        """Remove a partition."""
        ...

    def set_iceberg_entry(self, name: TableName, *, expected: str | None, new: str) -> None:
        """Point an Iceberg table's catalog entry at a metadata file.

        `expected` is the file that it must point at until now; None: there must be no entry.

        Raises:
            Conflict: somebody else was first; `already_exists` where there is an entry.
        """
        ...

    def remove_iceberg_entry(self, name: TableName) -> None:
        """Remove an Iceberg table's catalog entry. Files stay."""
        ...

    def set_discoverable(self, account: str, database: str, table: str, *, on: bool) -> None:
        """Let signed-in users find that a database (`table` empty) or table is there, or not."""
        ...


class Lake(LakeReader, Protocol):
    """The whole state."""

    def looking(self) -> AbstractContextManager[LakeReader]:
        """Several reads of one consistent state: a policy, and tables as they were under it."""
        ...

    def changing(self) -> AbstractContextManager[LakeWriter]:
        """One write transaction; commits at the end, or undoes everything on an exception."""
        ...
