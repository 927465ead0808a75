"""Extending one chain of the audit log by one record, within one write transaction.

The head is read and written in the transaction that adds the record, so that a chain cannot fork.
An append is refused where the head is not one that this log sealed: going on would give a cut-off
chain a good end again.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import sqlalchemy as sa

from lakeveil.adapters.audit_keys import AuditKeys
from lakeveil.adapters.database import reading, transaction
from lakeveil.adapters.tables.audit import audit_heads, audit_record_keys, audit_records
from lakeveil.core.audit import (
    AuditEvent,
    AuditId,
    AuditOutcome,
    AuditRecord,
    RecordKind,
    index_columns,
    to_json,
)
from lakeveil.core.audit_chain import (
    Head,
    StoredHead,
    chain_hash,
    head_seal,
    is_sealed,
    record_seal,
)
from lakeveil.errors import SetupError, Unavailable

OWN_CHAIN = "audit"
"""The log's own: its beginning, its chains, its erasures."""
BEGIN_LOG, OPEN_CHAIN, ERASE = "audit:BeginLog", "audit:OpenChain", "audit:Erase"
OURSELVES = "lakeveil"
"""The principal of what the log does by itself."""

# Made once: SQLAlchemy would take longer to make them than SQLite to run them.
_ADD_KEY = sa.insert(audit_record_keys)
_ADD_RECORD = sa.insert(audit_records)
_ADD_HEAD = sa.insert(audit_heads)
_MOVE_HEAD = sa.update(audit_heads).where(audit_heads.c.writer == sa.bindparam("of"))
_HEAD = sa.select(audit_heads).where(audit_heads.c.writer == sa.bindparam("of"))
_HEAD_LOCKED = _HEAD.with_for_update()


@contextmanager
def appending(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One write transaction; whatever the database has against it is `Unavailable`."""
    try:
        with transaction(engine) as tx:
            yield tx
    except sa.exc.SQLAlchemyError as error:
        # Not the database's own message: it may quote what was to be written.
        raise Unavailable(
            "the audit log cannot be written",
            why=f"the state database said {type(error.__cause__ or error).__name__}",
            fix="see `lakeveil doctor`, then `lakeveil audit verify`",
        ) from error


@contextmanager
def looking(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One look at one state of the log, beside any writer; else `Unavailable`."""
    try:
        with reading(engine) as tx:
            yield tx
    except sa.exc.SQLAlchemyError as error:
        raise Unavailable(
            "the audit log cannot be read",
            why=f"the state database said {type(error.__cause__ or error).__name__}",
            fix="see `lakeveil doctor`; keep a copy of the database as it is",
        ) from error


def append(
    tx: sa.Connection,
    keys: AuditKeys,
    writer: str,
    event: AuditEvent,
    *,
    now: float,
    kind: RecordKind = RecordKind.EVENT,
    intent: AuditId | None = None,
) -> AuditId:
    """Extend a writer's chain within a transaction that began as one that writes.

    Raises:
        SetupError: the chain's head was not written by this log.
    """
    stored = stored_head(tx, writer, lock=True)
    if stored is None and writer != OWN_CHAIN:
        # Two who open the same chain meet here; the second finds its head taken, and is undone.
        opened = AuditEvent(
            principal=OURSELVES, action=OPEN_CHAIN, resource=writer, outcome=AuditOutcome.DONE
        )
        append(tx, keys, OWN_CHAIN, opened, now=now)
    head = Head(writer=writer) if stored is None else trusted_head(stored, keys)
    record_id = AuditId(uuid.uuid4().hex)
    sealed = ""
    if event.sensitive:
        sealed, wrapped = keys.encrypt(record_id, event.sensitive)
        overwrite_what_is_deleted(tx)
        tx.execute(_ADD_KEY, {"record_id": record_id, "wrapped": wrapped})
    record = AuditRecord(
        id=record_id, writer=writer, sequence=head.count + 1, at=now, kind=kind,
        event=replace(event, sensitive={}), intent=intent, sealed=sealed,
    )  # fmt: skip
    text = to_json(record)
    reached = Head(writer=writer, count=record.sequence, hash=chain_hash(head.hash, text))
    tx.execute(
        _ADD_RECORD,
        index_columns(record)
        | {"record": text, "hash": reached.hash, "seal": record_seal(keys.seal, reached.hash)},
    )
    new = {"count": reached.count, "hash": reached.hash, "seal": head_seal(keys.seal, reached)}
    if stored is None:
        tx.execute(_ADD_HEAD, {"writer": writer, **new})
    else:
        tx.execute(_MOVE_HEAD, {"of": writer, **new})
    return record_id


def stored_head(tx: sa.Connection, writer: str, *, lock: bool = False) -> StoredHead | None:
    """A writer's head as the database holds it, or None."""
    row = tx.execute(_HEAD_LOCKED if lock else _HEAD, {"of": writer}).first()
    if row is None:
        return None
    # Through the tuple: `count` is also a method of every row.
    name, count, hashed, seal = row
    return StoredHead(head=Head(writer=name, count=count, hash=hashed), seal=seal)


def trusted_head(stored: StoredHead, keys: AuditKeys) -> Head:
    """The head, if this log wrote it.

    Raises:
        SetupError: somebody else did.
    """
    if not is_sealed(stored, keys.seal):
        raise SetupError(
            "nothing can be put on record, so nothing may happen",
            why="the end of the audit log was not written with these keys",
            fix="`lakeveil audit verify` says where; restore the state database and "
            "`audit-keys.json` from the same installation's backup",
            code="audit_log_damaged",
        )
    return stored.head


def overwrite_what_is_deleted(tx: sa.Connection) -> None:
    """From here on SQLite overwrites with zeros what this connection deletes."""
    # Also where keys are written: pages that split would leave copies of them behind.
    if tx.dialect.name == "sqlite":
        tx.exec_driver_sql("PRAGMA secure_delete=ON").close()
