"""The server that most tests of the doors share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.doors.running import Door, doors, serving

from lakeveil.adapters.metrics import Meter


@pytest.fixture(scope="session")
def door() -> Iterator[Door]:
    """A server that finds one face on every photo; no objects."""
    meter = Meter()
    with serving(doors(meter=meter), meter) as running:
        yield running
