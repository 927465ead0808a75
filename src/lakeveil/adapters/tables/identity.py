"""Accounts, users, groups, roles, keys, sessions, issuers, and how often any of them changed.

What is deleted takes along what stands on it: members, keys and sessions go with their user,
sessions with their role or issuer. An account goes only when it is empty.
"""

from __future__ import annotations

import sqlalchemy as sa

from lakeveil.adapters.tables.schema import metadata

identity_version = sa.Table(
    "identity_version",
    metadata,
    # One row.
    sa.Column("id", sa.Integer, primary_key=True),
    # Grows whenever what is known of a key may have changed: what readers keep is void then.
    sa.Column("changes", sa.BigInteger, nullable=False),
    # Grows whenever there is a new key or session.
    sa.Column("issues", sa.BigInteger, nullable=False),
)

identity_accounts = sa.Table(
    "identity_accounts",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("organisation", sa.Text, nullable=False, server_default=""),
    # JSON: ARNs.
    sa.Column("units", sa.Text, nullable=False, server_default="[]"),
    sa.Column("created_at", sa.Float, nullable=False),
)

identity_users = sa.Table(
    "identity_users",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("identity_accounts.id"), primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("policy", sa.Text, nullable=False, server_default=""),
    sa.Column("created_at", sa.Float, nullable=False),
)

identity_groups = sa.Table(
    "identity_groups",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("identity_accounts.id"), primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("policy", sa.Text, nullable=False, server_default=""),
    sa.Column("created_at", sa.Float, nullable=False),
)

identity_members = sa.Table(
    "identity_members",
    metadata,
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

identity_roles = sa.Table(
    "identity_roles",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("identity_accounts.id"), primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("trust", sa.Text, nullable=False),
    sa.Column("policy", sa.Text, nullable=False, server_default=""),
    sa.Column("max_session_s", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
)

identity_issuers = sa.Table(
    "identity_issuers",
    metadata,
    sa.Column("account", sa.Text, sa.ForeignKey("identity_accounts.id"), primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    # JSON.
    sa.Column("audiences", sa.Text, nullable=False),
    sa.Column("groups_claim", sa.Text, nullable=False),
    sa.Column("user_claim", sa.Text, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    # A token says whose it is by the URL: in one account it must name one issuer.
    sa.UniqueConstraint("account", "url"),
)

identity_keys = sa.Table(
    "identity_keys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("user", sa.Text, nullable=False),
    # Encrypted: the signature's check needs the secret itself.
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
sa.Index("identity_keys_by_user", identity_keys.c.account, identity_keys.c.user)

identity_sessions = sa.Table(
    "identity_sessions",
    metadata,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("sealed_secret", sa.Text, nullable=False),
    # SHA-256 in hexadecimal: the token is long and random, so nothing can be guessed from it.
    sa.Column("token_hash", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("user", sa.Text),
    sa.Column("role", sa.Text),
    sa.Column("issuer", sa.Text),
    # A key's or a session's id: no foreign key, as it may be either.
    sa.Column("parent", sa.Text),
    sa.Column("depth", sa.Integer, nullable=False),
    sa.Column("issued_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
    # JSON of the rest: name, policy, tags, identities.
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
sa.Index("identity_sessions_by_role", identity_sessions.c.account, identity_sessions.c.role)
sa.Index("identity_sessions_by_user", identity_sessions.c.account, identity_sessions.c.user)
sa.Index("identity_sessions_by_expiry", identity_sessions.c.expires_at)
