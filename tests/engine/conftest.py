"""An engine over the session's SeaweedFS, and a small lake for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeveil.adapters.engine.engine import DuckDBEngine
from tests.engine.small_lake import SmallLake, engine_spec
from tests.stack_fixture import Weed


@pytest.fixture(scope="module")
def lake(weed: Weed) -> SmallLake:
    """A bucket of one's own."""
    return SmallLake(weed)


@pytest.fixture(scope="module")
def engine(lake: SmallLake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBEngine]:
    """A running engine."""
    directory: Path = tmp_path_factory.mktemp("engine")
    with DuckDBEngine(engine_spec(lake, directory), presign=lake.presign) as running:
        yield running
