"""The AuditLog port in SQL: each append is one short transaction that extends one chain.

A *writer* is a named chain (`web`, `worker`, `cli`), and any number of processes append to it: the
head is read and written in one write transaction, so that a chain cannot fork. Chains per process
would grow in number without end, and one of them could vanish unseen. The log's own chain, `audit`,
lists when the log began, every other chain, and every erasure.

In SQLite every append is on disk when it returns.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from lakeveil.adapters.audit_append import (
    BEGIN_LOG,
    ERASE,
    OURSELVES,
    OWN_CHAIN,
    append,
    appending,
    looking,
    overwrite_what_is_deleted,
    stored_head,
    trusted_head,
)
from lakeveil.adapters.audit_keys import AuditKeys, draw_keys, keep_keys, load_keys
from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.credentials import private_directory
from lakeveil.adapters.tables.audit import audit_record_keys, audit_records
from lakeveil.core.audit import (
    AuditEvent,
    AuditId,
    AuditOutcome,
    AuditRecord,
    Json,
    RecordKind,
    from_json,
    searchable,
)
from lakeveil.core.audit_chain import is_sealed
from lakeveil.errors import Conflict, NotFound, SetupError, Unavailable, UsageError
from lakeveil.ports import Clock

_IDS_PER_RECORD = 500
_FORGET_WITHIN_S = 5.0
_LOCK_FILE = "audit-keys.lock"


def open_audit_log(
    engine: sa.Engine, home: Path, *, writer: str = "local", clock: Clock | None = None
) -> SqlAuditLog:
    """The audit log over an engine from `open_database`; it begins if there is none yet.

    Raises:
        SetupError: keys without a log, or a log without its keys: one of them was removed.
    """
    clock = clock or SystemClock()
    keys = load_keys(home)
    if keys is None:
        with _alone(private_directory(home)):
            keys = load_keys(home) or _begin(engine, home, clock)
    with looking(engine) as tx:
        stored = stored_head(tx, OWN_CHAIN)
        if stored is None:
            raise SetupError(
                "the audit log is gone",
                why=f"`{home}` has its keys, and the state database has no record of it",
                fix="restore a backup of the state database; if the log was removed on purpose, "
                f"move its keys in `{home}` elsewhere",
                code="audit_log_gone",
            )
        trusted_head(stored, keys)
    return SqlAuditLog(engine, keys, writer=writer, clock=clock)


class SqlAuditLog:
    """Appends to one writer's chain. Thread-safe; made by `open_audit_log`."""

    def __init__(self, engine: sa.Engine, keys: AuditKeys, *, writer: str, clock: Clock) -> None:
        if not writer or writer == OWN_CHAIN:
            raise UsageError(
                f"`{writer}` cannot be the name of an audit chain",
                why="it is kept for the log itself" if writer else "it is empty",
                fix="name the part of Lakeveil that writes, such as `web`",
            )
        self._engine = engine
        self._writer = writer
        self._clock = clock
        self.keys = keys

    def intend(self, event: AuditEvent) -> AuditId:
        """Put on record, durably, what is about to happen: before data leaves or a change is made.

        Raises:
            UsageError: its outcome is not `allowed`, or it cannot be written.
            Unavailable: the database did not answer.
            SetupError: somebody tampered with the log.
        """
        if event.outcome is not AuditOutcome.ALLOWED:
            raise UsageError(
                f"an intent to `{event.action}` has the outcome `{event.outcome}`",
                why="only what was allowed is about to happen",
                fix="use `record` for a refusal",
            )
        return self._append(event, RecordKind.INTENT)

    def record(self, event: AuditEvent) -> AuditId:
        """Put on record something complete in itself: a sign-in, a refusal, a change.

        Raises:
            UsageError: it cannot be written.
            Unavailable: the database did not answer.
            SetupError: somebody tampered with the log.
        """
        return self._append(event, RecordKind.EVENT)

    def complete(
        self,
        intent: AuditId,
        *,
        outcome: AuditOutcome,
        size_bytes: int | None = None,
        rows: int | None = None,
        error_code: str = "",
        detail: Mapping[str, Json] | None = None,
    ) -> AuditId:
        """Put on record what became of an intent; who, what and where are taken from it.

        Raises:
            NotFound: there is no such intent.
            Conflict: it was completed before.
            Unavailable: the database did not answer.
        """
        with appending(self._engine) as tx:
            intended = _intended(tx, intent).event
            done = AuditEvent(
                principal=intended.principal,
                session=intended.session,
                access_key=intended.access_key,
                account=intended.account,
                action=intended.action,
                resource=intended.resource,
                request_id=intended.request_id,
                source_ip=intended.source_ip,
                outcome=outcome,
                error_code=error_code,
                size_bytes=size_bytes,
                rows=rows,
                detail=detail or {},
            )
            return append(
                tx, self.keys, self._writer, done,
                now=self._clock.now(), kind=RecordKind.COMPLETION, intent=intent,
            )  # fmt: skip

    def erase(
        self,
        *,
        ids: Sequence[str] = (),
        principal: str = "",
        before: float | None = None,
        requested_by: str,
        reason: str = "",
    ) -> int:
        """Erase encrypted parts for good: of these records, of this principal, older than `before`.

        All that are given must apply. Removes the data keys and puts that on record, together;
        returns how many. The records stay, and so does the chain.

        Raises:
            UsageError: nothing says which.
            NotFound: no such record has an encrypted part left.
            Unavailable: the database did not answer, or still holds a copy (try again).
        """
        wanted = _erasable(ids, principal, before)
        with appending(self._engine) as tx:
            overwrite_what_is_deleted(tx)
            found = tx.scalars(
                sa.select(audit_record_keys.c.record_id)
                .join(audit_records, audit_records.c.id == audit_record_keys.c.record_id)
                .where(*wanted)
                .order_by(audit_records.c.writer, audit_records.c.sequence)
            ).all()
            for start in range(0, len(found), _IDS_PER_RECORD):
                some = found[start : start + _IDS_PER_RECORD]
                event = AuditEvent(
                    principal=requested_by,
                    action=ERASE,
                    outcome=AuditOutcome.DONE,
                    detail={
                        "records": list(some),
                        "reason": reason,
                        "of": {"principal": principal, "before": before, "ids": bool(ids)},
                    },
                )
                append(tx, self.keys, OWN_CHAIN, event, now=self._clock.now())
                tx.execute(
                    sa.delete(audit_record_keys).where(audit_record_keys.c.record_id.in_(some))
                )
        # Also where nothing was found: an earlier erasure may have had to leave copies.
        _forget_copies(self._engine, self._clock)
        if not found:
            raise NotFound(
                "there is nothing to erase",
                why="no such record has an encrypted part that can still be read",
                fix="lakeveil audit show",
            )
        return len(found)

    def _append(self, event: AuditEvent, kind: RecordKind) -> AuditId:
        with appending(self._engine) as tx:
            return append(tx, self.keys, self._writer, event, now=self._clock.now(), kind=kind)


