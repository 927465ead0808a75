"""Reading the audit log: finding records, and what they keep encrypted.

A record is shown from its canonical text; the columns are only for finding it. One whose columns
say otherwise, or whose text is damaged, is listed as damaged rather than left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from lakeveil.adapters.audit_append import ERASE, looking
from lakeveil.adapters.audit_keys import AuditKeys
from lakeveil.adapters.tables.audit import audit_record_keys, audit_records
from lakeveil.core.audit import (
    AuditId,
    AuditOutcome,
    AuditRecord,
    RecordKind,
    from_json,
    index_columns,
    searchable,
)
from lakeveil.core.audit_chain import (
    StoredRecord,
)
from lakeveil.errors import NotFound, SetupError

HEAD_FORMAT = "lakeveil-audit-head/1"
_PAGE = 500
_COLUMNS = (
    "writer", "sequence", "id", "at", "kind", "intent_id",
    "principal", "action", "resource", "outcome",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One record as it is shown. `record` is None where its text is damaged."""

    id: AuditId
    writer: str
    sequence: int
    record: AuditRecord | None
    is_open: bool
    """An intent without a completion: it is under way, or whoever began it died."""


class AuditTrail:
    """Reads the log that `open_audit_log` appends to."""

    def __init__(self, engine: sa.Engine, keys: AuditKeys) -> None:
        self._engine = engine
        self._keys = keys

    def entries(
        self,
        *,
        principal: str = "",
        action: str = "",
        resource: str = "",
        outcome: AuditOutcome | None = None,
        since: float | None = None,
        until: float | None = None,
        only_open: bool = False,
        limit: int = 100,
    ) -> list[Entry]:
        """The newest records first. A name that ends in `*` stands for all that begin so."""
        wanted: list[sa.ColumnElement[bool]] = []
        for column, text in (
            (audit_records.c.principal, principal),
            (audit_records.c.action, action),
            (audit_records.c.resource, resource),
        ):
            if text:
                wanted.append(_named(column, text))
        if outcome is not None:
            wanted.append(audit_records.c.outcome == outcome.value)
        if since is not None:
            wanted.append(audit_records.c.at >= since)
        if until is not None:
            wanted.append(audit_records.c.at < until)
        if only_open:
            wanted.append(is_open())
        newest = (
            audit_records.c.at.desc(),
            audit_records.c.writer,
            audit_records.c.sequence.desc(),
        )
        with looking(self._engine) as tx:
            rows = tx.execute(
                sa.select(audit_records, is_open().label("is_open"))
                .where(*wanted)
                .order_by(*newest)
                .limit(limit)
            ).all()
        return [_entry(row) for row in rows]

    def reveal(self, record_id: str) -> dict[str, str]:
        """The encrypted part of a record, in clear; {} where it never had one.

        Raises:
            NotFound: there is no such record, or that part was erased.
            SetupError: it cannot be read.
        """
        with looking(self._engine) as tx:
            text = tx.scalar(
                sa.select(audit_records.c.record).where(audit_records.c.id == record_id)
            )
            wrapped = tx.scalar(
                sa.select(audit_record_keys.c.wrapped).where(
                    audit_record_keys.c.record_id == record_id
                )
            )
        if text is None:
            raise NotFound(
                f"there is no audit record `{record_id}`",
                why="records are never removed, so the id is another",
                fix="lakeveil audit show",
            )
        sealed = _sound(record_id, text).sealed
        if not sealed:
            return {}
        if wrapped is None:
            raise NotFound(
                f"the encrypted part of record `{record_id}` was erased",
                why="its key was removed for good",
                fix=f"lakeveil audit show --action {ERASE}",
            )
        return self._keys.decrypt(record_id, sealed, wrapped)


def is_open() -> sa.ColumnElement[bool]:
    """The condition that a record is an intent without a completion."""
    completion = audit_records.alias("completion")
    return sa.and_(
        audit_records.c.kind == RecordKind.INTENT.value,
        ~sa.exists().where(completion.c.intent_id == audit_records.c.id),
    )


def _named(column: sa.Column[Any], text: str) -> sa.ColumnElement[bool]:
    clean = searchable(text)
    if not clean.endswith("*"):
        return column == clean
    # No LIKE: it folds case in SQLite, and `_` and `%` are good names.
    prefix = clean[:-1]
    return sa.func.substr(column, 1, len(prefix)) == prefix


def stored_record(row: sa.Row[Any]) -> StoredRecord:
    """A row of `audit_records` as verification wants it."""
    fields = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    return StoredRecord(
        writer=fields["writer"],
        sequence=fields["sequence"],
        id=fields["id"],
        columns={name: fields[name] for name in _COLUMNS},
        text=fields["record"],
        hash=fields["hash"],
        seal=fields["seal"],
    )


def _entry(row: sa.Row[Any]) -> Entry:
    stored = stored_record(row)
    try:
        record = from_json(stored.text)
    except ValueError:
        record = None
    if record is not None and index_columns(record) != stored.columns:
        record = None
    return Entry(
        id=AuditId(stored.id),
        writer=stored.writer,
        sequence=stored.sequence,
        record=record,
        is_open=bool(row.is_open),
    )


def _sound(record_id: str, text: str) -> AuditRecord:
    try:
        return from_json(text)
    except ValueError as error:
        raise SetupError(
            f"record `{record_id}` is damaged",
            why="its text was changed after it was written",
            fix="lakeveil audit verify",
            code="audit_log_damaged",
        ) from error
