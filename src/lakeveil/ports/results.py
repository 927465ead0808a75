"""Results of queries as objects: written once, read in pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from lakeveil.core.query.execution import ResultColumn


class ResultStore(Protocol):
    """Where results are written and read again: objects at locations that were checked before.

    A location is an object's, `s3://bucket/path/ID.csv`. Methods raise `Unavailable` when the
    store does not answer, `Refused` when it refuses us, and `NotFound` when its bucket is gone.
    """

    def write(
        self,
        location: str,
        columns: Sequence[ResultColumn],
        batches: Iterable[Any],
        *,
        text: bool = False,
    ) -> tuple[int, int]:
        """Write a result as Athena's CSV; how many bytes, and how many rows besides the names.

        `batches` are `pyarrow.RecordBatch`es, read once, whose columns stand in the order of
        `columns`. A location that ends in `.jsonl` gets a JSON array for each row instead. With
        `text` the result is of a statement that answers lines: one a row, its values with tabs
        between them, and no names. Should anything raise, no object is left.

        Raises:
            QueryError: whatever the batches raise, or a value that has no text.
        """
        ...

    def write_manifest(self, location: str, files: Sequence[str]) -> None:
        """Write which files a statement has left: one location a line."""
        ...

    def page(
        self, location: str, *, start: int, limit: int
    ) -> tuple[list[tuple[str | None, ...]], int | None]:
        """Rows from the byte `start` on, and where the next ones begin; None at the end.

        The first row of a CSV is its columns' names. A page is shorter than `limit` where its
        rows are large. NULL is None. Of `.txt` each line is a row of one value.

        Raises:
            NotFound: the object is gone.
            UsageError: no row begins there, or it is no result.
        """
        ...
