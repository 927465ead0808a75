"""An identity store of each test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeveil.adapters.database import open_database
from lakeveil.adapters.identity import IdentityStore, open_identity_store
from tests.identity_parts import Identity, identity_in


@pytest.fixture
def identity(tmp_path: Path) -> Iterator[Identity]:
    """An installation with two empty accounts."""
    with identity_in(tmp_path / "home") as identity:
        yield identity


@pytest.fixture
def elsewhere(identity: Identity) -> Iterator[IdentityStore]:
    """The same state, as another process has it open."""
    engine = open_database(str(identity.engine.url))
    yield open_identity_store(engine, identity.home, identity.clock)
    engine.dispose()