def _begin(engine: sa.Engine, home: Path, clock: Clock) -> AuditKeys:
    keys = draw_keys(home)
    with appending(engine) as tx:
        stored = stored_head(tx, OWN_CHAIN)
        if stored is None:
            event = AuditEvent(principal=OURSELVES, action=BEGIN_LOG, outcome=AuditOutcome.DONE)
            append(tx, keys, OWN_CHAIN, event, now=clock.now())
        elif not is_sealed(stored, keys.seal):
            raise SetupError(
                "the keys of the audit log are gone",
                why=f"the state database holds a log, and `{home}` has no keys for it",
                fix=f"restore `audit-keys.json` into `{home}` from a backup",
                code="audit_keys_gone",
            )
    # Only now: keys that are in place promise that the log has begun.
    keep_keys(home)
    return keys


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(home / _LOCK_FILE, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _intended(tx: sa.Connection, intent: AuditId) -> AuditRecord:
    text = tx.scalar(
        sa.select(audit_records.c.record).where(
            audit_records.c.id == intent, audit_records.c.kind == RecordKind.INTENT.value
        )
    )
    if text is None:
        raise NotFound(
            f"there is no intent `{intent}` on record",
            why="its id is another, or it was never written",
            fix="complete with the id that `intend` gave",
        )
    if tx.scalar(sa.select(audit_records.c.id).where(audit_records.c.intent_id == intent)):
        raise Conflict(
            f"intent `{intent}` is complete already",
            why="what became of it is said once",
            fix="begin with an intent of its own",
        )
    try:
        return from_json(text)
    except ValueError as error:
        raise SetupError(
            f"intent `{intent}` is damaged",
            why="its text was changed after it was written",
            fix="lakeveil audit verify",
            code="audit_log_damaged",
        ) from error


def _erasable(
    ids: Sequence[str], principal: str, before: float | None
) -> list[sa.ColumnElement[bool]]:
    wanted: list[sa.ColumnElement[bool]] = []
    if ids:
        wanted.append(audit_records.c.id.in_(list(ids)))
    if principal:
        wanted.append(audit_records.c.principal == searchable(principal))
    if before is not None:
        wanted.append(audit_records.c.at < before)
    if not wanted:
        raise UsageError(
            "nothing says what to erase",
            why="everything is never meant",
            fix="name records, a principal, or a time",
        )
    return wanted


def _forget_copies(engine: sa.Engine, clock: Clock) -> None:
    """Empty SQLite's write-ahead log: it still holds pages as they were."""
    if engine.dialect.name != "sqlite":
        return
    end = clock.now() + _FORGET_WITHIN_S
    while True:
        with _driver(engine) as connection:
            # Waits for readers, and not for somebody else who is emptying it.
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if not busy:
            return
        if clock.now() >= end:
            raise _copies_remain("somebody reads the database all the time")
        clock.sleep(0.1)


@contextmanager
def _driver(engine: sa.Engine) -> Iterator[Any]:
    connection = engine.raw_connection()
    try:
        yield connection.driver_connection
    except sqlite3.Error as error:
        raise _copies_remain(f"the state database said {type(error).__name__}") from error
    finally:
        connection.close()


def _copies_remain(why: str) -> Unavailable:
    return Unavailable(
        "the keys are erased, and the database's write-ahead log may still hold copies",
        why=why,
        fix="erase the same again a little later",
        code="erased_copies_remain",
    )
