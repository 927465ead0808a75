"""A query's rows arranged as a table's columns: in their order, of their types, NULL where unnamed.

It is done by another query around the first, which the guard checks like any other, so that a cast
means what Trino means by it. What Trino would not turn into a column's type by itself is refused,
and so is a text that is too long for its column, which a cast alone would cut off.
"""

from __future__ import annotations

from collections.abc import Sequence

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.flows.run_query import Asked, Governed, govern
from lakeveil.sql.coercion import coerces
from lakeveil.sql.relations import OutputColumn
from lakeveil.sql.statements import Query
from lakeveil.sql.types import hive_to_trino, hive_type, trino_to_hive

Target = Sequence[tuple[str, str]]
"""A table's columns in order: names, and types in Hive's spelling."""


def arranged(
    query: Query, named: Sequence[str], target: Target, asked: Asked
) -> tuple[Governed, tuple[int | None, ...]]:
    """A query whose rows are those of `target`, and which of the first one's columns each is.

    `named` are the columns that the query gives, in its order; empty for all of `target`.

    Raises:
        QueryError: COLUMN_NOT_FOUND, DUPLICATE_COLUMN_NAME; MISMATCHED_COLUMN_ALIASES where there
            are not as many columns; TYPE_MISMATCH.
    """
    types = dict(target)
    names = [name.lower() for name in named] or list(types)
    for place, name in enumerate(names):
        if name not in types:
            raise QueryError(
                ErrorName.COLUMN_NOT_FOUND,
                f"Insert column name does not exist in target table: {name[:255]}",
            )
        if name in names[:place]:
            raise QueryError(
                ErrorName.DUPLICATE_COLUMN_NAME,
                f"Insert column name is specified more than once: {name[:255]}",
            )
    first = govern(query, asked)
    given = first.checked.columns
    wanted = [types[name] for name in names]
    if len(given) != len(names) or not all(map(_fits, given, wanted)):
        raise QueryError(
            ErrorName.TYPE_MISMATCH,
            "Insert query has mismatched column types: "
            f"Table: [{', '.join(hive_to_trino(kind) for kind in wanted)}], "
            f"Query: [{', '.join(column.type for column in given)}]",
        )
    sources = tuple(names.index(name) if name in names else None for name in types)
    plain = all(
        place == source and _same(given[place], kind)
        for place, (source, kind) in enumerate(zip(sources, types.values(), strict=True))
    )
    if plain:
        return first, sources
    return govern(_around(query, sources, target, given), asked), sources


def _around(
    query: Query, sources: Sequence[int | None], target: Target, columns: Sequence[OutputColumn]
) -> str:
    """The query's text, inside another that casts and orders its columns."""
    given = [f'"c{place}"' for place in range(len(columns))]
    parts = []
    for source, (name, kind) in zip(sources, target, strict=True):
        value = "NULL" if source is None else given[source]
        if source is not None and columns[source].type.startswith("varchar"):
            value = _whole(value, hive_to_trino(kind))
        parts.append(f'CAST({value} AS {hive_to_trino(kind)}) AS "{_doubled(name)}"')
    return f'SELECT {", ".join(parts)}\nFROM (\n{query.text}\n) AS "q" ({", ".join(given)})'


def _whole(value: str, kind: str) -> str:
    """A text that has room in its column, or INVALID_CAST_ARGUMENT; spaces at its end do not count.

    Trino: "Cannot truncate non-space characters when casting from varchar to varchar(n) on INSERT".
    """
    room = kind.removeprefix("varchar(").removesuffix(")")
    if not room.isdigit():
        return value
    fails = f"CAST({value} || 'x' AS integer)"
    return f"substr({value}, 1, IF(length(rtrim({value})) <= {room}, {room}, {fails}))"


def _fits(column: OutputColumn, wanted: str) -> bool:
    if column.type == "unknown":
        return True
    return coerces(hive_type(trino_to_hive(column.type)), hive_type(wanted))


def _same(column: OutputColumn, wanted: str) -> bool:
    return column.type == hive_to_trino(wanted)


def _doubled(name: str) -> str:
    return name.replace('"', '""')
