"""The chain through one writer's records, and how to tell that somebody touched it.

Each record's hash is SHA-256 over the hash before it and its canonical text: a record that is
changed, removed, moved or inserted breaks every hash after it. Whoever has only the database
could compute all of them anew; he cannot make the *seals*: HMAC-SHA-256 with a key that is not in
the database, one over each hash (so that the first forged record can be named) and one over each
writer's head (so that the end cannot be cut off). Hashes and seals are hexadecimal.

What seals cannot show: an old head put back together with the records of its time, as restoring
a backup does. A head that was exported and kept elsewhere shows that, too.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lakeveil.core.audit import AuditId, AuditRecord, canonical, from_json, index_columns

FIRST = "00" * 32
"""What stands before a writer's first record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """How far a writer's chain goes: `hash` is that of record `count`."""

    writer: str
    count: int = 0
    hash: str = FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredHead:
    """A head as the database holds it, with its seal: not to be trusted yet."""

    head: Head
    seal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """A row as the database holds it: not to be trusted yet."""

    writer: str
    sequence: int
    id: str
    columns: dict[str, Any] = field(repr=False)
    """As `index_columns` made them."""
    text: str = field(repr=False)
    hash: str
    seal: str


class Problem(StrEnum):
    """What is wrong with a record or a head."""

    MISSING = "missing"
    CHANGED = "changed"
    MOVED = "moved"
    INSERTED = "inserted"
    FORGED = "forged"
    """The hashes fit, and the seal does not: computed by somebody without the key."""
    UNLISTED = "unlisted"
    """A whole chain that the log's own chain does not know."""
    KEY_MISSING = "key_missing"
    """The key of an encrypted part is gone, and no erasure is on record."""
    NOT_AS_ANCHORED = "not_as_anchored"
    """It differs from a head that was exported before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The first thing wrong with one writer's chain."""

    problem: Problem
    writer: str
    sequence: int
    """The record, or 0 where it is about the whole chain."""
    id: str = ""
    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What verifying a run of records gave: all that are sound, up to the first that is not."""

    reached: Head
    records: tuple[AuditRecord, ...]
    finding: Finding | None = None


def chain_hash(previous: str, text: str) -> str:
    """The hash of a record that follows the one with hash `previous`."""
    return hashlib.sha256(
        b"lakeveil audit record\0" + bytes.fromhex(previous) + text.encode("ascii")
    ).hexdigest()


def record_seal(key: bytes, hashed: str) -> str:
    """The seal of a record, over its chain hash."""
    return hmac.digest(key, b"record\0" + bytes.fromhex(hashed), "sha256").hex()


def head_seal(key: bytes, head: Head) -> str:
    """The seal of a head. No record's seal can stand for it."""
    message = canonical([head.writer, head.count, head.hash]).encode("ascii")
    return hmac.digest(key, b"head\0" + message, "sha256").hex()


def is_sealed(stored: StoredHead, key: bytes) -> bool:
    """Whether a stored head was written by somebody who has the key."""
    return _equal(head_seal(key, stored.head), stored.seal)


def verify_run(after: Head, rows: Iterable[StoredRecord], key: bytes) -> Run:
    """Verify records that follow `after`, in order; stops at the first that is not sound."""
    reached = after
    records: list[AuditRecord] = []
    for row in rows:
        checked = _verify(reached, row, key)
        if isinstance(checked, Finding):
            return Run(reached=reached, records=tuple(records), finding=checked)
        records.append(checked)
        reached = Head(writer=after.writer, count=row.sequence, hash=row.hash)
    return Run(reached=reached, records=tuple(records))


def verify_head(reached: Head, stored: StoredHead | None, key: bytes) -> Finding | None:
    """Compare where a verified chain ends with the head that its writer left."""

    def found(problem: Problem, explanation: str, sequence: int = 0) -> Finding:
        return Finding(
            problem=problem, writer=reached.writer, sequence=sequence, explanation=explanation
        )

    if stored is None:
        return found(Problem.MISSING, "the head of the whole chain was removed")
    head = stored.head
    if not is_sealed(stored, key):
        return found(Problem.FORGED, "the head was not written by this log", head.count)
    if head.count > reached.count:
        return found(
            Problem.MISSING,
            f"the chain ends after {reached.count} of {head.count} records",
            reached.count + 1,
        )
    if head != reached:
        return found(
            Problem.INSERTED, "records follow the head, or the head is an older one", head.count + 1
        )
    return None


def _verify(  # noqa: PLR0911 - one return for each thing that can be wrong
    after: Head, row: StoredRecord, key: bytes
) -> AuditRecord | Finding:
    expected = after.count + 1

    def found(problem: Problem, explanation: str, sequence: int = row.sequence) -> Finding:
        return Finding(
            problem=problem,
            writer=after.writer,
            sequence=sequence,
            id=row.id if sequence == row.sequence else "",
            explanation=explanation,
        )

    if row.sequence > expected:
        return found(Problem.MISSING, f"the next one is record {row.sequence}", expected)
    if row.sequence < expected:
        return found(Problem.INSERTED, f"record {expected} should stand here")
    try:
        record = from_json(row.text)
    except ValueError:
        return found(Problem.CHANGED, "its text is not a record")
    if (record.writer, record.sequence) != (row.writer, row.sequence):
        return found(
            Problem.MOVED, f"it was written as record {record.sequence} of `{record.writer}`"
        )
    if not _equal(chain_hash(after.hash, row.text), row.hash):
        return found(Problem.CHANGED, "its text does not fit its hash and the record before it")
    if not _equal(record_seal(key, row.hash), row.seal):
        return found(Problem.FORGED, "its hash fits, and it was not sealed by this log")
    if index_columns(record) != row.columns:
        return found(Problem.CHANGED, "the columns it is found by differ from its text")
    return record


def verify_anchor(anchored: Head, found: StoredRecord | None) -> Finding | None:
    """Compare a head that was exported before with the record that now stands at its place."""
    if found is not None and _equal(anchored.hash, found.hash):
        return None
    return Finding(
        problem=Problem.NOT_AS_ANCHORED,
        writer=anchored.writer,
        sequence=anchored.count,
        id=found.id if found else "",
        explanation="it is another record than when the head was exported"
        if found
        else "it was there when the head was exported",
    )


def missing_key(record: AuditRecord) -> Finding:
    """The finding for an encrypted part that nobody can read and nobody erased on record."""
    return Finding(
        problem=Problem.KEY_MISSING,
        writer=record.writer,
        sequence=record.sequence,
        id=AuditId(record.id),
        explanation="the key of its encrypted part is gone, and no erasure is on record",
    )


def _equal(one: str, other: str) -> bool:
    # Bytes: on text, compare_digest refuses what is not ASCII, and a forger may write anything.
    return hmac.compare_digest(one.encode(), other.encode("utf-8", "backslashreplace"))
