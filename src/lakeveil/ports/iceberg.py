"""Iceberg tables: their metadata files, and who points at which.

An Iceberg table is a metadata file; its catalog entry says which one is current. Changing it is a
compare-and-swap on that pointer, so of two writers from the same base only one gets through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lakeveil.core.access.grants import TableName
from lakeveil.core.access.lake import Column


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

    `partitioned_by` are the names of the columns that its current partition spec reads.
    """

    metadata_location: str
    location: str
    table_uuid: str
    fields: tuple[IcebergField, ...]
    partitioned_by: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns in order."""
        return tuple(one.column for one in self.fields)


class IcebergCatalog(Protocol):
    """Catalog entries of Iceberg tables. Raises `Unavailable` when state or store are away."""

    def create(
        self,
        name: TableName,
        columns: Sequence[Column],
        *,
        location: str,
        partition_by: Sequence[str] = (),
        properties: Mapping[str, str] | None = None,
    ) -> IcebergMetadata:
        """Write the first metadata file under `location`, and enter the table.

        Raises:
            Conflict: there is an entry of that name.
            UsageError: a type that Iceberg does not know, or a partition column that is none.
        """
        ...

    def read(self, metadata_location: str) -> IcebergMetadata:
        """What a metadata file says.

        Raises:
            UsageError: there is no such file, or it is no Iceberg table metadata.
        """
        ...

    def register(self, name: TableName, metadata_location: str) -> IcebergMetadata:
        """Enter a table whose metadata file somebody else wrote.

        Raises:
            Conflict: there is an entry of that name.
            UsageError: as `read`.
        """
        ...

    def swap(self, name: TableName, *, expected: str, new: str) -> IcebergMetadata:
        """Point the entry at another metadata file, if it still points at the `expected` one.

        Raises:
            Conflict: it does not.
            UsageError: as `read`; or the new file is of another table.
        """
        ...

    def current(self, name: TableName) -> str | None:
        """The metadata file that the entry points at; None where there is no entry."""
        ...

    def drop(self, name: TableName) -> None:
        """Remove the entry. Files stay; nothing happens where there is no entry."""
        ...
