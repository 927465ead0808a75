"""Data files of an Iceberg table as they are written: Parquet, with the table's field ids.

Rows are made to fit the table's schema, spread over the partitions of its current spec, and
described by the statistics that PyIceberg takes from a Parquet footer.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa
import structlog
from pyiceberg.io import FileIO
from pyiceberg.io.fileformat import FileFormatFactory
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.partitioning import partition_record_value
from pyiceberg.schema import Schema, sanitize_column_names
from pyiceberg.table import Table, TableProperties
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.typedef import Record

from lakeveil.adapters.iceberg_transforms import partition_values
from lakeveil.adapters.partitioned_files import PartitionedFiles, spread
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.errors import LakeveilError

log = structlog.get_logger(component="iceberg_writer")

_WRITTEN_VERSIONS = (1, 2)


class NewDataFiles:
    """The data files of one statement, in bounded memory. `written` are those that are complete."""

    def __init__(
        self,
        table: Table,
        columns: Sequence[str],
        *,
        remove: Callable[[Sequence[str]], None],
    ) -> None:
        """`columns` names those of the batches, in their order; `remove` removes objects.

        Raises:
            QueryError: the table cannot be written, or has no such column, or needs another.
        """
        self._metadata, self._io = table.metadata, table.io
        # Not PyIceberg's: Arrow leaves an object in the place of the directory.
        self._remove = remove
        check_writable(self._metadata)
        self._schema = self._metadata.schema()
        self._spec = self._metadata.spec()
        self._places = table.location_provider()
        self._columns = _positions(self._schema, columns)
        # As PyIceberg and Iceberg's own writer spell names in files.
        self._file_schema = sanitize_column_names(self._schema)
        self._arrow = schema_to_pyarrow(self._file_schema)
        self._files: PartitionedFiles[tuple[Any, ...], DataFile] = PartitionedFiles(
            self._begin, max_file_bytes=_target_size(self._metadata)
        )
        self._places_used: list[str] = []

    def write(self, batches: Iterable[Any]) -> list[DataFile]:
        """Write all.

        Raises:
            QueryError: a value that does not fit, or too many partitions; nothing is left.
        """
        try:
            for batch in batches:
                fitted = self._fitted(batch)
                for key, rows in self._parted(fitted):
                    self._files.add(key, rows)
            return self._files.finish()
        except BaseException:
            self._files.abort()
            self.remove()
            raise

    def remove(self) -> None:
        """Take back all that was written."""
        try:
            self._remove(self._places_used)
        except LakeveilError as error:
            # Why the statement failed is worth more than this.
            log.warning("files of a failed statement are left", code=error.code)

    def _fitted(self, batch: Any) -> Any:
        """The batch with the table's columns and types."""
        arrays = []
        for field, position, of in zip(
            self._arrow, self._columns, self._schema.fields, strict=True
        ):
            if position is None:
                arrays.append(pa.nulls(batch.num_rows, field.type))
                continue
            column = _cast(batch.column(position), field.type, of.name)
            if of.required and column.null_count:
                raise _missing(of.name)
            arrays.append(column)
        return pa.RecordBatch.from_arrays(arrays, schema=self._arrow)

    def _parted(self, batch: Any) -> Iterator[tuple[tuple[Any, ...], Any]]:
        if self._spec.is_unpartitioned():
            yield (), batch
            return
        keys = [partition_values(batch, field, self._schema) for field in self._spec.fields]
        for shows, rows in spread(keys, batch):
            yield (
                tuple(
                    partition_record_value(field, key[shows].as_py(), self._schema)
                    for field, key in zip(self._spec.fields, keys, strict=True)
                ),
                rows,
            )

    def _begin(self, key: tuple[Any, ...]) -> _OpenDataFile:
        name = f"{uuid.uuid4()}.parquet"
        partition = Record(*key)
        if key:
            name = f"{self._spec.partition_to_path(partition, self._schema)}/{name}"
        place = self._places.new_data_location(name)
        self._places_used.append(place)
        return _OpenDataFile(place, partition, self._file_schema, self._metadata, self._io)


