"""Who gains and who loses which columns of a whole lake by a change, before it is made.

The same answer as `exposure.exposed_by`, which decides everything before and after. Here only what
can differ is looked at: the columns whose signature changes, and the principals whose bitmaps do.
On cells that grants by tags alone decide, every row is shown or none, so what shows is one of a
few *levels* in order: visible, each mask from the one that shows most, hidden.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from lakeveil.core.access.changing.changes import (
    Change,
    LakeState,
    RegisterLocation,
    RemoveTag,
    SetTag,
    apply_all,
)
from lakeveil.core.access.changing.exposure import Exposure, Gain, shows_all_of
from lakeveil.core.access.deciding.decision import ColumnDecision, Outcome
from lakeveil.core.access.grants import OnDatabase, TableName
from lakeveil.core.access.indexing.lake_access import OPEN, LakeAccess, Veil
from lakeveil.core.access.indexing.signatures import Numbers, at, flags_of
from lakeveil.core.access.lake import Policy, Table
from lakeveil.core.access.masks import NOTHING, Mask, fitted, less
from lakeveil.core.identity.principal import Principal

Levels = NDArray[np.uint16]
"""What shows of cells: 0 everything, then the masks in order, last nothing."""


def gains_and_losses(access: LakeAccess, changes: Sequence[Change]) -> Exposure:
    """Who would gain and who lose which columns by changes made together.

    The answer takes room for every cell that changes; `counted` takes none.

    Raises:
        NotFound, UsageError: a change does not fit the lake.
    """
    return _compared(access, changes, named=True).exposure()


def counted(access: LakeAccess, changes: Sequence[Change]) -> dict[str, tuple[int, int]]:
    """By ARN, how many columns a principal would gain and how many lose, where it does either.

    Raises:
        NotFound, UsageError: a change does not fit the lake.
    """
    return _compared(access, changes, named=False).counts()


def difference(before: LakeAccess, policy: Policy, principals: Iterable[Principal]) -> Exposure:
    """Who would gain and who lose which columns under another policy or with other groups.

    Raises:
        ValueError: the principals are others than before, by their ARNs and in that order.
    """
    later = LakeAccess(before.index, policy, principals, now=before.now)
    if [who.arn for who in later.principals] != [who.arn for who in before.principals]:
        raise ValueError("both sides are about the same principals, in the same order")
    both = _Both(before, later, named=True)
    both.compare_lake(except_for=set())
    return both.exposure()


def _compared(access: LakeAccess, changes: Sequence[Change], *, named: bool) -> _Both:
    index = access.index
    touched = {name: index.table(name) for name in _touched(access, changes)}
    before = LakeState.of(touched.values(), access.policy, access.principals)
    after = apply_all(changes, before)
    later = access
    if after.policy is not before.policy or after.principals is not before.principals:
        later = LakeAccess(index, after.policy, after.principals.values(), now=access.now)
    both = _Both(access, later, named=named)
    for name, table in touched.items():
        both.compare_table(table, after.tables[name])
    if later is not access:
        both.compare_lake(except_for={index.number(name) for name in touched})
    return both


def _touched(access: LakeAccess, changes: Sequence[Change]) -> Iterator[TableName]:
    index = access.index
    seen: set[TableName] = set()
    for change in changes:
        names: list[TableName] = []
        if isinstance(change, RegisterLocation):
            names = [change.table]
        elif isinstance(change, SetTag | RemoveTag):
            place = change.place
            if isinstance(place, OnDatabase):
                numbers = index.numbered(place.account, place.database, None)
                names = [index.name(number) for number in numbers]
            else:
                names = [TableName(place.account, place.database, place.table or "")]
        for name in names:
            # Whether it is an error that one is missing is for `apply_all` to say.
            if name not in seen and name in index:
                seen.add(name)
                yield name


class _Both:
    """Compares two accesses of one index, cell by cell where they can differ."""

    def __init__(self, before: LakeAccess, after: LakeAccess, *, named: bool) -> None:
        self.index = before.index
        self.before, self.after = before, after
        veils = before.bits().keys() | after.bits().keys()
        masks = {mask for veil in veils for mask in veil} | {NOTHING}
        self.masks: list[Mask] = sorted(masks, key=lambda mask: mask.rank)
        self.hidden = len(self.masks) + 1
        self._level_of: dict[tuple[Veil, str], int] = {}
        self._named = named
        self._gains: list[Gain] = []
        self._losses: list[Gain] = []
        self._gained, self._lost = Counter[int](), Counter[int]()

    def exposure(self) -> Exposure:
        """What was found, in order."""
        return Exposure(
            gains=tuple(sorted(self._gains, key=_order)),
            losses=tuple(sorted(self._losses, key=_order)),
        )

    def counts(self) -> dict[str, tuple[int, int]]:
        """By ARN, how many cells were gained and lost."""
        rows = sorted(self._gained.keys() | self._lost.keys())
        return {self._arn(row): (self._gained[row], self._lost[row]) for row in rows}

    # --- one table that changes ------------------------------------------------------------------

    def compare_table(self, old: Table, new: Table) -> None:
        """Every principal at a table whose tags or location change; its columns stay the same."""
        whole, special = self.before.specials_of(self.index.number(old.name))
        whole_later, special_later = self._specials_later(old, new)
        exactly = (whole | special | whole_later | special_later) - (whole & whole_later)
        for row in exactly:
            self._decide_both(row, old, new)
        earlier, later = self.index.signatures_of(old), self.index.signatures_of(new)
        changed = np.arange(len(earlier))
        if self.after is self.before:
            changed = np.flatnonzero(earlier != later)
        if not len(changed):
            return
        kinds = [new.columns[position].type for position in changed.tolist()]
        one = self._levels(self.before, earlier[changed], kinds)
        other = self._levels(self.after, later[changed], kinds)
        skipped = whole | special | whole_later | special_later
        for row, cell in np.argwhere(one != other).tolist():
            if row not in skipped:
                name = new.columns[int(changed[cell])].name
                levels = int(one[row, cell]), int(other[row, cell])
                self._found(row, new.name, name, *levels)

    def _specials_later(self, old: Table, new: Table) -> tuple[set[int], set[int]]:
        if old.governed == new.governed:
            return self.after.specials_of(self.index.number(old.name))
        # What is about to be registered has no grants that count in the index, so all are asked.
        return set(), set(range(len(self.after.principals)))

    def _levels(self, access: LakeAccess, signatures: Numbers, kinds: Sequence[str]) -> Levels:
        """(principals, columns)."""
        shape = len(access.principals), len(signatures)
        levels = np.full(shape, self.hidden, np.uint16)
        for veil, words in access.bits().items():
            through = np.array([self._level(veil, kind) for kind in kinds], np.uint16)
            shown = at(words, signatures)
            levels = np.where(shown, np.minimum(levels, through), levels)
        return levels

    # --- the whole lake under another policy -----------------------------------------------------

    def compare_lake(self, except_for: set[int]) -> None:
        """Every principal at every table, but for tables that change as well."""
        one, other = self.before.policy, self.after.policy
        same_terms = (one.tags, one.expressions, one.filters) == (
            other.tags,
            other.expressions,
            other.filters,
        )
        for row in range(len(self.before.principals)):
            same_grants = self.before.reaches[row].grants == self.after.reaches[row].grants
            same_who = self.before.principals[row] == self.after.principals[row]
            if same_terms and same_grants and same_who:
                continue
            specials = self._compare_specials(row, except_for)
            if not self._same_bits(row):
                self._compare_row(row, except_for | specials)

    def _compare_specials(self, row: int, except_for: set[int]) -> set[int]:
        whole, special = self.before.specials_for(row)
        whole_later, special_later = self.after.specials_for(row)
        every = whole | special | whole_later | special_later
        for number in every - (whole & whole_later) - except_for:
            table = self.index.table(self.index.name(number))
            self._decide_both(row, table, table)
        return every

    def _same_bits(self, row: int) -> bool:
        one, other = self.before.bits(), self.after.bits()
        length = -(-len(self.index.signatures) // 64)
        nothing = np.zeros((len(self.before.principals), length), np.uint64)
        return all(
            np.array_equal(
                one.get(veil, nothing)[row, :length], other.get(veil, nothing)[row, :length]
            )
            for veil in one.keys() | other.keys()
        )

    def _compare_row(self, row: int, skipped: set[int]) -> None:
        pairs = self.index.pairs()
        left_out = np.array(sorted(skipped), np.int32)
        for kinds in self._alike():
            kind = self.index.kinds[kinds[0]]
            one, other = self._row(self.before, row, kind), self._row(self.after, row, kind)
            changed = one != other
            tables = np.unique(pairs.tables[changed[pairs.signatures]])
            tables = tables[~np.isin(tables, left_out)]
            of, places = self.index.columns_of(tables)
            signatures = self.index.signatures_at(places)
            use = changed[signatures] & np.isin(self.index.kinds_at(places), kinds)
            before, after = one[signatures[use]], other[signatures[use]]
            if self._named:
                names = self.index.names_at(places[use])
                whose = [self.index.name(number) for number in of[use].tolist()]
                for cell in zip(whose, names, before.tolist(), after.tolist(), strict=True):
                    self._found(row, *cell)
            else:
                self._count(row, int((after < before).sum()), int((after > before).sum()))

    def _row(self, access: LakeAccess, row: int, kind: str) -> Levels:
        """What a principal sees of each signature, on a column of a type: (signatures,)."""
        count = len(self.index.signatures)
        levels = np.full(count, self.hidden, np.uint16)
        for veil, words in access.bits().items():
            shown = flags_of(words[row], count).view(np.bool_)
            levels[shown] = np.minimum(levels[shown], self._level(veil, kind))
        return levels

    def _alike(self) -> list[list[int]]:
        """The numbers of types that carry the masks alike, together."""
        alike: dict[tuple[Mask, ...], list[int]] = {}
        for number, kind in enumerate(self.index.kinds):
            alike.setdefault(tuple(fitted(mask, kind) for mask in self.masks), []).append(number)
        return list(alike.values())

    # --- cells -----------------------------------------------------------------------------------

    def _level(self, veil: Veil, kind: str) -> int:
        found = self._level_of.get((veil, kind))
        if found is None:
            found = 0
            if veil != OPEN:
                seen = reduce(less, (fitted(mask, kind) for mask in veil), None)
                found = 1 + self.masks.index(seen or NOTHING)
            self._level_of[veil, kind] = found
        return found

    def _arn(self, row: int) -> str:
        return self.before.principals[row].arn

    def _found(self, row: int, table: TableName, column: str, before: int, after: int) -> None:
        gained = after < before
        self._count(row, gained, not gained)
        if self._named:
            cell = Gain(
                principal=self._arn(row),
                table=table,
                column=column,
                before=self._outcome(before),
                after=self._outcome(after),
            )
            (self._gains if gained else self._losses).append(cell)

    def _count(self, row: int, gained: int, lost: int) -> None:
        if gained:
            self._gained[row] += gained
        if lost:
            self._lost[row] += lost

    def _outcome(self, level: int) -> Outcome:
        if level in {0, self.hidden}:
            return Outcome.HIDDEN if level else Outcome.VISIBLE
        return Outcome.MASKED

    def _decide_both(self, row: int, old: Table, new: Table) -> None:
        before, after = self.before, self.after
        one = before.exact.decide(before.principals[row], old, now=before.now)
        other = after.exact.decide(after.principals[row], new, now=after.now)
        for earlier, later in zip(one.columns, other.columns, strict=True):
            self._decided(row, new.name, earlier, later)

    def _decided(
        self, row: int, table: TableName, before: ColumnDecision, after: ColumnDecision
    ) -> None:
        cell = Gain(
            principal=self._arn(row),
            table=table,
            column=before.name,
            before=before.outcome,
            after=after.outcome,
        )
        gained, lost = not shows_all_of(before, after), not shows_all_of(after, before)
        self._count(row, gained, lost)
        if gained:
            self._gains.append(cell)
        if lost:
            self._losses.append(cell)


def _order(gain: Gain) -> tuple[str, ...]:
    # As names of tables are ordered; texts compare much quicker.
    table = gain.table
    return gain.principal, table.account, table.database, table.table, gain.column
