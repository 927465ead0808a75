"""What questions and requests about access are answered with, over our state database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from lakeveil.adapters.access_requests import SqlAccessRequests
from lakeveil.adapters.audit_log import open_audit_log
from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.database import open_database
from lakeveil.adapters.identity.directory import Directory
from lakeveil.adapters.kept_lake import KeptLake
from lakeveil.adapters.lake import open_lake
from lakeveil.adapters.people import DirectoryPeople
from lakeveil.flows.request_desk import RequestDesk
from lakeveil.settings import Settings


@contextmanager
def open_access(settings: Settings, *, writer: str, operator: str = "") -> Iterator[RequestDesk]:
    """The desk of this installation; `operator` is who types commands at it.

    Raises:
        SetupError: the database cannot be opened, or log and keys do not belong together.
    """
    engine = open_database(settings.database_url)
    try:
        yield access_over(engine, settings, writer=writer, operator=operator)
    finally:
        engine.dispose()


def access_over(
    engine: sa.Engine, settings: Settings, *, writer: str, operator: str = ""
) -> RequestDesk:
    """The desk over a database that is open already; its opener closes it."""
    clock = SystemClock()
    return RequestDesk(
        lake=open_lake(engine),
        people=DirectoryPeople(Directory(engine, clock)),
        requests=SqlAccessRequests(engine),
        kept=KeptLake(engine),
        audit=open_audit_log(engine, settings.home_path, writer=writer, clock=clock),
        clock=clock,
        operator=operator,
    )
