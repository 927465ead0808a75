"""Iceberg tables: their metadata files.

An Iceberg table is a metadata file; its catalog entry says which one is current. Entries are read
and changed with our own rows, in one transaction (`ports.lake`): a compare-and-swap, so of two
writers from the same base only one gets through, and no crash comes between the two. Here is what
concerns the files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from lakeveil.core.access.lake import Column

IcebergDocument = Mapping[str, Any]
"""A schema, spec, order or change, as JSON of the Iceberg specification and its REST catalog."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IcebergField:
    """A top-level column. `id` stays the same when it is renamed; `column` has its Hive type."""

    id: int
    column: Column
    doc: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IcebergMetadata:
    """What a metadata file says, as far as a catalog cares.

    `partitioned_by` are the names of the columns that its current partition spec reads;
    `partition_fields` pairs each with its transform (`day`, `bucket[16]`), in order. Numbers up
    to `last_column_id` have been given to some column, or to a part of one.
    """

    metadata_location: str
    location: str
    table_uuid: str
    fields: tuple[IcebergField, ...]
    last_column_id: int
    schema: IcebergDocument
    """The current schema, with the numbers of what is nested in columns."""
    partitioned_by: tuple[str, ...] = ()
    partition_fields: tuple[tuple[str, str], ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns in order."""
        return tuple(one.column for one in self.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class IcebergDefinition:
    """A table as whoever makes it numbers its fields."""

    location: str
    schema: IcebergDocument
    partition_spec: IcebergDocument | None = None
    write_order: IcebergDocument | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


class IcebergCatalog(Protocol):
    """Reads and writes metadata files. Raises `Unavailable` when the store is away."""

    def create(
        self,
        columns: Sequence[Column],
        *,
        location: str,
        partition_by: Sequence[str] = (),
        properties: Mapping[str, str] | None = None,
        format_version: int = 2,
        comments: Mapping[str, str] | None = None,
    ) -> IcebergMetadata:
        """Write the first metadata file of a table under `location`; nothing points at it yet.

        `comments` are of columns, by name.

        Raises:
            UsageError: a type that Iceberg does not know, a partition column that is none, or a
                property that would lead whoever opens the table elsewhere.
        """
        ...

    def define(self, definition: IcebergDefinition) -> IcebergMetadata:
        """Write the first metadata file of a table of version 2, with exactly those numbers.

        Raises:
            UsageError: something in it is not of the specification, or as in `create`.
        """
        ...

    def evolve(self, metadata_location: str, updates: Sequence[IcebergDocument]) -> IcebergMetadata:
        """Write the file that follows another one; nothing points at it yet.

        `updates` are those of Iceberg's REST catalog (`TableUpdate`), in order, and `keep-schema`,
        which says a schema that the table must have.

        Raises:
            UsageError: an update cannot be made, or what comes of all of them is another table:
                a field that comes back or moves, a type that rows written before cannot have, a
                location elsewhere. Also as in `read`.
        """
        ...

    def read(self, metadata_location: str) -> IcebergMetadata:
        """What a metadata file says.

        Raises:
            UsageError: there is no such file, it is no Iceberg table metadata, two of its columns
                differ in case alone, or a property would lead whoever opens the table elsewhere.
        """
        ...
