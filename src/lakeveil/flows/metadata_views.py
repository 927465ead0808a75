"""`information_schema` and Trino's `system` tables, as one principal sees the catalog.

They are views like any other to the guard, whose text is made here of the names that the principal
may know of, at the very look that the query is checked against. So whatever can be asked of a view
can be asked of them, and nothing that is hidden is in them. Names and columns are Trino's. What a
query asks for by name alone is looked for by name, so that a large lake can be looked at piecemeal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.grants import TableName
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.core.query.type_signature import type_signature
from lakeveil.flows.catalog_desk import SeenTable, seen
from lakeveil.ports.lake import LakeReader
from lakeveil.sql.parameters import literal
from lakeveil.sql.relations import NO_CONDITIONS, Relation, RelationColumn
from lakeveil.sql.types import hive_to_trino
from lakeveil.sql.views import decode
from lakeveil.sql.words import MAX_BYTES

INFORMATION_SCHEMA = "information_schema"
CATALOG = "awsdatacatalog"

_VIEW = "VIRTUAL_VIEW"

Values = tuple[str | int | None, ...]


@dataclass(frozen=True, slots=True)
class _Look:
    lake: LakeReader
    authority: Authority
    database: str | None
    """The only one that is asked for."""
    table: str | None
    """The only one that is asked for, in whichever database."""

    @property
    def account(self) -> str:
        return self.authority.who.account

    def databases(self) -> Iterator[str]:
        if self.database is not None:
            one = self.lake.database(self.account, self.database)
            records = [] if one is None else [one]
        else:
            records = self.lake.databases(self.account)
        for record in records:
            if self.authority.knows_database(record.database):
                yield record.database.name

    def tables(self) -> Iterator[SeenTable]:
        for database in self.databases():
            if self.table is not None:
                one = self.lake.table(TableName(self.account, database, self.table))
                records = iter([] if one is None else [one])
            else:
                records = self.lake.tables(self.account, database)
            for record in records:
                found = seen(self.authority, record)
                if found is not None:
                    yield found


def metadata_relation(
    database: str,
    table: str,
    *,
    where: Mapping[str, str] = NO_CONDITIONS,
    lake: LakeReader,
    authority: Authority,
) -> Relation | None:
    """A relation that tells of the catalog; None where there is none of that name.

    `database` is `information_schema`, or `system.metadata` and `system.jdbc`. `where`: see
    `sql.relations.Catalog`.

    Raises:
        QueryError: NOT_SUPPORTED, there is more to tell than a statement can hold.
    """
    made = _RELATIONS.get((database, table))
    if made is None:
        return None
    columns, rows = made
    # Another name may be a column of the query around.
    own = {name: value for name, value in where.items() if name in columns}
    look = _Look(
        lake,
        authority,
        database=next((own[name] for name in _OF_DATABASE if name in own), None),
        table=own.get("table_name"),
    )
    return Relation(
        name=TableName(authority.who.account, database, table),
        columns=tuple(RelationColumn(name, kind) for name, kind in columns.items()),
        view=_text(columns, rows(look)),
    )


def told_type(hive: str) -> str:
    """A column's type as Trino prints it; one that no query can read as it is in the catalog."""
    try:
        return type_signature(hive_to_trino(hive)).text
    except (QueryError, ValueError):
        return hive


def _text(columns: Mapping[str, str], rows: Iterator[Values]) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    cast = ", ".join(f'CAST("{n}" AS {hive_to_trino(k)}) AS "{n}"' for n, k in columns.items())
    parts: list[str] = []
    size = 0
    for row in rows:
        parts.append(f"({', '.join(map(literal, row))})")
        size += len(parts[-1].encode()) + 2
        if size > MAX_BYTES - 4096:
            raise QueryError(
                ErrorName.NOT_SUPPORTED,
                "There is more to tell than one query can. Use SHOW TABLES and DESCRIBE.",
            )
    nothing = f"({', '.join(['NULL'] * len(columns))})"
    where = "" if parts else " WHERE FALSE"
    values = ", ".join(parts or [nothing])
    return f"SELECT {cast} FROM (VALUES {values}) AS t ({names}){where}"  # noqa: S608 - our literals


# -- what there is -----------------------------------------------------------------------------
def _schemata(look: _Look) -> Iterator[Values]:
    for database in (*look.databases(), INFORMATION_SCHEMA):
        yield CATALOG, database


