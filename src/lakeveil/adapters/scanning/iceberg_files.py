"""An Iceberg table's files at a snapshot, with what was deleted from them since.

Read from the metadata file, the snapshot's manifest list and its manifests (Iceberg specification,
"Scan Planning"). Columns are always those of the table's current schema, whatever snapshot is read,
as it is they that decisions name.

Columns are found by field id. A table that never changed its schema has them under their names;
otherwise each file's footer says what it calls them. Every file lies below the table's own
location: that was checked when the table was made, and manifests are written by whoever may write
there. One that named another table's files would have them read with the service's key.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from pyiceberg.io import FileIO, load_file_io
from pyiceberg.manifest import FileFormat, ManifestContent, ManifestEntry
from pyiceberg.schema import Schema, index_name_by_id, sanitize_column_names
from pyiceberg.serializers import FromInputFile
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import NestedField, PrimitiveType

from lakeveil.adapters.iceberg_types import to_hive
from lakeveil.adapters.scanning.footers import Footer, Footers, StoredColumn, parquet_schema
from lakeveil.adapters.scanning.iceberg_constants import constant_text
from lakeveil.adapters.scanning.iceberg_deletes import Removals, entries_of, scan_file
from lakeveil.core.access.locations import is_under
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.errors import Unavailable
from lakeveil.ports.engine import EqualityDelete, FileGroup, Scan, ScanColumn, ScanFile, ScanFormat


class IcebergFiles:
    """Plans scans of Iceberg tables on one store. Thread-safe."""

    def __init__(self, io: Mapping[str, str]) -> None:
        """`io` are PyIceberg's settings for the store: endpoint, key, region."""
        self._io = dict(io)
        self._footers = Footers()

    def plan(
        self,
        metadata_location: str,
        *,
        location: str,
        snapshot: int | None = None,
        timestamp_ms: int | None = None,
    ) -> Scan:
        """The files of one snapshot; of the current one where none is named.

        `location` is the table's own, as it was checked.

        Raises:
            QueryError: there is no such snapshot, or it has files that are not read here.
            Unavailable: the store is away.
        """
        with _store_answers():
            io = load_file_io(self._io, metadata_location)
            metadata = FromInputFile.table_metadata(io.new_input(metadata_location))
            chosen = _snapshot(metadata, snapshot, timestamp_ms)
            planned = _Plan(metadata, io, self._footers, location)
            groups = tuple(planned.groups(chosen)) if chosen else ()
        return Scan(
            format=ScanFormat.PARQUET,
            columns=tuple(
                ScanColumn(name=field.name.lower(), type=to_hive(field.field_type))
                for field in metadata.schema().fields
            ),
            groups=groups,
            snapshot=f"{metadata.table_uuid}:{chosen.snapshot_id if chosen else 'empty'}:"
            f"{metadata.current_schema_id}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Alike:
    """What files have in common that can be read in one go."""

    constants: tuple[tuple[str, str | None], ...]
    renamed: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]
    types: tuple[str, ...]
    position_deletes: tuple[ScanFile, ...]
    equality_deletes: tuple[EqualityDelete, ...]


