"""Requests for access.

The table definition is repeated here on purpose: a migration must not change with the code.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "access_requests",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("requester", sa.Text, nullable=False),
        sa.Column("requester_account", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("database", sa.Text, nullable=False),
        sa.Column("table_name", sa.Text, nullable=False),
        sa.Column("columns_json", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("asked_at", sa.Float, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("answered_by", sa.Text, nullable=False, server_default=""),
        sa.Column("answered_at", sa.Float),
        sa.Column("answer", sa.Text, nullable=False, server_default=""),
        sa.Column("until", sa.Float),
        sa.Column("grant_id", sa.Text, nullable=False, server_default=""),
        sa.Column("own", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_index(
        "access_requests_by_account", "access_requests", ["account", "state", "asked_at"]
    )
    op.create_index("access_requests_by_requester", "access_requests", ["requester", "asked_at"])
