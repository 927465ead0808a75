"""Tables as they were made of the rows that were read, so that equal rows give the same table.

**Nothing here is ever stale, in whatever process something changed.** A table is looked up by all
that it is made of: its own row and every tag on the way to it, as the caller has just read them in
its own transaction, under the snapshot (policy, name guards, locations) that it read there. One
that was kept is given only where all of that is equal, so it spares making it again and never a
look at the database. What it gains is more than that: the policy's index knows a table by its
identity, and has its bitmaps ready (`core.access.indexing.index`).

Documents are not kept: they are plain dictionaries, and would be shared by whoever is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lakeveil.core.access.grants import TableName
from lakeveil.core.access.lake import Table

Explicit = Mapping[str, Mapping[str, str]]
"""Column (empty: the thing itself) -> explicit tags."""

MOST_CHARACTERS = 8 * 2**20
"""Of the columns' text; in memory they take some ten times as much."""


@dataclass(frozen=True, slots=True)
class Origin:
    """All that a table is made of, beside its name and the snapshot."""

    owner: str
    location: str
    columns_json: str
    catalog: Explicit
    database: Explicit
    table: Explicit


class KeptTables:
    """The tables of one snapshot. Thread-safe: two at once may make equal ones."""

    def __init__(self) -> None:
        self._kept: dict[TableName, tuple[Origin, Table]] = {}
        self._characters = 0

    def table(self, name: TableName, origin: Origin, make: Callable[[], Table]) -> Table:
        """The table that was made of the very same, or a new one."""
        found = self._kept.get(name)
        if found is not None and found[0] == origin:
            return found[1]
        made = make()
        if self._characters >= MOST_CHARACTERS:
            self._kept, self._characters = {}, 0
        self._characters += len(origin.columns_json)
        self._kept[name] = origin, made
        return made
