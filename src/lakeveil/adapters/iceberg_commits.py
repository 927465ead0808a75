"""Snapshots of Iceberg tables as commits: PyIceberg's own, and the deletes that it leaves behind.

PyIceberg replaces data files and keeps every file of deletes, also one whose rows are all gone;
`ReplaceFiles` takes those along. A delete is kept as long as any data file is left that it may
apply to, by the rules of the Iceberg specification ("Scan Planning").
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping

from pyiceberg.exceptions import CommitFailedException, NoSuchTableError, ValidationException
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    ManifestContent,
    ManifestEntry,
    ManifestFile,
    ManifestWriter,
    ManifestWriterV2,
)
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation, Summary
from pyiceberg.table.update import (
    AssertCurrentSchemaId,
    AssertDefaultSpecId,
    AssertTableUUID,
    TableRequirement,
    TableUpdate,
)
from pyiceberg.table.update.snapshot import _FastAppendFiles, _OverwriteFiles

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.errors import Unavailable

Producer = _FastAppendFiles | _OverwriteFiles


class ReplaceFiles(_OverwriteFiles):
    """An overwrite that also drops the deletes which no data is left for."""

    _dropped: list[DataFile]

    def _build_delete_files_partition_predicate(self) -> None:
        # PyIceberg skips manifests by the partitions of what is removed. Every manifest is looked
        # at here: one that is wrongly skipped would leave a removed file in the table.
        self._predicate = AlwaysTrue()

    def _existing_manifests(self) -> list[ManifestFile]:
        self._dropped = []
        snapshot = self._transaction.table_metadata.snapshot_by_name(self._target_branch)
        if snapshot is None:
            return []
        kept = super()._existing_manifests()
        deletes = [one for one in kept if one.content is ManifestContent.DELETES]
        if not deletes:
            return kept
        left = [
            entry
            for manifest in snapshot.manifests(self._io)
            if manifest.content is ManifestContent.DATA
            for entry in manifest.fetch_manifest_entry(self._io)
            if entry.data_file not in self._deleted_data_files
        ]
        needs = _Needs(left)
        found = [one for one in kept if one.content is not ManifestContent.DELETES]
        for manifest in deletes:
            found += self._without_dropped(manifest, needs)
        return found

    def _without_dropped(self, manifest: ManifestFile, needs: _Needs) -> list[ManifestFile]:
        entries = manifest.fetch_manifest_entry(self._io)
        dropped = [entry for entry in entries if not needs.delete(entry)]
        if not dropped:
            return [manifest]
        self._dropped += [entry.data_file for entry in dropped]
        spec = self.spec(manifest.partition_spec_id)
        writer: ManifestWriter = _DeleteManifestWriter(
            spec, self.schema(), self.new_manifest_output(), self._snapshot_id, self._compression
        )
        with writer:
            for entry in entries:
                if entry in dropped:
                    writer.delete(entry)
                else:
                    writer.existing(entry)
        return [writer.to_manifest_file()]

    def _summary(self, snapshot_properties: Mapping[str, str] | None = None) -> Summary:
        removed = self._deleted_data_files
        self._deleted_data_files = removed | set(self._dropped)
        try:
            return super()._summary(dict(snapshot_properties or {}))
        finally:
            self._deleted_data_files = removed


class _DeleteManifestWriter(ManifestWriterV2):
    """PyIceberg writes manifests of data alone."""

    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


class _Needs:
    """Which deletes the data files that are left still need."""

    def __init__(self, left: Iterable[ManifestEntry]) -> None:
        self._paths: set[str] = set()
        self._oldest: dict[object, int] = {}
        self._of_all: int | None = None
        for entry in left:
            number, partition = entry.sequence_number or 0, _partition(entry.data_file)
            self._paths.add(entry.data_file.file_path)
            self._oldest[partition] = min(self._oldest.get(partition, number), number)
            self._of_all = number if self._of_all is None else min(self._of_all, number)

    def delete(self, entry: ManifestEntry) -> bool:
        """Whether a delete may apply to any of them."""
        file, number = entry.data_file, entry.sequence_number or 0
        everywhere = file.content is DataFileContent.EQUALITY_DELETES and not len(file.partition)
        oldest = self._of_all if everywhere else self._oldest.get(_partition(file))
        if oldest is None:
            return False
        if file.content is DataFileContent.EQUALITY_DELETES:
            return oldest < number
        return oldest <= number


def _partition(file: DataFile) -> object:
    values = tuple(file.partition[position] for position in range(len(file.partition)))
    return file.spec_id, values


def append_files(table: Table, files: Iterable[DataFile], said: Mapping[str, str]) -> Producer:
    """A snapshot with more data files."""
    update = table.transaction().update_snapshot(snapshot_properties=dict(said))
    producer = update.fast_append()
    for file in files:
        producer.append_data_file(file)
    return producer


def replace_files(
    table: Table,
    removed: Iterable[DataFile],
    files: Iterable[DataFile],
    said: Mapping[str, str],
) -> Producer:
    """A snapshot with data files in the place of others."""
    producer = ReplaceFiles(
        operation=Operation.OVERWRITE,
        transaction=table.transaction(),
        io=table.io,
        commit_uuid=uuid.uuid4(),
        snapshot_properties=dict(said),
    )
    for file in removed:
        producer.delete_data_file(file)
    for file in files:
        producer.append_data_file(file)
    return producer


def commit(table: Table, producer: Producer) -> int:
    """Commit a snapshot to the table as it was loaded; its id.

    PyIceberg's own commit tries again on a table that has changed, whose rows were never read.

    Raises:
        QueryError: TRANSACTION_CONFLICT, the table was changed; nothing was committed.
        Unavailable: it is not known whether it was committed.
    """
    metadata = table.metadata
    try:
        updates, requirements = producer._commit()  # noqa: SLF001 - see above
        commit_updates(
            table,
            updates,
            (
                *requirements,
                AssertCurrentSchemaId.model_validate(
                    {"current-schema-id": metadata.current_schema_id}
                ),
                AssertDefaultSpecId.model_validate({"default-spec-id": metadata.default_spec_id}),
            ),
        )
    except Unavailable:
        # Perhaps the table refers to them by now.
        raise
    except Exception as error:
        producer._clean_all_uncommitted()  # noqa: SLF001
        if isinstance(error, ValidationException):
            raise conflict() from error
        raise
    return producer.snapshot_id


def commit_updates(
    table: Table, updates: tuple[TableUpdate, ...], requirements: tuple[TableRequirement, ...]
) -> None:
    """Commit changes of a table's metadata.

    Raises:
        QueryError: TRANSACTION_CONFLICT, the table was changed or is gone.
        Unavailable: it is not known whether they were committed.
    """
    same = AssertTableUUID(uuid=table.metadata.table_uuid)
    try:
        table.catalog.commit_table(table, (*requirements, same), updates)
    except (CommitFailedException, NoSuchTableError) as error:
        raise conflict() from error
    except Exception as error:
        # Whatever it was: files that the table may refer to must not be taken back.
        raise Unavailable(
            "it is not known whether the change of a table was committed",
            why="the object store or the state did not answer",
            fix="look at the table's snapshots, then try again",
            code="commit_unknown",
        ) from error


def conflict() -> QueryError:
    """Somebody else was there first."""
    return QueryError(
        ErrorName.TRANSACTION_CONFLICT,
        "The table was changed by another statement meanwhile. Try again.",
    )


__all__ = [
    "append_files",
    "commit",
    "commit_updates",
    "conflict",
    "replace_files",
]
