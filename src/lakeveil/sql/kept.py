"""Queries that were read and checked before, kept so that it need not be done again.

What a check comes to depends on the text and its parameters, on the database that unqualified names
are looked for in, and on what the catalog answered. So the answers are kept with it, and the same
questions are asked again each time, of the catalog as its principal sees it then: only if every
answer is equal does the check count. A grant, a tag or a column that changed makes one of them
differ, whatever versions say; nothing is ever shared that the one who asks would not get anyway.

A query that travels in time counts from now, and is not kept; nor is one that was refused.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from lakeveil.sql.relations import NO_CONDITIONS, Catalog, CheckedQuery, Relation
from lakeveil.sql.statements import Query

KEPT = 512
LONGEST = 32 * 1024
"""Characters of a text whose tree is kept: larger ones take much memory and are seldom repeated."""

_V = TypeVar("_V")


class Kept(Generic[_V]):
    """A few values by key; those used least recently go first. Thread-safe."""

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, _V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> _V | None:
        """A value, or None."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key]

    def put(self, key: Hashable, value: _V) -> None:
        """Keep a value."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)


@dataclass(slots=True)
class Answers:
    """A catalog that writes down what it was asked, and what it answered."""

    catalog: Catalog
    relations: list[tuple[str, str, Mapping[str, str], Relation | None]] = field(
        default_factory=list
    )
    databases: list[tuple[str, bool]] = field(default_factory=list)

    def relation(
        self, database: str, table: str, *, where: Mapping[str, str] = NO_CONDITIONS
    ) -> Relation | None:
        """See `Catalog`."""
        found = self.catalog.relation(database, table, where=where)
        self.relations.append((database, table, where, found))
        return found

    def has_database(self, database: str) -> bool:
        """See `Catalog`."""
        found = self.catalog.has_database(database)
        self.databases.append((database, found))
        return found

    def are_those_of(self, catalog: Catalog) -> bool:
        """Whether another catalog answers all of it alike. Raises what that one raises."""
        return all(
            catalog.relation(d, t, where=where) == found for d, t, where, found in self.relations
        ) and all(catalog.has_database(d) == found for d, found in self.databases)


@dataclass(frozen=True, slots=True)
class _Check:
    query: Query
    """Kept with it, so that its identity is nobody else's."""
    answers: Answers
    checked: CheckedQuery


class _Nothing:
    """The catalog of nobody: answers that are kept hold on to no one's."""

    def relation(
        self, _database: str, _table: str, *, where: Mapping[str, str] = NO_CONDITIONS
    ) -> None:
        del where

    def has_database(self, _database: str) -> bool:
        return False


_CHECKS: Kept[_Check] = Kept()


def checked_before(
    query: Query,
    check: Callable[[Catalog], CheckedQuery],
    *,
    catalog: Catalog,
    context: Hashable,
) -> CheckedQuery:
    """What `check` makes of a query, or made of the very same one over an equal catalog.

    `context` is all else that it depends on. The query is told by its identity: trees that are
    equal to their library need not mean the same.
    """
    key = (id(query), context)
    before = _CHECKS.get(key)
    if before is not None and before.query is query and before.answers.are_those_of(catalog):
        return before.checked
    answers = Answers(catalog)
    checked = check(answers)
    if len(query.whole) <= LONGEST and not any(used.as_of for used in checked.relations):
        answers.catalog = _Nothing()
        _CHECKS.put(key, _Check(query, answers, checked))
    return checked
