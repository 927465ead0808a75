"""Files of a table on their way, one open at a time for each partition, in bounded memory.

Rows are held back until they fill a row group, as readers want large ones; all partitions together
hold at most `HELD` bytes. A file that has grown to its size is closed, and another begun.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from lakeveil.core.query.failures import ErrorName, QueryError

MAX_PARTITIONS = 100
"""Athena's limit of what one statement may write into."""
HELD = 128 * 2**20
GROUP_BYTES = 64 * 2**20
GROUP_ROWS = 122_880

K = TypeVar("K", bound=Hashable)
W = TypeVar("W")
W_co = TypeVar("W_co", covariant=True)


class OpenFile(Protocol[W_co]):
    """A file that takes tables; they become row groups."""

    def write(self, table: Any) -> None:
        """Write a `pyarrow.Table`."""
        ...

    def size(self) -> int:
        """Bytes so far."""
        ...

    def finish(self) -> W_co:
        """Let it be seen, and say what it is."""
        ...

    def abort(self) -> None:
        """Leave nothing of it."""
        ...


@dataclass(slots=True)
class _Partition(Generic[W]):
    held: list[Any] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0
    file: OpenFile[W] | None = None


class PartitionedFiles(Generic[K, W]):
    """Spreads rows over files by the key of their partition."""

    def __init__(self, begin: Callable[[K], OpenFile[W]], *, max_file_bytes: int) -> None:
        """`begin` opens a new file of a partition."""
        self._begin = begin
        self._max_file_bytes = max_file_bytes
        self._partitions: dict[K, _Partition[W]] = {}
        self._held = 0
        self.finished: list[W] = []

    def add(self, key: K, batch: Any) -> None:
        """Take a `pyarrow.RecordBatch` of one partition's rows.

        Raises:
            QueryError: there are too many partitions.
        """
        if not batch.num_rows:
            return
        if key not in self._partitions:
            if len(self._partitions) >= MAX_PARTITIONS:
                raise QueryError(
                    ErrorName.NOT_SUPPORTED,
                    f"Exceeded limit of {MAX_PARTITIONS} open writers for partitions. "
                    "Write fewer partitions with each statement.",
                )
            self._partitions[key] = _Partition()
        one = self._partitions[key]
        one.held.append(batch)
        one.rows += batch.num_rows
        one.bytes += batch.nbytes
        self._held += batch.nbytes
        if one.rows >= GROUP_ROWS or one.bytes >= GROUP_BYTES:
            self._flush(key, one)
        while self._held > HELD:
            self._flush(*max(self._partitions.items(), key=lambda item: item[1].bytes))

    def finish(self) -> list[W]:
        """Close all; what has been written, in the order in which files were closed."""
        for key, one in self._partitions.items():
            self._flush(key, one)
            self._close(one)
        return self.finished

    def abort(self) -> None:
        """Drop files that are open. Those that are finished are for the caller to remove."""
        for one in self._partitions.values():
            if one.file is not None:
                one.file.abort()
        self._partitions.clear()

    def _flush(self, key: K, one: _Partition[W]) -> None:
        if not one.held:
            return
        if one.file is None:
            one.file = self._begin(key)
        one.file.write(pa.Table.from_batches(one.held))
        self._held -= one.bytes
        one.held, one.rows, one.bytes = [], 0, 0
        if one.file.size() >= self._max_file_bytes:
            self._close(one)

    def _close(self, one: _Partition[W]) -> None:
        if one.file is None:
            return
        # Forgotten only when it is finished: what fails half-way is aborted with the others.
        self.finished.append(one.file.finish())
        one.file = None


def spread(keys: Any, batch: Any) -> list[tuple[int, Any]]:
    """A batch by groups: for each the number of a row that shows its key, and its rows.

    `keys` are the columns that tell groups apart, as arrays. Rows keep their order in a group.
    """
    if not batch.num_rows:
        return []
    codes = np.zeros(batch.num_rows, dtype=np.int64)
    for column in keys:
        encoded = column.dictionary_encode(null_encoding="encode")
        codes = codes * (len(encoded.dictionary) + 1) + encoded.indices.to_numpy()
        # Made small again, so that however many columns never overflow.
        codes = np.unique(codes, return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    edges = np.flatnonzero(np.diff(codes[order])) + 1
    begins = [0, *edges.tolist(), batch.num_rows]
    if len(begins) == 2:  # noqa: PLR2004 - one group
        return [(0, batch)]
    # Copies, not slices: a row that is held back would keep all of its batch in memory.
    return [
        (int(order[start]), batch.take(pa.array(order[start:end])))
        for start, end in pairwise(begins)
    ]
