"""Photos: what became of each, and what the workers share."""

from __future__ import annotations

import sqlalchemy as sa

from lakeveil.adapters.tables.schema import metadata

photos = sa.Table(
    "photos",
    metadata,
    sa.Column("bucket", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("collection", sa.Text, nullable=False),
    # Grows with every claim: whoever completes must hold the newest.
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("claimed_by", sa.Text, nullable=False, server_default=""),
    sa.Column("claimed_until", sa.Float, nullable=False, server_default="0"),
    # Null until a first outcome is known.
    sa.Column("outcome", sa.Text),
    sa.Column("version", sa.Text),
    sa.Column("etag", sa.Text),
    sa.Column("sequencer", sa.Text),
    sa.Column("policy_version", sa.Text),
    sa.Column("updated_at", sa.Float),
    sa.Column("record", sa.Text),
    sa.Column("instructions", sa.Text),
    sa.Column("instructions_revision", sa.Integer, nullable=False, server_default="0"),
    # When the release was offered for review; null: it was not, or it was looked at since.
    sa.Column("offered_at", sa.Float),
)
sa.Index("photos_by_collection", photos.c.collection, photos.c.outcome, photos.c.key)
sa.Index("photos_by_offer", photos.c.offered_at)

reviews = sa.Table(
    "reviews",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("collection", sa.Text, nullable=False),
    sa.Column("bucket", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("etag", sa.Text, nullable=False),
    sa.Column("policy_version", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("reviewer", sa.Text, nullable=False),
    sa.Column("reviewed_at", sa.Float, nullable=False),
)
sa.Index("reviews_by_collection", reviews.c.collection)

slots = sa.Table(
    "slots",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, primary_key=True),
    sa.Column("expires_at", sa.Float, nullable=False),
)

rates = sa.Table(
    "rates",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("next_free_at", sa.Float, nullable=False),
)

backfills = sa.Table(
    "backfills",
    metadata,
    sa.Column("bucket", sa.Text, primary_key=True),
    sa.Column("prefix", sa.Text, primary_key=True),
    sa.Column("after_key", sa.Text, nullable=False, server_default=""),
    sa.Column("listed", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("enqueued", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("finished", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("updated_at", sa.Float, nullable=False),
)
