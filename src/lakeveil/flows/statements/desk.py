"""What statements are run with beyond queries: who writes files, commits, and lists folders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lakeveil.flows.query_desk import QueryDesk
from lakeveil.ports.iceberg_writer import IcebergWriter
from lakeveil.ports.table_writer import TableWriter


class Folders(Protocol):
    """Lists the folders of a store. Raises `Unavailable` when it is away."""

    def folders(self, location: str, *, depth: int, most: int) -> list[str]:
        """Paths of the folders that are `depth` levels below a location, relative to it.

        Raises:
            UsageError: there are more than `most`.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementDesk(QueryDesk):
    """A desk for queries that can also write."""

    files: TableWriter
    iceberg: IcebergWriter
    folders: Folders
