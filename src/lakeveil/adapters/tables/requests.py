"""Requests for access, and what became of each."""

from __future__ import annotations

import sqlalchemy as sa

from lakeveil.adapters.tables.schema import metadata

access_requests = sa.Table(
    "access_requests",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("requester", sa.Text, nullable=False),
    sa.Column("requester_account", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("database", sa.Text, nullable=False),
    sa.Column("table_name", sa.Text, nullable=False),
    # A JSON list of names.
    sa.Column("columns_json", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("asked_at", sa.Float, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("answered_by", sa.Text, nullable=False, server_default=""),
    sa.Column("answered_at", sa.Float),
    sa.Column("answer", sa.Text, nullable=False, server_default=""),
    sa.Column("until", sa.Float),
    # Empty until the grant is there.
    sa.Column("grant_id", sa.Text, nullable=False, server_default=""),
    sa.Column("own", sa.Boolean, nullable=False, server_default=sa.false()),
)
sa.Index(
    "access_requests_by_account",
    access_requests.c.account,
    access_requests.c.state,
    access_requests.c.asked_at,
)
sa.Index("access_requests_by_requester", access_requests.c.requester, access_requests.c.asked_at)
