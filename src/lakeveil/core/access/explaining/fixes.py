"""The smallest changes that would show a column to somebody, least exposure first.

Searched are all single changes of the space (`change_space.py`) and, only where none of them will
do, all pairs of which neither is enough alone. Ranked by what is exposed to anybody else, then to
the asker beyond the column, then by what is taken from anybody.

Never suggested, however small: what lifts somebody else's mask, as that was put there on purpose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Protocol

from lakeveil.core.access.changing.change_space import (
    EVERY_KIND,
    ChangeKind,
    joinable,
    kind_of,
    order_of,
    relevant_changes,
    speaking_for,
)
from lakeveil.core.access.changing.changes import (
    AddGrant,
    Change,
    ExtendGrant,
    JoinGroup,
    LakeState,
    RegisterLocation,
    RemoveTag,
    SetTag,
    WidenGrant,
    apply_all,
)
from lakeveil.core.access.changing.exposure import Exposure, exposed_by
from lakeveil.core.access.deciding.decide import decide
from lakeveil.core.access.deciding.decision import ColumnDecision, Outcome
from lakeveil.core.access.grants import TableName
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import NotFound, UsageError

NAMED = 1_000
"""How many cells are named of fixes that show nothing to anybody else, the best aside; of further
ones numbers are told. A lake may have more cells than anybody would read."""

Counts = Mapping[str, tuple[int, int]]
"""By ARN, how many cells somebody gains and how many they lose."""


class Weigher(Protocol):
    """Tells what changes made together expose.

    Raises:
        NotFound, UsageError: a change does not fit the lake.
    """

    def counted(self, changes: Sequence[Change]) -> Counts:
        """In numbers, of those who gain or lose something."""
        ...

    def exposed(self, changes: Sequence[Change]) -> Exposure:
        """Cell by cell."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """One or two changes that together show the column, and what else they do.

    `others` and `beyond` are cells (a principal and a column) that anybody else, and the asker
    besides the column, would see more of; `lost` are cells that somebody would see less of.
    `exposure` is None where the cells are not named (`NAMED`): then nobody else gains any.
    """

    changes: tuple[Change, ...]
    exposure: Exposure | None
    others: int
    beyond: int
    lost: int


def smallest_changes(
    who: Principal,
    table: TableName,
    column: str,
    state: LakeState,
    *,
    now: float,
    kinds: frozenset[ChangeKind] = EVERY_KIND,
    weigher: Weigher | None = None,
) -> tuple[Fix, ...]:
    """Every smallest change of the given kinds that shows the column, the best first.

    Shown means visible in some row; a column that is visible in some rows already, in all of them.
    Empty where it is, or where not even two changes are enough. Without a `weigher` all of `state`
    is decided before and after.

    Raises:
        NotFound: there is no such table or column.
    """
    state = replace(state, principals={**state.principals, who.arn: who})
    goal = _Goal(who, table, column, _around(who, table, column, state), now)
    if goal.before.visible.every:
        return ()
    single = [
        change
        for change in relevant_changes(who, table, column, state, now=now)
        if kind_of(change) in kinds
    ]
    enough = [one for one in single if goal.reached_by((one,))]
    weigher = weigher or _Plainly(state, now)
    fixes = _suggestions([(one,) for one in enough], who, weigher)
    if not fixes:
        others = [one for one in single if one not in enough]
        both = [pair for pair in pairs(others) if goal.reached_by(pair)]
        fixes = _suggestions(both, who, weigher)
    return fixes


def pairs(changes: Iterable[Change]) -> Iterator[tuple[Change, Change]]:
    """Two changes at a time, in order of rank, without those of the same tag at the same place."""
    for one, other in combinations(sorted(changes, key=order_of), 2):
        if (
            isinstance(one, SetTag | RemoveTag)
            and isinstance(other, SetTag | RemoveTag)
            and (one.place, one.key) == (other.place, other.key)
        ):
            continue
        yield one, other


def rank(fix: Fix) -> tuple[object, ...]:
    """Smaller is better: fewer cells to others, to the asker beyond, lost; then a fixed order."""
    return (fix.others, fix.beyond, fix.lost, [order_of(change) for change in fix.changes])


_OF_TABLE = SetTag | RemoveTag | RegisterLocation
_OF_GRANT = AddGrant | WidenGrant | ExtendGrant


class _Goal:
    """One column to be shown to one principal, in as much of the lake as that depends on.

    Grants only add up. So where nothing but grants changes, in the principal's own account, the
    decision is asked over those that changed and those behind what shows already.
    """

    def __init__(
        self, who: Principal, table: TableName, column: str, around: LakeState, now: float
    ) -> None:
        self.who, self.table, self.column, self.now = who, table, column, now
        self._around = around
        self._alone: frozenset[str] | None = None
        self._known = {grant.id: grant for grant in around.policy.grants}
        self._later: dict[Change, _Goal | None] = {}
        self.before = self._decided(around)
        if who.account == table.account:
            self._alone = frozenset(self.before.grants)

    def reached_by(self, changes: Sequence[Change]) -> bool:
        """Whether changes made together show the column; false where they do not fit together."""
        return _shows(self.after(changes), self.before)

    def after(self, changes: Sequence[Change]) -> ColumnDecision | None:
        """The decision after changes; None where they do not fit together, or add nothing."""
        if len(changes) > 1:
            if self._add_nothing_together(changes):
                return None
            for number, one in enumerate(changes):
                if isinstance(one, _OF_TABLE):
                    # Of two changes, those to the table are the dear ones: each is made once.
                    goal = self._once(one)
                    rest = [*changes[:number], *changes[number + 1 :]]
                    return None if goal is None else goal.after(rest)
        try:
            return self._decided(apply_all(changes, self._around))
        except (NotFound, UsageError):
            # Two changes that do not fit together are none that could be suggested.
            return None

    def _once(self, change: Change) -> _Goal | None:
        if change not in self._later:
            try:
                around = apply_all((change,), self._around)
            except (NotFound, UsageError):
                self._later[change] = None
            else:
                self._later[change] = _Goal(self.who, self.table, self.column, around, self.now)
        return self._later[change]

    def _add_nothing_together(self, changes: Sequence[Change]) -> bool:
        """Whether grants that show nothing, each alone, show nothing together either."""
        if self._alone is None or self.before.visible:
            return False
        touched = [one.grant for one in changes if isinstance(one, WidenGrant | ExtendGrant)]
        apart = len(set(touched)) == len(touched)
        return apart and all(isinstance(one, _OF_GRANT | JoinGroup) for one in changes)

    def _decided(self, state: LakeState) -> ColumnDecision:
        who, table, policy = state.principals[self.who.arn], state.tables[self.table], state.policy
        around = self._around
        if (
            self._alone is not None
            and table is around.tables[self.table]
            and who is around.principals[self.who.arn]
            and policy.expressions is around.policy.expressions
        ):
            alone = self._alone
            grants = (
                grant
                for grant in policy.grants
                if grant.id in alone or self._known.get(grant.id) is not grant
            )
            policy = replace(policy, grants=tuple(grants))
        (column,) = decide(who, table, policy, now=self.now).columns
        return column


def _shows(after: ColumnDecision | None, before: ColumnDecision) -> bool:
    if after is None:
        return False
    return after.visible.every if before.visible else bool(after.visible)


class _Plainly:
    """A weigher that decides everything."""

    def __init__(self, state: LakeState, now: float) -> None:
        self._state, self._now = state, now

    def counted(self, changes: Sequence[Change]) -> Counts:
        exposure = self.exposed(changes)
        gained = Counter(gain.principal for gain in exposure.gains)
        lost = Counter(gain.principal for gain in exposure.losses)
        return {arn: (gained[arn], lost[arn]) for arn in gained | lost}

    def exposed(self, changes: Sequence[Change]) -> Exposure:
        return exposed_by(changes, self._state, self._now)


def _suggestions(
    found: Sequence[tuple[Change, ...]], who: Principal, weigher: Weigher
) -> tuple[Fix, ...]:
    named, fixes = 0, list[Fix]()
    for fix in sorted((_fix(changes, who, weigher) for changes in found), key=rank):
        if fix.others or not fixes or named + fix.beyond + 1 <= NAMED:
            exposure = weigher.exposed(fix.changes)
            if _lifts_a_mask(exposure, who):
                continue
            named += len(exposure.gains) + len(exposure.losses)
            fixes.append(replace(fix, exposure=exposure))
        else:
            fixes.append(fix)
    return tuple(fixes)


def _around(who: Principal, table: TableName, column: str, state: LakeState) -> LakeState:
    """As much of a state as the decision on one column of one principal depends on."""
    found = state.tables.get(table)
    if found is None:
        raise NotFound(f"there is no table `{table}`")
    kept = [one for one in found.columns if one.name == column]
    if not kept:
        raise NotFound(f"`{table}` has no column `{column}`")
    speaking = speaking_for(who, state.policy) | set(joinable(who, state))
    grants = tuple(
        grant
        for grant in state.policy.grants
        if grant.resource.account == table.account and grant.principal in speaking
    )
    return LakeState(
        tables={table: replace(found, columns=tuple(kept))},
        policy=replace(state.policy, grants=grants),
        principals={who.arn: who},
    )


def _fix(changes: tuple[Change, ...], who: Principal, weigher: Weigher) -> Fix:
    counts = weigher.counted(changes)
    gained = counts.get(who.arn, (0, 0))[0]
    return Fix(
        changes=changes,
        exposure=None,
        others=sum(more for more, _ in counts.values()) - gained,
        # The column itself is one of them, or it would be no fix.
        beyond=gained - 1,
        lost=sum(less for _, less in counts.values()),
    )


def _lifts_a_mask(exposure: Exposure, who: Principal) -> bool:
    return any(
        gain.principal != who.arn and gain.before is Outcome.MASKED for gain in exposure.gains
    )