def _tables(look: _Look) -> Iterator[Values]:
    for found in look.tables():
        kind = "VIEW" if _is_view(found) else "BASE TABLE"
        yield CATALOG, found.name.database, found.name.table, kind


def _views(look: _Look) -> Iterator[Values]:
    for found in filter(_is_view, look.tables()):
        # A definition names columns: it is for those who see all of it, as SHOW CREATE VIEW is.
        text = _definition(found) if found.view.entire else None
        yield CATALOG, found.name.database, found.name.table, text


def _is_view(found: SeenTable) -> bool:
    return found.record.document.get("TableType") == _VIEW


def _definition(found: SeenTable) -> str | None:
    try:
        return decode(str(found.record.document.get("ViewOriginalText", ""))).sql
    except QueryError:
        # It is listed nevertheless, and so are all others.
        return None


def _columns(look: _Look) -> Iterator[Values]:
    for found in look.tables():
        comments = _comments(found.record.document)
        shown = [one for one in found.record.table.columns if one.name in found.view.known]
        for place, column in enumerate(shown, 1):
            yield (
                CATALOG,
                found.name.database,
                found.name.table,
                column.name,
                place,
                None,
                "YES",
                told_type(column.type),
                comments.get(column.name),
                "partition key" if column.partition else None,
            )


def _comments(document: Mapping[str, Any]) -> dict[str, str]:
    described = (
        *document.get("StorageDescriptor", {}).get("Columns", ()),
        *document.get("PartitionKeys", ()),
    )
    return {str(one["Name"]).lower(): one["Comment"] for one in described if one.get("Comment")}


def _table_comments(look: _Look) -> Iterator[Values]:
    for found in look.tables():
        comment = found.record.document.get("Description") if found.view.entire else None
        yield CATALOG, found.name.database, found.name.table, comment


def _jdbc_schemas(look: _Look) -> Iterator[Values]:
    for database in (*look.databases(), INFORMATION_SCHEMA):
        yield database, CATALOG


def _jdbc_tables(look: _Look) -> Iterator[Values]:
    nothing = (None,) * 6
    for found in look.tables():
        kind = "VIEW" if _is_view(found) else "TABLE"
        yield CATALOG, found.name.database, found.name.table, kind, *nothing


def _jdbc_table_types(_look: _Look) -> Iterator[Values]:
    yield ("TABLE",)
    yield ("VIEW",)


def _catalogs(_look: _Look) -> Iterator[Values]:
    yield (CATALOG,)


def _of(*names: str, **others: str) -> dict[str, str]:
    return dict.fromkeys(names, "string") | others


_OF_DATABASE = ("table_schema", "schema_name", "table_schem")
_WHERE = ("table_catalog", "table_schema", "table_name")
_RELATIONS: Mapping[
    tuple[str, str], tuple[Mapping[str, str], Callable[[_Look], Iterator[Values]]]
] = {
    (INFORMATION_SCHEMA, "schemata"): (_of("catalog_name", "schema_name"), _schemata),
    (INFORMATION_SCHEMA, "tables"): (_of(*_WHERE, "table_type"), _tables),
    (INFORMATION_SCHEMA, "views"): (_of(*_WHERE, "view_definition"), _views),
    (INFORMATION_SCHEMA, "columns"): (
        {
            **_of(*_WHERE, "column_name", ordinal_position="bigint"),
            **_of("column_default", "is_nullable", "data_type", "comment", "extra_info"),
        },
        _columns,
    ),
    ("system.metadata", "table_comments"): (
        _of("catalog_name", "schema_name", "table_name", "comment"),
        _table_comments,
    ),
    ("system.jdbc", "catalogs"): (_of("table_cat"), _catalogs),
    ("system.jdbc", "schemas"): (_of("table_schem", "table_catalog"), _jdbc_schemas),
    ("system.jdbc", "table_types"): (_of("table_type"), _jdbc_table_types),
    ("system.jdbc", "tables"): (
        _of(
            *("table_cat", "table_schem", "table_name", "table_type", "remarks", "type_cat"),
            *("type_schem", "type_name", "self_referencing_col_name", "ref_generation"),
        ),
        _jdbc_tables,
    ),
}
METADATA_DATABASES = frozenset(database for database, _ in _RELATIONS)
