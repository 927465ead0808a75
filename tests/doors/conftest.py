"""The server that most tests of the doors share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from lakeveil.adapters.metrics import Meter
from tests.doors.running import Door, doors, serving
from tests.doors.small_services import Seen, every


@pytest.fixture(scope="package", autouse=True)
def _plain_log() -> Iterator[None]:
    """Without frames' variables in tracebacks, which take seconds to draw."""
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()]
    )
    yield
    structlog.configure(**before)


@pytest.fixture(scope="session")
def door() -> Iterator[Door]:
    """A server that finds one face on every photo; no objects."""
    meter = Meter()
    with serving(doors(meter=meter), meter) as running:
        yield running


@pytest.fixture(scope="module")
def seen() -> Seen:
    """What the services of `lake` were called with."""
    return Seen()


@pytest.fixture(scope="module")
def lake(seen: Seen) -> Iterator[Door]:
    """A server of every protocol."""
    with serving(doors(services=every(seen))) as running:
        yield running
