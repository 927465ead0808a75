"""Verifying the whole audit log, and exporting its signed heads.

Records are read a page at a time in short transactions, so that verifying never keeps a writer
waiting. A page and its chain's head are read together: what is appended meanwhile is verified too,
and is no finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from lakeveil.adapters.audit_append import ERASE, OPEN_CHAIN, OWN_CHAIN, looking, stored_head
from lakeveil.adapters.audit_keys import AuditKeys, is_signed
from lakeveil.adapters.audit_trail import is_open, stored_record
from lakeveil.adapters.tables.audit import audit_heads, audit_record_keys, audit_records
from lakeveil.core.audit import AuditRecord, canonical
from lakeveil.core.audit_chain import (
    Finding,
    Head,
    Problem,
    StoredHead,
    StoredRecord,
    is_sealed,
    missing_key,
    verify_anchor,
    verify_head,
    verify_run,
)
from lakeveil.errors import SetupError, UsageError

HEAD_FORMAT = "lakeveil-audit-head/1"
_PAGE = 500


class SignedHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every chain's head at one moment, signed with Ed25519 over its canonical JSON."""

    format: str
    at: float
    heads: tuple[Head, ...]
    public_key: str
    """Base64 of 32 bytes, for who has no access to this installation."""
    signature: str = ""
    """Base64; over the document without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What verifying the whole log gave; it is sound where there are no findings."""

    chains: int
    records: int
    """Sound ones."""
    encrypted: int
    """Records with an encrypted part, erased ones included."""
    erased: int
    open_intents: int
    findings: tuple[Finding, ...]
    """At most one per chain for its records: what follows the first is not told."""


def verify_log(
    engine: sa.Engine, keys: AuditKeys, *, against: SignedHead | None = None
) -> Verification:
    """Verify every record of every chain, and where given, a head exported before.

    Raises:
        Unavailable: the database did not answer.
    """
    with looking(engine) as tx:
        known = set(tx.scalars(sa.select(audit_heads.c.writer)))
        # Rows without a head would be looked at by nobody.
        known |= set(tx.scalars(sa.select(audit_records.c.writer).distinct()))
    seen = _Seen()
    # First, as it tells of the others; one that was opened since is in it, and is looked at, too.
    own = _verify_chain(engine, keys, Head(writer=OWN_CHAIN), seen)
    for writer in sorted((known | seen.opened) - {OWN_CHAIN}):
        if writer not in seen.opened:
            seen.findings.append(_unlisted(writer))
        _verify_chain(engine, keys, Head(writer=writer), seen)
    if own is not None and seen.keyless:
        # Some may have been erased since.
        _verify_chain(engine, keys, own, seen)
    seen.findings += [
        missing_key(record) for record in seen.keyless if record.id not in seen.erased
    ]
    if against is not None:
        seen.findings += _verify_anchor(engine, keys, against)
    with looking(engine) as tx:
        still_open = tx.scalar(
            sa.select(sa.func.count()).select_from(audit_records).where(is_open())
        )
    return Verification(
        chains=len(known | seen.opened | {OWN_CHAIN}),
        records=seen.records,
        encrypted=seen.encrypted,
        erased=len(seen.keyless),
        open_intents=still_open or 0,
        findings=tuple(seen.findings),
    )


def export_head(engine: sa.Engine, keys: AuditKeys, *, now: float) -> SignedHead:
    """Every chain's head at one moment, to be kept where nobody of this installation changes it.

    Raises:
        SetupError: a head is not one that this log wrote; nothing is signed.
    """
    with looking(engine) as tx:
        writers = tx.scalars(sa.select(audit_heads.c.writer).order_by(audit_heads.c.writer)).all()
        stored = [head for writer in writers if (head := stored_head(tx, writer)) is not None]
    for head in stored:
        if not is_sealed(head, keys.seal):
            raise SetupError(
                f"the head of audit chain `{head.head.writer}` is not signed",
                why="it was not written with the keys of this log",
                fix="lakeveil audit verify",
                code="audit_log_damaged",
            )
    document = SignedHead(
        format=HEAD_FORMAT,
        at=now,
        heads=tuple(head.head for head in stored),
        public_key=keys.public_key,
    )
    return msgspec.structs.replace(document, signature=keys.sign(_unsigned(document)))


