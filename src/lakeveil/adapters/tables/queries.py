"""Queries, workgroups, and what is saved in them."""

from __future__ import annotations

import sqlalchemy as sa

from lakeveil.adapters.tables.schema import metadata

queries = sa.Table(
    "queries",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    # In the order of being submitted; ids are random.
    sa.Column("number", sa.BigInteger, nullable=False, unique=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("workgroup", sa.Text, nullable=False),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("server", sa.Text, nullable=False, server_default=""),
    sa.Column("client_token", sa.Text),
    sa.Column("submitted_at", sa.Float, nullable=False),
    sa.Column("scanned_bytes", sa.BigInteger, nullable=False, server_default="0"),
    # The whole record, as JSON.
    sa.Column("record", sa.Text, nullable=False),
    sa.UniqueConstraint("account", "principal", "client_token"),
)
sa.Index("queries_by_workgroup", queries.c.account, queries.c.workgroup, queries.c.number)
sa.Index("queries_by_state", queries.c.state, queries.c.server)

query_servers = sa.Table(
    "query_servers",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("seen_at", sa.Float, nullable=False),
)

workgroups = sa.Table(
    "workgroups",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("record", sa.Text, nullable=False),
)

named_queries = sa.Table(
    "named_queries",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("workgroup", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
)
sa.Index("named_queries_by_workgroup", named_queries.c.account, named_queries.c.workgroup)

prepared_statements = sa.Table(
    "prepared_statements",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("workgroup", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("record", sa.Text, nullable=False),
)
