"""Iceberg tables for tests: made by PyIceberg on a real store, with deletes written by hand.

PyIceberg writes no files of deletes; others do. What is written here are the same structures,
byte for byte as the specification has them.
"""

from __future__ import annotations

import io
import json
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    ManifestWriterV2,
)
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Summary
from pyiceberg.table.update.snapshot import _FastAppendFiles
from pyiceberg.typedef import Record

from lakeveil.adapters.iceberg import SqlIcebergCatalog
from lakeveil.adapters.lake import SqlLake
from lakeveil.core.access.grants import TableName

ACCOUNT = "123456789012"


@dataclass(frozen=True, kw_only=True)
class Tables:
    """Makes tables in one bucket."""

    catalog: SqlIcebergCatalog
    lake: SqlLake
    bucket: str

    def make(
        self,
        schema: Schema,
        spec: PartitionSpec = UNPARTITIONED_PARTITION_SPEC,
        *,
        properties: dict[str, str] | None = None,
    ) -> TableName:
        """A new table without rows."""
        from pyiceberg.io import load_file_io
        from pyiceberg.serializers import ToOutputFile
        from pyiceberg.table.metadata import new_table_metadata
        from pyiceberg.table.sorting import UNSORTED_SORT_ORDER

        name = TableName(ACCOUNT, "ads", f"t{uuid.uuid4().hex[:10]}")
        location = f"s3://{self.bucket}/{name.table}"
        metadata = new_table_metadata(
            schema=schema,
            partition_spec=spec,
            sort_order=UNSORTED_SORT_ORDER,
            location=location,
            properties={"format-version": "2", **(properties or {})},
        )
        file = f"{location}/metadata/00000-{uuid.uuid4()}.metadata.json"
        settings = self.catalog._io
        ToOutputFile.table_metadata(metadata, load_file_io(settings, file).new_output(file))
        with self.lake.changing() as change:
            change.set_iceberg_entry(name, expected=None, new=file)
        return name

    def open(self, name: TableName) -> Table:
        """A table as PyIceberg has it now."""
        return self.catalog.sql_catalog(name.account).load_table((name.database, name.table))

    def rows(self, name: TableName, **asked: Any) -> list[dict[str, Any]]:
        """All rows, as PyIceberg reads them."""
        found: list[dict[str, Any]] = self.open(name).scan(**asked).to_arrow().to_pylist()
        return found


def data_files(table: Table) -> list[DataFile]:
    """The data files of a table's current snapshot."""
    snapshot = table.metadata.current_snapshot()
    return [
        entry.data_file
        for manifest in (snapshot.manifests(table.io) if snapshot else ())
        if manifest.content is ManifestContent.DATA
        for entry in manifest.fetch_manifest_entry(table.io)
    ]


def delete_files(table: Table) -> list[DataFile]:
    """The files of deletes of a table's current snapshot."""
    snapshot = table.metadata.current_snapshot()
    return [
        entry.data_file
        for manifest in (snapshot.manifests(table.io) if snapshot else ())
        if manifest.content is ManifestContent.DELETES
        for entry in manifest.fetch_manifest_entry(table.io)
    ]


class _DeletesWriter(ManifestWriterV2):
    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


class _RowDelta(_FastAppendFiles):
    """A snapshot that adds files of deletes."""

    deletes: Sequence[DataFile] = ()

    def _existing_manifests(self) -> list[ManifestFile]:
        found = super()._existing_manifests()
        for spec_id in sorted({file.spec_id for file in self.deletes}):
            writer = _DeletesWriter(
                self.spec(spec_id),
                self.schema(),
                self.new_manifest_output(),
                self._snapshot_id,
                self._compression,
            )
            with writer:
                for file in self.deletes:
                    if file.spec_id == spec_id:
                        writer.add(
                            ManifestEntry.from_args(
                                status=ManifestEntryStatus.ADDED,
                                snapshot_id=self._snapshot_id,
                                sequence_number=None,
                                file_sequence_number=None,
                                data_file=file,
                            )
                        )
            found.append(writer.to_manifest_file())
        return found

    def _summary(self, snapshot_properties: dict[str, str] | None = None) -> Summary:
        self._added_data_files = list(self.deletes)
        try:
            return super()._summary(snapshot_properties or {})
        finally:
            self._added_data_files = []


