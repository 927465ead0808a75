"""One running door for all of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.doors.trino.running_queries import Served, serving_queries
from tests.oidc_issuer import running_issuer
from tests.stack_fixture import Weed


@pytest.fixture(scope="package")
def served(weed: Weed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The door over a small lake; ana sees all of `events` but `ip_address`."""
    with (
        running_issuer() as issuer,
        serving_queries(tmp_path_factory.mktemp("trino"), weed, issuer) as running,
    ):
        yield running
