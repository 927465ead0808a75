"""Fixtures for every test, and how properties are tried."""

from __future__ import annotations

import os

from hypothesis import settings

from tests.stack_fixture import nats, weed

__all__ = ["nats", "weed"]

# In CI the same examples each time: what a random one finds belongs to whoever can mend it.
settings.register_profile("lakeveil", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("lakeveil")
