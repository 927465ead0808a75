"""Fixtures of the worker's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.limiter import SqlLimiter
from lakeveil.adapters.queue_memory import MemoryQueue
from lakeveil.ports import Limiter
from tests.new_database import new_database


@pytest.fixture
def limiter(tmp_path: Path) -> Iterator[Limiter]:
    engine = new_database(tmp_path / "state.db")
    yield SqlLimiter(engine, SystemClock())
    engine.dispose()


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue(visibility_timeout_s=0.6)
