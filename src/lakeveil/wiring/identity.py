"""The identity store that the settings ask for, and who checks tokens for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from lakeveil.adapters.audit_log import SqlAuditLog, open_audit_log
from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.database import open_database
from lakeveil.adapters.identity import IdentityStore, open_identity_store
from lakeveil.adapters.oidc import OidcVerifier
from lakeveil.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIdentity:
    """Identity of this installation, open, with the audit log that its changes go to."""

    store: IdentityStore
    tokens: OidcVerifier
    audit: SqlAuditLog


@contextmanager
def open_identity(settings: Settings, *, writer: str) -> Iterator[OpenIdentity]:
    """Identity over our state database, for one part of Lakeveil.

    Raises:
        SetupError: the database cannot be opened, or its keys are not to be trusted.
    """
    engine = open_database(settings.database_url)
    try:
        yield identity_over(engine, settings, writer=writer)
    finally:
        engine.dispose()


def identity_over(engine: sa.Engine, settings: Settings, *, writer: str) -> OpenIdentity:
    """Identity over a database that is open already; its opener closes it."""
    clock = SystemClock()
    store = open_identity_store(engine, settings.home_path, clock)
    return OpenIdentity(
        store=store,
        tokens=OidcVerifier(store.issuers, clock),
        audit=open_audit_log(engine, settings.home_path, writer=writer, clock=clock),
    )
