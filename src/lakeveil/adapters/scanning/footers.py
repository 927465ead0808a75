"""What Parquet files hold, by their footers: names, field ids and types of columns.

Footers are kept, as a file under one name and ETag does not change.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

KEPT = 50_000


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """A column in a file. `type` is Arrow's, as text; `arrow` is the `pyarrow.DataType`.

    `inside` are ids and names of what is nested in it.
    """

    name: str
    type: str
    field_id: int | None = None
    inside: tuple[tuple[int, str], ...] = ()
    arrow: Any = None


Footer = tuple[StoredColumn, ...]


class Footers:
    """Reads footers, once each. Thread-safe."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Footer] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, key: str, schema: Callable[[], Any]) -> Footer:
        """The footer of a file; `schema` reads its `pyarrow.Schema` where it is not kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = tuple(_column(field) for field in schema())
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found


def parquet_schema(stream: Any) -> Any:
    """The `pyarrow.Schema` of a Parquet file that is open."""
    return pq.ParquetFile(stream).schema_arrow


def _column(field: Any) -> StoredColumn:
    return StoredColumn(
        field.name, str(field.type), _id(field), tuple(_inside(field.type)), field.type
    )


def _inside(kind: Any) -> Iterator[tuple[int, str]]:
    """Members of structs, however deep; of what is in them and has no id, -1."""
    for number in range(kind.num_fields):
        child = kind.field(number)
        if str(kind).startswith("struct"):
            found = _id(child)
            yield (-1 if found is None else found, child.name)
        yield from _inside(child.type)


def _id(field: Any) -> int | None:
    number = (field.metadata or {}).get(b"PARQUET:field_id")
    return None if number is None else int(number)
