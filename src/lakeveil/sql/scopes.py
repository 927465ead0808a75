"""What names mean at a place of a query: fields of relations, relations of scopes.

Field names are compared in lower case, quoted or not, as Trino does. A relation and its fields
have two names: the one the query uses, and the engine's, made here and unique in the whole query,
so that nothing that a user can write shadows a relation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from lakeveil.core.access.grants import TableName
from lakeveil.core.query.failures import ErrorName, QueryError

Origins = frozenset[tuple[TableName, str]]
NOWHERE: Origins = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A column of a relation. `name` is in lower case, empty for one that can't be named.

    `value` is what stands for it in the engine's SQL, with its type; `origins` are the table
    columns that it is made of; `alias` is set where it is read from a table (`r0`, ...).
    """

    name: str
    value: exp.Expression
    origins: Origins = NOWHERE
    alias: str = ""
    shown: str = ""
    """The name with the case it was written in."""

    @property
    def type(self) -> exp.DataType | None:
        """Its type, None where unknown."""
        return known(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A relation after FROM. `database` is set for a table that was given no alias."""

    name: str
    fields: tuple[Field, ...]
    database: str = ""
    catalog: str = ""


@dataclass(slots=True)
class Scope:
    """The relations that a SELECT's expressions can name, within those of the outer query.

    `merged` are columns that joins with USING made one of two; they come first in `*`.
    """

    outer: Scope | None = None
    sources: list[Source] = field(default_factory=list)
    merged: dict[str, Field] = field(default_factory=dict)

    def add(self, source: Source, place: tuple[int, int]) -> None:
        """Make a relation known.

        Raises:
            QueryError: another one here has its name.
        """
        if source.name and any(
            (source.name, source.database) == (other.name, other.database) for other in self.sources
        ):
            raise QueryError(
                ErrorName.NOT_SUPPORTED,
                f"two relations are called `{source.name}`; give one an alias",
                line=place[0],
                column=place[1],
            )
        self.sources.append(source)

    def fields(self) -> list[Field]:
        """What `*` stands for."""
        merged = list(self.merged.values())
        return merged + [
            found
            for source in self.sources
            for found in source.fields
            if not found.name or found.name not in self.merged
        ]


def lookup(scope: Scope, parts: Sequence[str], place: tuple[int, int]) -> tuple[Field, list[str]]:
    """The field that a dotted name means, and the parts that go on into a row's fields.

    Raises:
        QueryError: COLUMN_NOT_FOUND, in the same words whatever the reason, or AMBIGUOUS_NAME.
    """
    here: Scope | None = scope
    while here is not None:
        found = _local(here, parts, place)
        if found is not None:
            return found
        here = here.outer
    raise not_found(parts, place)


def not_found(parts: Sequence[str], place: tuple[int, int]) -> QueryError:
    """A column that isn't there, or that its reader may not know of."""
    return QueryError(
        ErrorName.COLUMN_NOT_FOUND,
        f"Column '{'.'.join(parts)}' cannot be resolved",
        line=place[0],
        column=place[1],
    )


def _local(
    scope: Scope, parts: Sequence[str], place: tuple[int, int]
) -> tuple[Field, list[str]] | None:
    for length in (3, 2, 1):
        if len(parts) > length:
            sources = [s for s in scope.sources if _is_called(s, parts[:length])]
            found = [f for s in sources for f in s.fields if f.name == parts[length]]
            if found:
                return _only(found, parts, place), list(parts[length + 1 :])
    if parts[0] in scope.merged:
        return scope.merged[parts[0]], list(parts[1:])
    found = [f for s in scope.sources for f in s.fields if f.name == parts[0]]
    # A name with dots is a row's field only where the column can be a row.
    if len(parts) > 1:
        found = [f for f in found if f.type is None or f.type.is_type(exp.DType.STRUCT)]
    return (_only(found, parts, place), list(parts[1:])) if found else None


def _only(found: Sequence[Field], parts: Sequence[str], place: tuple[int, int]) -> Field:
    if len(found) > 1:
        raise QueryError(
            ErrorName.AMBIGUOUS_NAME,
            f"Column '{'.'.join(parts)}' is ambiguous",
            line=place[0],
            column=place[1],
        )
    return found[0]


def named(scope: Scope, parts: Sequence[str]) -> list[Source]:
    """The innermost relations that a (dotted) name means."""
    here: Scope | None = scope
    while here is not None:
        found = [source for source in here.sources if _is_called(source, parts)]
        if found:
            return found
        here = here.outer
    return []


def _is_called(source: Source, parts: Sequence[str]) -> bool:
    full = (source.catalog, source.database, source.name)
    return bool(source.name) and tuple(parts) == full[3 - len(parts) :] and "" not in parts


def known(node: exp.Expression) -> exp.DataType | None:
    """The type of an expression, None where it isn't known."""
    found = node.type
    return None if found is None or found.is_type(exp.DType.UNKNOWN) else found


def column(alias: str, name: str, kind: exp.DataType | None) -> exp.Column:
    """A column of the engine's, with its type."""
    made = exp.Column(
        this=exp.Identifier(this=name, quoted=True), table=exp.Identifier(this=alias, quoted=True)
    )
    made.type = kind or exp.DataType(this=exp.DType.UNKNOWN)
    return made
