"""Signatures: the distinct sets of effective tags in a lake, numbered, and bitmaps over them.

A decision by tags looks at nothing of a column but its account and its effective tags. Columns
that have both in common share a *signature*; millions of columns have thousands. For each key and
value a bitmap says which signatures carry it, so a grant by tags is an "and" of "or"s over a few
kilobytes, for the whole lake at once.

Number 0 is no signature of any account: it stands for columns of tables that are not governed,
and no grant matches it.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from lakeveil.core.access.indexing.table_index import Terms
from lakeveil.core.access.tags import ANY, WITHHELD, Tags

Words = NDArray[np.uint64]
"""A bitmap: signature n is bit n % 64 of word n // 64."""
Numbers = NDArray[np.int32]

UNGOVERNED = 0

_KEPT = 1024
"""How many bitmaps are kept packed, of some kilobytes each."""
_REMEMBERED = 1 << 16
"""How many overrides are remembered, some 100 bytes each."""

_T = TypeVar("_T")


class Numbering(dict[_T, int], Generic[_T]):
    """Gives each distinct thing that is looked up the next number; `things` are in that order."""

    def __init__(self, things: Iterable[_T] = ()) -> None:
        super().__init__()
        self.things: list[_T] = []
        for thing in things:
            _ = self[thing]

    def __missing__(self, thing: _T) -> int:
        number = self[thing] = len(self.things)
        self.things.append(thing)
        return number


class TagSets:
    """Numbers distinct sets of tags, each kept as the numbers of its (key, value) pairs."""

    def __init__(self) -> None:
        self._pairs: Numbering[tuple[str, str]] = Numbering()
        self._numbers: Numbering[tuple[int, ...]] = Numbering([()])
        self._over: dict[tuple[int, int], int] = {}

    def number(self, tags: Tags) -> int:
        """The number of a set of tags; 0 is the empty one."""
        if not tags:
            return 0
        return self._numbers[tuple(sorted([self._pairs[pair] for pair in tags.items()]))]

    def tags(self, number: int) -> Tags:
        """The tags of a number."""
        pairs = self._pairs.things
        return dict([pairs[pair] for pair in self._numbers.things[number]])

    def over(self, inherited: int, explicit: int) -> int:
        """What holds where `explicit` is set under `inherited`, key by key; all are numbers."""
        if not explicit or inherited == explicit:
            return inherited
        if not inherited:
            return explicit
        found = self._over.get((inherited, explicit))
        if found is None:
            found = self.number({**self.tags(inherited), **self.tags(explicit)})
            if len(self._over) >= _REMEMBERED:
                self._over.clear()
            self._over[inherited, explicit] = found
        return found


class Signatures:
    """Every signature that a lake has had, and which of them match what."""

    def __init__(self, tag_sets: TagSets) -> None:
        self._tag_sets = tag_sets
        self._numbers: Numbering[tuple[str, int]] = Numbering([("", 0)])
        self._carrying: dict[tuple[str, str, str], array[int]] = defaultdict(lambda: array("i"))
        self._of_account: dict[str, array[int]] = defaultdict(lambda: array("i"))
        self._packed: dict[tuple[str, ...], tuple[int, Words]] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, account: str, tag_set: int) -> int:
        """The signature of a set of tags (its number) in an account."""
        number = self._numbers[account, tag_set]
        if account not in self._of_account or self._of_account[account][-1] < number:
            self._of_account[account].append(number)
            for key, value in self._tag_sets.tags(tag_set).items():
                if value == WITHHELD:
                    continue
                self._carrying[account, key, value].append(number)
                if value != ANY:
                    self._carrying[account, key, ANY].append(number)
        return number

    def of(self, number: int) -> tuple[str, Tags]:
        """The account and the tags of a signature."""
        account, tag_set = self._numbers.things[number]
        return account, self._tag_sets.tags(tag_set)

    def matching(self, account: str, terms: Terms) -> Words:
        """The signatures of an account that match every term."""
        found = self._pack((account,), self._of_account.get(account))
        for key, values in terms:
            allowed = np.zeros_like(found)
            for value in values:
                name = (account, key, value)
                allowed |= self._pack(name, self._carrying.get(name))
            found = found & allowed
        return found

    def _pack(self, name: tuple[str, ...], numbers: array[int] | None) -> Words:
        length = -(-len(self) // 64)
        if not numbers:
            return np.zeros(length, np.uint64)
        count, words = self._packed.get(name, (0, None))
        if words is None or count != len(numbers) or len(words) != length:
            flags = np.zeros(length * 64, np.bool_)
            flags[np.array(numbers, np.int32)] = True
            words = np.packbits(flags, bitorder="little").view("<u8")
            if len(self._packed) >= _KEPT:
                self._packed.clear()
            self._packed[name] = (len(numbers), words)
        return words


def flags_of(words: Words, count: int) -> NDArray[np.uint8]:
    """A bitmap as `count` bytes, 0 or 1."""
    return np.unpackbits(words.view(np.uint8), count=count, bitorder="little")


def at(words: Words, numbers: Numbers) -> NDArray[np.bool_]:
    """The bits of bitmaps (..., words) at these signatures: (..., len(numbers))."""
    shifts = (numbers & 63).astype(np.uint64)
    return np.asarray((words[..., numbers >> 6] >> shifts) & np.uint64(1), np.bool_)


class Rules:
    """Distinct (account, terms) of many grants, numbered; which of them match one set of tags.

    The other way round than `Signatures`: for each key and value a bitmap over the rules. An
    answer takes one "and" for each key that any rule names.
    """

    def __init__(self) -> None:
        self._numbers: Numbering[tuple[str, Terms]] = Numbering()
        self._ready: dict[str, _AccountRules] = {}
        self._count = 0

    def number(self, account: str, terms: Terms) -> int:
        """The number of a rule."""
        return self._numbers[account, terms]

    @property
    def every(self) -> list[tuple[str, Terms]]:
        """The rules in order of their numbers."""
        return self._numbers.things

    def matching(self, account: str, tags: Tags) -> int:
        """The rules of an account that match tags; bit n is rule n."""
        if self._count != len(self.every):
            self._count, self._ready = len(self.every), {}
        rules = self._ready.get(account)
        if rules is None:
            rules = self._ready[account] = _AccountRules(account, self.every)
        return rules.matching(tags)


class _AccountRules:
    def __init__(self, account: str, every: Iterable[tuple[str, Terms]]) -> None:
        self._all = 0
        # By key and place in the expression: were a key there twice, both terms would count.
        self._naming: dict[tuple[str, int], int] = defaultdict(int)
        self._allowing: dict[tuple[str, int], dict[str, int]] = {}
        for number, (where, terms) in enumerate(every):
            if where != account:
                continue
            self._all |= 1 << number
            for place, (key, values) in enumerate(terms):
                self._naming[key, place] |= 1 << number
                allowing = self._allowing.setdefault((key, place), {})
                for value in values:
                    allowing[value] = allowing.get(value, 0) | 1 << number

    def matching(self, tags: Mapping[str, str]) -> int:
        found = self._all
        for (key, place), naming in self._naming.items():
            allowed = 0
            if tags.get(key, WITHHELD) != WITHHELD:
                allowing = self._allowing[key, place]
                allowed = allowing.get(tags[key], 0) | allowing.get(ANY, 0)
            found &= allowed | ~naming
        return found
