"""What is on record, among threads and processes; nothing goes on without."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from lakeveil.adapters.audit_append import OWN_CHAIN
from lakeveil.adapters.audit_keys import load_keys
from lakeveil.adapters.audit_log import SqlAuditLog, open_audit_log
from lakeveil.adapters.audit_trail import AuditTrail
from lakeveil.adapters.audit_verification import (
    verify_log,
)
from lakeveil.adapters.clock import ManualClock
from lakeveil.adapters.database import open_database
from lakeveil.core.audit import AuditId, AuditOutcome
from lakeveil.core.audit_chain import Problem
from lakeveil.errors import Conflict, NotFound, SetupError, Unavailable, UsageError
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


def test_an_intent_and_its_completion_are_on_record(
    log: SqlAuditLog, trail: AuditTrail, clock: ManualClock, engine: sa.Engine
) -> None:
    intent = log.intend(event(session="arn:aws:sts::1:assumed-role/a/b", grants=("g1",)))
    (entry,) = trail.entries(action="glue:GetTable")
    assert entry.is_open
    clock.sleep(2)
    done = log.complete(intent, outcome=AuditOutcome.DONE, size_bytes=10, rows=0, detail={"n": 1})
    completion, intended = trail.entries(action="glue:GetTable")
    assert (completion.id, intended.id) == (done, intent)
    assert not intended.is_open
    assert completion.record is not None
    assert intended.record is not None
    assert completion.record.intent == intent
    assert completion.record.at == intended.record.at + 2
    said = completion.record.event
    assert (said.principal, said.session, said.resource) == (
        ANA, "arn:aws:sts::1:assumed-role/a/b", "ads.clicks",
    )  # fmt: skip
    assert (said.outcome, said.size_bytes, said.rows) == (AuditOutcome.DONE, 10, 0)
    assert problems(verify_log(engine, log.keys)) == []


def test_a_completion_needs_an_intent_that_has_none(log: SqlAuditLog) -> None:
    single = log.record(event(outcome=AuditOutcome.REFUSED))
    for unknown in (single, AuditId("0" * 32)):
        with pytest.raises(NotFound):
            log.complete(unknown, outcome=AuditOutcome.DONE)
    intent = log.intend(event())
    log.complete(intent, outcome=AuditOutcome.FAILED, error_code="timeout")
    with pytest.raises(Conflict):
        log.complete(intent, outcome=AuditOutcome.DONE)


@pytest.mark.parametrize("outcome", set(AuditOutcome) - {AuditOutcome.ALLOWED})
def test_an_intent_is_to_what_was_allowed(log: SqlAuditLog, outcome: AuditOutcome) -> None:
    with pytest.raises(UsageError):
        log.intend(event(outcome=outcome))


def test_an_event_that_cannot_be_written_is_refused_and_leaves_no_gap(
    log: SqlAuditLog, engine: sa.Engine
) -> None:
    log.intend(event())
    with pytest.raises(UsageError):
        log.intend(event(detail={"it": float("nan")}))
    with pytest.raises(UsageError):
        log.intend(event(sensitive={"a": "x" * 400_000}))
    log.intend(event())
    verified = verify_log(engine, log.keys)
    assert (problems(verified), verified.encrypted) == ([], 0)


@pytest.mark.parametrize("text", ["nul \0", "lone \ud800", "tab\t'; DROP TABLE audit_records; --"])
def test_whatever_a_caller_names_can_be_put_on_record(
    log: SqlAuditLog, trail: AuditTrail, engine: sa.Engine, text: str
) -> None:
    log.record(event(text, principal=text, action=text, outcome=AuditOutcome.REFUSED))
    (entry,) = trail.entries(principal=text)
    assert entry.record is not None
    assert entry.record.event.resource == text
    assert problems(verify_log(engine, log.keys)) == []


def test_a_chain_needs_a_name_that_is_not_the_logs_own(engine: sa.Engine, home: Path) -> None:
    for name in ("", OWN_CHAIN):
        with pytest.raises(UsageError):
            open_audit_log(engine, home, writer=name)


# --- nothing goes on without a record ---------------------------------------------------------


def test_a_locked_database_refuses_the_intent(
    log: SqlAuditLog, engine: sa.Engine, home: Path
) -> None:
    impatient(engine)
    intent = log.intend(event())
    with closing(sqlite3.connect(home / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            log.intend(event())
        with pytest.raises(Unavailable):
            log.record(event(outcome=AuditOutcome.REFUSED))
        with pytest.raises(Unavailable):
            log.complete(intent, outcome=AuditOutcome.DONE)
    # The failed completion hides nothing.
    assert verify_log(engine, log.keys).open_intents == 1


def test_a_read_only_database_refuses_the_intent(log: SqlAuditLog, engine: sa.Engine) -> None:
    set_pragma(engine, "query_only=ON")
    with pytest.raises(Unavailable):
        log.intend(event(sensitive={"a": SECRET}))


def test_a_database_without_the_log_refuses_the_intent_and_quotes_nothing(
    log: SqlAuditLog, home: Path
) -> None:
    with attacker(home) as database:
        database.execute("DROP TABLE audit_records")
    with pytest.raises(Unavailable) as refused:
        log.intend(event(SECRET))
    assert SECRET not in str(refused.value.as_dict())


def test_nothing_is_appended_after_a_head_that_the_log_did_not_write(
    log: SqlAuditLog, home: Path, engine: sa.Engine
) -> None:
    for _ in range(3):
        log.record(event())
    with attacker(home) as database:
        (hashed,) = database.execute(
            "SELECT hash FROM audit_records WHERE writer = 'web' AND sequence = 2"
        ).fetchone()
        database.execute("DELETE FROM audit_records WHERE writer = 'web' AND sequence = 3")
        database.execute("UPDATE audit_heads SET count = 2, hash = ? WHERE writer='web'", [hashed])
    with pytest.raises(SetupError) as refused:
        log.intend(event())
    assert refused.value.code == "audit_log_damaged"
    assert problems(verify_log(engine, log.keys)) == [(Problem.FORGED, "web", 2)]


# --- among threads and processes --------------------------------------------------------------

APPENDER = """
import sys
from pathlib import Path
from lakeveil.adapters.audit_log import open_audit_log
from lakeveil.adapters.database import open_database
from lakeveil.core.audit import AuditEvent, AuditOutcome
home, writer, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
log = open_audit_log(open_database(f"sqlite:///{home / 'state.db'}"), home, writer=writer)
event = AuditEvent(principal=writer, action="query", outcome=AuditOutcome.ALLOWED,
                   sensitive={"1": "x"})
