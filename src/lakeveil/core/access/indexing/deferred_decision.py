"""A decision whose columns are written out when they are first asked for.

Permissions, rows and the grants behind them are there at once, and as bitmaps which columns are
visible, which of them in every row, and which masked. To say why of each of a thousand columns
takes longer than to decide, and most callers want it of few tables. It is a `Decision`, compares
equal to one and becomes one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

from lakeveil.core.access.deciding.contribution import Contribution, Shown
from lakeveil.core.access.deciding.decision import ColumnDecision, Decision
from lakeveil.core.access.deciding.union import Union
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.indexing.table_index import positions
from lakeveil.core.access.lake import Column, Table
from lakeveil.core.access.masks import Mask, fitted
from lakeveil.core.access.permissions import Permission, Permissions
from lakeveil.core.access.rows import NONE, Rows

_SELECT = frozenset({Permission.SELECT})
_NOWHERE = TableName("", "", "")


@dataclass(frozen=True, slots=True)
class Slice:
    """What one grant shows of some columns, as bits; of one column a grant has one slice."""

    reason: str
    shown: Shown
    bits: int


class DeferredDecision(Decision):
    """A `Decision` about `table`; see there. Bit i is the column at position i."""

    __slots__ = ("_slices", "_table", "full_bits", "masked_bits", "visible_bits")

    full_bits: int
    """Columns that are visible in every row."""
    masked_bits: int
    visible_bits: int
    _slices: Sequence[Slice]
    _table: Table

    @classmethod
    def of(
        cls,
        table: Table,
        slices: Sequence[Slice],
        because: Mapping[Permission, Sequence[str]],
        grantable: Permissions,
    ) -> DeferredDecision:
        """The decision that these slices and permissions, each in order of the grants, add up to.

        What `Union.decision` leaves out, `SELECT` where no row shows, is left out here, too.
        """
        visible = full = masked = 0
        rows = NONE
        for one in slices:
            for mask, shown in one.shown.items():
                if not shown:
                    continue
                if mask is None:
                    visible |= one.bits
                    # No sum of filters is every row, unless one of them is.
                    full |= one.bits if shown.every else 0
                else:
                    masked |= one.bits
                if not rows.every:
                    rows |= shown
        held = {p: tuple(reasons) for p, reasons in because.items() if rows or p not in _SELECT}
        made = cls.__new__(cls)
        for name, value in (
            ("table", table.name),
            ("permissions", frozenset(held)),
            ("grantable", grantable & frozenset(held)),
            ("rows", rows),
            ("because", held),
            ("visible_bits", visible),
            ("full_bits", full),
            ("masked_bits", masked & ~visible),
            ("_slices", slices),
            ("_table", table),
        ):
            object.__setattr__(made, name, value)
        return made

    def shown_names(self) -> frozenset[str]:
        """The names of the columns that are not hidden, those of `shown`."""
        if not self._has_bits:
            return frozenset([column.name for column in self.shown()])
        columns = self._table.columns
        shown = self.visible_bits | self.masked_bits
        return frozenset([columns[position].name for position in positions(shown)])

    @property
    def full_read(self) -> bool:
        """See `Decision`."""
        if not self._has_bits:
            return super().full_read
        count = len(self._table.columns)
        return count > 0 and self.full_bits == (1 << count) - 1

    @property
    def _has_bits(self) -> bool:
        # What is copied or changed has the fields of a `Decision`, and nothing else counts for it.
        return hasattr(self, "full_bits")

    def __getattr__(self, name: str) -> tuple[ColumnDecision, ...]:
        # Python asks here only while the slot is empty.
        if name != "columns":
            raise AttributeError(name)
        columns = _columns(self._table, self._slices)
        object.__setattr__(self, "columns", columns)
        return columns

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Decision):
            return NotImplemented
        return all(getattr(self, f.name) == getattr(other, f.name) for f in fields(Decision))

    __hash__ = Decision.__hash__


def _columns(table: Table, slices: Sequence[Slice]) -> tuple[ColumnDecision, ...]:
    every = (1 << len(table.columns)) - 1
    # For each column, which slices it is in: bit j is slice j.
    membership = [0] * len(table.columns)
    for number, one in enumerate(slices):
        within = range(len(table.columns)) if one.bits == every else positions(one.bits)
        for position in within:
            membership[position] |= 1 << number
    masks = any(mask is not None for one in slices for mask in one.shown)
    alike: dict[tuple[int, str], ColumnDecision] = {}
    summed: dict[object, ColumnDecision] = {}
    found = []
    for column, members in zip(table.columns, membership, strict=True):
        kind = column.type if masks else ""
        like = alike.get((members, kind))
        if like is None:
            of_column = [slices[number] for number in positions(members)]
            like = alike[members, kind] = _like(kind, of_column, summed)
        found.append(
            ColumnDecision(
                name=column.name, visible=like.visible, masked=like.masked, grants=like.grants
            )
        )
    return tuple(found)


def _like(
    kind: str, slices: Sequence[Slice], summed: dict[object, ColumnDecision]
) -> ColumnDecision:
    """What slices make of a column of a type, its name aside; `summed` is what was added up."""
    # What shows does not depend on who allows it, so most columns share one sum.
    parts = (kind, frozenset(frozenset(one.shown.items()) for one in slices))
    total = summed.get(parts)
    if total is None:
        total = summed[parts] = _summed(kind, [dict(shown) for shown in parts[1]])
    return replace(total, grants=tuple(one.reason for one in slices))


def _summed(kind: str, parts: Sequence[Shown]) -> ColumnDecision:
    total = Union()
    for part in parts:
        shown: dict[Mask | None, Rows] = {}
        for mask, rows in part.items():
            fits = mask and fitted(mask, kind)
            shown[fits] = shown.get(fits, NONE) | rows
        total.add("", Contribution(permissions=_SELECT, cells={"": shown}))
    (column,) = total.decision(Table(name=_NOWHERE, columns=(Column("", kind),))).columns
    return column
