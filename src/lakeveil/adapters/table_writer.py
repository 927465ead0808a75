"""Rows as files below a location: what CTAS, INSERT and UNLOAD leave of a Hive-style table.

Names of files are Athena's, directories of partitions Hive's (`FileUtils.escapePathName`). A file
is not there before it is complete, and when a statement fails, those that are complete are removed.
"""

from __future__ import annotations

import itertools
import secrets
import string
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import structlog

from lakeveil.adapters.arrow_text import texts
from lakeveil.adapters.arrow_types import arrow_type
from lakeveil.adapters.partitioned_files import PartitionedFiles, spread
from lakeveil.adapters.s3_upload import Upload, split, store_answers
from lakeveil.adapters.table_files import FileKind, TableFile
from lakeveil.core.access.locations import normalised
from lakeveil.core.access.tables.partitions import NULL
from lakeveil.core.query.execution import ResultColumn
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.errors import LakeveilError, UsageError
from lakeveil.ports import Clock
from lakeveil.ports.table_writer import MAX_FILE_BYTES, Written, WrittenFile

_AT_ONCE = 1_000
"""Objects that one request removes."""
_ESCAPED = frozenset("\"#%'*/:=?\\{[]^\x7f") | {chr(number) for number in range(1, 0x20)}
_BINARY = "application/octet-stream"

log = structlog.get_logger(component="table_writer")


class S3TableWriter:
    """`TableWriter` on S3. Thread-safe. `s3` is a boto3 client with the service's key."""

    def __init__(self, s3: Any, *, clock: Clock) -> None:
        self._s3 = s3
        self._clock = clock
        self._statements = itertools.count(1)

    def write_files(
        self,
        location: str,
        columns: Sequence[ResultColumn],
        batches: Iterable[Any],
        *,
        format: str = "parquet",  # noqa: A002 - the statement's own word
        compression: str = "",
        partition_by: Sequence[str] = (),
        max_file_bytes: int = MAX_FILE_BYTES,
        field_delimiter: str = "",
    ) -> Written:
        """See `TableWriter`."""
        folder = normalised(location)
        if not folder:
            raise UsageError(
                f"`{location[:256]}` is no location",
                why="files are written below s3://bucket/path",
                fix="name such a location",
            )
        inside = _inside(columns, partition_by)
        kind = FileKind(format, compression, field_delimiter, columns[:inside])
        schema = pa.schema([(c.name.lower(), arrow_type(c.type)) for c in columns])
        stem = self._stem()

        def begin(values: tuple[str, ...]) -> TableFile:
            path = "".join(
                f"/{_escaped(column.name.lower())}={_escaped(value)}"
                for column, value in zip(columns[inside:], values, strict=True)
            )
            name = f"{folder}{path}/{stem}_{uuid.uuid4()}{kind.ending}"
            upload = Upload(self._s3, name, content_type=_BINARY)
            return kind.begin(upload, pa.schema(list(schema)[:inside]), partition_values=values)

        files = PartitionedFiles(begin, max_file_bytes=max_file_bytes)
        try:
            for batch in batches:
                typed = _typed(batch, schema)
                for values, rows in _parted(typed, columns, inside):
                    files.add(values, rows)
            written = files.finish()
        except BaseException:
            files.abort()
            self._clean(files.finished)
            raise
        return Written(
            files=tuple(written),
            rows=sum(file.rows for file in written),
            bytes=sum(file.size for file in written),
        )

    def is_empty(self, location: str) -> bool:
        """See `TableWriter`."""
        return next(self._under(location), None) is None

    def files_under(self, location: str) -> list[str]:
        """See `TableWriter`."""
        return list(self._under(location, folders=True))

    def remove(self, files: Iterable[str]) -> None:
        """See `TableWriter`."""
        keys = [split(file) for file in files]
        for bucket in sorted({bucket for bucket, _ in keys}):
            mine = [key for of, key in keys if of == bucket]
            for start in range(0, len(mine), _AT_ONCE):
                self._remove(bucket, mine[start : start + _AT_ONCE])

    def remove_under(self, location: str) -> int:
        """See `TableWriter`."""
        found = self.files_under(location)
        self.remove(found)
        return len(found)

    def _under(self, location: str, *, folders: bool = False) -> Iterator[str]:
        folder = normalised(location)
        bucket, _, prefix = folder.removeprefix("s3://").partition("/")
        if not prefix:
            raise UsageError(
                f"`{location[:256]}` is no location of a table",
                why="it is no path below a bucket",
                fix="name such a path",
            )
        with store_answers(location):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=f"{prefix}/"
            )
            for page in pages:
                for one in page.get("Contents", ()):
                    if folders or not one["Key"].endswith("/") or one["Size"]:
                        yield f"s3://{bucket}/{one['Key']}"

    def _remove(self, bucket: str, keys: list[str]) -> None:
        with store_answers(f"s3://{bucket}/{keys[0]}"):
            said = self._s3.delete_objects(
                Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
            )
        for failed in said.get("Errors", ()):
            # The store answers for each; one that stays must not pass for removed.
            log.error("an object was not removed", bucket=bucket, code=failed.get("Code"))
        if said.get("Errors"):
            raise QueryError(
                ErrorName.GENERIC_INTERNAL_ERROR, "The object store did not remove all files."
            )

    def _clean(self, files: Sequence[WrittenFile]) -> None:
        try:
            self.remove(file.location for file in files)
        except LakeveilError as error:
            # Why the statement failed is worth more than this.
            log.warning("files of a failed statement are left", files=len(files), code=error.code)

    def _stem(self) -> str:
        when = time.strftime("%Y%m%d_%H%M%S", time.gmtime(self._clock.now()))
        some = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(5))
        return f"{when}_{next(self._statements) % 100_000:05d}_{some}"