class _Plan:
    """One table at one metadata file."""

    def __init__(
        self, metadata: TableMetadata, io: FileIO, footers: Footers, location: str
    ) -> None:
        self._metadata = metadata
        self._schema = metadata.schema()
        self._io = io
        self._footers = footers
        self._location = location
        self._by_footer = _may_differ(metadata)
        mapping = metadata.name_mapping()
        self._mapped = {
            name: field.field_id
            for field in (mapping.root if mapping else ())
            for name in field.names
            if field.field_id is not None
        }

    def groups(self, snapshot: Snapshot) -> Iterator[FileGroup]:
        """The snapshot's data files, those together that are read alike."""
        self._check(snapshot.manifest_list)
        data: list[ManifestEntry] = []
        deletes: list[ManifestEntry] = []
        for manifest in snapshot.manifests(self._io):
            self._check(manifest.manifest_path)
            kept = data if manifest.content is ManifestContent.DATA else deletes
            kept += entries_of(manifest, self._io)
        for entry in (*data, *deletes):
            self._check(entry.data_file.file_path)
        removals = Removals.of(deletes, self._schema, self._io, self._footer)
        grouped: dict[_Alike, list[ScanFile]] = defaultdict(list)
        for entry in data:
            grouped[self._alike(entry, removals)].append(scan_file(entry.data_file))
        for alike, files in grouped.items():
            yield FileGroup(
                files=tuple(files),
                constants=dict(alike.constants),
                renamed=dict(alike.renamed),
                missing=frozenset(alike.missing),
                position_deletes=alike.position_deletes,
                equality_deletes=alike.equality_deletes,
                deleted_rows={
                    file.location: removals.rows[file.location]
                    for file in files
                    if file.location in removals.rows
                },
            )

    def _alike(self, entry: ManifestEntry, removals: Removals) -> _Alike:
        file = entry.data_file
        if file.file_format is not FileFormat.PARQUET:
            raise _unsupported(
                f"A file of the table is in the format {file.file_format.value}; "
                "Parquet is what is read."
            )
        constants: dict[str, str | None] = {}
        renamed: dict[str, str] = {}
        missing: list[str] = []
        types: list[str] = []
        stored = self._stored(file.file_path) if self._by_footer else None
        for field in self._schema.fields:
            name = field.name.lower()
            if stored is None:
                continue
            there = stored.get(field.field_id)
            if there is None:
                value = self._absent(entry, field)
                if value is None:
                    missing.append(name)
                else:
                    constants[name] = value
                continue
            _check_inside(field, there)
            types.append(there.type)
            if there.name != field.name:
                renamed[name] = there.name
        return _Alike(
            constants=tuple(sorted(constants.items())),
            renamed=tuple(sorted(renamed.items())),
            missing=tuple(missing),
            types=tuple(types),
            position_deletes=removals.positions_for(entry),
            equality_deletes=removals.equalities_for(entry),
        )

    def _stored(self, path: str) -> dict[int, StoredColumn]:
        """The columns of a file by field id."""
        found: dict[int, StoredColumn] = {}
        for column in self._footer(path):
            number = column.field_id
            if number is None:
                number = self._mapped.get(column.name)
                if number is None and not self._mapped:
                    raise _unsupported(
                        "A file of the table has no field ids, and its schema was changed since."
                    )
            if number is not None:
                found[number] = column
        return found

    def _footer(self, path: str) -> Footer:
        def schema() -> object:
            with self._io.new_input(path).open() as stream:
                return parquet_schema(stream)

        return self._footers.of(path, schema)

    def _absent(self, entry: ManifestEntry, field: NestedField) -> str | None:
        """The value of a column that a file does not hold: of its partition, or the initial one."""
        file = entry.data_file
        kind = field.field_type
        for position, of in enumerate(self._metadata.specs()[file.spec_id].fields):
            if of.source_id == field.field_id and isinstance(of.transform, IdentityTransform):
                value = file.partition[position]
                return None if value is None else constant_text(value, kind)
        if field.initial_default is None:
            return None
        return constant_text(field.initial_default, kind)

    def _check(self, path: str) -> None:
        if not is_under(path, self._location):
            raise _unsupported("A file of the table lies outside of its location.")


def _may_differ(metadata: TableMetadata) -> bool:
    """Whether any file may know a column by another name than the schema."""
    schema = metadata.schema()
    # A schema that was first and is alone never had another name: they are numbered from 0.
    changed = len(metadata.schemas) > 1 or metadata.current_schema_id != 0
    spelled = sanitize_column_names(schema) != schema
    lower = [field.name.lower() for field in schema.fields]
    return changed or spelled or metadata.name_mapping() is not None or len(set(lower)) < len(lower)


def _check_inside(field: NestedField, there: StoredColumn) -> None:
    """Refuse a column in which members are called otherwise by a file.

    A cast finds members by name, and another member may have had that name.
    """
    if isinstance(field.field_type, PrimitiveType) or not there.inside:
        return
    now = index_name_by_id(Schema(field))
    names = {number: full.rpartition(".")[2] for number, full in now.items()}
    taken = set(names.values())
    for number, name in there.inside:
        if names.get(number, name if number == -1 else None) != name and (
            number in names or name in taken
        ):
            raise _unsupported("A member of a column was renamed or replaced since it was written.")


def _snapshot(
    metadata: TableMetadata, wanted: int | None, timestamp_ms: int | None
) -> Snapshot | None:
    if wanted is None and timestamp_ms is None:
        return metadata.current_snapshot()
    if wanted is None:
        then = [
            e.snapshot_id for e in metadata.snapshot_log if e.timestamp_ms <= (timestamp_ms or 0)
        ]
        if not then:
            raise QueryError(
                ErrorName.INVALID_ARGUMENTS, "There was no version of the table at that time."
            )
        wanted = then[-1]
    found = metadata.snapshot_by_id(wanted)
    if found is None:
        raise QueryError(ErrorName.INVALID_ARGUMENTS, f"There is no snapshot {wanted}.")
    return found


def _unsupported(message: str) -> QueryError:
    return QueryError(ErrorName.NOT_SUPPORTED, message)


@contextmanager
def _store_answers() -> Iterator[None]:
    try:
        yield
    except QueryError:
        raise
    except FileNotFoundError as error:
        raise QueryError(
            ErrorName.GENERIC_INTERNAL_ERROR, "A file of the table is gone from the store."
        ) from error
    except OSError as error:
        raise Unavailable(
            "the object store did not answer while a query was planned", fix="try again"
        ) from error
    except (ValueError, TypeError, KeyError, IndexError) as error:
        # PyIceberg's words for a damaged file, which hold parts of it.
        raise QueryError(
            ErrorName.GENERIC_INTERNAL_ERROR, "The table's metadata cannot be read."
        ) from error
