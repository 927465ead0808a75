"""Writing rows as files of a Hive-style table, and removing them again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lakeveil.core.query.execution import ResultColumn

MAX_FILE_BYTES = 256 * 2**20
"""About how large files become."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenFile:
    """One object. `partition_values` are as the catalog has them, `location` as the store does."""

    location: str
    size: int
    rows: int
    partition_values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a statement left."""

    files: tuple[WrittenFile, ...]
    rows: int
    bytes: int


class TableWriter(Protocol):
    """Writes below locations that were checked before; `s3://bucket/path`.

    Methods raise `Unavailable` when the store does not answer, `Refused` when it refuses us.
    """

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
        """Write `pyarrow.RecordBatch`es, whose columns stand in the order of `columns`.

        `format` is `parquet`, `orc`, `json`, `csv` or `textfile`; `compression` is `snappy`,
        `zstd`, `gzip` or `none`, where the format has it, and the format's usual one if empty.
        `partition_by` are the last columns; they become `name=value/` below the location, and
        stand in no file. Should anything raise, what was written is removed.

        Raises:
            QueryError: a format, type or value that cannot be written, or too many partitions.
        """
        ...

    def is_empty(self, location: str) -> bool:
        """Whether nothing lies below a location, besides the mark of a folder."""
        ...

    def files_under(self, location: str) -> list[str]:
        """All that lies below a location, marks of folders too.

        Raises:
            UsageError: it is no location below a bucket.
        """
        ...

    def remove(self, files: Iterable[str]) -> None:
        """Remove objects; those that are gone already, too."""
        ...

    def remove_under(self, location: str) -> int:
        """Remove all that lies below a location; how many objects.

        Raises:
            UsageError: it is no location below a bucket.
        """
        ...
