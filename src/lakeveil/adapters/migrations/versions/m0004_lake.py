"""The catalog, its tags, and who may see what."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the lake's tables."""
    op.create_table(
        "lake_versions",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "lake_databases",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False, server_default=""),
        sa.Column("document_json", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("discoverable", sa.Boolean, nullable=False, server_default=sa.true()),
    )
    op.create_table(
        "lake_tables",
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
    op.create_table(
        "lake_table_versions",
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
    op.create_table(
        "lake_partitions",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("database", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("values_json", sa.Text, primary_key=True),
        sa.Column("document_json", sa.Text, nullable=False),
    )
    op.create_table(
        "lf_tags",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("values_json", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False, server_default=""),
    )
    op.create_table(
        "lf_assignments",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("database", sa.Text, primary_key=True),
        sa.Column("table_name", sa.Text, primary_key=True),
        sa.Column("column_name", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("set_by", sa.Text, nullable=False, server_default=""),
        sa.Column("set_at", sa.Float, nullable=False, server_default="0"),
    )
    op.create_table(
        "lf_expressions",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("body_json", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False, server_default=""),
    )
    op.create_table(
        "lf_grants",
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
    op.create_table(
        "lf_filters",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("database", sa.Text, primary_key=True),
        sa.Column("table_name", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("columns_json", sa.Text, nullable=False),
        sa.Column("excluding", sa.Boolean, nullable=False),
        sa.Column("row_filter", sa.Text),
        sa.Column("version", sa.Text, nullable=False, server_default=""),
    )
    op.create_table(
        "lf_settings",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("settings_json", sa.Text, nullable=False),
    )
    op.create_table(
        "lf_locations",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("location", sa.Text, primary_key=True),
        sa.Column("role", sa.Text, nullable=False, server_default=""),
        sa.Column("registered_at", sa.Float, nullable=False),
        sa.Column("registered_by", sa.Text, nullable=False, server_default=""),
    )
    op.create_index("lf_assignments_by_key", "lf_assignments", ["account", "key"])
