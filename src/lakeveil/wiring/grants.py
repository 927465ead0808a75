"""What access is changed with from the command line, over our state database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lakeveil.adapters.audit_log import open_audit_log
from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.database import open_database
from lakeveil.adapters.identity.directory import Directory
from lakeveil.adapters.identity.issuers import IssuerTable
from lakeveil.adapters.identity.registry import Registry
from lakeveil.adapters.lake import open_lake
from lakeveil.flows.change_access import AccessDesk
from lakeveil.settings import Settings


@contextmanager
def open_access_desk(settings: Settings, *, writer: str) -> Iterator[AccessDesk]:
    """The desk of this installation.

    Raises:
        SetupError: the database cannot be opened, or log and keys do not belong together.
    """
    engine = open_database(settings.database_url)
    clock = SystemClock()
    try:
        yield AccessDesk(
            lake=open_lake(engine),
            audit=open_audit_log(engine, settings.home_path, writer=writer, clock=clock),
            directory=Registry(Directory(engine, clock), IssuerTable(engine, clock)),
            clock=clock,
        )
    finally:
        engine.dispose()
