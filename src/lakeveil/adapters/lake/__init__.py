"""The lake's state in our database; see `lakeveil.ports.lake`.

The policy is kept in memory and read anew when its version in the database has grown: one small
SELECT per look, so that what another process revokes is revoked here with the next call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import sqlalchemy as sa

from lakeveil.adapters.database import reading, transaction
from lakeveil.adapters.lake.reader import SqlLakeReader
from lakeveil.adapters.lake.snapshot import Snapshot, policy_version, read_snapshot
from lakeveil.adapters.lake.writer import SqlLakeWriter
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.lake import Policy
from lakeveil.ports.lake import Assignment, DatabaseRecord, Location, TableRecord

T = TypeVar("T")


def open_lake(engine: sa.Engine) -> SqlLake:
    """The lake over a database that `open_database` opened."""
    return SqlLake(engine)


class SqlLake:
    """`Lake` over a database. Thread-safe."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._latest: Snapshot | None = None

    def policy(self) -> Policy:
        """See `LakeReader`."""
        return self._read(lambda lake: lake.policy())

    def database(self, account: str, name: str) -> DatabaseRecord | None:
        """See `LakeReader`."""
        return self._read(lambda lake: lake.database(account, name))

    def databases(self, account: str) -> list[DatabaseRecord]:
        """See `LakeReader`."""
        return self._read(lambda lake: lake.databases(account))

    def table(self, name: TableName) -> TableRecord | None:
        """See `LakeReader`."""
        return self._read(lambda lake: lake.table(name))

    def tables(self, account: str, database: str | None = None) -> Iterator[TableRecord]:
        """See `LakeReader`. One consistent state, however long the caller takes."""
        with self.looking() as lake:
            yield from lake.tables(account, database)

    def table_versions(self, name: TableName) -> list[TableRecord]:
        """See `LakeReader`."""
        return self._read(lambda lake: lake.table_versions(name))

    def partitions(self, name: TableName) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
        """See `LakeReader`."""
        with self.looking() as lake:
            yield from lake.partitions(name)

    def partition(self, name: TableName, values: Sequence[str]) -> Mapping[str, Any] | None:
        """See `LakeReader`."""
        return self._read(lambda lake: lake.partition(name, values))

    def iceberg_entry(self, name: TableName) -> str | None:
        """See `LakeReader`."""
        return self._read(lambda lake: lake.iceberg_entry(name))

    def iceberg_entries(self, account: str, database: str | None = None) -> Mapping[TableName, str]:
        """See `LakeReader`."""
        return self._read(lambda lake: lake.iceberg_entries(account, database))

    def tables_at(self, account: str, location: str) -> list[TableRecord]:
        """See `LakeReader`."""
        return self._read(lambda lake: lake.tables_at(account, location))

    def assignments(self, account: str, database: str = "", table: str = "") -> list[Assignment]:
        """See `LakeReader`."""
        return self._read(lambda lake: lake.assignments(account, database, table))

    def locations(self, account: str | None = None) -> list[Location]:
        """See `LakeReader`."""
        return self._read(lambda lake: lake.locations(account))

    @contextmanager
    def looking(self) -> Iterator[SqlLakeReader]:
        """Several reads of one consistent state."""
        with reading(self._engine) as connection:
            snapshot = self._snapshot(connection)
            yield SqlLakeReader(connection, lambda: snapshot)

    @contextmanager
    def changing(self) -> Iterator[SqlLakeWriter]:
        """See `Lake`."""
        with transaction(self._engine) as connection:
            yield SqlLakeWriter(connection, self._snapshot(connection))

    def _read(self, look: Callable[[SqlLakeReader], T]) -> T:
        with self.looking() as lake:
            return look(lake)

    def _snapshot(self, connection: sa.Connection) -> Snapshot:
        version = policy_version(connection)
        with self._lock:
            latest = self._latest
        if latest is not None and latest.version == version:
            return latest
        found = read_snapshot(connection)
        with self._lock:
            # Another thread may have read a newer one meanwhile.
            if self._latest is None or self._latest.version < found.version:
                self._latest = found
        return found
