"""A log that has just begun, with a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from lakeveil.adapters.audit_log import SqlAuditLog, open_audit_log
from lakeveil.adapters.audit_trail import AuditTrail
from lakeveil.adapters.clock import ManualClock
from tests.new_database import new_database


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def engine(home: Path) -> Iterator[sa.Engine]:
    engine = new_database(home / "state.db")
    yield engine
    engine.dispose()


@pytest.fixture
def log(engine: sa.Engine, home: Path, clock: ManualClock) -> SqlAuditLog:
    return open_audit_log(engine, home, writer="web", clock=clock)


@pytest.fixture
def trail(engine: sa.Engine, log: SqlAuditLog) -> AuditTrail:
    return AuditTrail(engine, log.keys)
