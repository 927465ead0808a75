"""One file of a Hive-style table as it is written: Parquet, ORC, or lines of text or JSON."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from typing import IO, Any, Final, cast

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

from lakeveil.adapters.hive_text import delimited, json_lines
from lakeveil.adapters.s3_upload import Upload
from lakeveil.core.query.execution import ResultColumn
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.ports.table_writer import WrittenFile

TEXT_DELIMITER, CSV_DELIMITER = "\x01", ","
_GZIP_LEVEL = 4

_COMPRESSIONS: Final = {
    "parquet": ("gzip", "snappy", "zstd", "none"),
    "orc": ("zlib", "snappy", "zstd", "none"),
    "json": ("gzip", "zstd", "none"),
    "csv": ("gzip", "zstd", "none"),
    "textfile": ("gzip", "zstd", "none"),
}
"""The first is the format's usual one: Athena's."""
_ENDINGS = {"gzip": ".gz", "zstd": ".zst", "none": ""}


class TableFile:
    """`OpenFile` of one format on one upload."""

    def __init__(
        self,
        upload: Upload,
        writer: Any,
        *,
        batches: Callable[[Any], Any],
        partition_values: tuple[str, ...],
    ) -> None:
        """`batches` makes of a table what the writer takes; the writer is closed at the end."""
        self._upload = upload
        self._writer = writer
        self._made = batches
        self._rows = 0
        self._values = partition_values

    def write(self, table: Any) -> None:
        """See `OpenFile`."""
        self._rows += table.num_rows
        self._made(table)

    def size(self) -> int:
        """See `OpenFile`."""
        return self._upload.size

    def finish(self) -> WrittenFile:
        """See `OpenFile`."""
        self._writer.close()
        self._upload.finish()
        return WrittenFile(
            location=self._upload.location,
            size=self._upload.size,
            rows=self._rows,
            partition_values=self._values,
        )

    def abort(self) -> None:
        """See `OpenFile`."""
        self._upload.abort()


class FileKind:
    """What the files of one statement have in common."""

    def __init__(
        self, form: str, compression: str, field_delimiter: str, columns: Sequence[ResultColumn]
    ) -> None:
        """`columns` are those that stand in the files.

        Raises:
            QueryError: a format, compression or delimiter that is not written.
        """
        self.form = form.lower()
        if self.form not in _COMPRESSIONS:
            known = ", ".join(one.upper() for one in _COMPRESSIONS)
            raise _unsupported(f"The format {form[:32]} is not written. Those are: {known}.")
        usual = _COMPRESSIONS[self.form]
        self.compression = compression.lower() or usual[0]
        if self.form == "orc" and self.compression == "gzip":
            self.compression = "zlib"
        if self.compression not in usual:
            raise _unsupported(
                f"{self.form.upper()} is not written with the compression {compression[:32]}."
            )
        text = self.form in {"csv", "textfile"}
        if field_delimiter and not text:
            raise _unsupported("A field delimiter is of TEXTFILE alone.")
        self.delimiter = field_delimiter or (
            CSV_DELIMITER if self.form == "csv" else TEXT_DELIMITER
        )
        if len(self.delimiter) != 1 or self.delimiter in "\r\n\\\x00":
            raise _unsupported("A field delimiter is one character, and no end of line.")
        self._columns = columns

    @property
    def ending(self) -> str:
        """What a file's name ends with: readers tell compressed text by it."""
        if self.form in {"parquet", "orc"}:
            return ""
        return _ENDINGS[self.compression]

    def begin(self, upload: Upload, schema: Any, *, partition_values: tuple[str, ...]) -> TableFile:
        """A new file. `schema` is the `pyarrow.Schema` of what it is given."""
        writer: Any
        if self.form == "parquet":
            writer = pq.ParquetWriter(upload, schema, compression=self.compression)
            return TableFile(
                upload,
                writer,
                batches=lambda table: writer.write_table(table, row_group_size=table.num_rows),
                partition_values=partition_values,
            )
        if self.form == "orc":
            how = "uncompressed" if self.compression == "none" else self.compression
            writer = orc.ORCWriter(upload, compression=how)
            return TableFile(
                upload, writer, batches=writer.write, partition_values=partition_values
            )
        writer = self._packed(upload)

        def write(table: Any) -> None:
            for batch in table.to_batches(max_chunksize=16_384):
                writer.write(self._lines(batch))

        return TableFile(upload, writer, batches=write, partition_values=partition_values)

    def _lines(self, batch: Any) -> bytes:
        if self.form == "json":
            return json_lines(batch, self._columns)
        return delimited(batch, self._columns, self.delimiter)

    def _packed(self, upload: Upload) -> Any:
        if self.compression == "gzip":
            return gzip.GzipFile(
                filename="", mode="wb", fileobj=cast("IO[bytes]", upload), compresslevel=_GZIP_LEVEL
            )
        if self.compression == "zstd":
            return pa.CompressedOutputStream(pa.PythonFile(upload, mode="w"), "zstd")
        return _Plain(upload)


class _Plain:
    """An upload that its writer may close without ending it."""

    def __init__(self, upload: Upload) -> None:
        self.write = upload.write

    def close(self) -> None:
        """Nothing is held back."""


def _unsupported(message: str) -> QueryError:
    return QueryError(ErrorName.NOT_SUPPORTED, message)
