"""Whoever has the database, and not the keys, is found; so is who puts an old one back."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from lakeveil.adapters.audit_append import OWN_CHAIN
from lakeveil.adapters.audit_keys import FILE_NAME, load_keys
from lakeveil.adapters.audit_log import SqlAuditLog, open_audit_log
from lakeveil.adapters.audit_trail import AuditTrail
from lakeveil.adapters.audit_verification import (
    export_head,
    read_head,
    verify_log,
)
from lakeveil.core.audit_chain import Head, Problem, chain_hash
from lakeveil.errors import SetupError, Unavailable, UsageError
from tests.adapters.audit.parts import (
    SECRET,
    attacker,
    event,
    problems,
)
from tests.new_database import new_database


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_records SET principal = 'nobody'",
        "DELETE FROM audit_records WHERE sequence = 2",
        "INSERT OR REPLACE INTO audit_records SELECT * FROM audit_records WHERE sequence = 2",
        "REPLACE INTO audit_records SELECT * FROM audit_records",
        "INSERT INTO audit_records SELECT * FROM audit_records",
        "UPDATE audit_heads SET count = 1",
        "UPDATE audit_heads SET hash = ''",
        "DELETE FROM audit_heads",
        "REPLACE INTO audit_heads SELECT writer, 1, hash, seal FROM audit_heads",
        "UPDATE audit_record_keys SET wrapped = x'00'",
    ],
)
def test_the_database_itself_refuses_to_change_what_is_on_record(
    log: SqlAuditLog, home: Path, engine: sa.Engine, statement: str
) -> None:
    for _ in range(3):
        log.record(event(sensitive={"a": SECRET}))
    with (
        closing(sqlite3.connect(home / "state.db", isolation_level=None)) as database,
        pytest.raises(sqlite3.IntegrityError, match=r"never|only grow"),
    ):
        database.execute(statement)
    assert problems(verify_log(engine, log.keys)) == []


Tampering = Callable[[sqlite3.Connection], object]


def rehashed(database: sqlite3.Connection) -> None:
    """The most that can be done without the key: every hash and the head computed anew."""
    database.execute(
        "UPDATE audit_records SET record = replace(record, 'ads.2', 'ads.9'),"
        " resource = replace(resource, 'ads.2', 'ads.9') WHERE writer = 'web'"
    )
    hashed = "00" * 32
    for sequence, text in database.execute(
        "SELECT sequence, record FROM audit_records WHERE writer = 'web' ORDER BY sequence"
    ).fetchall():
        hashed = chain_hash(hashed, text)
        database.execute(
            "UPDATE audit_records SET hash = ? WHERE writer = 'web' AND sequence = ?",
            [hashed, sequence],
        )
    database.execute("UPDATE audit_heads SET hash = ? WHERE writer = 'web'", [hashed])


def exchanged(database: sqlite3.Connection) -> None:
    for before, after in ((2, 9), (4, 2), (9, 4)):
        database.execute(
            "UPDATE audit_records SET sequence = ? WHERE writer = 'web' AND sequence = ?",
            [after, before],
        )


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (
            "UPDATE audit_records SET record = replace(record, 'ads.2', 'ads.9')",
            (Problem.CHANGED, "web", 2),
        ),
        (
            "UPDATE audit_records SET principal = 'nobody' WHERE resource = 'ads.4'",
            (Problem.CHANGED, "web", 4),
        ),
        ("DELETE FROM audit_records WHERE resource = 'ads.2'", (Problem.MISSING, "web", 2)),
        ("DELETE FROM audit_records WHERE resource = 'ads.5'", (Problem.MISSING, "web", 5)),
        (exchanged, (Problem.MOVED, "web", 2)),
        (
            """INSERT INTO audit_records SELECT writer, 6, 'new', at, kind, NULL, principal, action,
            resource, outcome, record, hash, seal FROM audit_records WHERE resource = 'ads.5'""",
            (Problem.MOVED, "web", 6),
        ),
        ("DELETE FROM audit_heads WHERE writer = 'web'", (Problem.MISSING, "web", 0)),
        (rehashed, (Problem.FORGED, "web", 2)),
    ],
)
def test_tampering_is_found_and_named(
    log: SqlAuditLog,
    home: Path,
    engine: sa.Engine,
    tamper: str | Tampering,
    found: tuple[Problem, str, int],
) -> None:
    for n in range(1, 6):
        log.record(event(f"ads.{n}"))
    with attacker(home) as database:
        if isinstance(tamper, str):
            database.execute(tamper)
        else:
            tamper(database)
    assert problems(verify_log(engine, log.keys)) == [found]


def test_a_whole_chain_that_was_removed_is_missed(
    log: SqlAuditLog, home: Path, engine: sa.Engine
) -> None:
    log.record(event())
    with attacker(home) as database:
        database.execute("DELETE FROM audit_records WHERE writer = 'web'")
        database.execute("DELETE FROM audit_heads WHERE writer = 'web'")
    assert problems(verify_log(engine, log.keys)) == [(Problem.MISSING, "web", 0)]


def test_a_chain_under_another_name_is_found(
    log: SqlAuditLog, home: Path, engine: sa.Engine
) -> None:
    log.record(event())
    with attacker(home) as database:
        database.execute("UPDATE audit_records SET writer = 'new' WHERE writer = 'web'")
        database.execute("UPDATE audit_heads SET writer = 'new' WHERE writer = 'web'")
    assert problems(verify_log(engine, log.keys)) == [
        (Problem.UNLISTED, "new", 0),
        (Problem.MOVED, "new", 1),
        (Problem.MISSING, "web", 0),
    ]


def test_a_log_that_was_emptied_is_not_begun_anew(
    log: SqlAuditLog, home: Path, engine: sa.Engine
) -> None:
    log.record(event())
    with attacker(home) as database:
        database.execute("DELETE FROM audit_records")
        database.execute("DELETE FROM audit_heads")
    with pytest.raises(SetupError) as refused:
        open_audit_log(engine, home)
    assert refused.value.code == "audit_log_gone"
    assert (Problem.MISSING, OWN_CHAIN, 0) in problems(verify_log(engine, log.keys))


def test_a_damaged_record_is_listed_as_damaged(
    log: SqlAuditLog, trail: AuditTrail, home: Path
) -> None:
    log.record(event("one"))
    log.record(event("two"))
    with attacker(home) as database:
        database.execute("UPDATE audit_records SET record = '{}' WHERE resource = 'one'")
        database.execute("UPDATE audit_records SET principal = 'x' WHERE resource = 'two'")
    assert [e.record for e in trail.entries(action="glue:GetTable")] == [None, None]


def test_a_file_that_is_damaged_is_no_sound_log(
    log: SqlAuditLog, home: Path, engine: sa.Engine
) -> None:
    for _ in range(300):
        log.record(event())
    with closing(sqlite3.connect(home / "state.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    data = (home / "state.db").read_bytes()
    (home / "state.db").write_bytes(data[:8192] + b"\xff" * (len(data) - 8192))
    with pytest.raises(Unavailable):
        verify_log(engine, log.keys)
    with pytest.raises(Unavailable):
        log.intend(event())


# --- keys -------------------------------------------------------------------------------------


def test_the_keys_are_for_their_owner_alone(log: SqlAuditLog, home: Path) -> None:
    assert (home / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert log.keys.master.hex() not in repr(log.keys)
    (home / FILE_NAME).chmod(0o640)
    with pytest.raises(SetupError) as refused:
        load_keys(home)
    assert refused.value.code == "audit_keys_not_private"


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"seal": "AAAA"}', b"\xff", b'{"seal": 1}'])
def test_damaged_keys_are_refused(
    log: SqlAuditLog, home: Path, engine: sa.Engine, data: bytes
) -> None:
    del log
    (home / FILE_NAME).write_bytes(data)
    with pytest.raises(SetupError) as refused:
        open_audit_log(engine, home)
    assert refused.value.code == "audit_keys_damaged"


def test_a_link_in_place_of_the_keys_is_refused(
    log: SqlAuditLog, home: Path, engine: sa.Engine
) -> None:
    del log
    (home / FILE_NAME).rename(home / "elsewhere")
    (home / FILE_NAME).symlink_to(home / "elsewhere")
    with pytest.raises(SetupError, match="cannot be read"):
        open_audit_log(engine, home)


def test_a_log_whose_keys_are_gone_is_not_begun_anew(
    log: SqlAuditLog, home: Path, engine: sa.Engine
) -> None:
    del log
    (home / FILE_NAME).unlink()
    for _ in range(2):
        with pytest.raises(SetupError) as refused:
            open_audit_log(engine, home)
        assert refused.value.code == "audit_keys_gone"


def test_keys_of_another_log_are_refused(
    log: SqlAuditLog, home: Path, engine: sa.Engine, tmp_path: Path
) -> None:
    del log
    other = new_database(tmp_path / "other" / "state.db")
    open_audit_log(other, tmp_path / "other")
    other.dispose()
    (tmp_path / "other" / FILE_NAME).rename(home / FILE_NAME)
    with pytest.raises(SetupError) as refused:
        open_audit_log(engine, home)
    assert refused.value.code == "audit_log_damaged"


def test_a_beginning_that_was_cut_short_is_taken_up(engine: sa.Engine, home: Path) -> None:
    first = open_audit_log(engine, home)
    # Killed between the first record and the keys' final name.
    (home / FILE_NAME).rename(home / f"{FILE_NAME}.new")
    again = open_audit_log(engine, home)
    assert again.keys == first.keys
    assert not (home / f"{FILE_NAME}.new").exists()
    assert verify_log(engine, again.keys).records == 1


# --- heads kept elsewhere ---------------------------------------------------------------------


def test_an_exported_head_fits_for_good(log: SqlAuditLog, engine: sa.Engine) -> None:
    log.record(event())
    kept = msgspec.json.encode(export_head(engine, log.keys, now=1.0))
    log.record(event())
    assert problems(verify_log(engine, log.keys, against=read_head(kept))) == []


def test_an_exported_head_finds_a_database_that_was_put_back(
    log: SqlAuditLog, engine: sa.Engine, home: Path
) -> None:
    log.record(event("before"))
    backup = home / "backup.db"
    with (
        closing(sqlite3.connect(home / "state.db")) as source,
        closing(sqlite3.connect(backup)) as target,
    ):
        source.backup(target)
    log.record(event("after"))
    head = export_head(engine, log.keys, now=1.0)
    engine.dispose()
    for path in home.glob("state.db*"):
        path.unlink()
    backup.rename(home / "state.db")
    assert problems(verify_log(engine, log.keys)) == []
    assert problems(verify_log(engine, log.keys, against=head)) == [
        (Problem.NOT_AS_ANCHORED, "web", 2)
    ]


def test_a_head_that_was_changed_or_signed_by_others_proves_nothing(
    log: SqlAuditLog, engine: sa.Engine
) -> None:
    head = export_head(engine, log.keys, now=1.0)
    others = replace(log.keys, signing=os.urandom(32))
    for wrong in (
        msgspec.structs.replace(head, heads=(Head(writer="web", count=0),)),
        msgspec.structs.replace(head, at=2.0),
        msgspec.structs.replace(head, signature=""),
        msgspec.structs.replace(head, signature="ü"),
        export_head(engine, others, now=1.0),
    ):
        assert problems(verify_log(engine, log.keys, against=wrong)) == [
            (Problem.NOT_AS_ANCHORED, OWN_CHAIN, 0)
        ]


def test_a_forged_head_is_not_signed(log: SqlAuditLog, engine: sa.Engine, home: Path) -> None:
    log.record(event())
    with attacker(home) as database:
        database.execute("UPDATE audit_heads SET hash = ?", ["11" * 32])
    with pytest.raises(SetupError):
        export_head(engine, log.keys, now=1.0)


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"\xff"])
def test_another_document_is_no_head(data: bytes) -> None:
    with pytest.raises(UsageError):
        read_head(data)
