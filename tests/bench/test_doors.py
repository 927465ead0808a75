"""What `bench/doors.py` measures is what it says: the lake is as big, and something is hidden."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.door_lake import COLUMNS, DATABASE, GRANTS, Callers, lay_down

from lakeveil.adapters.database import open_database
from lakeveil.adapters.lake import open_lake
from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.identity.principal import Principal

TABLES = 20


@pytest.fixture(scope="module")
def laid_down(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Callers]:
    home = tmp_path_factory.mktemp("home")
    return home, lay_down(home, tables=TABLES)


def test_the_analyst_sees_every_table_but_not_every_column(
    laid_down: tuple[Path, Callers],
) -> None:
    home, callers = laid_down
    engine = open_database(f"sqlite:///{home / 'state.db'}")
    lake = open_lake(engine)
    analyst = Principal(
        arn=callers.analyst_arn,
        account=callers.account,
        identities=frozenset({callers.analyst_arn}),
    )
    with lake.looking() as state:
        authority = Authority(who=analyst, policy=state.policy(), now=0.0)
        seen = [
            authority.known_columns(record.table)
            for record in state.tables(callers.account, DATABASE)
        ]
    engine.dispose()

    assert len(authority.grants()) == GRANTS
    assert len(seen) == TABLES
    assert all(0 < len(columns) <= COLUMNS for columns in seen)
    assert 0.9 < sum(map(len, seen)) / (TABLES * COLUMNS) < 1.0


def test_a_home_that_is_taken_is_left_alone(laid_down: tuple[Path, Callers]) -> None:
    with pytest.raises(RuntimeError, match="there is an installation"):
        lay_down(laid_down[0], tables=1)
