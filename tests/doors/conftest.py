"""The server that most tests of the doors share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lakeveil.adapters.metrics import Meter
from tests.doors.running import Door, doors, serving


@pytest.fixture(scope="session")
def door() -> Iterator[Door]:
    """A server that finds one face on every photo; no objects."""
    meter = Meter()
    with serving(doors(meter=meter), meter) as running:
        yield running
