"""The lake: its catalog, what is tagged, and who was granted what.

Names are lower case. Columns that hold JSON say so in `_json`; their forms are in
`lakeveil.adapters.lake.codec`.
"""

from __future__ import annotations

import sqlalchemy as sa

from lakeveil.adapters.tables.schema import metadata

lake_versions = sa.Table(
    "lake_versions",
    metadata,
    # `policy` grows with every change of tags, grants, filters, settings or locations.
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
)

lake_databases = sa.Table(
    "lake_databases",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False, server_default=""),
    sa.Column("document_json", sa.Text, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("discoverable", sa.Boolean, nullable=False, server_default=sa.true()),
)

lake_tables = sa.Table(
    "lake_tables",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("database", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False, server_default=""),
    sa.Column("columns_json", sa.Text, nullable=False),
    sa.Column("document_json", sa.Text, nullable=False),
    sa.Column("location", sa.Text, nullable=False, server_default=""),
    sa.Column("metadata_location", sa.Text, nullable=False, server_default=""),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
    sa.Column("updated_by", sa.Text, nullable=False, server_default=""),
    sa.Column("discoverable", sa.Boolean, nullable=False, server_default=sa.true()),
)

lake_table_versions = sa.Table(
    "lake_table_versions",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("database", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("columns_json", sa.Text, nullable=False),
    sa.Column("document_json", sa.Text, nullable=False),
    sa.Column("location", sa.Text, nullable=False, server_default=""),
    sa.Column("metadata_location", sa.Text, nullable=False, server_default=""),
    sa.Column("updated_at", sa.Float, nullable=False),
    sa.Column("updated_by", sa.Text, nullable=False, server_default=""),
)

lake_partitions = sa.Table(
    "lake_partitions",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("database", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    # A JSON list of texts; one partition each.
    sa.Column("values_json", sa.Text, primary_key=True),
    sa.Column("document_json", sa.Text, nullable=False),
)

lf_tags = sa.Table(
    "lf_tags",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("values_json", sa.Text, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False, server_default=""),
)

lf_assignments = sa.Table(
    "lf_assignments",
    metadata,
    # Empty below the resource that carries the tag: a database's have no table and no column.
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("database", sa.Text, primary_key=True),
    sa.Column("table_name", sa.Text, primary_key=True),
    sa.Column("column_name", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("set_by", sa.Text, nullable=False, server_default=""),
    sa.Column("set_at", sa.Float, nullable=False, server_default="0"),
)
sa.Index("lf_assignments_by_key", lf_assignments.c.account, lf_assignments.c.key)

lf_expressions = sa.Table(
    "lf_expressions",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("body_json", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
)

lf_grants = sa.Table(
    "lf_grants",
    metadata,
    # Never used twice: an audit record that names one must stay unambiguous.
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("resource_json", sa.Text, nullable=False),
    sa.Column("permissions_json", sa.Text, nullable=False),
    sa.Column("grantable_json", sa.Text, nullable=False),
    sa.Column("mask_json", sa.Text),
    sa.Column("expires_at", sa.Float),
    sa.Column("granted_by", sa.Text, nullable=False, server_default=""),
    sa.Column("granted_at", sa.Float, nullable=False, server_default="0"),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sqlite_autoincrement=True,
)

lf_filters = sa.Table(
    "lf_filters",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("database", sa.Text, primary_key=True),
    sa.Column("table_name", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("columns_json", sa.Text, nullable=False),
    sa.Column("excluding", sa.Boolean, nullable=False),
    # Null: every row.
    sa.Column("row_filter", sa.Text),
    sa.Column("version", sa.Text, nullable=False, server_default=""),
)

lf_settings = sa.Table(
    "lf_settings",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("settings_json", sa.Text, nullable=False),
)

lf_locations = sa.Table(
    "lf_locations",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("location", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, nullable=False, server_default=""),
    sa.Column("registered_at", sa.Float, nullable=False),
    sa.Column("registered_by", sa.Text, nullable=False, server_default=""),
)
