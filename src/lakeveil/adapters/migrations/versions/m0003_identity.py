"""Accounts, users, groups, roles, keys, sessions and issuers.

The table definitions are repeated here on purpose: a migration must not change with the code.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "identity_version",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("changes", sa.BigInteger, nullable=False),
        sa.Column("issues", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO identity_version (id, changes, issues) VALUES (1, 0, 0)")
    op.create_table(
        "identity_accounts",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("organisation", sa.Text, nullable=False, server_default=""),
        sa.Column("units", sa.Text, nullable=False, server_default="[]"),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_table(
        "identity_users",
        sa.Column("account", sa.Text, sa.ForeignKey("identity_accounts.id"), primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("policy", sa.Text, nullable=False, server_default=""),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_table(
        "identity_groups",
        sa.Column("account", sa.Text, sa.ForeignKey("identity_accounts.id"), primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("policy", sa.Text, nullable=False, server_default=""),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_table(
        "identity_members",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("group", sa.Text, primary_key=True),
        sa.Column("user", sa.Text, primary_key=True),
        sa.ForeignKeyConstraint(
            ["account", "group"],
            ["identity_groups.account", "identity_groups.name"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["account", "user"],
            ["identity_users.account", "identity_users.name"],
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "identity_roles",
        sa.Column("account", sa.Text, sa.ForeignKey("identity_accounts.id"), primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("trust", sa.Text, nullable=False),
        sa.Column("policy", sa.Text, nullable=False, server_default=""),
        sa.Column("max_session_s", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_table(
        "identity_issuers",
        sa.Column("account", sa.Text, sa.ForeignKey("identity_accounts.id"), primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("audiences", sa.Text, nullable=False),
        sa.Column("groups_claim", sa.Text, nullable=False),
        sa.Column("user_claim", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.UniqueConstraint("account", "url"),
    )
    op.create_table(
        "identity_keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("sealed_secret", sa.Text, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float),
        sa.Column("last_used_at", sa.Float),
        sa.ForeignKeyConstraint(
            ["account", "user"],
            ["identity_users.account", "identity_users.name"],
            ondelete="CASCADE",
        ),
    )
    op.create_index("identity_keys_by_user", "identity_keys", ["account", "user"])
    op.create_table(
        "identity_sessions",
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("sealed_secret", sa.Text, nullable=False),
        sa.Column("token_hash", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("user", sa.Text),
        sa.Column("role", sa.Text),
        sa.Column("issuer", sa.Text),
        sa.Column("parent", sa.Text),
        sa.Column("depth", sa.Integer, nullable=False),
        sa.Column("issued_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["account", "user"],
            ["identity_users.account", "identity_users.name"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["account", "role"],
            ["identity_roles.account", "identity_roles.name"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["account", "issuer"],
            ["identity_issuers.account", "identity_issuers.name"],
            ondelete="CASCADE",
        ),
        sa.CheckConstraint('("user" IS NULL) <> (role IS NULL)', name="identity_sessions_of_one"),
    )
    op.create_index("identity_sessions_by_role", "identity_sessions", ["account", "role"])
    op.create_index("identity_sessions_by_user", "identity_sessions", ["account", "user"])
    op.create_index("identity_sessions_by_expiry", "identity_sessions", ["expires_at"])
