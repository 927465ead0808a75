"""The doors of the one port, composed from their parts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from lakeveil import __version__
from lakeveil.adapters.caller_keys import CallerKeys
from lakeveil.adapters.metrics import Meter
from lakeveil.aws.athena.service import athena
from lakeveil.aws.glue.service import glue
from lakeveil.aws.lakeformation.service import lakeformation
from lakeveil.aws.lakeveil.service import own_api
from lakeveil.aws.protocol import AwsError, Gate, SecretOf, Service
from lakeveil.aws.rekognition import Look, rekognition
from lakeveil.aws.sigv4 import Caller
from lakeveil.aws.sts import key_lookup, sts
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import Refused
from lakeveil.flows.change_access import AccessDesk
from lakeveil.settings import Settings
from lakeveil.trino_rest.door import App, trino_door
from lakeveil.trino_rest.queries import Queries
from lakeveil.trino_rest.sign_in import SignInDesk
from lakeveil.wiring.lake import LakeParts
from lakeveil.wiring.queries import QueryParts
from lakeveil.wiring.store_keys import key_mint


def lake_services(parts: LakeParts, settings: Settings) -> tuple[Service, ...]:
    """STS, Lake Formation, Glue and our own API over one lake."""
    identity = parts.identity

    def who(caller: Caller) -> Principal:
        return identity.principal_of(caller.access_key)

    return (
        sts(
            callers=identity.callers,
            roles=identity.directory,
            sessions=identity.sessions,
            tokens=parts.tokens,
            mint=key_mint(settings, identity, environ=os.environ),
            audit=parts.audit,
            clock=parts.clock,
        ),
        lakeformation(
            lake=parts.lake,
            who=who,
            audit=parts.audit,
            directory=parts.registry,
            clock=parts.clock,
        ),
        glue(
            lake=parts.lake,
            iceberg=parts.iceberg,
            who=who,
            audit=parts.audit,
            clock=parts.clock,
            region=settings.store.region,
        ),
        own_api(
            desk=parts.requests,
            access=AccessDesk(
                lake=parts.lake,
                audit=parts.audit,
                directory=parts.registry,
                clock=parts.clock,
            ),
            who=who,
        ),
    )


def athena_service(queries: QueryParts, parts: LakeParts) -> Service:
    """Athena, over what runs queries."""
    return athena(
        queries=queries.desk,
        submit=queries.runner.submit,
        who=lambda caller: parts.identity.principal_of(caller.access_key),
    )


def photo_service(callers: CallerKeys, look: Look, parts: LakeParts, settings: Settings) -> Service:
    """Rekognition's DetectFaces, for keys of the store and for those of the lake."""
    threads = settings.worker.reserved_concurrent_executions
    service = rekognition(
        look=look,
        read=callers.read,
        max_bytes=settings.rekognition.max_bytes,
        max_object_bytes=settings.rekognition.max_object_bytes,
        threads=threads,
        waiting=4 * threads,
    )
    return replace(service, gate=_may_look(callers, parts))


def trino(parts: LakeParts, queries: QueryParts, settings: Settings, meter: Meter) -> App:
    """Trino's client protocol over the queries of one lake."""
    identity = parts.identity
    return trino_door(
        Queries(desk=queries.desk, submit=queries.runner.submit),
        SignInDesk(
            callers=identity.callers,
            roles=identity.directory,
            sessions=identity.sessions,
            tokens=parts.tokens,
            mint=key_mint(settings, identity, environ=os.environ),
            audit=parts.audit,
            clock=parts.clock,
        ),
        version=__version__,
        observe=partial(meter.request, door="trino"),
    )


def secret_of(callers: CallerKeys, parts: LakeParts) -> SecretOf:
    """Both kinds of keys: those of the store's own file, and those that the lake issued."""
    issued = key_lookup(parts.identity.callers)

    def find(access_key: str, session_token: str | None) -> str | None:
        return callers.secret_of(access_key, session_token) or issued(access_key, session_token)

    return find


def _may_look(callers: CallerKeys, parts: LakeParts) -> Gate:
    def gate(caller: Caller, operation: str, _params: Mapping[str, Any]) -> None:
        if callers.secret_of(caller.access_key) is not None:
            return
        action = f"rekognition:{operation}"
        try:
            who = parts.identity.principal_of(caller.access_key)
        except Refused as error:
            raise AwsError("AccessDeniedException", error.what) from error
        if not who.rights.allows(action, "*"):
            raise AwsError(
                "AccessDeniedException",
                f"User: {who.caller_arn} is not authorized to perform: {action}",
            )

    return gate
