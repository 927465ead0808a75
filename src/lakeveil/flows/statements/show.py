"""What there is, listed: SHOW DATABASES, TABLES, VIEWS, COLUMNS, PARTITIONS and TBLPROPERTIES.

All of it goes through the same looks as the catalog's other doors: what is not there for the caller
is in no list, and a hidden column has no name. The lines and the names of their columns are
Athena's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from lakeveil.core.access.tables.partition_paths import partition_path
from lakeveil.core.access.tables.shown_document import shown_document
from lakeveil.core.access.tables.table_document import completed
from lakeveil.core.identity.wildcards import matches
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.errors import NotFound
from lakeveil.flows.catalog_desk import SeenTable
from lakeveil.flows.read_catalog import (
    check_database,
    partition_keys,
    read_databases,
    read_partitions,
    read_tables,
)
from lakeveil.flows.run_query import Asked
from lakeveil.flows.statements.answers import Answer, said
from lakeveil.flows.statements.naming import database_of, known, no_database
from lakeveil.sql.statements import (
    ShowColumns,
    ShowDatabases,
    ShowPartitions,
    ShowTableProperties,
    ShowTables,
    ShowViews,
)

VIEW = "VIRTUAL_VIEW"
WIDTH = 20
"""Names, types and comments are padded to it, as Hive does."""


def show_databases(statement: ShowDatabases, asked: Asked) -> Answer:
    """SHOW DATABASES: those that are there for the caller."""
    fits = fitting(statement.like)
    account, desk = asked.who.account, asked.desk.catalog
    names = (
        record.database.name for record, _ in read_databases([account], who=asked.who, desk=desk)
    )
    return said(("database_name",), ([name] for name in names if fits(name)), asked)


def show_tables(statement: ShowTables, asked: Asked) -> Answer:
    """SHOW TABLES: those of a database, views too."""
    fits = fitting(statement.like)
    found = tables_in(statement.database, asked)
    names = (one.name.table for one in found if fits(one.name.table))
    return said(("tab_name",), ([name] for name in names), asked)


def show_views(statement: ShowViews, asked: Asked) -> Answer:
    """SHOW VIEWS."""
    fits = fitting(statement.like)
    found = tables_in(statement.database, asked)
    names = (one.name.table for one in found if is_view(one) and fits(one.name.table))
    return said(("views",), ([name] for name in names), asked)


def show_columns(statement: ShowColumns, asked: Asked) -> Answer:
    """SHOW COLUMNS: those that the caller may know of, partition keys last."""
    shown = document_of(known(statement.table, asked))
    return said(("field",), ([padded(one["Name"])] for one in columns_of(shown)), asked)


def show_partitions(statement: ShowPartitions, asked: Asked) -> Answer:
    """SHOW PARTITIONS: those whose values the caller sees, all of them.

    Raises:
        QueryError: NOT_SUPPORTED, it is Iceberg's, or has no partitions.
    """
    found = known(statement.table, asked)
    keys = [key.name for key in partition_keys(found)]
    if found.record.metadata_location or not keys or not set(keys) <= set(found.view.known):
        # In the same words where its keys are hidden.
        raise QueryError(ErrorName.NOT_SUPPORTED, f"Table {found.name} is not a partitioned table")
    seen = read_partitions(found.name, who=asked.who, desk=asked.desk.catalog)
    return said(("partition",), ([partition_path(keys, one.values)] for one in seen), asked)


def show_properties(statement: ShowTableProperties, asked: Asked) -> Answer:
    """SHOW TBLPROPERTIES: of all that the caller is shown, or one of them."""
    found = known(statement.table, asked)
    shown: Mapping[str, str] = document_of(found).get("Parameters", {})
    if not statement.name:
        return said(("prpt_name", "prpt_value"), sorted(shown.items()), asked)
    if statement.name not in shown:
        line = f"Table {found.name} does not have property: {statement.name[:255]}"
        return said(("prpt_name",), [[line]], asked)
    return said(("prpt_name",), [[shown[statement.name]]], asked)


def tables_in(database: str, asked: Asked) -> Iterator[SeenTable]:
    """The tables of a database that are there for the caller, by name.

    Raises:
        QueryError: SCHEMA_NOT_FOUND, the database is not.
    """
    account, name, desk = asked.who.account, database_of(database, asked), asked.desk.catalog
    try:
        check_database(account, name, who=asked.who, desk=desk)
    except NotFound:
        raise no_database(name) from None
    return read_tables(account, name, who=asked.who, desk=desk)


def is_view(found: SeenTable) -> bool:
    """Whether it is a view."""
    return found.record.document.get("TableType") == VIEW


def document_of(found: SeenTable) -> dict[str, Any]:
    """A table's document as the caller is shown it."""
    record = found.record
    document = completed(record.document, record.table.columns, record.location)
    return shown_document(document, found.view)


def columns_of(shown: Mapping[str, Any]) -> Iterator[Mapping[str, str]]:
    """The columns of a document, partition keys last."""
    plain = shown.get("StorageDescriptor", {}).get("Columns", ())
    return chain(plain, shown.get("PartitionKeys", ()))


def padded(text: str) -> str:
    """As Hive aligns it."""
    return one_line(text).ljust(WIDTH)


def one_line(text: str) -> str:
    """A text that cannot begin another line, or another column."""
    return " ".join(text.split("\n")).replace("\t", " ").replace("\r", " ")


def fitting(pattern: str | None) -> Callable[[str], bool]:
    """Which names Hive's patterns fit: `*` is any text, `|` is or."""
    if pattern is None:
        return lambda _name: True
    parts = pattern.lower().replace(".*", "*").split("|")
    return lambda name: any(matches(part, name) for part in parts)
