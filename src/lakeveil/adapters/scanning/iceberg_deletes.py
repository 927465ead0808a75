"""What was deleted from an Iceberg table and is still in its files.

A position delete or deletion vector applies to data files of its partition that are not younger
than it, an equality delete to those that are older; one of an unpartitioned spec to all such.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from pyiceberg.avro.file import AvroFile
from pyiceberg.io import FileIO
from pyiceberg.manifest import (
    DATA_FILE_TYPE,
    MANIFEST_ENTRY_SCHEMAS,
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    _inherit_from_manifest,
)
from pyiceberg.schema import Schema
from pyiceberg.table.deletion_vector import deletion_vectors_from_puffin_file
from pyiceberg.table.puffin import PuffinFile

from lakeveil.adapters.scanning.footers import Footer
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.ports.engine import EqualityDelete, ScanFile

MAX_DELETED_ROWS = 500_000
"""Of a snapshot's deletion vectors; beyond, a table is to be compacted."""

_PATH_FIELD = 2147483546
"""The reserved field id of `file_path` in position deletes."""
_NEWEST = 3
_REFERENCED = [field.name for field in DATA_FILE_TYPE[_NEWEST].fields].index("referenced_data_file")
_SHORTEST_EXACT_BOUND = 16


def entries_of(manifest: ManifestFile, io: FileIO) -> list[ManifestEntry]:
    """Live entries of a manifest; those of deletes with the fields of format version 3.

    PyIceberg reads the fields of version 2, in which one file's vectors cannot be told apart.
    """
    if manifest.content is ManifestContent.DATA:
        return manifest.fetch_manifest_entry(io)
    with AvroFile[ManifestEntry](
        io.new_input(manifest.manifest_path),
        MANIFEST_ENTRY_SCHEMAS[_NEWEST],
        read_types={-1: ManifestEntry, 2: DataFile},
        read_enums={0: ManifestEntryStatus, 101: FileFormat, 134: DataFileContent},
    ) as reader:
        return [
            _inherit_from_manifest(entry, manifest)
            for entry in reader
            if entry.status is not ManifestEntryStatus.DELETED
        ]


def scan_file(file: DataFile) -> ScanFile:
    """A file as the engine is told of it."""
    return ScanFile(location=file.file_path, size=file.file_size_in_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removals:
    """The delete files of a snapshot, and the rows that deletion vectors take out of files."""

    positions: tuple[ManifestEntry, ...]
    equalities: tuple[tuple[ManifestEntry, EqualityDelete], ...]
    rows: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(
        cls,
        entries: Iterable[ManifestEntry],
        schema: Schema,
        io: FileIO,
        footer: Callable[[str], Footer],
    ) -> Removals:
        """Sort them by kind.

        Raises:
            QueryError: NOT_SUPPORTED, deletes that are not read here.
        """
        positions, equalities = [], []
        rows: dict[str, tuple[int, ...]] = {}
        for entry in entries:
            file = entry.data_file
            if file.file_format is FileFormat.PUFFIN:
                referenced, deleted = _vector(file, io)
                rows[referenced] = (*rows.get(referenced, ()), *deleted)
            elif file.file_format is not FileFormat.PARQUET:
                raise _unsupported("Deletes are read from Parquet alone.")
            elif file.content is DataFileContent.POSITION_DELETES:
                positions.append(entry)
            else:
                equalities.append((entry, _equality(file, schema, footer)))
            if sum(map(len, rows.values())) > MAX_DELETED_ROWS:
                raise _unsupported("The table has too many deleted rows. Compact it.")
        return cls(positions=tuple(positions), equalities=tuple(equalities), rows=rows)

    def positions_for(self, data: ManifestEntry) -> tuple[ScanFile, ...]:
        """Position deletes that may name rows of a data file."""
        return tuple(
            scan_file(entry.data_file)
            for entry in self.positions
            if _number(entry) >= _number(data)
            and _same_partition(entry.data_file, data.data_file)
            and _may_name(entry.data_file, data.data_file.file_path)
        )

    def equalities_for(self, data: ManifestEntry) -> tuple[EqualityDelete, ...]:
        """Equality deletes that came after a data file."""
        return tuple(
            delete
            for entry, delete in self.equalities
            if _number(entry) > _number(data)
            and (
                not len(entry.data_file.partition)
                or _same_partition(entry.data_file, data.data_file)
            )
        )


def _equality(file: DataFile, schema: Schema, footer: Callable[[str], Footer]) -> EqualityDelete:
    """A file of equality deletes: the columns by which it tells rows, and what it calls them.

    They are found by field id. One that the table has dropped since is in data files still, and
    under a name that may be another column's by now, so that is refused.
    """
    current = {field.field_id: field.name.lower() for field in schema.fields}
    stored = {column.field_id: column.name for column in footer(file.file_path)}
    told_by = file.equality_ids or ()
    for number in told_by:
        if number not in current or number not in stored:
            raise _unsupported(
                "Deleted rows are told by a column that was dropped since. "
                "Compact the table with the engine that wrote them."
            )
    return EqualityDelete(
        file=scan_file(file),
        columns=tuple(current[number] for number in told_by),
        stored=tuple(stored[number] for number in told_by),
    )


def _may_name(deletes: DataFile, path: str) -> bool:
    lower = (deletes.lower_bounds or {}).get(_PATH_FIELD)
    upper = (deletes.upper_bounds or {}).get(_PATH_FIELD)
    # Bounds may be cut short: only one that is exact tells that a single file is meant.
    exact = lower and lower == upper and len(lower) > _SHORTEST_EXACT_BOUND
    return not (exact and lower != path.encode())


def _vector(file: DataFile, io: FileIO) -> tuple[str, tuple[int, ...]]:
    """The data file that an entry speaks of, and its rows that are deleted.

    A Puffin file may hold other vectors, too, which are no part of the snapshot.
    """
    referenced: str | None = file._data[_REFERENCED]  # noqa: SLF001 - it has no property yet
    with io.new_input(file.file_path).open() as stream:
        puffin = PuffinFile(stream.read())
    for vector in deletion_vectors_from_puffin_file(puffin):
        if vector.referenced_data_file == referenced:
            return referenced, tuple(vector.to_vector().to_pylist())
    raise _unsupported("A deletion vector is not where the table's metadata says.")


def _number(entry: ManifestEntry) -> int:
    return entry.sequence_number or 0


def _same_partition(one: DataFile, other: DataFile) -> bool:
    return one.spec_id == other.spec_id and list(_values(one)) == list(_values(other))


def _values(file: DataFile) -> Iterator[object]:
    return (file.partition[position] for position in range(len(file.partition)))


def _unsupported(message: str) -> QueryError:
    return QueryError(ErrorName.NOT_SUPPORTED, message)
