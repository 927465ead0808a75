"""What a change exposes: who gains and who loses which columns, over a whole lake.

Every cell (one principal, one column) whose decision differs is either a gain or a loss, or both
where a mask is traded for a row filter. This is the plain way: it decides before and after for
whoever and whatever the change can reach. Nothing is sampled and nothing left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lakeveil.core.access.changing.changes import Change, LakeState, apply_all
from lakeveil.core.access.deciding.decide import decide
from lakeveil.core.access.deciding.decision import ColumnDecision, Outcome
from lakeveil.core.access.grants import (
    Grant,
    OnColumns,
    OnFilter,
    OnTable,
    OnTag,
    TableName,
    TagPolicy,
)
from lakeveil.core.access.lake import Policy, Table
from lakeveil.core.access.rows import NONE, Rows
from lakeveil.core.identity.principal import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """One cell that changes. With the same outcome on both sides it is about more or fewer rows."""

    principal: str
    table: TableName
    column: str
    before: Outcome
    after: Outcome

    def __str__(self) -> str:
        how = f"{self.before.value} -> {self.after.value}"
        if self.before is self.after:
            how = f"other rows, still {self.after.value}"
        return f"{self.principal} {self.table}.{self.column}: {how}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """Cells that show more afterwards, and cells that show less; sorted."""

    gains: tuple[Gain, ...] = ()
    losses: tuple[Gain, ...] = ()

    def beyond(self, principal: str, table: TableName, column: str) -> tuple[int, int]:
        """Cells that others gain, and cells that the principal gains besides this column."""
        others = sum(gain.principal != principal for gain in self.gains)
        asked = any(
            (gain.principal, gain.table, gain.column) == (principal, table, column)
            for gain in self.gains
        )
        return others, len(self.gains) - others - asked


Expose = Callable[[Sequence[Change], LakeState, float], Exposure]


def exposed_by(changes: Sequence[Change], state: LakeState, now: float) -> Exposure:
    """Who gains and who loses which columns by changes made together.

    Raises:
        NotFound, UsageError: a change does not fit the state.
    """
    return difference(state, apply_all(changes, state), now)


def difference(before: LakeState, after: LakeState, now: float) -> Exposure:
    """Who sees more, and who sees less, in one state than in another at the same time.

    A table or principal that only one of them knows counts as hidden in the other.
    """
    gains: list[Gain] = []
    losses: list[Gain] = []
    for arn, name in _reached(before, after):
        earlier = _columns(arn, name, before, now)
        later = _columns(arn, name, after, now)
        for column in earlier.keys() | later.keys():
            one = earlier.get(column, ColumnDecision(name=column))
            other = later.get(column, ColumnDecision(name=column))
            if one == other:
                continue
            cell = Gain(
                principal=arn, table=name, column=column, before=one.outcome, after=other.outcome
            )
            if not shows_all_of(one, other):
                gains.append(cell)
            if not shows_all_of(other, one):
                losses.append(cell)
    return Exposure(
        gains=tuple(sorted(gains, key=_order)), losses=tuple(sorted(losses, key=_order))
    )


def shows_all_of(column: ColumnDecision, other: ColumnDecision) -> bool:
    """Whether one decision on a column shows at least what another one does."""
    needed = NONE
    for level in sorted({mask.rank for mask, _ in other.masked} | {None}, key=_level):
        needed |= _through(other, level)
        if not _up_to(column, level).covers(needed):
            return False
    return True


Level = tuple[int, str] | None
"""A mask's rank; None stands before all of them, for no mask."""


def _level(level: Level) -> tuple[int, str]:
    return (-1, "") if level is None else level


def _through(column: ColumnDecision, level: Level) -> Rows:
    if level is None:
        return column.visible
    return next((rows for mask, rows in column.masked if mask.rank == level), NONE)


def _up_to(column: ColumnDecision, level: Level) -> Rows:
    found = column.visible
    for mask, rows in column.masked:
        if mask.rank <= _level(level):
            found |= rows
    return found


def _order(gain: Gain) -> tuple[str, TableName, str]:
    return gain.principal, gain.table, gain.column


def _columns(
    arn: str, name: TableName, state: LakeState, now: float
) -> Mapping[str, ColumnDecision]:
    if arn not in state.principals or name not in state.tables:
        return {}
    decision = decide(state.principals[arn], state.tables[name], state.policy, now=now)
    return {column.name: column for column in decision.columns}


def _reached(before: LakeState, after: LakeState) -> Iterator[tuple[str, TableName]]:
    """The pairs of principal and table that may be decided differently."""
    grants = _changed_grants(before.policy, after.policy)
    for arn in before.principals.keys() | after.principals.keys():
        one, other = before.principals.get(arn), after.principals.get(arn)
        touching = [
            grant
            for grant in grants or ()
            if _concerns(grant, one, before) or _concerns(grant, other, after)
        ]
        for name in before.tables.keys() | after.tables.keys():
            if (
                grants is None
                or one != other
                or not _same(before.tables.get(name), after.tables.get(name))
                or any(_about(grant, name) for grant in touching)
            ):
                yield arn, name


def _same(one: Table | None, other: Table | None) -> bool:
    return one is other or one == other


def _changed_grants(before: Policy, after: Policy) -> list[Grant] | None:
    """The grants that differ; None where more than grants does."""
    if before is after:
        return []
    if (before.tags, before.expressions, before.filters, before.settings) != (
        after.tags,
        after.expressions,
        after.filters,
        after.settings,
    ):
        return None
    return list(_only_in(before.grants, after.grants)) + list(_only_in(after.grants, before.grants))


def _only_in(grants: Iterable[Grant], others: Iterable[Grant]) -> Iterator[Grant]:
    known = {grant.id: grant for grant in others}
    return (grant for grant in grants if known.get(grant.id) != grant)


def _concerns(grant: Grant, who: Principal | None, state: LakeState) -> bool:
    # An account's share limits what its members were passed on, so it concerns all of them.
    return who is not None and (
        grant.principal in who.identities
        or grant.principal == who.account
        or grant.principal in state.policy.settings_of(who.account).organisations
    )


def _about(grant: Grant, name: TableName) -> bool:
    where = grant.resource
    if where.account != name.account:
        return False
    if isinstance(where, OnTable | OnColumns | OnFilter):
        return where.database == name.database and where.table in {None, name.table}
    # A share of a tag decides whether a tag policy that names it cascades.
    return isinstance(where, TagPolicy | OnTag)
