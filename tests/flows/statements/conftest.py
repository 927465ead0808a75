"""One engine for all statements, and a lake for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lakeveil.adapters.engine.engine import DuckDBEngine
from tests.flows.lakes import World
from tests.flows.statements.sql_world import SqlWorld, running_engine, sql_world
from tests.stack_fixture import Weed


@pytest.fixture(scope="session")
def engine(weed: Weed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBEngine]:
    """A running engine."""
    with running_engine(weed, tmp_path_factory.mktemp("engine")) as running:
        yield running


@pytest.fixture
def world(lake: World, weed: Weed, engine: DuckDBEngine) -> SqlWorld:
    """`ads.events` on a real store; `ip_address` is private, everything else public."""
    return sql_world(lake, weed, engine)
