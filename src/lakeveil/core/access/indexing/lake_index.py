"""Every table of a lake in little memory: per column four numbers, the rest shared.

A column is a name, a type, the tags set on itself and its signature (`signatures`), each as the
number of something interned: 16 bytes. A table is its columns' place in those arrays, its owner
and its layers of tags. What goes in comes out: `table` makes the `Table` again, exactly.

One thread at a time. What is assigned to columns that a table does not have is not kept.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lakeveil.core.access.grants import TableName
from lakeveil.core.access.indexing.signatures import (
    UNGOVERNED,
    Numbering,
    Numbers,
    Signatures,
    TagSets,
)
from lakeveil.core.access.lake import Column, Table
from lakeveil.core.access.tags import TagLayers
from lakeveil.errors import NotFound

_CHUNK = 8192
"""Tables whose columns are counted at once: bounds what sorting them takes."""
_SPARE = 1 << 20
"""Columns of dropped tables that may lie around before the arrays are written anew."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Which table has how many columns of which signature, in order of the tables: (n,) each."""

    tables: Numbers
    signatures: Numbers
    counts: Numbers


class LakeIndex:
    """The tables of a lake. Tables have numbers; those of dropped ones stay empty."""

    def __init__(self, tables: Iterable[Table] = ()) -> None:
        self.tag_sets = TagSets()
        self.signatures = Signatures(self.tag_sets)
        self._names: list[TableName | None] = []
        self._numbers: dict[TableName, int] = {}
        self._databases: dict[tuple[str, str], dict[int, None]] = defaultdict(dict)
        # Per table: tags set on the catalog, the database, the table itself.
        self._layers = (array("i"), array("i"), array("i"))
        self._starts, self._sizes = array("q"), array("i")
        self._governed = bytearray()
        self._owners = array("i")
        self._owner_names: Numbering[str] = Numbering([""])
        self._column_names: Numbering[str] = Numbering()
        self._kinds: Numbering[tuple[str, bool]] = Numbering()
        # Per column: name, kind, tags set on itself, signature.
        self._columns = (array("i"), array("i"), array("i"), array("i"))
        self._dropped_columns = 0
        self._pairs = Pairs(*(np.zeros(0, np.int32) for _ in range(3)))
        self._uncounted: set[int] = set()
        for table in tables:
            self.put(table)

    # --- what is there ---------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, name: TableName) -> bool:
        return name in self._numbers

    def __iter__(self) -> Iterator[Table]:
        return (self.table(name) for name in list(self._numbers))

    def numbers(self) -> Numbers:
        """The numbers of the tables that are there: (n,)."""
        return np.fromiter(self._numbers.values(), np.int32, len(self._numbers))

    def number(self, name: TableName) -> int:
        """A table's number. It holds until the next `put` or `drop`.

        Raises:
            NotFound: there is no such table.
        """
        found = self._numbers.get(name)
        if found is None:
            raise NotFound(f"there is no table `{name}`")
        return found

    def numbered(self, account: str, database: str, table: str | None) -> list[int]:
        """The number of a table, or with None those of all tables of the database."""
        if table is None:
            return list(self._databases.get((account, database), ()))
        number = self._numbers.get(TableName(account, database, table))
        return [] if number is None else [number]

    def owned(self, identities: Iterable[str]) -> list[int]:
        """The numbers of the tables that one of these owns."""
        known = [self._owner_names[who] for who in identities if who and who in self._owner_names]
        if not known:
            return []
        mine = np.isin(np.frombuffer(self._owners, np.int32), known)
        return [int(n) for n in np.flatnonzero(mine) if self._names[n] is not None]

    def name(self, number: int) -> TableName:
        """The name of a table that is there."""
        name = self._names[number]
        if name is None:
            raise NotFound(f"table number {number} was dropped")
        return name

    def owner(self, number: int) -> str:
        """The ARN of a table's owner, or nothing."""
        return self._owner_names.things[self._owners[number]]

    def governed(self, number: int) -> bool:
        """Whether grants count on a table."""
        return bool(self._governed[number])

    def sizes(self) -> Numbers:
        """How many columns each number has; 0 where the table was dropped."""
        return np.array(self._sizes, np.int32)

    @property
    def spare(self) -> int:
        """Columns of dropped tables that still take room."""
        return self._dropped_columns

    def table(self, name: TableName) -> Table:
        """A table as it was put in.

        Raises:
            NotFound: there is no such table.
        """
        number = self.number(name)
        start, size = self._starts[number], self._sizes[number]
        names, kinds, own, _ = (part[start : start + size] for part in self._columns)
        catalog, database, table = (self.tag_sets.tags(one[number]) for one in self._layers)
        columns = tuple(
            Column(self._column_names.things[name], *self._kinds.things[kind])
            for name, kind in zip(names, kinds, strict=True)
        )
        explicit = {
            column.name: self.tag_sets.tags(tags)
            for column, tags in zip(columns, own, strict=True)
            if tags
        }
        return Table(
            name=name,
            columns=columns,
            owner=self.owner(number),
            tags=TagLayers(catalog=catalog, database=database, table=table, columns=explicit),
            governed=self.governed(number),
        )

    # --- what changes ----------------------------------------------------------------------------

    def put(self, table: Table) -> None:
        """Add a table, or replace the one of this name: by new tags, columns or owner."""
        names = array("i", [self._column_names[column.name] for column in table.columns])
        kinds = array("i", [self._kinds[c.type, c.partition] for c in table.columns])
        own, signatures = self._tagged(table)
        parts = (names, kinds, own, signatures)
        number = self._numbers.get(table.name)
        if number is not None and self._sizes[number] != len(names):
            self.drop(table.name)
            number = None
        if number is None:
            number = self._append(table.name, len(names))
            for every, part in zip(self._columns, parts, strict=True):
                every.extend(part)
        else:
            start = self._starts[number]
            for every, part in zip(self._columns, parts, strict=True):
                every[start : start + len(part)] = part
        explicit = table.tags.catalog, table.tags.database, table.tags.table
        for layer, tags in zip(self._layers, explicit, strict=True):
            layer[number] = self.tag_sets.number(tags)
        self._owners[number] = self._owner_names[table.owner]
        self._governed[number] = table.governed
        self._uncounted.add(number)

    def drop(self, name: TableName) -> None:
        """Take a table out.

        Raises:
            NotFound: there is no such table.
        """
        number = self.number(name)
        del self._numbers[name]
        del self._databases[name.account, name.database][number]
        self._names[number] = None
        self._owners[number] = 0
        self._dropped_columns += self._sizes[number]
        self._sizes[number] = 0
        self._uncounted.add(number)
        if self._dropped_columns > max(_SPARE, len(self._columns[0]) // 2):
            self._compact()

    def signatures_of(self, table: Table) -> Numbers:
        """The signatures that the columns of a table have, in it or not: (n,)."""
        return np.array(self._tagged(table)[1], np.int32)

    def _tagged(self, table: Table) -> tuple[array[int], array[int]]:
        sets, layers = self.tag_sets, table.tags
        inherited = sets.number(layers.catalog)
        for explicit in (layers.database, layers.table):
            inherited = sets.over(inherited, sets.number(explicit))
        account = table.name.account
        size = len(table.columns)
        of_table = self.signatures.number(account, inherited) if table.governed else UNGOVERNED
        own = {
            name: number for name, tags in layers.columns.items() if (number := sets.number(tags))
        }
        if not own:
            return array("i", [0]) * size, array("i", [of_table]) * size
        explicit_of = [own.get(column.name, 0) for column in table.columns]
        signature_of = {0: of_table}
        for tags in own.values():
            signature_of[tags] = (
                self.signatures.number(account, sets.over(inherited, tags))
                if table.governed
                else UNGOVERNED
            )
        return array("i", explicit_of), array("i", [signature_of[tags] for tags in explicit_of])

    def _append(self, name: TableName, size: int) -> int:
        number = len(self._names)
        self._names.append(name)
        self._numbers[name] = number
        self._databases[name.account, name.database][number] = None
        for layer in self._layers:
            layer.append(0)
        self._starts.append(len(self._columns[0]))
        self._sizes.append(size)
        self._owners.append(0)
        self._governed.append(0)
        return number

    def _compact(self) -> None:
        sizes = self.sizes()
        _, places = self.columns_of(np.arange(len(sizes)))
        for part in self._columns:
            part[:] = array("i", np.frombuffer(part, np.int32)[places].tobytes())
        starts = np.cumsum(sizes, dtype=np.int64) - sizes
        self._starts[:] = array("q", starts.tobytes())
        self._dropped_columns = 0

    # --- whole columns of numbers ----------------------------------------------------------------

    def columns_of(self, tables: Sequence[int] | NDArray[np.integer]) -> tuple[Numbers, Numbers]:
        """Of every column of these tables its table and its place in the arrays: (n,) each."""
        numbers = np.asarray(tables, np.int64)
        sizes = np.frombuffer(self._sizes, np.int32)[numbers]
        starts = np.frombuffer(self._starts, np.int64)[numbers]
        before = np.cumsum(sizes) - sizes
        places = np.repeat(starts - before, sizes) + np.arange(sizes.sum())
        return np.repeat(numbers, sizes).astype(np.int32), places

    def signatures_at(self, places: NDArray[np.integer]) -> Numbers:
        """The signatures of columns at places: (n,)."""
        return np.asarray(np.frombuffer(self._columns[3], np.int32)[places])

    def kinds_at(self, places: NDArray[np.integer]) -> Numbers:
        """The numbers of the columns' kinds, see `kinds`: (n,)."""
        return np.asarray(np.frombuffer(self._columns[1], np.int32)[places])

    def names_at(self, places: NDArray[np.integer]) -> list[str]:
        """The names of columns at places."""
        numbers = np.frombuffer(self._columns[0], np.int32)[places]
        return [self._column_names.things[number] for number in numbers.tolist()]

    @property
    def kinds(self) -> list[str]:
        """The types that columns have, by the number of the kind."""
        return [kind for kind, _ in self._kinds.things]

    def pairs(self) -> Pairs:
        """Every table's signatures. Only tables that changed are counted anew."""
        if self._uncounted:
            kept = ~np.isin(self._pairs.tables, list(self._uncounted))
            old = (part[kept] for part in (_parts(self._pairs)))
            changed = np.array(sorted(self._uncounted), np.int32)
            new = [
                self._count(part) for part in np.array_split(changed, len(changed) // _CHUNK + 1)
            ]
            merged = [np.concatenate(parts) for parts in zip(old, *map(_parts, new), strict=True)]
            order = np.argsort(merged[0], kind="stable")
            self._pairs = Pairs(*(part[order] for part in merged))
            self._uncounted.clear()
        return self._pairs

    def _count(self, tables: Numbers) -> Pairs:
        of, places = self.columns_of(tables)
        signatures = self.signatures_at(places)
        both = np.sort(of.astype(np.int64) << 32 | signatures)
        first = np.flatnonzero(np.diff(both, prepend=-1))
        counts = np.diff(first, append=len(both))
        return Pairs(
            tables=(both[first] >> 32).astype(np.int32),
            signatures=(both[first] & 0xFFFFFFFF).astype(np.int32),
            counts=counts.astype(np.int32),
        )


def _parts(pairs: Pairs) -> tuple[Numbers, Numbers, Numbers]:
    return pairs.tables, pairs.signatures, pairs.counts
