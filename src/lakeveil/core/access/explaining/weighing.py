"""What the smallest changes expose, from as little of a lake as each of them can reach.

The same answer as `exposure.exposed_by`, which decides everything before and after, and as
`lake_exposure.gains_and_losses` over everybody. Here a change of grants is asked only of those whom
the grants speak for. Of their grants by name only those count that are about tables which the
change can reach, since a grant by name is about nothing but its table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from lakeveil.core.access.changing.change_space import speaking_for
from lakeveil.core.access.changing.changes import (
    Change,
    LakeState,
    RegisterLocation,
    RemoveTag,
    SetTag,
    apply_all,
)
from lakeveil.core.access.changing.exposure import Exposure
from lakeveil.core.access.explaining.fixes import Counts
from lakeveil.core.access.explaining.whole_lake import WholeLake
from lakeveil.core.access.grants import Grant, OnColumns, OnFilter, OnTable, TableName, TagPolicy
from lakeveil.core.access.indexing.lake_access import LakeAccess
from lakeveil.core.access.indexing.lake_exposure import counted, gains_and_losses
from lakeveil.core.access.indexing.lake_index import LakeIndex
from lakeveil.core.access.indexing.signatures import Words, at
from lakeveil.core.access.lake import Policy
from lakeveil.core.identity.principal import Principal


class Weighing:
    """Weighs changes of one whole lake at one time (UTC seconds). It is a `Weigher`.

    `principals` is everybody who counts. It lives as long as one question takes.
    """

    def __init__(self, lake: WholeLake, principals: Mapping[str, Principal], *, now: float) -> None:
        self._lake = lake
        self._principals = principals
        self._now = now
        self._narrow: dict[tuple[tuple[str, ...], tuple[str, ...]], LakeAccess] = {}

    def counted(self, changes: Sequence[Change]) -> Counts:
        """See `Weigher`."""
        known = self._lake.weighed(self._principals.values(), now=self._now)
        key = tuple(changes)
        if key not in known:
            known[key] = counted(self._access(changes), changes)
        return known[key]

    def exposed(self, changes: Sequence[Change]) -> Exposure:
        """See `Weigher`."""
        return gains_and_losses(self._access(changes), changes)

    def _access(self, changes: Sequence[Change]) -> LakeAccess:
        if any(isinstance(one, SetTag | RemoveTag | RegisterLocation) for one in changes):
            return self._lake.access(self._principals.values(), now=self._now)
        before = LakeState(tables={}, policy=self._lake.policy, principals=self._principals)
        after = apply_all(changes, before)
        return self._narrowed(_Reach(self._lake, before, after))

    def _narrowed(self, reach: _Reach) -> LakeAccess:
        grants = reach.grants()
        key = tuple(reach.people), tuple(grant.id for grant in grants)
        found = self._narrow.get(key)
        if found is None:
            policy = replace(self._lake.policy, grants=grants)
            people = [self._principals[arn] for arn in reach.people]
            found = LakeAccess(self._lake.index, policy, people, now=self._now)
            self._narrow[key] = found
        return found


class _Reach:
    """Whom a change of grants or groups reaches, and which tables."""

    def __init__(self, lake: WholeLake, before: LakeState, after: LakeState) -> None:
        self._index = lake.index
        self._before, self._after = before, after
        one = {grant.id: grant for grant in _differing(before.policy, after.policy)}
        there = list(_differing(after.policy, before.policy))
        # What is only asked for has no id yet: of two such grants neither stands for the other.
        other = {grant.id: grant for grant in there if grant.id}
        self._changed = one.keys()
        every = [*one.values(), *there]
        named = {grant.principal for grant in every}
        self.people = [
            arn
            for arn, who in after.principals.items()
            if who != before.principals[arn] or named & speaking_for(who, after.policy)
        ]
        self._columns: list[tuple[str, Words]] = []
        self._places: set[tuple[str, str, str | None]] = set()
        for number in one.keys() | other.keys():
            self._add(one.get(number), other.get(number))
        for grant in there:
            if not grant.id:
                self._add(None, grant)
        for group in _joined(before, after):
            for grant in after.policy.grants_to({group}):
                self._add(None, grant)

    def grants(self) -> tuple[Grant, ...]:
        """Those grants of theirs that the difference can depend on, as they are before."""
        theirs = {
            identity
            for state in (self._before, self._after)
            for arn in self.people
            for identity in speaking_for(state.principals[arn], state.policy)
        }
        reached: dict[TableName, bool] = {}

        def counts(grant: Grant) -> bool:
            name = _table_of(grant)
            if name is None or grant.id in self._changed:
                return True
            if name not in reached:
                reached[name] = self._reaches(name)
            return reached[name]

        policy = self._before.policy
        theirs |= {grant.principal for grant in policy.grants if grant.id in self._changed}
        return tuple(grant for grant in policy.grants_to(theirs) if counts(grant))

    def _add(self, before: Grant | None, after: Grant | None) -> None:
        sides = [
            (grant, state.policy)
            for grant, state in ((before, self._before), (after, self._after))
            if grant is not None
        ]
        words = []
        for grant, policy in sides:
            where = grant.resource
            if isinstance(where, TagPolicy):
                words.append((where.account, _matching(self._index, where, policy)))
            elif isinstance(where, OnTable | OnColumns | OnFilter):
                self._places.add((where.account, where.database, where.table))
        if (
            before is not None
            and after is not None
            and replace(before, resource=after.resource) == after
            and len({account for account, _ in words}) == 1
            and len(words) == len(sides)
        ):
            # The same grant on other columns: nothing changes on those that it is on both times.
            ((account, one), (_, other)) = words
            words = [(account, one ^ other)]
        self._columns += words

    def _reaches(self, name: TableName) -> bool:
        if name not in self._index:
            return False
        places = {(name.account, name.database, None), (name.account, name.database, name.table)}
        if places & self._places:
            return True
        _, columns = self._index.columns_of([self._index.number(name)])
        signatures = self._index.signatures_at(columns)
        return any(
            account == name.account and bool(at(words, signatures).any())
            for account, words in self._columns
        )


def _differing(policy: Policy, other: Policy) -> Iterator[Grant]:
    """The grants of a policy that another one has not, or has on something else."""
    if policy is other:
        return
    same = {grant.id: grant for grant in other.grants}
    expressions = {
        name for name, saved in policy.expressions.items() if other.expressions.get(name) != saved
    }
    for grant in policy.grants:
        where = grant.resource
        by_changed = isinstance(where, TagPolicy) and (where.account, where.name) in expressions
        if by_changed or same.get(grant.id) != grant:
            yield grant


def _joined(before: LakeState, after: LakeState) -> set[str]:
    return {
        group
        for arn, who in after.principals.items()
        if who is not before.principals[arn]
        for group in who.identities ^ before.principals[arn].identities
    }


def _matching(index: LakeIndex, where: TagPolicy, policy: Policy) -> Words:
    """The signatures that a tag policy matches; with keys that are gone, rather more than it."""
    expression = policy.expression_of(where)
    terms = () if expression is None else expression.terms
    return index.signatures.matching(where.account, terms)


def _table_of(grant: Grant) -> TableName | None:
    """The one table that a grant by name is about."""
    where = grant.resource
    if isinstance(where, OnTable | OnColumns | OnFilter) and where.table is not None:
        return TableName(where.account, where.database, where.table)
    return None
