"""Photos, reviews, worker slots, rates and backfills.

The table definitions are repeated here on purpose: a migration must not change with the code.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first tables."""
    op.create_table(
        "photos",
        sa.Column("bucket", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("collection", sa.Text, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("claimed_by", sa.Text, nullable=False, server_default=""),
        sa.Column("claimed_until", sa.Float, nullable=False, server_default="0"),
        sa.Column("outcome", sa.Text),
        sa.Column("version", sa.Text),
        sa.Column("etag", sa.Text),
        sa.Column("sequencer", sa.Text),
        sa.Column("policy_version", sa.Text),
        sa.Column("updated_at", sa.Float),
        sa.Column("record", sa.Text),
        sa.Column("instructions", sa.Text),
        sa.Column("instructions_revision", sa.Integer, nullable=False, server_default="0"),
        sa.Column("offered_at", sa.Float),
    )
    op.create_index("photos_by_collection", "photos", ["collection", "outcome", "key"])
    op.create_index("photos_by_offer", "photos", ["offered_at"])
    op.create_table(
        "reviews",
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
    op.create_index("reviews_by_collection", "reviews", ["collection"])
    op.create_table(
        "slots",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("expires_at", sa.Float, nullable=False),
    )
    op.create_table(
        "rates",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("next_free_at", sa.Float, nullable=False),
    )
    op.create_table(
        "backfills",
        sa.Column("bucket", sa.Text, primary_key=True),
        sa.Column("prefix", sa.Text, primary_key=True),
        sa.Column("after_key", sa.Text, nullable=False, server_default=""),
        sa.Column("listed", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("enqueued", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("finished", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("updated_at", sa.Float, nullable=False),
    )
