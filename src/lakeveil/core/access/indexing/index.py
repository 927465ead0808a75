"""The decision, quickly: a policy and the tables it is asked about, made ready once.

`PolicyIndex.decide` returns what `decide` returns, the grants behind every column included; that
the two are equal on random lakes is a permanent test. Grants on tables by tags are answered with
bitmaps (`table_index`); owners and administrators by rule; whatever is left, grants by name, data
cells filters and grants that pass on what another account shared, by the very functions that
`decide` is made of. Nothing is approximated.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from typing import Any, TypeVar

from lakeveil.core.access.deciding.contribution import Contribution, contribution
from lakeveil.core.access.deciding.decide import implicit, shared_with
from lakeveil.core.access.deciding.decision import Decision
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.indexing.compiled_grants import (
    Allowed,
    CompiledGrant,
    Effect,
    speaking_grants,
)
from lakeveil.core.access.indexing.deferred_decision import DeferredDecision, Slice
from lakeveil.core.access.indexing.table_index import TableIndex, Terms
from lakeveil.core.access.lake import Policy, Table
from lakeveil.core.access.masks import Mask
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.rows import ALL
from lakeveil.core.identity.principal import Principal

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

_Asked = tuple[str, frozenset[str], TableName, int]
"""Account and identities of a principal, a table, and how many grants' ends are over."""

_INDEX = "_index"
_KEPT = 4096
"""How many tables, and how many principals, are kept ready."""
_REMEMBERED = 2048
"""How many decisions are, of some kilobytes each."""


def index_of(policy: Policy) -> PolicyIndex:
    """The index of a policy: made when it is first asked for, and kept as long as the policy."""
    # As a cached property would, which a policy cannot have of what is made from it. Two threads
    # at once may each make one; they are equal.
    kept: dict[str, Any] = policy.__dict__
    found = kept.get(_INDEX)
    if found is None:
        found = kept.setdefault(_INDEX, PolicyIndex(policy))
    index: PolicyIndex = found
    return index


class PolicyIndex:
    """Decides under one policy, for many threads.

    A new policy takes a new index; a new `Table` of a name that is known is noticed.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._tables: dict[TableName, TableIndex] = {}
        self._speaking: dict[tuple[str, frozenset[str], str], tuple[CompiledGrant, ...]] = {}
        self._ends = sorted({g.expires_at for g in policy.grants if g.expires_at is not None})
        self._remembered: dict[_Asked, tuple[Table, DeferredDecision]] = {}

    def decide(self, who: Principal, table: Table, *, now: float) -> Decision:
        """What a principal may see of a table at a time (UTC seconds); equal to `decide`'s."""
        return self.deferred(who, table, now=now)

    def deferred(self, who: Principal, table: Table, *, now: float) -> DeferredDecision:
        """The same, with the columns as bitmaps at hand."""
        index = self._table(table)
        total = _Sum(index)
        for reason, part in implicit(who, table, self.policy):
            total.add(reason, part)
        if table.governed:
            for one in self.speaking(who, table.name.account):
                if not one.grant.live(now):
                    continue
                if one.effect is not None and not one.passes_on:
                    total.add_by_tags(one, one.effect, one.terms)
                elif exact := self._exactly(who, one, table, now):
                    total.add(one.grant.id, exact)
        return total.decision()

    def remembered(self, who: Principal, table: Table, *, now: float) -> DeferredDecision:
        """The same, decided once for a principal, table and policy while no grant ends.

        Sound because nothing else goes into a decision. The policy is this index's, which is never
        asked about another. The table is the very same object, or it is decided anew. Of the
        principal only account and identities count. Of the time only which grants are live: those
        whose end is later, and that changes nowhere between two ends that follow each other.
        """
        key = (who.account, who.identities, table.name, bisect_right(self._ends, now))
        found = self._remembered.get(key)
        if found is not None and found[0] is table:
            return found[1]
        decision = self.deferred(who, table, now=now)
        if len(self._remembered) >= _REMEMBERED:
            self._remembered = {}
        self._remembered[key] = table, decision
        return decision

    def speaking(self, who: Principal, account: str) -> tuple[CompiledGrant, ...]:
        """The grants that speak for a principal in front of an account's tables, made ready."""
        key = (who.account, who.identities, account)
        found = self._speaking.get(key)
        if found is None:
            found = speaking_grants(who, account, self.policy)
            _keep(self._speaking, key, found)
        return found

    def _exactly(
        self, who: Principal, one: CompiledGrant, table: Table, now: float
    ) -> Contribution | None:
        part = contribution(one.grant, table, self.policy)
        if part is None or not one.passes_on:
            return part
        return shared_with(who.account, one.grant, table, self.policy, now).within(part)

    def _table(self, table: Table) -> TableIndex:
        found = self._tables.get(table.name)
        # The index holds on to its table, so the same identity is the same table.
        if found is None or found.table is not table:
            found = TableIndex(table)
            _keep(self._tables, table.name, found)
        return found


class _Sum:
    """Adds up what grants allow, columns as bits. As `Union`, it lives for one decision."""

    def __init__(self, index: TableIndex) -> None:
        self.index = index
        self.because: dict[Permission, list[str]] = defaultdict(list)
        self.grantable: set[Permission] = set()
        self.slices: list[Slice] = []

    def add_by_tags(self, one: CompiledGrant, effect: Effect, terms: Terms | None) -> None:
        """Count a grant by tags."""
        bits = 0 if terms is None else self.index.matching(terms)
        columns = bits & self.index.columns
        allowed: Allowed | None = None
        if columns:
            whole = columns == self.index.columns
            allowed = effect.on_every_column if whole else effect.on_some_columns
        elif bits:
            allowed = effect.on_table_alone
        if allowed is None:
            return
        self._permit(one.grant.id, allowed)
        if allowed.selects:
            self.slices.append(Slice(one.grant.id, {one.grant.mask: ALL}, columns))

    def add(self, reason: str, part: Contribution) -> None:
        """Count a contribution as `decide` does."""
        self._permit(reason, part)
        alike: dict[frozenset[tuple[Mask | None, object]], list[str]] = defaultdict(list)
        for column, shown in part.cells.items():
            alike[frozenset(shown.items())].append(column)
        for columns in alike.values():
            bits = sum(self.index.bits_of(columns).values())
            self.slices.append(Slice(reason, part.cells[columns[0]], bits))

    def decision(self) -> DeferredDecision:
        """The sum."""
        return DeferredDecision.of(
            self.index.table, self.slices, self.because, frozenset(self.grantable)
        )

    def _permit(self, reason: str, part: Allowed | Contribution) -> None:
        for permission in part.permissions:
            self.because[permission].append(reason)
        self.grantable |= part.grantable


def _keep(kept: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    if len(kept) >= _KEPT:
        kept.clear()
    kept[key] = value
