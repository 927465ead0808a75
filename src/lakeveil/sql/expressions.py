"""Expressions resolved: every column replaced by what it means where it stands.

The lowest of three: expressions here, the relations that they name in `sources`, the queries made
of both in `names`. They call each other, as a query stands in an expression and the other way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from sqlglot import exp
from sqlglot.optimizer.annotate_types import TypeAnnotator
from sqlglot.schema import MappingSchema

from lakeveil.core.access.grants import TableName
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql import scopes, syntax, unnest
from lakeveil.sql.dialect import LakeveilAthena
from lakeveil.sql.dialect.typing import METADATA
from lakeveil.sql.functions.naming import name_of
from lakeveil.sql.relations import AsOf, Catalog, Condition, Relation
from lakeveil.sql.scopes import NOWHERE, Field, Origins, Scope
from lakeveil.sql.words import position


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A column of a query: its name in lower case and as shown, the engine's, and its type."""

    name: str
    shown: str
    engine: str
    type: exp.DataType | None
    origins: Origins = NOWHERE


@dataclass(slots=True, kw_only=True)
class Used:
    """A table that is read."""

    alias: str
    relation: Relation
    as_of: AsOf | None
    columns: set[str] = field(default_factory=set)
    places: int = 0
    """In how many places it is read."""
    wanted: list[tuple[Condition, ...]] = field(default_factory=list)
    """What every row fulfils that is wanted, of each place in which that can be told."""


@dataclass(frozen=True, slots=True)
class Common:
    """A common table expression: the engine's name of it, and its columns."""

    engine: str
    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a query stands: the text it's from, what it can name, and the views around it."""

    text: str
    database: str
    common: Mapping[str, Common] = field(default_factory=dict)
    outer: Scope | None = None
    inside: tuple[TableName, ...] = ()

    def of(self, name: exp.Expr) -> tuple[int, int]:
        """Line and column of a name in the text."""
        start = name.meta.get("start")
        return (0, 0) if start is None else position(self.text, start)


class Expressions(ABC):
    """Resolves expressions; `used` and `views` say what was read so far."""

    def __init__(self, catalog: Catalog, *, catalogs: frozenset[str], now: float) -> None:
        self.used: dict[tuple[TableName, AsOf | None], Used] = {}
        self.views: set[TableName] = set()
        self._catalog = catalog
        self._catalogs = catalogs
        self._now = now
        self._expanded = 0
        self._made = {"s": 0, "c": 0}
        self._reading: list[set[tuple[TableName, str]]] = []
        self._annotator = TypeAnnotator(
            schema=MappingSchema(dialect=LakeveilAthena),
            # Columns have their types from where they were found.
            expression_metadata={**METADATA, exp.Column: {"annotator": lambda _, __: None}},
        )

    @abstractmethod
    def query(self, node: exp.Expression, at: Place) -> tuple[Output, ...]:
        """Resolve a query in place; the columns of its result."""

    def _expression(self, root: exp.Expression, scope: Scope, at: Place) -> Origins:
        """Resolve an expression in place; the columns that its value is made of."""
        found: set[tuple[TableName, str]] = set()
        self._reading.append(found)
        stack = [root]
        while stack:
            node = stack.pop()
            if node.meta.get("resolved"):
                self._read(_origins_of(node))
            elif isinstance(node, exp.Column):
                self._column(node, scope, at)
            elif isinstance(node, exp.Query | exp.Values):
                self._subquery(node, scope, at)
            elif isinstance(node, exp.Star) and name_of(node.parent or node) != "count":
                raise self._unsupported("`*` within an expression", node, at)
            elif isinstance(node, exp.Alias):
                raise self._unsupported("an alias within an expression", node, at)
            elif not isinstance(node, exp.DataType):
                stack.extend(node.iter_expressions())
        self._reading.pop()
        return frozenset(found)

    def _subquery(self, node: exp.Expression, scope: Scope, at: Place) -> None:
        parent = node.parent
        outputs = self.query(node, replace(at, outer=scope))
        scalar = isinstance(node, exp.Subquery) and not isinstance(
            parent, exp.In | exp.Exists | exp.Any | exp.All | exp.Subquery
        )
        if scalar and len(outputs) != 1:
            raise QueryError(
                ErrorName.TYPE_MISMATCH,
                f"Multiple columns returned by subquery are not yet supported. "
                f"Found {len(outputs)}",
            )

    def _column(self, node: exp.Column, scope: Scope, at: Place) -> None:
        if isinstance(node.this, exp.Star):
            raise self._unsupported("`*` within an expression", node, at)
        parts = [part.name.lower() for part in node.parts]
        field_, rest = scopes.lookup(scope, parts, at.of(node.parts[0]))
        value = self._value(field_)
        for part in rest:
            inner = unnest.member(value, part)
            if inner is None:
                raise scopes.not_found(parts, at.of(node.parts[0]))
            value = inner
        node.replace(value)

    def _value(self, found: Field) -> exp.Expression:
        """What stands for a field; from now on it is read."""
        self._read(found.origins)
        if found.alias:
            used = next(used for used in self.used.values() if used.alias == found.alias)
            used.columns.update(column for _, column in found.origins)
        value = found.value.copy()
        value.meta["resolved"] = True
        value.meta["origins"] = found.origins
        return value

    def _read(self, origins: Iterable[tuple[TableName, str]]) -> None:
        for one in self._reading:
            one.update(origins)

    def _new(self, prefix: str) -> str:
        self._made[prefix] += 1
        return f"{prefix}{self._made[prefix] - 1}"

    @staticmethod
    def _unsupported(what: str, node: exp.Expression, at: Place) -> QueryError:
        line, column = syntax.place(node, at.text)
        return QueryError(
            ErrorName.NOT_SUPPORTED, f"not supported: {what}", line=line, column=column
        )


def _origins_of(node: exp.Expression) -> set[tuple[TableName, str]]:
    found: set[tuple[TableName, str]] = set()
    for part in node.walk():
        found |= part.meta.get("origins") or NOWHERE
    return found
