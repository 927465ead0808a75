"""Lake Formation served from a small lake, and real AWS clients of everybody in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from lakeveil.aws.lakeformation.service import lakeformation
from lakeveil.aws.sigv4 import Caller
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import Refused
from tests.doors.running import SECRET, Door, doors, never_alike, one_each, serving
from tests.flows.lakes import ADMIN, EVERYBODY, World, found, world

Client = Callable[[Principal], Any]


def key_of(who: Principal) -> str:
    """The access key of somebody."""
    return f"LVTEST{who.arn.rpartition('/')[2].upper():X<14}"


def holder_of(caller: Caller) -> Principal:
    """Whose key it is."""
    for who in EVERYBODY:
        if key_of(who) == caller.access_key:
            return who
    raise Refused("The key is not good.")


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
def served(lake: World) -> Iterator[Door]:
    """The lake's door."""
    with _serving(lake) as running:
        yield running


@pytest.fixture
def client(served: Door) -> Client:
    """Makes a boto3 client with somebody's key, or gives the one that was made."""
    return _clients(served)


@pytest.fixture(scope="session")
def refusing(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The administrator's client, for calls that are refused and change nothing."""
    home = tmp_path_factory.mktemp("refusing") / "home"
    shutil.copytree(founded, home)
    with world(home) as opened, _serving(opened) as running:
        yield _clients(running)(ADMIN)


def _serving(lake: World) -> AbstractContextManager[Door]:
    service = lakeformation(
        lake=lake.desk.lake,
        who=holder_of,
        audit=lake.desk.audit,
        directory=lake.desk.directory,
        clock=lake.clock,
    )
    secrets = {key_of(who): SECRET for who in EVERYBODY} | {"LVTESTSTRANGER": SECRET}
    return serving(doors(secrets=secrets, services=(service,)))


def _clients(served: Door) -> Client:
    return one_each(
        lambda who: never_alike(served.boto3(key_of(who), SECRET, service="lakeformation"))
    )
