"""One table as bitmaps: for each key and value, which of its columns carry it.

Bit i of an integer is the column at position i; the bit after the last column is the table itself,
so that one "and" of "or"s answers for columns and table at once. Plain Python integers: for the
columns of one table nothing is quicker, and a door that asks about one table loads nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from lakeveil.core.access.lake import Table
from lakeveil.core.access.tags import ANY, WITHHELD, Tags

Terms = tuple[tuple[str, frozenset[str]], ...]
"""An "and" over keys of "or"s over values, as an `Expression` has it."""


class TableIndex:
    """The bitmaps of one table. Takes time in proportion to its columns and overrides.

    `columns` has a bit for each column; `itself` is the table's own bit.
    """

    __slots__ = ("_carried", "columns", "itself", "table")

    def __init__(self, table: Table) -> None:
        count = len(table.columns)
        self.table = table
        self.columns = (1 << count) - 1
        self.itself = 1 << count
        self._carried: dict[str, dict[str, int]] = {}
        for key, value in table.tags.of_table().items():
            self._carried[key] = {value: self.columns | self.itself}
        self._override(self.bits_of(table.tags.columns), table.tags.columns)
        for values in self._carried.values():
            values.pop(WITHHELD, None)
            having = 0
            for bits in values.values():
                having |= bits
            values[ANY] = having

    def bits_of(self, names: Collection[str]) -> dict[str, int]:
        """The bits of those names that are columns of the table."""
        found: dict[str, int] = {}
        if names:
            wanted = frozenset(names)
            for position, column in enumerate(self.table.columns):
                if column.name in wanted:
                    found[column.name] = found.get(column.name, 0) | 1 << position
        return found

    def matching(self, terms: Terms) -> int:
        """The columns, and the table's own bit, whose effective tags match every term."""
        bits = self.columns | self.itself
        for key, values in terms:
            carried = self._carried.get(key)
            if carried is None:
                return 0
            allowed = 0
            for value in values:
                allowed |= carried.get(value, 0)
            bits &= allowed
            if not bits:
                return 0
        return bits

    def _override(self, positions: Mapping[str, int], explicit: Mapping[str, Tags]) -> None:
        for name, bits in positions.items():
            for key, value in explicit[name].items():
                values = self._carried.setdefault(key, {})
                for other in values:
                    values[other] &= ~bits
                values[value] = values.get(value, 0) | bits


def positions(bits: int) -> list[int]:
    """The positions of the bits that are set, in order.

    >>> positions(0b1101)
    [0, 2, 3]
    """
    return [position for position, bit in enumerate(reversed(f"{bits:b}")) if bit == "1"]