def _inside(columns: Sequence[ResultColumn], partition_by: Sequence[str]) -> int:
    """How many columns stand in the files: those before the partition's."""
    names = [column.name.lower() for column in columns]
    if "" in names:
        raise QueryError(
            ErrorName.MISSING_COLUMN_NAME,
            f"Column name not specified at position {names.index('') + 1}",
        )
    for name in names:
        if names.count(name) > 1:
            raise QueryError(
                ErrorName.DUPLICATE_COLUMN_NAME, f"Column name '{name}' specified more than once"
            )
    keys = [name.lower() for name in partition_by]
    inside = len(names) - len(keys)
    if names[inside:] != keys:
        raise QueryError(
            ErrorName.INVALID_TABLE_PROPERTY,
            "Partition keys must be the last columns in the table and in the same order as the "
            f"table properties: {keys}",
        )
    if inside == 0:
        raise QueryError(ErrorName.INVALID_TABLE_PROPERTY, "Table contains only partition columns")
    for column in columns[inside:]:
        if column.type.partition("(")[0] in {"array", "map", "row", "varbinary"}:
            raise QueryError(
                ErrorName.NOT_SUPPORTED,
                f"Column '{column.name}' of type {column.type} cannot be a partition key.",
            )
    return inside


def _typed(batch: Any, schema: Any) -> Any:
    """The batch with the types of the table; refused where a type or a value does not fit."""
    try:
        arrays = [
            column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)
        ]
    except pa.ArrowNotImplementedError as error:
        # Between these types there is no cast at all, whatever the values are.
        raise QueryError(
            ErrorName.TYPE_MISMATCH, "A column is of another type than what is written"
        ) from error
    except pa.ArrowInvalid as error:
        raise QueryError(
            ErrorName.INVALID_CAST_ARGUMENT, "A value does not fit its column's type"
        ) from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _parted(
    batch: Any, columns: Sequence[ResultColumn], inside: int
) -> Iterator[tuple[tuple[str, ...], Any]]:
    names = batch.schema.names[:inside]
    if inside == len(columns):
        yield (), batch
        return
    keys = [
        texts(column, said.type)
        for column, said in zip(batch.columns[inside:], columns[inside:], strict=True)
    ]
    for shows, rows in spread(keys, batch.select(names)):
        yield tuple(key[shows].as_py() or NULL for key in keys), rows


def _escaped(text: str) -> str:
    """As Hive writes it in a path."""
    if "\x00" in text:
        raise QueryError(ErrorName.NOT_SUPPORTED, "A partition's value holds a zero byte.")
    return "".join(f"%{ord(sign):02X}" if sign in _ESCAPED else sign for sign in text)
