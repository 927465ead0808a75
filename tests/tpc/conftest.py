"""Sail, once for all of these tests."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.stack_fixture import Weed
from tests.tpc.sail import Sail, running_sail


@pytest.fixture(scope="session")
def sail(weed: Weed) -> Iterator[Sail]:
    """A session of Sail over the store."""
    for package in ("pysail", "pyspark"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed, which is the other engine")
    with running_sail(weed) as session:
        yield session
