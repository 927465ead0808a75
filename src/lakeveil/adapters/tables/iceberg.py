"""PyIceberg's own table of catalog entries, as our transactions see it.

PyIceberg makes it; it is no part of our schema, so migrations leave it alone. Naming it here spares
whoever changes an entry the import of PyIceberg.
"""

from __future__ import annotations

import sqlalchemy as sa

from lakeveil.core.access.grants import TableName

iceberg_entries = sa.table(
    "iceberg_tables",
    sa.column("catalog_name", sa.Text),
    sa.column("table_namespace", sa.Text),
    sa.column("table_name", sa.Text),
    sa.column("metadata_location", sa.Text),
    sa.column("previous_metadata_location", sa.Text),
    sa.column("iceberg_type", sa.Text),
)


def is_entry(name: TableName) -> tuple[sa.ColumnElement[bool], ...]:
    """The conditions that find a table's entry: a catalog for each account."""
    e = iceberg_entries.c
    return (
        e.catalog_name == name.account,
        e.table_namespace == name.database,
        e.table_name == name.table,
    )
