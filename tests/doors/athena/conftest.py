"""One running lake for all of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.doors.athena.athena_lake import AthenaLake, running_athena


@pytest.fixture(scope="package")
def lake() -> Iterator[AthenaLake]:
    """Everything, as `lakeveil up` runs it."""
    with running_athena() as running:
        yield running