for n in range(count):
    log.complete(log.intend(event), outcome=AuditOutcome.DONE, rows=n)
"""


def test_of_five_processes_none_forks_a_chain_nor_its_beginning(home: Path) -> None:
    """They begin the log at the same time, too; three of them share one chain."""
    open_database(url(home)).dispose()
    running = [
        subprocess.Popen([sys.executable, "-c", APPENDER, str(home), writer, "20"])
        for writer in ("web", "web", "web", "worker", "cli")
    ]
    assert [process.wait() for process in running] == [0] * 5
    engine = open_database(url(home))
    keys = load_keys(home)
    assert keys is not None
    verified = verify_log(engine, keys)
    with engine.begin() as tx:
        heads = {h[0]: h[1] for h in tx.execute(sa.text("SELECT writer, count FROM audit_heads"))}
    engine.dispose()
    assert problems(verified) == []
    # The log's own: it began once, and three chains were opened.
    assert heads == {"web": 120, "worker": 40, "cli": 40, OWN_CHAIN: 4}
    assert (verified.records, verified.open_intents) == (204, 0)


def test_threads_append_and_erase_while_the_log_is_verified(engine: sa.Engine, home: Path) -> None:
    log = open_audit_log(engine, home, writer="web")

    def work() -> None:
        for _ in range(20):
            log.erase(ids=[log.record(event(sensitive={"a": SECRET}))], requested_by="x")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert problems(verify_log(engine, log.keys)) == []
    for thread in threads:
        thread.join()
    verified = verify_log(engine, log.keys)
    assert (verified.records, verified.erased) == (162, 80)


def test_a_chain_of_more_than_one_page_is_verified(
    log: SqlAuditLog, engine: sa.Engine, home: Path
) -> None:
    for _ in range(520):
        log.record(event(outcome=AuditOutcome.DONE))
    assert verify_log(engine, log.keys).records == 522
    with attacker(home) as database:
        database.execute("DELETE FROM audit_records WHERE writer = 'web' AND sequence = 510")
    assert problems(verify_log(engine, log.keys)) == [(Problem.MISSING, "web", 510)]


# --- finding ----------------------------------------------------------------------------------


def test_records_are_found_by_who_what_where_when_and_how(
    log: SqlAuditLog, trail: AuditTrail, clock: ManualClock
) -> None:
    start = clock.now()
    for principal, action, resource, outcome in (
        (ANA, "glue:GetTable", "ads.clicks", AuditOutcome.DONE),
        (BEN, "glue:GetTables", "ads.*", AuditOutcome.REFUSED),
        (ANA, "query", "ads.views", AuditOutcome.FAILED),
    ):
        log.record(event(resource, principal=principal, action=action, outcome=outcome))
        clock.sleep(10)

    def found(**selected: Any) -> list[str]:
        entries = trail.entries(**selected)
        return [e.record.event.resource for e in entries if e.record and e.writer == "web"]

    assert found() == ["ads.views", "ads.*", "ads.clicks"]
    assert found(principal=ANA) == ["ads.views", "ads.clicks"]
    assert found(action="glue:GetTable") == ["ads.clicks"]
    assert found(action="glue:*") == ["ads.*", "ads.clicks"]
    assert found(action="GLUE:*") == []
    assert found(resource="ads.v*") == ["ads.views"]
    assert found(outcome=AuditOutcome.REFUSED) == ["ads.*"]
    assert found(since=start + 10, until=start + 20) == ["ads.*"]
    assert found(limit=1) == ["ads.views"]
    assert found(only_open=True) == []
    intent = log.intend(event("open"))
    assert [entry.id for entry in trail.entries(only_open=True)] == [intent]
