"""Writing into Iceberg tables through PyIceberg's SQL catalog: append, overwrite, expire.

Data files are written first, as a stream; then one commit adds them. Until then nobody sees them,
and if it fails they are removed, unless it is not known whether it failed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.manifest import DataFile, ManifestContent
from pyiceberg.table import Table
from pyiceberg.table.update import AssertRefSnapshotId, RemoveSnapshotsUpdate

from lakeveil.adapters.iceberg import SqlIcebergCatalog
from lakeveil.adapters.iceberg_commits import (
    append_files,
    commit,
    commit_updates,
    conflict,
    replace_files,
)
from lakeveil.adapters.iceberg_data_files import NewDataFiles, check_writable
from lakeveil.adapters.iceberg_expiry import (
    ORPHAN_AGE_S,
    expiring,
    files_of,
    metadata_files,
    orphans,
    removable,
)
from lakeveil.adapters.table_writer import S3TableWriter
from lakeveil.core.access.grants import TableName
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.errors import NotFound, Unavailable
from lakeveil.ports import Clock
from lakeveil.ports.iceberg_writer import Expired, IcebergWritten

ATTEMPTS = 8
"""To append, each to the table as others have left it."""

log = structlog.get_logger(component="iceberg_writer")


class PyIcebergWriter:
    """`IcebergWriter` over PyIceberg. Thread-safe."""

    def __init__(self, catalog: SqlIcebergCatalog, s3: Any, *, clock: Clock) -> None:
        """`s3` is a boto3 client with the service's key."""
        self._catalog = catalog
        self._s3 = s3
        self._clock = clock
        self._objects = S3TableWriter(s3, clock=clock)

    def append(
        self,
        name: TableName,
        batches: Iterable[Any],
        *,
        columns: Sequence[str],
        properties: Mapping[str, str] | None = None,
    ) -> IcebergWritten:
        """See `IcebergWriter`."""
        with _store_answers():
            table = self._table(name)
            new = NewDataFiles(table, columns, remove=self._objects.remove)
            written = new.write(batches)
            if not written:
                return IcebergWritten(snapshot_id=None)
            with _removing(new):
                snapshot = self._append(name, table, written, properties or {})
        return _left(snapshot, written)

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
        """See `IcebergWriter`."""
        with _store_answers():
            table = self._table(name)
            gone = _data_files(table, removed, snapshot_id)
            new = NewDataFiles(table, columns, remove=self._objects.remove)
            written = new.write(batches)
            if not written and not gone:
                return IcebergWritten(snapshot_id=None)
            with _removing(new):
                snapshot = commit(table, replace_files(table, gone, written, properties or {}))
        return _left(snapshot, written)

    def expire(
        self, name: TableName, *, older_than: float, keep: int = 1, besides: Collection[str] = ()
    ) -> Expired:
        """See `IcebergWriter`."""
        with _store_answers():
            table = self._table(name)
            check_writable(table.metadata)
            before = table.metadata
            ids = expiring(before, older_than=older_than, keep=keep)
            if ids:
                same = tuple(
                    AssertRefSnapshotId.model_validate(
                        {"ref": ref, "snapshot-id": known.snapshot_id}
                    )
                    for ref, known in before.refs.items()
                )
                commit_updates(
                    table, (RemoveSnapshotsUpdate.model_validate({"snapshot-ids": ids}),), same
                )
                table = self._table(name)
            left = table.metadata
            named = files_of(left.snapshots, table.io) | metadata_files(table)
            forgotten = [
                one for one in before.snapshots if left.snapshot_by_id(one.snapshot_id) is None
            ]
            unneeded = _named_by(forgotten, table) - named
            aged = min(older_than, self._clock.now() - ORPHAN_AGE_S)
            unneeded |= set(orphans(self._s3, left.location, named, before=aged))
            files = sorted(removable(unneeded, left.location, besides=besides))
            self._objects.remove(files)
        return Expired(snapshots=len(forgotten), files=len(files))

    def _append(
        self, name: TableName, table: Table, files: list[DataFile], said: Mapping[str, str]
    ) -> int:
        written_for = _shape(table)
        for attempt in range(ATTEMPTS):
            try:
                return commit(table, append_files(table, files, said))
            except QueryError:
                if attempt == ATTEMPTS - 1:
                    raise
            self._clock.sleep(0.05 * 2**attempt)
            table = self._table(name)
            if _shape(table) != written_for:
                raise conflict()
        raise conflict()

    def _table(self, name: TableName) -> Table:
        catalog: SqlCatalog = self._catalog.sql_catalog(name.account)
        try:
            return catalog.load_table((name.database, name.table))
        except NoSuchTableError as error:
            raise NotFound(
                f"there is no Iceberg table `{name}`",
                why="it has no entry in the catalog",
                fix="make it first",
            ) from error


def _shape(table: Table) -> tuple[object, ...]:
    """What files are written for."""
    metadata = table.metadata
    return metadata.table_uuid, metadata.current_schema_id, metadata.default_spec_id


def _data_files(table: Table, removed: Collection[str], snapshot_id: int | None) -> list[DataFile]:
    """Files that are to go, by their locations.

    Raises:
        QueryError: TRANSACTION_CONFLICT, they are not those of the current snapshot.
    """
    current = table.metadata.current_snapshot()
    if (current.snapshot_id if current else None) != snapshot_id:
        raise conflict()
    wanted = set(removed)
    found: dict[str, DataFile] = {}
    for manifest in current.manifests(table.io) if current else ():
        if manifest.content is ManifestContent.DATA:
            for entry in manifest.fetch_manifest_entry(table.io):
                if entry.data_file.file_path in wanted:
                    found[entry.data_file.file_path] = entry.data_file
    if found.keys() != wanted:
        raise conflict()
    return list(found.values())


def _named_by(snapshots: Collection[Any], table: Table) -> set[str]:
    """What forgotten snapshots named, as far as it can be read still."""
    found: set[str] = set()
    for snapshot in snapshots:
        try:
            found |= files_of([snapshot], table.io)
        except FileNotFoundError:
            # Somebody else expired it at the same time. What is left of it goes as orphans do.
            log.warning("a forgotten snapshot cannot be read", snapshot=snapshot.snapshot_id)
    return found


def _left(snapshot: int, files: Sequence[DataFile]) -> IcebergWritten:
    return IcebergWritten(
        snapshot_id=snapshot,
        files=tuple(file.file_path for file in files),
        rows=sum(file.record_count for file in files),
        bytes=sum(file.file_size_in_bytes for file in files),
    )


@contextmanager
def _removing(new: NewDataFiles) -> Iterator[None]:
    """Remove new files when they were not committed; not when nobody knows."""
    try:
        yield
    except Unavailable as error:
        if error.code != "commit_unknown":
            new.remove()
        raise
    except BaseException:
        new.remove()
        raise


@contextmanager
def _store_answers() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise QueryError(
            ErrorName.GENERIC_INTERNAL_ERROR, "A file of the table is gone from the store."
        ) from error
    except OSError as error:
        raise Unavailable(
            "the object store did not answer while a table was written", fix="try again"
        ) from error