class _OpenDataFile:
    """`OpenFile` of one data file."""

    def __init__(
        self,
        place: str,
        partition: Record,
        schema: Schema,
        metadata: TableMetadata,
        io: FileIO,
    ) -> None:
        self._place, self._partition, self._metadata = place, partition, metadata
        self._output = io.new_output(place)
        properties = {
            **metadata.properties,
            # One table is one row group: how large it is, is decided before.
            TableProperties.PARQUET_ROW_GROUP_LIMIT: str(2**31 - 1),
        }
        self._writer = FileFormatFactory.get(FileFormat.PARQUET).create_writer(
            self._output, schema, properties
        )
        self._bytes = 0

    def write(self, table: Any) -> None:
        """See `OpenFile`."""
        self._writer.write(table)
        self._bytes += table.nbytes

    def size(self) -> int:
        """See `OpenFile`; of what was given, as nothing tells how small it became."""
        return self._bytes // _SHRINKS

    def finish(self) -> DataFile:
        """See `OpenFile`."""
        statistics = self._writer.close()
        return DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=self._place,
            file_format=FileFormat.PARQUET,
            partition=self._partition,
            file_size_in_bytes=len(self._output),
            sort_order_id=None,
            spec_id=self._metadata.default_spec_id,
            equality_ids=None,
            key_metadata=None,
            **statistics.to_serialized_dict(),
        )

    def abort(self) -> None:
        """See `OpenFile`. The stream ends; who began the file removes it."""
        with suppress(OSError, ValueError, pa.ArrowException):
            self._writer.close()


_SHRINKS = 3
"""How much smaller Parquet is than Arrow, about."""


def check_writable(metadata: TableMetadata) -> None:
    """Refuse a table that is read here and not written.

    Raises:
        QueryError: NOT_SUPPORTED.
    """
    if metadata.format_version not in _WRITTEN_VERSIONS:
        raise QueryError(
            ErrorName.NOT_SUPPORTED,
            f"Tables of Iceberg's format version {metadata.format_version} are not written.",
        )
    kind = str(metadata.properties.get(TableProperties.WRITE_FILE_FORMAT, "parquet"))
    if kind.lower() != "parquet":
        raise QueryError(
            ErrorName.NOT_SUPPORTED, "The table wants files of another format than Parquet."
        )


def _positions(schema: Schema, columns: Sequence[str]) -> list[int | None]:
    """For each field of the table which of the columns it is."""
    given = [name.lower() for name in columns]
    names = [field.name.lower() for field in schema.fields]
    for name in given:
        if given.count(name) > 1:
            raise QueryError(
                ErrorName.DUPLICATE_COLUMN_NAME, f"Column name '{name}' specified more than once"
            )
        if name not in names:
            raise QueryError(ErrorName.COLUMN_NOT_FOUND, f"Column '{name}' cannot be resolved")
    for field, name in zip(schema.fields, names, strict=True):
        if field.required and name not in given:
            raise _missing(field.name)
    return [given.index(name) if name in given else None for name in names]


def _missing(name: str) -> QueryError:
    return QueryError(
        ErrorName.CONSTRAINT_VIOLATION, f"NULL value not allowed for NOT NULL column: {name}"
    )


def _cast(column: Any, kind: Any, name: str) -> Any:
    try:
        return column.cast(kind)
    except pa.ArrowNotImplementedError as error:
        raise QueryError(
            ErrorName.TYPE_MISMATCH, f"Column '{name}' is of another type than what is written"
        ) from error
    except pa.ArrowInvalid as error:
        raise QueryError(
            ErrorName.INVALID_CAST_ARGUMENT, f"A value does not fit the column '{name}'"
        ) from error


def _target_size(metadata: TableMetadata) -> int:
    usual = TableProperties.WRITE_TARGET_FILE_SIZE_BYTES_DEFAULT
    said = metadata.properties.get(TableProperties.WRITE_TARGET_FILE_SIZE_BYTES, usual)
    try:
        return max(2**20, int(said))
    except ValueError:
        return usual
