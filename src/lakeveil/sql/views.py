"""Views as the catalog keeps them: Athena's wrapping of a view's SELECT.

Athena stores in Glue's `ViewOriginalText` a comment with JSON in base64, and in `ViewExpandedText`
`/* Presto View */`. Views of others are read back from it; what isn't one is no view.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.relations import OutputColumn
from lakeveil.sql.statements import CreateView

EXPANDED_TEXT = "/* Presto View */"
MAX_CHARACTERS = 1_000_000

_START, _END = "/* Presto View: ", " */"


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewDefinition:
    """A view's SELECT, the database of its unqualified names, and its columns (Trino types)."""

    sql: str
    database: str
    catalog: str = "awsdatacatalog"
    columns: tuple[tuple[str, str], ...] = ()


def encode(view: ViewDefinition) -> str:
    """As `ViewOriginalText` has it."""
    document = {
        "originalSql": view.sql,
        "catalog": view.catalog,
        "schema": view.database,
        "columns": [{"name": name, "type": kind} for name, kind in view.columns],
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return _START + base64.b64encode(text.encode()).decode() + _END


def decode(text: str) -> ViewDefinition:
    """Read `ViewOriginalText`.

    Raises:
        QueryError: INVALID_VIEW, it isn't one of Athena's.
    """
    try:
        if len(text) > MAX_CHARACTERS or not (text.startswith(_START) and text.endswith(_END)):
            raise _invalid()
        encoded = text.removeprefix(_START).removesuffix(_END).strip()
        document = json.loads(base64.b64decode(encoded, validate=True).decode())
        columns = tuple(
            (_text(c, "name").lower(), _text(c, "type")) for c in document.get("columns", ())
        )
        return ViewDefinition(
            sql=_text(document, "originalSql"),
            database=_text(document, "schema"),
            catalog=_text(document, "catalog"),
            columns=columns,
        )
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _invalid() from None


def _text(document: dict[str, object], name: str) -> str:
    found = document[name]
    if not isinstance(found, str):
        raise TypeError
    return found


def _invalid() -> QueryError:
    return QueryError(ErrorName.INVALID_VIEW, "the view's definition cannot be read")


def view_text(statement: CreateView, columns: Sequence[OutputColumn]) -> str:
    """The SELECT to store, in which every column has its name; `columns` are the query's.

    Names are looked up by name when a view is read, as some may be hidden from who reads it.

    Raises:
        QueryError: MISSING_COLUMN_NAME, DUPLICATE_COLUMN_NAME, MISMATCHED_COLUMN_ALIASES.
    """
    names = [name.lower() for name in statement.columns] or [c.name.lower() for c in columns]
    if len(names) != len(columns):
        raise QueryError(
            ErrorName.MISMATCHED_COLUMN_ALIASES,
            f"Column alias list has {len(names)} entries but the query has {len(columns)} columns",
        )
    for at, name in enumerate(names):
        if not statement.columns and name == f"_col{at}":
            raise QueryError(
                ErrorName.MISSING_COLUMN_NAME, f"Column name not specified at position {at + 1}"
            )
        if name in names[:at]:
            raise QueryError(
                ErrorName.DUPLICATE_COLUMN_NAME,
                f"Column name '{name}' specified more than once",
            )
    if not statement.columns:
        return statement.query.text
    listed = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    return f'SELECT * FROM (\n{statement.query.text}\n) AS "v" ({listed})'  # noqa: S608 - is checked
