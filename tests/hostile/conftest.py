"""The lake of canaries, at each wall."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hostile.canary_lake import canary_lake
from tests.hostile.decided import DecidedLake
from tests.hostile.in_process import GuardAlone, Permitted
from tests.hostile.raw_workers import Raw, raw_workers
from tests.hostile.real_walls import RealWalls, real_walls
from tests.stack_fixture import Weed


@pytest.fixture(scope="session")
def lake() -> DecidedLake:
    """What `mallory` meets."""
    return canary_lake()


@pytest.fixture(scope="session")
def permitted(lake: DecidedLake) -> Permitted:
    """A copy of what she may see."""
    return Permitted(lake)


@pytest.fixture(scope="session")
def guard(lake: DecidedLake, tmp_path_factory: pytest.TempPathFactory) -> GuardAlone:
    """The guard without an engine's walls."""
    return GuardAlone(lake, tmp_path_factory.mktemp("guard"))


@pytest.fixture(scope="session")
def walls(
    lake: DecidedLake, weed: Weed, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealWalls]:
    """All of them."""
    with real_walls(lake, weed, tmp_path_factory.mktemp("walls")) as running:
        yield running


@pytest.fixture(scope="session")
def raw(walls: RealWalls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Raw]:
    """The engine's walls without the guard."""
    with raw_workers(walls, tmp_path_factory.mktemp("raw")) as running:
        yield running
