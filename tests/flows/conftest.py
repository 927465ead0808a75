"""The lake that tests of access share; each gets a copy of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeveil.flows.assign_tags import add_tags
from lakeveil.flows.change_tags import create_tag
from tests.flows.lakes import ADMIN, DATABASE, HOME, World, found, world


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake as it begins, made once: creating the state takes most of a test's time."""
    home = tmp_path_factory.mktemp("lake")
    found(home)
    return home


@pytest.fixture
def lake(founded: Path, tmp_path: Path) -> Iterator[World]:
    """Two accounts, two tables, an administrator in each account."""
    shutil.copytree(founded, tmp_path, dirs_exist_ok=True)
    with world(tmp_path) as opened:
        yield opened


@pytest.fixture
def public_lake(lake: World) -> World:
    """The lake with everything in `ads` tagged public."""
    create_tag(HOME, "class", ["private", "public"], call=lake.call(ADMIN), desk=lake.desk)
    add_tags(DATABASE, [("class", "public")], call=lake.call(ADMIN), desk=lake.desk)
    return lake
