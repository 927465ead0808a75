"""A whole lake behind one port, composed as `lakeveil serve` composes it, with everybody in it.

Two things differ: a stand-in looks for faces, and one user is an engine that is trusted to filter.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from lakeveil.adapters.caller_keys import CallerKeys
from lakeveil.adapters.credentials import Credentials, StoreTokenKeys, write_private
from lakeveil.adapters.database import open_database
from lakeveil.aws.door import aws_door
from lakeveil.aws.glue.service import glue
from lakeveil.aws.protocol import Access, Service
from lakeveil.aws.rest_json import rest_paths
from lakeveil.cli.doors import athena_service, lake_services, photo_service, secret_of
from lakeveil.core.access.lake import LakeSettings
from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import Account, IssuedKey, Issuer, Role
from lakeveil.settings import Settings
from lakeveil.settings.tree import Ports, Store
from lakeveil.web.app import App, http_app
from lakeveil.wiring.lake import LakeParts, lake_over
from lakeveil.wiring.queries import QueryParts, open_queries
from tests.doors.every_operation.names import ELSEWHERE, HOME, STORE_REGION, USERS, Names
from tests.doors.running import Door, look, serving
from tests.identity_parts import allow, policy
from tests.oidc_issuer import OidcIssuer
from tests.stack_fixture import Weed

REGION = "eu-central-1"
ISSUER = arns.issuer_arn(HOME, "dev")
SETTLED_WITHIN_S = 30.0
NO_WORKGROUP_BUT_PRIMARY = (
    allow([f"{service}:*" for service in ("glue", "lakeformation", "lakeveil", "sts", "s3")]),
    allow("rekognition:*"),
    allow(["athena:ListWorkGroups", "athena:ListDataCatalogs", "athena:ListEngineVersions"]),
    allow(
        "athena:*",
        [
            f"arn:aws:athena:{STORE_REGION}:*:{one}"
            for one in ("workgroup/primary", "datacatalog/*")
        ],
    ),
)
EVERY_WORKGROUP = frozenset({"admin", "reader", "owner"})


@dataclass(frozen=True, kw_only=True)
class RunningLake:
    """The lake's port, everybody's keys, and what is behind it."""

    names: Names
    door: Door
    services: tuple[Service, ...]
    parts: LakeParts
    queries: QueryParts
    keys: Mapping[str, IssuedKey]
    issuer: OidcIssuer
    home: Path
    _token_ids: Iterator[int] = field(default_factory=lambda: itertools.count(1), repr=False)

    def token(self) -> str:
        """A token of the issuer for the role; no two are alike."""
        now = self.parts.clock.now()
        return self.issuer.token(
            {
                "iss": self.issuer.url,
                "aud": "lake",
                "sub": "ana-of-sales",
                "jti": str(next(self._token_ids)),
                "iat": now,
                "exp": now + 300,
            }
        )

    def settle(self) -> None:
        """Wait until no query is on its way, so that what is told of them does not depend on it."""
        until = time.monotonic() + SETTLED_WITHIN_S
        on_its_way = "SELECT count(*) FROM queries WHERE state IN ('QUEUED', 'RUNNING')"
        with closing(sqlite3.connect(self.home / "state.db")) as connection:
            while connection.execute(on_its_way).fetchone()[0]:
                assert time.monotonic() < until, "queries do not end"
                time.sleep(0.01)

    def state(self, *, without: frozenset[str] = frozenset()) -> str:
        """A digest of all that is on record, but for the rows of some tables."""
        with closing(sqlite3.connect(self.home / "state.db")) as connection:
            every = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            rows = {
                name: connection.execute(f'SELECT * FROM "{name}"').fetchall()
                for (name,) in sorted(every.fetchall())
                if name not in without
            }
        text = repr({name: sorted(map(repr, of_table)) for name, of_table in rows.items()})
        return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def running_lake(
    founded: Path, home: Path, names: Names, store: Weed, issuer: OidcIssuer
) -> Iterator[RunningLake]:
    """A lake with its accounts, `names`' people and nothing else, behind a port.

    `founded` is a home with empty accounts (`found_accounts`).
    """
    shutil.copytree(founded, home)
    home.chmod(0o700)
    _let_into_any_bucket(home, store)
    ours = Settings(home=str(home), ports=Ports(s3=store.ports.s3))
    # As with a store that is not ours: keys are for the doors alone.
    settings = Settings(home=str(home), store=Store(endpoint=store.endpoint, region=STORE_REGION))
    engine = open_database(settings.database_url)
    engine.dispose()
    # No test pulls the plug, and waiting for the disk is most of what these would do.
    sa.event.listen(engine, "connect", lambda c, _: c.execute("PRAGMA synchronous=OFF"))
    try:
        parts = lake_over(engine, ours, writer="web")
        keys = _people(parts, names, issuer)
        with open_queries(engine, parts, ours) as queries:
            app, services = _app(parts, queries, settings, names)
            with serving(app) as door:
                yield RunningLake(
                    names=names,
                    door=door,
                    services=services,
                    parts=parts,
                    queries=queries,
                    keys=keys,
                    issuer=issuer,
                    home=home,
                )
    finally:
        engine.dispose()


def _let_into_any_bucket(home: Path, store: Weed) -> None:
    """The store's keys, with which the service reaches the buckets that tests make, too."""
    found = json.loads((store.home / "credentials.json").read_text())
    found["s3"]["service"] = found["s3"]["admin"]
    write_private(home / "credentials.json", json.dumps(found).encode())


