"""Literals are kept encrypted, and an erasure leaves nothing of their keys."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from lakeveil.adapters.audit_append import ERASE
from lakeveil.adapters.audit_log import SqlAuditLog, open_audit_log
from lakeveil.adapters.audit_trail import AuditTrail
from lakeveil.adapters.audit_verification import (
    verify_log,
)
from lakeveil.adapters.clock import ManualClock
from lakeveil.adapters.database import open_database
from lakeveil.core.audit_chain import Problem
from lakeveil.errors import NotFound, SetupError, Unavailable, UsageError
from tests.adapters.audit.parts import (
    ANA,
    BEN,
    SECRET,
    attacker,
    event,
    impatient,
    problems,
    set_pragma,
    url,
)


def on_disk(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.glob("state.db*"))


def wrapped_keys(engine: sa.Engine) -> dict[str, bytes]:
    with engine.begin() as tx:
        rows = tx.execute(sa.text("SELECT record_id, wrapped FROM audit_record_keys")).all()
    return {row[0]: row[1] for row in rows}


def test_literals_are_read_with_the_keys_only(
    log: SqlAuditLog, trail: AuditTrail, engine: sa.Engine, home: Path
) -> None:
    literals = {"literal_1": SECRET, "row_filter": "salary < 'ü'"}
    intent = log.intend(event(sensitive=literals))
    plain = log.intend(event())
    assert trail.reveal(intent) == literals
    assert trail.reveal(plain) == {}
    assert SECRET.encode() not in on_disk(home)
    other = replace(log.keys, master=b"x" * 32)
    with pytest.raises(SetupError):
        AuditTrail(engine, other).reveal(intent)
    with pytest.raises(NotFound):
        trail.reveal("0" * 32)


def test_the_length_of_a_literal_shows_in_steps_only(log: SqlAuditLog) -> None:
    lengths = {len(log.keys.encrypt("id", {"a": "x" * n})[0]) for n in range(50)}
    assert len(lengths) == 1


def test_an_encrypted_part_belongs_to_its_record(log: SqlAuditLog) -> None:
    sealed, wrapped = log.keys.encrypt("one", {"a": SECRET})
    assert log.keys.decrypt("one", sealed, wrapped) == {"a": SECRET}
    for broken in (("other", sealed, wrapped), ("one", sealed[4:], wrapped), ("one", "", wrapped)):
        with pytest.raises(SetupError) as refused:
            log.keys.decrypt(*broken)
        assert refused.value.code == "audit_unreadable"
    for key in (b"", wrapped[:-1], bytes(40)):
        with pytest.raises(SetupError):
            log.keys.decrypt("one", sealed, key)


def test_a_key_of_another_record_opens_nothing(
    log: SqlAuditLog, trail: AuditTrail, home: Path
) -> None:
    first = log.intend(event(sensitive={"a": "first"}))
    second = log.intend(event(sensitive={"a": "second"}))
    with attacker(home) as database:
        database.execute("DELETE FROM audit_record_keys WHERE record_id = ?", [first])
        database.execute("UPDATE audit_record_keys SET record_id = ?", [first])
    with pytest.raises(SetupError):
        trail.reveal(first)
    with pytest.raises(NotFound):
        trail.reveal(second)


def test_an_erasure_shreds_the_literals_keeps_the_chain_and_is_on_record(
    log: SqlAuditLog, trail: AuditTrail, engine: sa.Engine
) -> None:
    gone = log.intend(event(sensitive={"a": SECRET}))
    kept = log.intend(event(principal=BEN, sensitive={"a": "kept"}))
    assert log.erase(principal=ANA, requested_by="local:eve", reason="request 17") == 1
    with pytest.raises(NotFound, match="was erased"):
        trail.reveal(gone)
    assert trail.reveal(kept) == {"a": "kept"}
    verified = verify_log(engine, log.keys)
    assert (problems(verified), verified.encrypted, verified.erased) == ([], 2, 1)
    (entry,) = trail.entries(action=ERASE)
    assert entry.record is not None
    assert entry.record.event.principal == "local:eve"
    assert entry.record.event.detail["records"] == [gone]
    assert entry.record.event.detail["reason"] == "request 17"


def test_an_erasure_is_of_what_all_its_criteria_select(
    log: SqlAuditLog, clock: ManualClock, engine: sa.Engine
) -> None:
    old = log.intend(event(sensitive={"a": "1"}))
    bens = log.intend(event(principal=BEN, sensitive={"a": "1"}))
    clock.sleep(100)
    new = log.intend(event(sensitive={"a": "1"}))
    assert log.erase(principal=ANA, before=clock.now(), requested_by="x") == 1
    assert set(wrapped_keys(engine)) == {bens, new}
    with pytest.raises(NotFound):
        log.erase(ids=[old], requested_by="x")
    with pytest.raises(NotFound):
        log.erase(ids=[bens], principal=ANA, requested_by="x")
    with pytest.raises(UsageError):
        log.erase(requested_by="x")
    assert log.erase(ids=[bens, new], requested_by="x") == 2


def test_erased_keys_are_in_no_file_of_the_database(
    log: SqlAuditLog, engine: sa.Engine, home: Path
) -> None:
    """So many that pages split and are freed, and that the erasure takes several records.

    Another process erases than the one that wrote.
    """
    other = open_database(url(home))
    for one in (engine, other):
        # As SQLite is built by default; some systems build it otherwise.
        set_pragma(one, "secure_delete=OFF")
    eraser = open_audit_log(other, home, writer="cli")
    for n in range(1100):
        log.record(event(principal=ANA if n % 2 else BEN, sensitive={"a": str(n)}))
    before = wrapped_keys(engine)
    # They are in the files before, so that it means something if they are not after.
    data = on_disk(home)
    assert sum(key in data for key in before.values()) == 1100
    assert eraser.erase(principal=ANA, requested_by="x") == 550
    after = wrapped_keys(engine)
    data = on_disk(home)
    assert not [key for name, key in before.items() if name not in after and key in data]
    assert all(key in data for key in after.values())
    assert eraser.erase(principal=BEN, requested_by="x") == 550
    data = on_disk(home)
    assert not [key for key in before.values() if key in data]
    other.dispose()
    verified = verify_log(engine, log.keys)
    assert (problems(verified), verified.erased) == ([], 1100)


def test_an_erasure_that_leaves_copies_says_so_and_can_be_finished(
    log: SqlAuditLog, engine: sa.Engine, home: Path
) -> None:
    gone = log.intend(event(sensitive={"a": SECRET}))
    (key,) = wrapped_keys(engine).values()
    impatient(engine)
    with closing(sqlite3.connect(home / "state.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM audit_records").fetchone()
        with pytest.raises(Unavailable) as told:
            log.erase(ids=[gone], requested_by="x")
    assert told.value.code == "erased_copies_remain"
    assert key in on_disk(home)
    with pytest.raises(NotFound):
        log.erase(ids=[gone], requested_by="x")
    assert key not in on_disk(home)


def test_a_key_removed_without_an_erasure_on_record_is_found(
    log: SqlAuditLog, home: Path, engine: sa.Engine
) -> None:
    log.intend(event(sensitive={"a": "1"}))
    with attacker(home) as database:
        database.execute("DELETE FROM audit_record_keys")
    assert problems(verify_log(engine, log.keys)) == [(Problem.KEY_MISSING, "web", 1)]
