"""The audit log: records that cannot be changed, heads that only grow, keys that may be erased.

The triggers stop mistakes and the merely curious: who may alter the schema can drop them, and then
the hash chain and its seals tell. On PostgreSQL the same is done with rights, not triggers: the
role of Lakeveil gets INSERT and SELECT on `audit_records`, and UPDATE on `audit_heads` besides,
while another role owns the tables.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# SQLite's INSERT OR REPLACE removes the old row without firing DELETE triggers: hence those on
# INSERT.
_SQLITE_TRIGGERS = (
    """CREATE TRIGGER audit_records_keep_update BEFORE UPDATE ON audit_records
    BEGIN SELECT RAISE(ABORT, 'audit records are never changed'); END""",
    """CREATE TRIGGER audit_records_keep_delete BEFORE DELETE ON audit_records
    BEGIN SELECT RAISE(ABORT, 'audit records are never removed'); END""",
    """CREATE TRIGGER audit_records_keep_insert BEFORE INSERT ON audit_records
    WHEN EXISTS (SELECT 1 FROM audit_records WHERE id = NEW.id
        OR (writer = NEW.writer AND sequence = NEW.sequence) OR intent_id = NEW.intent_id)
    BEGIN SELECT RAISE(ABORT, 'audit records are never replaced'); END""",
    """CREATE TRIGGER audit_heads_keep_update BEFORE UPDATE ON audit_heads
    WHEN NEW.writer <> OLD.writer OR NEW.count <> OLD.count + 1
    BEGIN SELECT RAISE(ABORT, 'audit heads only grow'); END""",
    """CREATE TRIGGER audit_heads_keep_delete BEFORE DELETE ON audit_heads
    BEGIN SELECT RAISE(ABORT, 'audit heads are never removed'); END""",
    """CREATE TRIGGER audit_heads_keep_insert BEFORE INSERT ON audit_heads
    WHEN NEW.count <> 1 OR EXISTS (SELECT 1 FROM audit_heads WHERE writer = NEW.writer)
    BEGIN SELECT RAISE(ABORT, 'audit heads only grow'); END""",
    """CREATE TRIGGER audit_record_keys_keep_update BEFORE UPDATE ON audit_record_keys
    BEGIN SELECT RAISE(ABORT, 'keys of audit records are never changed'); END""",
)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "audit_records",
        sa.Column("writer", sa.Text, primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("intent_id", sa.Text, unique=True),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("seal", sa.Text, nullable=False),
    )
    op.create_index("audit_records_by_time", "audit_records", ["at"])
    op.create_index("audit_records_by_principal", "audit_records", ["principal", "at"])
    op.create_index("audit_records_by_resource", "audit_records", ["resource", "at"])
    op.create_table(
        "audit_heads",
        sa.Column("writer", sa.Text, primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("seal", sa.Text, nullable=False),
    )
    op.create_table(
        "audit_record_keys",
        sa.Column("record_id", sa.Text, primary_key=True),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        for trigger in _SQLITE_TRIGGERS:
            op.execute(trigger)
