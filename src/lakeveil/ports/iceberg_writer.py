"""Writing into Iceberg tables: new rows, rewritten files, and forgetting the past.

Every statement is one commit. Who commits changes the table's entry alone; the catalog's own row
follows when it is next read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lakeveil.core.access.grants import TableName


@dataclass(frozen=True, slots=True, kw_only=True)
class IcebergWritten:
    """What a statement left: its snapshot, None where there was nothing to do."""

    snapshot_id: int | None
    files: tuple[str, ...] = ()
    rows: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """What was forgotten: snapshots, and files that no other one needs."""

    snapshots: int
    files: int


class IcebergWriter(Protocol):
    """Writes into tables that have an entry in an account's catalog.

    Methods raise `NotFound` where a table has none, `Unavailable` when the store does not answer.
    What a failed statement wrote is removed.
    """

    def append(
        self,
        name: TableName,
        batches: Iterable[Any],
        *,
        columns: Sequence[str],
        properties: Mapping[str, str] | None = None,
    ) -> IcebergWritten:
        """Add rows. `columns` names those of the `pyarrow.RecordBatch`es, in their order.

        Columns of the table that are not named are NULL. `properties` go into the snapshot's
        summary. Others who append at the same time do not matter.

        Raises:
            QueryError: a value that does not fit (CONSTRAINT_VIOLATION where one is missing), too
                many partitions, or TRANSACTION_CONFLICT: the table's schema was changed meanwhile.
        """
        ...

    def overwrite_files(
        self,
        name: TableName,
        *,
        removed: Collection[str],
        batches: Iterable[Any],
        columns: Sequence[str],
        snapshot_id: int | None,
        properties: Mapping[str, str] | None = None,
    ) -> IcebergWritten:
        """Replace data files by rows: those that are left of them, changed or not.

        `removed` are locations of data files of the snapshot `snapshot_id`, from which the rows
        were read. Files of deletes that concern no other data go with them.

        Raises:
            QueryError: as for `append`; TRANSACTION_CONFLICT where that snapshot is no longer the
                table's current one.
        """
        ...

    def expire(
        self, name: TableName, *, older_than: float, keep: int = 1, besides: Collection[str] = ()
    ) -> Expired:
        """Forget snapshots from before a time (UTC seconds), and remove what only they needed.

        The newest `keep` stay, and whatever a branch or tag names. Files that nothing refers to
        go too once they are old: only below the table's own location, and nothing below one of
        `besides`, the locations of other tables that lie in it.

        Raises:
            QueryError: TRANSACTION_CONFLICT, the table was changed meanwhile.
        """
        ...
