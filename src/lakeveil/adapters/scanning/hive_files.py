"""A Hive-style table's files: those under its location, or under each of its partitions'.

As Athena does it: everything below a location counts, however deep, except what lies in or is a
name that begins with `_` or `.`, and empty objects. What a partition's values are, the catalog
says and not the path. Partitions lie under the table's own location, which was checked when the
table was made; one that lies elsewhere is refused, as its files were nobody's decision.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lakeveil.adapters.scanning.footer_reads import FooterReads
from lakeveil.adapters.scanning.hive_schemas import groups_by_schema
from lakeveil.core.access.lake import Column
from lakeveil.core.access.locations import is_under, normalised
from lakeveil.core.access.tables.partitions import NULL
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.errors import Unavailable
from lakeveil.ports.engine import FileGroup, Scan, ScanColumn, ScanFile, ScanFormat
from lakeveil.ports.lake import TableRecord

MAX_FILES = 100_000

_FORMATS: Mapping[str, ScanFormat] = {
    "parquethiveserde": ScanFormat.PARQUET,
    "lazysimpleserde": ScanFormat.CSV,
    "opencsvserde": ScanFormat.CSV,
    "jsonserde": ScanFormat.JSON,
    "openxjsonserde": ScanFormat.JSON,
}


class HiveFiles:
    """Plans scans of Hive-style tables on one store. Thread-safe."""

    def __init__(self, s3: Any) -> None:
        """`s3` is a boto3 client with the service's key."""
        self._s3 = s3
        self._footers = FooterReads(s3)

    def plan(
        self,
        record: TableRecord,
        partitions: Iterator[tuple[tuple[str, ...], Mapping[str, Any]]],
    ) -> Scan:
        """The files that are there now.

        Raises:
            QueryError: the table's format is not read, or a partition lies elsewhere.
            Unavailable: the store is away.
        """
        form, options = _format(record.document)
        columns = record.table.columns
        keys = [column for column in columns if column.partition]
        if keys:
            groups = [self._partition(record, keys, form, *one) for one in partitions]
        else:
            groups = [FileGroup(files=tuple(self._files(record.location)))]
        groups = [group for group in groups if group.files]
        if form is ScanFormat.PARQUET:
            groups = list(self._by_schema(columns, groups))
        seen = sorted(
            (file.location, file.etag, file.size) for group in groups for file in group.files
        )
        return Scan(
            format=form,
            columns=tuple(ScanColumn(name=column.name, type=column.type) for column in columns),
            groups=tuple(groups),
            snapshot=f"{record.table.name}:{record.version}:{_digest(seen)}",
            options=options,
        )

    def _by_schema(
        self, columns: Iterable[Column], groups: Sequence[FileGroup]
    ) -> Iterator[FileGroup]:
        """The same files in groups that hold the table's columns alike."""
        columns = tuple(columns)
        read = self._footers.of([file for group in groups for file in group.files])
        for group in groups:
            with_footers = list(islice(read, len(group.files)))
            yield from groups_by_schema(columns, with_footers, group.constants)

    def _partition(
        self,
        record: TableRecord,
        keys: list[Column],
        form: ScanFormat,
        values: tuple[str, ...],
        document: Mapping[str, Any],
    ) -> FileGroup:
        location = normalised(document.get("StorageDescriptor", {}).get("Location", ""))
        if not location or not is_under(location, record.location):
            raise _unsupported("A partition lies outside of its table's location.")
        descriptor = document.get("StorageDescriptor", {})
        if descriptor.get("SerdeInfo", {}).get("SerializationLibrary"):
            of_partition = _known(descriptor)
            if of_partition is not form:
                raise _unsupported("A partition is of another format than its table.")
        if len(values) != len(keys):
            raise _unsupported("A partition has other keys than its table.")
        constants = {
            key.name: None if value == NULL else value
            for key, value in zip(keys, values, strict=True)
        }
        return FileGroup(files=tuple(self._files(location)), constants=constants)

    def _files(self, location: str) -> Iterator[ScanFile]:
        bucket, _, prefix = location.removeprefix("s3://").partition("/")
        folder = f"{prefix}/" if prefix else ""
        found = 0
        try:
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder)
            for page in pages:
                for one in page.get("Contents", ()):
                    inside = one["Key"].removeprefix(folder)
                    if not one["Size"] or _is_hidden(inside):
                        continue
                    found += 1
                    if found > MAX_FILES:
                        raise QueryError(
                            ErrorName.NOT_SUPPORTED,
                            f"The table has more than {MAX_FILES} files. Compact it.",
                        )
                    yield ScanFile(
                        location=f"s3://{bucket}/{one['Key']}",
                        size=one["Size"],
                        etag=one["ETag"].strip('"'),
                    )
        except (BotoCoreError, ClientError) as error:
            raise Unavailable(
                "the object store did not answer while a query was planned", fix="try again"
            ) from error


def _is_hidden(path: str) -> bool:
    return any(part.startswith(("_", ".")) for part in path.split("/"))


def _format(document: Mapping[str, Any]) -> tuple[ScanFormat, dict[str, str]]:
    descriptor = document.get("StorageDescriptor", {})
    form = _known(descriptor)
    serde = descriptor.get("SerdeInfo", {})
    given = {
        **document.get("Parameters", {}),
        **descriptor.get("Parameters", {}),
        **serde.get("Parameters", {}),
    }
    if str(given.get("projection.enabled", "")).lower() == "true":
        raise _unsupported("Partition projection is not supported. Add the table's partitions.")
    if form in {ScanFormat.PARQUET, ScanFormat.JSON}:
        return form, {}
    quoted = _serde(descriptor) == "opencsvserde"
    options = {
        "delimiter": str(
            given.get("separatorChar")
            or given.get("field.delim")
            or given.get("serialization.format")
            or ("," if quoted else "\x01")
        ),
        "skip": str(given.get("skip.header.line.count", "0")),
        "null": str(given.get("serialization.null.format", "\\N")),
    }
    if options["delimiter"] == "1":
        # How Hive writes the usual delimiter down, by its number.
        options["delimiter"] = "\x01"
    if not options["skip"].isdigit():
        raise _unsupported("The table's skip.header.line.count is no number.")
    if quoted:
        options["quote"] = str(given.get("quoteChar", '"'))
        options["escape"] = str(given.get("escapeChar", "\\"))
    return form, options


def _known(descriptor: Mapping[str, Any]) -> ScanFormat:
    form = _FORMATS.get(_serde(descriptor))
    if form is None or "symlink" in str(descriptor.get("InputFormat", "")).lower():
        raise _unsupported("The table's format is not read here. Parquet, CSV and JSON lines are.")
    return form


def _serde(descriptor: Mapping[str, Any]) -> str:
    name = str(descriptor.get("SerdeInfo", {}).get("SerializationLibrary", ""))
    return name.rpartition(".")[2].lower()


def _unsupported(message: str) -> QueryError:
    return QueryError(ErrorName.NOT_SUPPORTED, message)


def _digest(files: Iterable[tuple[str, str, int]]) -> str:
    return hashlib.sha256(repr(list(files)).encode()).hexdigest()[:32]
