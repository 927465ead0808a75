"""The columns of UNNEST, and the fields of rows.

Trino's UNNEST takes several arrays and maps at once, makes two columns of a map and one of each
field of an array of rows, and counts from 1 WITH ORDINALITY. Columns are called `c0`, `c1`, ... in
the engine's SQL, however they were called.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.scopes import NOWHERE, Field, Origins, column, known
from lakeveil.sql.types import fields_of, inner_of, kind_of, named


def fields(
    values: Sequence[exp.Expression],
    origins: Sequence[Origins],
    engine: str,
    *,
    names: Sequence[str],
    ordinality: bool,
) -> tuple[Field, ...]:
    """The columns. `names` are those of the alias, with the one of the ordinality; may be empty.

    Raises:
        QueryError: TYPE_MISMATCH for what is neither array nor map, NOT_SUPPORTED where the type
            isn't known, MISMATCHED_COLUMN_ALIASES.
    """
    found: list[tuple[str, exp.DataType, Origins]] = []
    for value, made_of in zip(values, origins, strict=True):
        found += [(name, kind, made_of) for name, kind in _columns(value)]
    if ordinality:
        found.append(("", named("bigint"), NOWHERE))
    if names and len(names) != len(found):
        raise QueryError(
            ErrorName.MISMATCHED_COLUMN_ALIASES,
            f"Column alias list has {len(names)} entries but the relation has {len(found)} columns",
        )
    return tuple(
        Field(
            name=names[at] if names else name.lower(),
            value=column(engine, f"c{at}", kind),
            origins=made_of,
        )
        for at, (name, kind, made_of) in enumerate(found)
    )


def _columns(value: exp.Expression) -> list[tuple[str, exp.DataType]]:
    kind = known(value)
    match kind_of(kind):
        case "array" if kind is not None:
            element = inner_of(kind)[0]
            return fields_of(element) if kind_of(element) == "row" else [("", element)]
        case "map" if kind is not None:
            return [("", inner) for inner in inner_of(kind)]
        case "":
            raise QueryError(
                ErrorName.NOT_SUPPORTED,
                "what UNNEST is given here has no known type; CAST it to an array or map",
            )
        case other:
            raise QueryError(ErrorName.TYPE_MISMATCH, f"Cannot unnest type: {other}")


def member(value: exp.Expression, name: str) -> exp.Expression | None:
    """A field of a row; None where the row hasn't got it, or it is no row."""
    kind = known(value)
    if kind is None or kind_of(kind) != "row":
        return None
    found = [(own, inner) for own, inner in fields_of(kind) if own.lower() == name.lower()]
    if len(found) != 1:
        return None
    within = exp.Paren(this=value)
    within.type = kind
    made = exp.Dot(this=within, expression=exp.Identifier(this=found[0][0], quoted=True))
    made.type = found[0][1]
    return made
