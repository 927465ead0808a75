"""The audit log that the settings ask for, to append to and to read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from lakeveil.adapters.audit_log import SqlAuditLog, open_audit_log
from lakeveil.adapters.audit_trail import AuditTrail
from lakeveil.adapters.database import open_database
from lakeveil.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAudit:
    """The log of this installation, open."""

    engine: sa.Engine
    log: SqlAuditLog
    trail: AuditTrail


@contextmanager
def open_audit(settings: Settings, *, writer: str) -> Iterator[OpenAudit]:
    """The log over our state database, for one part of Lakeveil to append to.

    Raises:
        SetupError: the database cannot be opened, or log and keys do not belong together.
    """
    engine = open_database(settings.database_url)
    try:
        log = open_audit_log(engine, settings.home_path, writer=writer)
        yield OpenAudit(engine=engine, log=log, trail=AuditTrail(engine, log.keys))
    finally:
        engine.dispose()