def read_head(data: bytes) -> SignedHead:
    """The document that `export_head` gave, from JSON.

    Raises:
        UsageError: it is another document.
    """
    try:
        document = msgspec.json.decode(data, type=SignedHead)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _no_head(str(error)) from error
    if document.format != HEAD_FORMAT:
        raise _no_head(f"its format is not `{HEAD_FORMAT}`")
    return document


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    rows: tuple[StoredRecord, ...]
    keyed: frozenset[str]
    """Ids of the records whose data key is there."""
    head: StoredHead | None
    is_last: bool


class _Seen:
    """What the verified records tell of chains, keys and erasures."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.opened: set[str] = set()
        self.erased: set[Any] = set()
        self.keyless: list[AuditRecord] = []
        self.records = 0
        self.encrypted = 0

    def take(self, records: Sequence[AuditRecord], keyed: frozenset[str]) -> None:
        for record in records:
            self.records += 1
            if record.writer == OWN_CHAIN and record.event.action == OPEN_CHAIN:
                self.opened.add(record.event.resource)
            if record.writer == OWN_CHAIN and record.event.action == ERASE:
                erased = record.event.detail.get("records")
                self.erased.update(erased if isinstance(erased, list) else ())
            if record.sealed:
                self.encrypted += 1
                if record.id not in keyed:
                    self.keyless.append(record)


def _verify_chain(engine: sa.Engine, keys: AuditKeys, after: Head, seen: _Seen) -> Head | None:
    """Where the chain ends; None after something was found."""
    reached = after
    while True:
        page = _page(engine, reached)
        run = verify_run(reached, page.rows, keys.seal)
        seen.take(run.records, page.keyed)
        reached, finding = run.reached, run.finding
        if finding is None and page.is_last:
            finding = verify_head(reached, page.head, keys.seal)
        if finding is not None:
            seen.findings.append(finding)
            return None
        if page.is_last:
            return reached


def _page(engine: sa.Engine, after: Head) -> _Page:
    wanted = [audit_records.c.writer == after.writer]
    if after.count:
        # At the beginning without it: a forger may number his rows from below 1.
        wanted.append(audit_records.c.sequence > after.count)
    with looking(engine) as tx:
        rows = tx.execute(
            sa.select(audit_records, audit_record_keys.c.record_id.label("keyed"))
            .outerjoin(audit_record_keys, audit_record_keys.c.record_id == audit_records.c.id)
            .where(*wanted)
            .order_by(audit_records.c.sequence)
            .limit(_PAGE)
        ).all()
        head = stored_head(tx, after.writer)
    return _Page(
        rows=tuple(stored_record(row) for row in rows),
        keyed=frozenset(row.keyed for row in rows if row.keyed is not None),
        head=head,
        is_last=len(rows) < _PAGE,
    )


def _verify_anchor(engine: sa.Engine, keys: AuditKeys, document: SignedHead) -> Iterator[Finding]:
    # With our own key: one that the document brings along proves nothing.
    if not is_signed(_unsigned(document), signature=document.signature, public_key=keys.public_key):
        yield Finding(
            problem=Problem.NOT_AS_ANCHORED,
            writer=OWN_CHAIN,
            sequence=0,
            explanation="the exported head is not signed with this log's key",
        )
        return
    for head in document.heads:
        with looking(engine) as tx:
            row = tx.execute(
                sa.select(audit_records).where(
                    audit_records.c.writer == head.writer, audit_records.c.sequence == head.count
                )
            ).first()
        finding = verify_anchor(head, None if row is None else stored_record(row))
        if finding is not None:
            yield finding


def _unsigned(document: SignedHead) -> bytes:
    said = msgspec.to_builtins(document)
    del said["signature"]
    return canonical(said).encode("ascii")


def _unlisted(writer: str) -> Finding:
    return Finding(
        problem=Problem.UNLISTED,
        writer=writer,
        sequence=0,
        explanation="the log's own chain does not say that this one was opened",
    )


def _no_head(why: str) -> UsageError:
    return UsageError(
        "this is not an exported head of an audit log",
        why=why,
        fix="lakeveil audit head --json > HEAD.json",
    )
