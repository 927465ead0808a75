"""What the Parquet files of a Hive-style table hold of its columns, file by file.

Columns are found by name, whatever its case. One that a file lacks is NULL in it, as are those
added to the table since. A type that differs is cast where no value can change by it without an
error: numbers to wider or checked ones, dates to timestamps, whole numbers to text. Timestamps are
in microseconds, and those with a zone are UTC's: what is finer, or where it was, is not kept, as in
Athena. What cannot be cast is told only to who reads it: it may be hidden from others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from lakeveil.adapters.scanning.footers import Footer, StoredColumn
from lakeveil.core.access.lake import Column
from lakeveil.core.query.failures import QueryError
from lakeveil.ports.engine import FileGroup, ScanFile
from lakeveil.sql.types import INTEGERS, decimal_of, fields_of, hive_type, inner_of, kind_of

_TWICE = "more than one column of that name"
_SINGLE = 32
_EXACT_IN_DOUBLE, _EXACT_IN_REAL = 32, 16
"""Bits of whole numbers that a floating-point one holds exactly."""
_TEXTS = frozenset({"varchar", "char", "json"})


@dataclass(frozen=True, slots=True)
class _Held:
    """How files hold the table's columns."""

    renamed: tuple[tuple[str, str], ...]
    missing: frozenset[str]
    unreadable: tuple[tuple[str, str], ...]
    stored: tuple[tuple[str, str], ...]


def groups_by_schema(
    columns: Iterable[Column],
    files: Iterable[tuple[ScanFile, Footer]],
    constants: Mapping[str, str | None],
) -> Iterator[FileGroup]:
    """Files with their footers, those together that are read alike."""
    wanted = [column for column in columns if not column.partition]
    alike: dict[_Held, list[ScanFile]] = defaultdict(list)
    known: dict[Footer, _Held] = {}
    for file, footer in files:
        if footer not in known:
            known[footer] = _held(wanted, footer)
        alike[known[footer]].append(file)
    for held, of in alike.items():
        yield FileGroup(
            files=tuple(of),
            constants=constants,
            renamed=dict(held.renamed),
            missing=held.missing,
            unreadable=dict(held.unreadable),
        )


def _held(columns: Iterable[Column], footer: Footer) -> _Held:
    there: dict[str, list[StoredColumn]] = defaultdict(list)
    for stored in footer:
        there[stored.name.lower()].append(stored)
    renamed, missing, unreadable = [], set(), []
    for column in columns:
        name, found = column.name, there.get(column.name.lower(), [])
        if not found or pa.types.is_null(found[0].arrow):
            missing.add(name)
        elif len(found) > 1:
            unreadable.append((name, _TWICE))
        elif not _becomes(found[0].arrow, column.type):
            unreadable.append((name, found[0].type))
        elif found[0].name != name:
            renamed.append((name, found[0].name))
    return _Held(
        renamed=tuple(renamed),
        missing=frozenset(missing),
        unreadable=tuple(unreadable),
        # Columns that the table does not have, too: one reader takes all files of a group alike.
        stored=tuple((stored.name, stored.type) for stored in footer),
    )


def _becomes(stored: Any, hive: str) -> bool:
    try:
        kind = hive_type(hive)
    except QueryError:
        # The engine knows some more, and refuses what it does not.
        return True
    return _fits(stored, kind)


def _fits(stored: Any, kind: Any) -> bool:
    """Whether each value of an Arrow type becomes the same one of a table's, or an error."""
    if pa.types.is_dictionary(stored):
        return _fits(stored.value_type, kind)
    if isinstance(stored, pa.BaseExtensionType):
        return kind_of(kind) in {*_TEXTS, "uuid"}
    wanted = kind_of(kind)
    if wanted in {"array", "map", "row"}:
        return _nested_fits(stored, wanted, kind)
    if pa.types.is_decimal(stored):
        return _decimal_fits(stored, wanted, kind)
    return pa.types.is_null(stored) or _plain_fits(stored, wanted)


def _plain_fits(stored: Any, wanted: str) -> bool:
    if pa.types.is_integer(stored):
        return wanted in {*INTEGERS, "decimal", "varchar"} or _exact(stored.bit_width, wanted)
    if pa.types.is_floating(stored):
        narrow = stored.bit_width <= _SINGLE
        return wanted == "double" or (wanted == "real" and narrow)
    for is_one, kinds in _BECOMES:
        if is_one(stored):
            return wanted in kinds
    # What is left is of bytes: text that is not marked as such might be no text.
    return wanted == "varbinary"


_BECOMES: tuple[tuple[Callable[[Any], bool], frozenset[str]], ...] = (
    (pa.types.is_boolean, frozenset({"boolean", "varchar"})),
    (pa.types.is_date, frozenset({"date", "timestamp", "varchar"})),
    (pa.types.is_string, _TEXTS),
    (pa.types.is_large_string, _TEXTS),
    (pa.types.is_timestamp, frozenset({"timestamp", "timestamp with time zone"})),
    (pa.types.is_time, frozenset({"time"})),
)


def _exact(bits: int, wanted: str) -> bool:
    return (wanted == "double" and bits <= _EXACT_IN_DOUBLE) or (
        wanted == "real" and bits <= _EXACT_IN_REAL
    )


def _decimal_fits(stored: Any, wanted: str, kind: Any) -> bool:
    if wanted == "decimal":
        return bool(decimal_of(kind)[1] >= stored.scale)
    return wanted == "varchar" or (wanted in INTEGERS and stored.scale == 0)


def _nested_fits(stored: Any, wanted: str, kind: Any) -> bool:
    inner = inner_of(kind)
    if wanted == "row":
        if not pa.types.is_struct(stored):
            return False
        held = {field.name.lower(): field.type for field in stored}
        members = [(held.get(name.lower()), of) for name, of in fields_of(kind)]
        found = [_fits(one, of) for one, of in members if one is not None]
        return len(held) == stored.num_fields and bool(found) and all(found)
    if wanted == "map":
        return pa.types.is_map(stored) and (
            _fits(stored.key_type, inner[0]) and _fits(stored.item_type, inner[1])
        )
    listed = pa.types.is_list(stored) or pa.types.is_large_list(stored)
    return (listed or pa.types.is_fixed_size_list(stored)) and _fits(stored.value_type, inner[0])
