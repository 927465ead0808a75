"""What a query may be about: relations as its principal sees them.

The guard resolves every name through a `Catalog` made for one principal; what that one may not see
is not in it. Columns are those shown, masked ones too, under their names in lower case; types are
Hive's spelling, as the catalog has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Protocol

from lakeveil.core.access.grants import TableName


@dataclass(frozen=True, slots=True)
class RelationColumn:
    """A column that is shown. `type` is Hive's spelling (`decimal(12,2)`, `array<string>`)."""

    name: str
    type: str
    partition: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A table, or a view with `view` its text, as a principal sees it."""

    name: TableName
    columns: tuple[RelationColumn, ...]
    view: str | None = None
    """The SELECT of a view, in Athena's SQL; it is expanded with the rights of who queries."""
    view_database: str = ""
    """The database in which unqualified names of the view's text are looked for."""
    iceberg: bool = False
    """Whether it has snapshots to travel among, and can be updated."""


NO_CONDITIONS: Mapping[str, str] = MappingProxyType({})


class Catalog(Protocol):
    """Names as one principal sees them."""

    def relation(
        self, database: str, table: str, *, where: Mapping[str, str] = NO_CONDITIONS
    ) -> Relation | None:
        """A table or view; None where there is none for the principal. Names in lower case.

        `where` has texts that columns equal in every row that the query wants of it. What tells
        of the catalog itself may leave other rows out.
        """
        ...

    def has_database(self, database: str) -> bool:
        """Whether the principal may know of a database."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOf:
    """Time travel: one of both is set. `timestamp` is in UTC milliseconds."""

    snapshot: int | None = None
    timestamp_ms: int | None = None


Constant = str | int | date


@dataclass(frozen=True, slots=True)
class Condition:
    """What each row that is wanted fulfils: `sign` is `=`, `<`, `<=`, `>`, `>=` or `in`."""

    column: str
    sign: str
    constants: tuple[Constant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedRelation:
    """A table that a checked query reads.

    `alias` is the name that the regenerated SQL uses (`r0`, `r1`, ...); `columns` are those that
    it reads of it: none for a bare count. `wanted` has, for each place in which it is read, what
    every row fulfils that is wanted there; see `pruning`.
    """

    alias: str
    relation: Relation
    columns: frozenset[str]
    as_of: AsOf | None = None
    wanted: tuple[tuple[Condition, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputColumn:
    """A column of a result. `type` is Trino's spelling. `sources` are the columns it is made of."""

    name: str
    type: str
    sources: frozenset[tuple[TableName, str]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedQuery:
    """A query that may run: `sql` is the engine's, regenerated from the checked tree.

    It names nothing but `relations` by their aliases, and calls nothing but allowed functions.
    """

    sql: str
    columns: tuple[OutputColumn, ...]
    relations: tuple[UsedRelation, ...] = ()
    views: frozenset[TableName] = frozenset()
    """Views that were expanded."""
