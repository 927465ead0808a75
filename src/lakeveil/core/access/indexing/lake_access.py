"""Who may see what of a whole lake: each principal's grants against every signature at once.

For each principal there is a bitmap over the lake's signatures (`signatures`) of what its grants by
tags show, one without a mask and one for each way of masking. A cell of the matrix is then a bit;
a table's row is a sum over its few signatures. Where anything else decides, an owner, a grant by
name or a data cells filter, also as a share of another account, the pair of principal and table is
*special* and asked of `PolicyIndex`, one by one. The whole is equal to `decide` on random lakes.

It answers for one policy, one set of principals and one time, and follows its `LakeIndex` as
tables come, go and are tagged anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lakeveil.core.access.deciding.contribution import Contribution
from lakeveil.core.access.deciding.decide import describes_all
from lakeveil.core.access.deciding.decision import Outcome
from lakeveil.core.access.grants import Grant, OnColumns, OnFilter, OnTable, TableName
from lakeveil.core.access.indexing.compiled_grants import (
    CompiledGrant,
    accounts_spoken_of,
    compiled,
    effect_of,
)
from lakeveil.core.access.indexing.index import PolicyIndex
from lakeveil.core.access.indexing.lake_index import LakeIndex
from lakeveil.core.access.indexing.signatures import Numbers, Rules, Words, at, flags_of
from lakeveil.core.access.lake import Policy
from lakeveil.core.access.masks import Mask
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import NotFound

Veil = tuple[Mask, ...]
"""The masks that a value is seen through: none, a grant's, or a grant's and a share's."""
Place = tuple[str, str, str | None]
"""Account, database, table; with None every table of the database."""

OPEN: Veil = ()

_SPARE = 32
"""Words for signatures to come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """How many columns of which table each principal sees: (principals, tables) each."""

    principals: tuple[str, ...]
    tables: tuple[TableName, ...]
    visible: NDArray[np.unsignedinteger]
    masked: NDArray[np.unsignedinteger]


class _Reach:
    """What one principal's grants show: by tags as rules, by name as places."""

    def __init__(self) -> None:
        self.grants: list[Grant] = []
        """All that it is made of."""
        self.rules: dict[Veil, set[int]] = defaultdict(set)
        """The rules that show through the veil what they match."""
        self.shared: dict[Veil, set[tuple[int, int]]] = defaultdict(set)
        """Rules that both have to match: of a grant that passes on, and of a share."""
        self.whole: set[Place] = set()
        """Tables of which every column and row is visible."""
        self.special: set[Place] = set()
        """Tables that only `PolicyIndex` answers for."""

    def veils(self) -> set[Veil]:
        return self.rules.keys() | self.shared.keys()


