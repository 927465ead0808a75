"""Queries, workgroups, and what is saved in them.

The table definitions are repeated here on purpose: a migration must not change with the code.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "queries",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False, unique=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("workgroup", sa.Text, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("server", sa.Text, nullable=False, server_default=""),
        sa.Column("client_token", sa.Text),
        sa.Column("submitted_at", sa.Float, nullable=False),
        sa.Column("scanned_bytes", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("record", sa.Text, nullable=False),
        sa.UniqueConstraint("account", "principal", "client_token"),
    )
    op.create_index("queries_by_workgroup", "queries", ["account", "workgroup", "number"])
    op.create_index("queries_by_state", "queries", ["state", "server"])
    op.create_table(
        "query_servers",
        sa.Column("server", sa.Text, primary_key=True),
        sa.Column("seen_at", sa.Float, nullable=False),
    )
    op.create_table(
        "workgroups",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_table(
        "named_queries",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("workgroup", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_index("named_queries_by_workgroup", "named_queries", ["account", "workgroup"])
    op.create_table(
        "prepared_statements",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("workgroup", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("record", sa.Text, nullable=False),
    )
