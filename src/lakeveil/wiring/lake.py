"""The lake as its doors need it: state, identity, audit, Iceberg, and who there is."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from lakeveil.adapters.access_requests import SqlAccessRequests
from lakeveil.adapters.audit_log import SqlAuditLog
from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.iceberg import SqlIcebergCatalog
from lakeveil.adapters.identity import IdentityStore
from lakeveil.adapters.identity.registry import Registry
from lakeveil.adapters.kept_lake import KeptLake
from lakeveil.adapters.lake import SqlLake, open_lake
from lakeveil.adapters.oidc import OidcVerifier
from lakeveil.adapters.people import DirectoryPeople
from lakeveil.flows.request_desk import RequestDesk
from lakeveil.ports import Clock
from lakeveil.settings import Settings
from lakeveil.wiring.identity import identity_over
from lakeveil.wiring.state import store_key


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeParts:
    """What the doors of the lake are composed from."""

    lake: SqlLake
    identity: IdentityStore
    tokens: OidcVerifier
    audit: SqlAuditLog
    iceberg: SqlIcebergCatalog
    registry: Registry
    requests: RequestDesk
    clock: Clock


def lake_over(engine: sa.Engine, settings: Settings, *, writer: str) -> LakeParts:
    """The lake over a database that is open already; its opener closes it.

    Raises:
        SetupError: credentials are missing, or the audit log and its keys do not belong together.
    """
    identity = identity_over(engine, settings, writer=writer)
    lake, clock = open_lake(engine), SystemClock()
    return LakeParts(
        lake=lake,
        identity=identity.store,
        tokens=identity.tokens,
        audit=identity.audit,
        iceberg=SqlIcebergCatalog(
            engine,
            endpoint=settings.s3_endpoint,
            key=store_key(settings),
            region=settings.store.region,
        ),
        registry=Registry(identity.store.directory, identity.store.issuers),
        requests=RequestDesk(
            lake=lake,
            people=DirectoryPeople(identity.store.directory),
            requests=SqlAccessRequests(engine),
            kept=KeptLake(engine),
            audit=identity.audit,
            clock=clock,
        ),
        clock=clock,
    )
