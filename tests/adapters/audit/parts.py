"""What the tests of the audit log share: events, and somebody who has the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from lakeveil.adapters.audit_verification import (
    Verification,
)
from lakeveil.core.audit import AuditEvent, AuditOutcome
from lakeveil.core.audit_chain import Problem

ANA, BEN = "arn:aws:iam::123456789012:user/ana", "arn:aws:iam::123456789012:user/ben"
SECRET = "ana.secret@example.org"


def url(home: Path) -> str:
    return f"sqlite:///{home / 'state.db'}"


def event(resource: str = "ads.clicks", **more: Any) -> AuditEvent:
    said = {"principal": ANA, "action": "glue:GetTable", "outcome": AuditOutcome.ALLOWED, **more}
    return AuditEvent(resource=resource, **said)


@contextmanager
def attacker(home: Path) -> Iterator[sqlite3.Connection]:
    """Somebody with the database, who knows of the triggers, and has no key."""
    with closing(sqlite3.connect(home / "state.db", isolation_level=None)) as database:
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'audit%'"
        ).fetchall():
            database.execute(f"DROP TRIGGER {name}")
        yield database


def problems(verified: Verification) -> list[tuple[Problem, str, int]]:
    return [(f.problem, f.writer, f.sequence) for f in verified.findings]


def impatient(engine: sa.Engine) -> None:
    """Wait for nobody: a test has no ten seconds."""
    set_pragma(engine, "busy_timeout=20")


def set_pragma(engine: sa.Engine, pragma: str) -> None:
    """Set it on every connection from now on."""

    def on_connect(driver: sqlite3.Connection, _record: Any) -> None:
        driver.execute(f"PRAGMA {pragma}")

    engine.dispose()
    sa.event.listen(engine, "connect", on_connect)
