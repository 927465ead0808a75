"""Glue served from a small lake over a real object store, and real clients of everybody in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lakeveil.adapters.iceberg import SqlIcebergCatalog
from lakeveil.adapters.object_store import StoreKey
from lakeveil.aws.glue.service import glue
from lakeveil.core.identity.principal import Principal
from tests.doors.lakeformation.conftest import holder_of, key_of
from tests.doors.running import SECRET, Door, doors, never_alike, one_each, serving
from tests.flows.lakes import CARL, EVERYBODY, World, found, world
from tests.stack_fixture import Weed

Client = Callable[[Principal], Any]
REGION = "eu-central-1"
ENGINE = CARL
"""A principal of another account that filters whole tables itself."""


def secret(who: Principal) -> str:
    """Everybody has their own: with the same one, equal requests would have the same signature."""
    return f"{key_of(who)}-{SECRET}"


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake as it begins, made once."""
    home = tmp_path_factory.mktemp("lake")
    found(home)
    return home


@pytest.fixture
def lake(founded: Path, tmp_path: Path) -> Iterator[World]:
    """Two accounts, two tables, an administrator in each account."""
    shutil.copytree(founded, tmp_path / "home")
    with world(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def iceberg(lake: World, request: pytest.FixtureRequest) -> SqlIcebergCatalog:
    """Metadata files on the session's object store, for tests that use `weed`."""
    if "weed" not in request.fixturenames:
        return SqlIcebergCatalog(lake.engine, endpoint="http://127.0.0.1:9", key=None, region="x")
    server: Weed = request.getfixturevalue("weed")
    key = server.credentials.s3["admin"]
    return SqlIcebergCatalog(
        lake.engine,
        endpoint=server.endpoint,
        key=StoreKey(key.access_key_id, key.secret_access_key),
        region="us-east-1",
    )


@pytest.fixture
def served(lake: World, iceberg: SqlIcebergCatalog) -> Iterator[Door]:
    """The lake's door."""
    service = glue(
        lake=lake.desk.lake,
        iceberg=iceberg,
        who=holder_of,
        audit=lake.desk.audit,
        clock=lake.clock,
        region=REGION,
        trusted_engines={ENGINE.arn},
    )
    secrets = {key_of(who): secret(who) for who in EVERYBODY} | {"LVTESTSTRANGER": SECRET}
    with serving(doors(secrets=secrets, services=(service,))) as running:
        yield running


@pytest.fixture
def client(served: Door) -> Client:
    """Makes a boto3 client with somebody's key, or gives the one that was made."""
    return one_each(lambda who: never_alike(served.boto3(key_of(who), secret(who), service="glue")))