class LakeAccess:
    """Who sees what of an index's tables under a policy at a time (UTC seconds).

    Of several principals with the same ARN the last one counts. One thread at a time, as with the
    index.
    """

    def __init__(
        self, index: LakeIndex, policy: Policy, principals: Iterable[Principal], *, now: float
    ) -> None:
        self.index = index
        self.policy = policy
        self.now = now
        self.principals = tuple({who.arn: who for who in principals}.values())
        self.exact = PolicyIndex(policy)
        self._rules = Rules()
        self.reaches = tuple(self._reach(who) for who in self.principals)
        self._whole: dict[Place, set[int]] = defaultdict(set)
        self._special: dict[Place, set[int]] = defaultdict(set)
        self._holders: dict[str, set[int]] = defaultdict(set)
        # The same rules twice: by rule, and as bits by veil and principal.
        self._users: dict[int, list[tuple[Veil, int]]] = defaultdict(list)
        self._held: dict[Veil, list[tuple[int, int]]] = defaultdict(list)
        self._sharing: list[tuple[Veil, int, int, int]] = []
        for number, (who, reach) in enumerate(zip(self.principals, self.reaches, strict=True)):
            for place in reach.whole:
                self._whole[place].add(number)
            for place in reach.special:
                self._special[place].add(number)
            for identity in who.identities:
                self._holders[identity].add(number)
            for veil, rules in reach.rules.items():
                self._held[veil].append((number, sum(1 << rule for rule in rules)))
                for rule in rules:
                    self._users[rule].append((veil, number))
            for veil, shared in reach.shared.items():
                self._sharing += [(veil, number, *rules) for rules in shared]
        self._known = 0
        self._bits: dict[Veil, Words] = {}

    # --- answers ---------------------------------------------------------------------------------

    def visible_counts(self) -> Matrix:
        """For each principal and table, how many columns are visible and how many masked."""
        numbers, sizes = self.index.numbers(), self.index.sizes()
        most = int(sizes.max(initial=0))
        shape = len(self.principals), len(numbers)
        visible = np.zeros(shape, np.min_scalar_type(most))
        masked = np.zeros_like(visible)
        pairs, bits, count = self.index.pairs(), self.bits(), len(self.index.signatures)
        ends = np.searchsorted(pairs.tables, numbers, "right")
        starts = np.searchsorted(pairs.tables, numbers, "left")

        def summed(words: Words) -> NDArray[np.int64]:
            shown = flags_of(words, count)[pairs.signatures] * pairs.counts
            before = np.concatenate([[0], np.cumsum(shown)])
            return np.asarray(before[ends] - before[starts])

        for row in range(len(self.principals)):
            visible[row] = summed(bits[OPEN][row])
            veiled = _veiled(bits, row)
            if veiled is not None:
                masked[row] = summed(veiled)
        self._count_specials(numbers, sizes, visible, masked)
        return Matrix(
            principals=tuple(who.arn for who in self.principals),
            tables=tuple(self.index.name(number) for number in numbers.tolist()),
            visible=visible,
            masked=masked,
        )

    def who_sees(self, table: TableName, column: str) -> dict[str, Outcome]:
        """By ARN, what a column is to each principal for whom it is not hidden.

        Raises:
            NotFound: there is no such table, or it has no such column.
        """
        found = self.index.table(table)
        position = next((i for i, c in enumerate(found.columns) if c.name == column), None)
        if position is None:
            raise NotFound(f"`{table}` has no column `{column}`")
        number = self.index.number(table)
        whole, special = self.specials_of(number)
        signature = self.index.signatures_of(found)[position : position + 1]
        levels = {veil: at(words, signature)[:, 0] for veil, words in self.bits().items()}
        seen: dict[str, Outcome] = {}
        for row, who in enumerate(self.principals):
            if row in special and row not in whole:
                decision = self.exact.decide(who, found, now=self.now)
                outcome = decision.columns[position].outcome
            elif row in whole or levels[OPEN][row]:
                outcome = Outcome.VISIBLE
            else:
                masked = any(level[row] for level in levels.values())
                outcome = Outcome.MASKED if masked else Outcome.HIDDEN
            if outcome is not Outcome.HIDDEN:
                seen[who.arn] = outcome
        return seen

    # --- what differences are made of (`lake_exposure`) -------------------------------------------

    def bits(self) -> dict[Veil, Words]:
        """For each veil what shows through it: (principals, words), up to date with the index.

        There may be words to spare at the end.
        """
        count = len(self.index.signatures)
        if not self._bits:
            self._bits = self._whole_lake(-(-count // 64))
        elif self._known < count:
            short = -(-count // 64) - self._bits[OPEN].shape[1]
            if short > 0:
                self._bits = {
                    veil: np.pad(words, ((0, 0), (0, short + _SPARE)))
                    for veil, words in self._bits.items()
                }
            for signature in range(self._known, count):
                self._add(signature)
        self._known = count
        return self._bits

    def specials_of(self, number: int) -> tuple[set[int], set[int]]:
        """Which principals see a table whole, and for which it is special."""
        name = self.index.name(number)
        places: tuple[Place, ...] = (
            (name.account, name.database, name.table),
            (name.account, name.database, None),
        )
        owner = self.index.owner(number)
        whole = set(self._holders.get(owner, ())) if owner else set()
        special: set[int] = set()
        if self.index.governed(number):
            for place in places:
                whole |= self._whole.get(place, set())
                special |= self._special.get(place, set())
        return whole, special

    def specials_for(self, row: int) -> tuple[set[int], set[int]]:
        """Which tables a principal sees whole, and which are special for it, by number."""
        whole, special = (
            {
                number
                for place in places
                for number in self.index.numbered(*place)
                if self.index.governed(number)
            }
            for places in (self.reaches[row].whole, self.reaches[row].special)
        )
        return whole | set(self.index.owned(self.principals[row].identities)), special

    def _count_specials(
        self,
        numbers: Numbers,
        sizes: Numbers,
        visible: NDArray[np.unsignedinteger],
        masked: NDArray[np.unsignedinteger],
    ) -> None:
        place_of = {number: place for place, number in enumerate(numbers.tolist())}
        asked: dict[int, list[int]] = defaultdict(list)
        for row in range(len(self.principals)):
            whole, special = self.specials_for(row)
            seen = np.array(sorted(whole), np.int64)
            places = [place_of[number] for number in seen.tolist()]
            visible[row, places] = sizes[seen]
            masked[row, places] = 0
            for number in special - whole:
                asked[number].append(row)
        for number, rows in asked.items():
            table = self.index.table(self.index.name(number))
            for row in rows:
                found = self.exact.deferred(self.principals[row], table, now=self.now)
                visible[row, place_of[number]] = found.visible_bits.bit_count()
                masked[row, place_of[number]] = found.masked_bits.bit_count()

    # --- rules against signatures ----------------------------------------------------------------

    def _whole_lake(self, length: int) -> dict[Veil, Words]:
        veils = {OPEN}.union(*(reach.veils() for reach in self.reaches))
        bits = {veil: np.zeros((len(self.principals), length), np.uint64) for veil in veils}
        for rule, users in self._users.items():
            matching = self._matching(rule)
            for veil, row in users:
                bits[veil][row] |= matching
        for veil, row, one, other in self._sharing:
            bits[veil][row] |= self._matching(one) & self._matching(other)
        return bits

    def _matching(self, rule: int) -> Words:
        account, terms = self._rules.every[rule]
        return self.index.signatures.matching(account, terms)

    def _add(self, signature: int) -> None:
        matching = self._rules.matching(*self.index.signatures.of(signature))
        if not matching:
            return
        word, bit = signature // 64, np.uint64(1 << signature % 64)
        for veil, held in self._held.items():
            rows = [row for row, rules in held if rules & matching]
            self._bits[veil][rows, word] |= bit
        for veil, row, one, other in self._sharing:
            if matching >> one & matching >> other & 1:
                self._bits[veil][row, word] |= bit

    # --- a principal's grants ---------------------------------------------------------------------

    def _reach(self, who: Principal) -> _Reach:
        reach = _Reach()
        for account in sorted(accounts_spoken_of(who, self.policy)):
            speaking = [
                one for one in self.exact.speaking(who, account) if one.grant.live(self.now)
            ]
            reach.grants += [one.grant for one in speaking]
            for one in speaking:
                if not one.passes_on:
                    self._count_grant(one, reach)
            passing = [one for one in speaking if one.passes_on]
            if passing:
                self._count_shared(who, account, passing, reach)
        return reach

    def _count_grant(self, one: CompiledGrant, reach: _Reach) -> None:
        where = one.grant.resource
        if one.effect is not None:
            if one.effect.shows and one.terms is not None:
                veil = OPEN if one.grant.mask is None else (one.grant.mask,)
                reach.rules[veil].add(self._rules.number(where.account, one.terms))
        elif isinstance(where, OnTable) and one.grant.mask is None:
            # On one table by name it is as where every column matches.
            if effect_of(one.grant.permissions, one.grant.grantable, None).shows:
                reach.whole.add((where.account, where.database, where.table))
        else:
            reach.special |= set(_places(one.grant))

    def _count_shared(
        self, who: Principal, account: str, passing: list[CompiledGrant], reach: _Reach
    ) -> None:
        """Grants by which a principal's account passes on what it was given of another's tables."""
        identities = {who.account, *self.policy.settings_of(who.account).organisations}
        shares = [
            grant
            for grant in self.policy.grants_to(identities)
            if grant.account == account and grant.live(self.now)
        ]
        reach.grants += shares
        given = [compiled(share, self.policy) for share in shares]
        for share in given:
            reach.special |= set(_places(share.grant))
        for one in passing:
            reach.special |= set(_places(one.grant))
            if one.effect is None or not one.effect.shows or one.terms is None:
                continue
            freely = describes_all(one.grant, shares, self.policy)
            mine = self._rules.number(account, one.terms)
            for share in given:
                if share.terms is not None and _passes(share, freely=freely):
                    veil = tuple(m for m in (one.grant.mask, share.grant.mask) if m is not None)
                    theirs = self._rules.number(account, share.terms)
                    reach.shared[veil].add((mine, theirs))


def _places(grant: Grant) -> Iterator[Place]:
    where = grant.resource
    if isinstance(where, OnTable | OnColumns | OnFilter):
        yield where.account, where.database, where.table


def _passes(share: CompiledGrant, *, freely: bool) -> bool:
    """Whether a share by tags passes on the columns that it matches."""
    allowed = share.effect.on_some_columns if share.effect else None
    if allowed is None:
        return False
    part = Contribution(
        permissions=allowed.permissions,
        grantable=allowed.grantable,
        cells={"": {}} if allowed.selects else {},
    )
    return bool((part if freely else part.passable()).cells)


def _veiled(bits: dict[Veil, Words], row: int) -> Words | None:
    """The signatures that a principal sees masked and not visible; None where nobody does any."""
    if len(bits) == 1:
        return None
    found = np.zeros_like(bits[OPEN][row])
    for veil, words in bits.items():
        if veil != OPEN:
            found |= words[row]
    return np.asarray(found & ~bits[OPEN][row])
