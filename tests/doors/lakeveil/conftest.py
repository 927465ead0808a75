"""Our own API served from a small lake, and AWS clients that were given its model."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from click.testing import CliRunner

from lakeveil.adapters.access_requests import SqlAccessRequests
from lakeveil.aws.lakeveil.service import own_api
from lakeveil.aws.protocol import Service
from lakeveil.aws.sigv4 import Caller
from lakeveil.cli.api import command
from lakeveil.cli.session import Session
from lakeveil.core.identity.principal import Principal
from lakeveil.flows.request_desk import RequestDesk
from tests.doors.lakeformation.conftest import holder_of, key_of
from tests.doors.running import SECRET, Door, doors, never_alike, one_each, serving
from tests.flows.lakes import EVERYBODY, World, found, world
from tests.flows.test_explain_access import Everybody, tag

Client = Callable[[Principal], Any]


def service_over(
    lake: World, who: Callable[[Caller], Principal] = holder_of, people: Any = None
) -> Service:
    """The service over a test's lake."""
    desk = RequestDesk(
        lake=lake.desk.lake,
        people=people or Everybody(),
        requests=SqlAccessRequests(lake.engine),
        audit=lake.desk.audit,
        clock=lake.clock,
    )
    return own_api(desk=desk, access=lake.desk, who=who)


def serving_to(service: Service, *keys: str) -> AbstractContextManager[Door]:
    """Its door, for everybody in the lake and for further keys."""
    secrets = {key_of(who): SECRET for who in EVERYBODY} | dict.fromkeys(keys, SECRET)
    return serving(doors(secrets=secrets, services=(service,)))


@functools.cache
def _session(models: Path) -> boto3.session.Session:
    """What has read the model; to read all that a client needs takes most of a test's time."""
    session = botocore.session.Session()
    session.set_config_variable("data_path", str(models))
    return boto3.session.Session(botocore_session=session)


def client_of(served: Door, models: Path, who: Principal) -> Any:
    """A boto3 client as anybody makes it once the model is where clients look."""
    client = _session(models).client(
        "lakeveil",
        endpoint_url=served.url,
        region_name="eu-central-1",
        aws_access_key_id=key_of(who),
        aws_secret_access_key=SECRET,
    )
    return never_alike(client)


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The article's lake as it begins, made once: open as a whole, but for one column."""
    home = tmp_path_factory.mktemp("lake")
    found(home)
    with world(home) as opened:
        tag(opened)
    return home


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for AWS_DATA_PATH, as our own command writes it."""
    place = tmp_path_factory.mktemp("models")
    done = CliRunner().invoke(command, ["model", "--into", str(place)], obj=Session())
    assert done.exit_code == 0, done.output
    return place


@pytest.fixture
def lake(founded: Path, tmp_path: Path) -> Iterator[World]:
    """Two accounts, two tables, an administrator in each account."""
    shutil.copytree(founded, tmp_path / "home")
    with world(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def served(lake: World) -> Iterator[Door]:
    """The lake's door."""
    with serving_to(service_over(lake), "LVTESTSTRANGER") as running:
        yield running


@pytest.fixture
def client(served: Door, models: Path) -> Client:
    """Makes a client with somebody's key, or gives the one that was made."""
    return one_each(lambda who: client_of(served, models, who))