def found_accounts(home: Path) -> None:
    """Lay down a home with two empty accounts; migrating takes longer than most tests."""
    home.mkdir(mode=0o700)
    engine = open_database(f"sqlite:///{home / 'state.db'}")
    settings = Settings(home=str(home), store=Store(endpoint="http://127.0.0.1:9"))
    parts = lake_over(engine, settings, writer="web")
    for number in (HOME, ELSEWHERE):
        parts.identity.directory.create_account(Account(id=number, name=f"account {number}"))
    engine.dispose()


def _people(parts: LakeParts, names: Names, issuer: OidcIssuer) -> dict[str, IssuedKey]:
    identity, keys = parts.identity, dict[str, IssuedKey]()
    for who in USERS:
        account = ELSEWHERE if who == "foreigner" else HOME
        rights = policy(*_rights(who)) if who != "powerless" else ""
        identity.directory.create_user(account, getattr(names, who), policy=rights)
        keys[who] = identity.keys.create(account, getattr(names, who))
    identity.issuers.add(Issuer(account=HOME, name="dev", url=issuer.url, audiences=("lake",)))
    identity.directory.create_role(
        Role(account=HOME, name=names.role, trust=_trust(names), policy=policy(allow("glue:*")))
    )
    with parts.lake.changing() as change:
        change.put_settings(HOME, LakeSettings(administrators=frozenset({names.arn("admin")})))
    return keys


def _rights(who: str) -> Iterable[Mapping[str, Any]]:
    return (allow(),) if who in EVERY_WORKGROUP else NO_WORKGROUP_BUT_PRIMARY


def _trust(names: Names) -> str:
    name = ISSUER.partition("oidc-provider/")[2]
    claims = {"StringEquals": {f"{name}:aud": "lake", f"{name}:sub": "ana-of-sales"}}
    return policy(
        {
            "Effect": "Allow",
            "Principal": {"AWS": [names.arn("analyst"), names.arn("powerless")]},
            "Action": "sts:AssumeRole",
        },
        {
            "Effect": "Allow",
            "Principal": {"Federated": ISSUER},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": claims,
        },
    )


def _app(
    parts: LakeParts, queries: QueryParts, settings: Settings, names: Names
) -> tuple[App, tuple[Service, ...]]:
    callers = CallerKeys(
        Credentials(
            s3={},
            nats_token="",
            store_tokens=StoreTokenKeys(
                volume_write="", volume_read="", filer_write="", filer_read=""
            ),
        ),
        endpoint=settings.s3_endpoint,
        region=settings.store.region,
        timeout_s=1.0,
    )
    with_engine = glue(
        lake=parts.lake,
        iceberg=parts.iceberg,
        who=lambda caller: parts.identity.principal_of(caller.access_key),
        audit=parts.audit,
        clock=parts.clock,
        region=settings.store.region,
        trusted_engines={names.arn("engine")},
    )
    services = tuple(
        with_engine if service.signing_name == "glue" else service
        for service in (
            photo_service(callers, look, parts, settings),
            *lake_services(parts, settings),
            athena_service(queries, parts),
        )
    )
    aws = aws_door(services, Access(secret_of=secret_of(callers, parts)))
    app = http_app(
        allowed_hosts=("127.0.0.1",),
        checks={},
        metrics=lambda _ready: b"",
        aws=aws,
        aws_paths=rest_paths(services),
        observe=lambda **_call: None,
        span=lambda _name, _headers: nullcontext(),
        check_timeout_s=5.0,
    )
    return app, services
