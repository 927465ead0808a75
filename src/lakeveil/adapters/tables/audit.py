"""The audit log: records that are never changed, each writer's head, and keys that may be erased.

Triggers of the migration refuse to change or remove records; see `m0002_audit`.
"""

from __future__ import annotations

import sqlalchemy as sa

from lakeveil.adapters.tables.schema import metadata

audit_records = sa.Table(
    "audit_records",
    metadata,
    sa.Column("writer", sa.Text, primary_key=True),
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    # Copies of what is in `record`, to find it by.
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    # An intent is completed once: null for everything but completions.
    sa.Column("intent_id", sa.Text, unique=True),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("resource", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    # Canonical JSON, hashed as it stands here.
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("seal", sa.Text, nullable=False),
)
sa.Index("audit_records_by_time", audit_records.c.at)
sa.Index("audit_records_by_principal", audit_records.c.principal, audit_records.c.at)
sa.Index("audit_records_by_resource", audit_records.c.resource, audit_records.c.at)

audit_heads = sa.Table(
    "audit_heads",
    metadata,
    sa.Column("writer", sa.Text, primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("seal", sa.Text, nullable=False),
)

# The data key of each record's encrypted part, wrapped by the master key. Deleting is erasing.
audit_record_keys = sa.Table(
    "audit_record_keys",
    metadata,
    sa.Column("record_id", sa.Text, primary_key=True),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
)
