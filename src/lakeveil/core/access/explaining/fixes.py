"""The smallest changes that would show a column to somebody, least exposure first.

Searched are all single changes of the space (`change_space.py`) and, only where none of them will
do, all pairs of which neither is enough alone. Ranked by what is exposed to anybody else, then to
the asker beyond the column, then by what is taken from anybody.

Never suggested, however small: what lifts somebody else's mask, as that was put there on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from lakeveil.core.access.changing.change_space import (
    EVERY_KIND,
    ChangeKind,
    joinable,
    kind_of,
    order_of,
    relevant_changes,
    speaking_for,
)
from lakeveil.core.access.changing.changes import Change, LakeState, RemoveTag, SetTag, apply_all
from lakeveil.core.access.changing.exposure import Expose, Exposure, exposed_by
from lakeveil.core.access.deciding.decide import decide
from lakeveil.core.access.deciding.decision import ColumnDecision, Outcome
from lakeveil.core.access.grants import TableName
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import NotFound, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """One or two changes that together show the column, and what else they do.

    `others` and `beyond` are cells (a principal and a column) that anybody else, and the asker
    besides the column, would see more of; `lost` are cells that somebody would see less of.
    """

    changes: tuple[Change, ...]
    exposure: Exposure
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
    expose: Expose = exposed_by,
) -> tuple[Fix, ...]:
    """Every smallest change of the given kinds that shows the column, the best first.

    Shown means visible in some row; a column that is visible in some rows already, in all of them.
    Empty where it is, or where not even two changes are enough.

    Raises:
        NotFound: there is no such table or column.
    """
    state = replace(state, principals={**state.principals, who.arn: who})
    goal = _Goal(who, table, column, _around(who, table, column, state), now)
    before = goal.decided(())
    if before.visible.every:
        return ()
    single = [
        change
        for change in relevant_changes(who, table, column, state, now=now)
        if kind_of(change) in kinds
    ]
    enough = [one for one in single if goal.reached_by((one,), before)]
    fixes = _suggestions([(one,) for one in enough], goal, state, expose)
    if not fixes:
        others = [one for one in single if one not in enough]
        both = [pair for pair in pairs(others) if goal.reached_by(pair, before)]
        fixes = _suggestions(both, goal, state, expose)
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


@dataclass(frozen=True, slots=True)
class _Goal:
    """One column to be shown to one principal, in as much of the lake as that depends on."""

    who: Principal
    table: TableName
    column: str
    around: LakeState
    now: float

    def reached_by(self, changes: Sequence[Change], before: ColumnDecision) -> bool:
        try:
            after = self.decided(changes)
        except (NotFound, UsageError):
            # Two changes that do not fit together are none that could be suggested.
            return False
        return after.visible.every if before.visible else bool(after.visible)

    def decided(self, changes: Sequence[Change]) -> ColumnDecision:
        state = apply_all(changes, self.around)
        who, table = state.principals[self.who.arn], state.tables[self.table]
        (column,) = decide(who, table, state.policy, now=self.now).columns
        return column


def _suggestions(
    found: Sequence[tuple[Change, ...]], goal: _Goal, state: LakeState, expose: Expose
) -> tuple[Fix, ...]:
    fixes = [_fix(changes, expose(changes, state, goal.now), goal) for changes in found]
    return tuple(sorted((fix for fix in fixes if not _lifts_a_mask(fix, goal.who)), key=rank))


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


def _fix(changes: tuple[Change, ...], exposure: Exposure, goal: _Goal) -> Fix:
    others, beyond = exposure.beyond(goal.who.arn, goal.table, goal.column)
    return Fix(
        changes=changes,
        exposure=exposure,
        others=others,
        beyond=beyond,
        lost=len(exposure.losses),
    )


def _lifts_a_mask(fix: Fix, who: Principal) -> bool:
    return any(
        gain.principal != who.arn and gain.before is Outcome.MASKED for gain in fix.exposure.gains
    )