def add_deletes(table: Table, *files: DataFile) -> None:
    """Commit files of deletes."""
    with table.transaction() as transaction:
        update = transaction.update_snapshot()
        producer = _RowDelta(update.fast_append()._operation, transaction, table.io)
        producer.deletes = files
        producer.commit()


def position_deletes(
    table: Table, rows: Sequence[tuple[str, int]], *, like: DataFile, bounds: bool = False
) -> DataFile:
    """A file of deleted positions, for the partition of a data file."""
    found = pa.table(
        {
            "file_path": pa.array([path for path, _ in rows], pa.string()),
            "pos": pa.array([position for _, position in rows], pa.int64()),
        },
        schema=pa.schema(
            [
                pa.field("file_path", pa.string(), False, {"PARQUET:field_id": "2147483546"}),
                pa.field("pos", pa.int64(), False, {"PARQUET:field_id": "2147483545"}),
            ]
        ),
    )
    paths = sorted(path.encode() for path, _ in rows)
    extra: dict[str, Any] = {}
    if bounds:
        extra = {
            "lower_bounds": {2147483546: paths[0]},
            "upper_bounds": {2147483546: paths[-1]},
        }
    return _delete_file(table, found, DataFileContent.POSITION_DELETES, like=like, **extra)


def equality_deletes(
    table: Table, rows: pa.Table, ids: Sequence[int], *, like: DataFile | None
) -> DataFile:
    """A file of deleted values; without `like` they are deleted from every partition."""
    fields = [
        pa.field(field.name, field.type, True, {"PARQUET:field_id": str(number)})
        for field, number in zip(rows.schema, ids, strict=True)
    ]
    return _delete_file(
        table,
        rows.cast(pa.schema(fields)),
        DataFileContent.EQUALITY_DELETES,
        like=like,
        equality_ids=list(ids),
    )


def _delete_file(
    table: Table,
    rows: pa.Table,
    content: DataFileContent,
    *,
    like: DataFile | None,
    **extra: Any,
) -> DataFile:
    held = io.BytesIO()
    pq.write_table(rows, held)
    path = f"{table.metadata.location}/data/{uuid.uuid4()}-deletes.parquet"
    with table.io.new_output(path).create() as stream:
        stream.write(held.getvalue())
    found = DataFile.from_args(
        content=content,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=like.partition if like else Record(),
        record_count=rows.num_rows,
        file_size_in_bytes=len(held.getvalue()),
        **extra,
    )
    found.spec_id = like.spec_id if like else 0
    return found


def deletion_vector(positions: Sequence[int]) -> bytes:
    """The blob `deletion-vector-v1` of one data file."""
    from pyroaring import BitMap

    bitmaps: dict[int, list[int]] = {}
    for position in positions:
        bitmaps.setdefault(position >> 32, []).append(position & 0xFFFFFFFF)
    vector = len(bitmaps).to_bytes(8, "little")
    for key, inside in sorted(bitmaps.items()):
        vector += key.to_bytes(4, "little") + BitMap(inside).serialize()
    payload = bytes.fromhex("d1d33964") + vector
    return len(payload).to_bytes(4, "big") + payload + zlib.crc32(payload).to_bytes(4, "big")


def puffin(vectors: Sequence[tuple[str, Sequence[int]]]) -> tuple[bytes, list[tuple[int, int]]]:
    """A Puffin file of deletion vectors, and where each one lies in it."""
    whole = b"PFA1"
    blobs, places = [], []
    for path, positions in vectors:
        blob = deletion_vector(positions)
        places.append((len(whole), len(blob)))
        blobs.append(
            {
                "type": "deletion-vector-v1",
                "fields": [2147483546],
                "snapshot-id": -1,
                "sequence-number": -1,
                "offset": len(whole),
                "length": len(blob),
                "properties": {
                    "referenced-data-file": path,
                    "cardinality": str(len(positions)),
                },
            }
        )
        whole += blob
    footer = json.dumps({"blobs": blobs}).encode()
    return (
        whole + b"PFA1" + footer + len(footer).to_bytes(4, "little") + bytes(4) + b"PFA1",
        places,
    )
