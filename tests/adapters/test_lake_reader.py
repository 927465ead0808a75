"""Looking something up reads what is asked for, not the whole lake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from lakeveil.adapters.database import open_database
from lakeveil.adapters.lake import SqlLake, open_lake
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.lake import Column, Database, Table
from lakeveil.ports.lake import Assignment, DatabaseRecord, Place, TableRecord

A, B = "123456789012", "210987654321"
PLACES = (
    Place(A),
    Place(A, "ads"),
    Place(A, "ads", "events"),
    Place(A, "ads", "events", "id"),
    Place(A, "ads", "clicks"),
    Place(A, "ads", "clicks", "id"),
    Place(A, "logs"),
    Place(A, "logs", "events"),
    Place(A, "logs", "events", "id"),
    Place(B),
    Place(B, "ads"),
    Place(B, "ads", "events"),
)


def said(place: Place) -> str:
    """A tag's key that names where it was set."""
    return f"{place.account}/{place.database}/{place.table}/{place.column}".rstrip("/")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    opened = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    yield opened
    opened.dispose()


@pytest.fixture
def lake(engine: sa.Engine) -> SqlLake:
    """Tables of the same names in several databases and accounts, each place with its own tag."""
    opened = open_lake(engine)
    with opened.changing() as change:
        for account, database in {(one.account, one.database) for one in PLACES if one.database}:
            made = Database(account=account, name=database)
            change.put_database(DatabaseRecord(database=made))
        for place in PLACES:
            if place.table and not place.column:
                name = TableName(place.account, place.database, place.table)
                change.put_table(TableRecord(table=Table(name=name, columns=(Column("id"),))))
            change.assign(Assignment(place=place, key=said(place), value="set"))
    return opened


def test_a_table_has_the_tags_on_the_way_to_it_and_no_others(lake: SqlLake) -> None:
    found = lake.table(TableName(A, "ads", "events"))

    assert found is not None
    assert found.table.tags.of_column("id").keys() == {
        A,
        f"{A}/ads",
        f"{A}/ads/events",
        f"{A}/ads/events/id",
    }
    assert found.table.tags.of_table().keys() == {A, f"{A}/ads", f"{A}/ads/events"}


def test_a_database_has_the_same_tags_alone_and_among_the_others(lake: SqlLake) -> None:
    every = lake.databases(A)

    assert [one.database.name for one in every] == ["ads", "logs"]
    assert every == [lake.database(A, "ads"), lake.database(A, "logs")]
    assert every[0].database.effective_tags() == {A: "set", f"{A}/ads": "set"}


@pytest.mark.parametrize(
    ("database", "table", "expected"),
    [
        ("", "", [A]),
        ("", "events", [A]),
        ("ads", "", [A, f"{A}/ads"]),
        ("ads", "events", [A, f"{A}/ads", f"{A}/ads/events", f"{A}/ads/events/id"]),
        ("gone", "events", [A]),
    ],
)
def test_assignments_are_those_on_the_way(
    lake: SqlLake, database: str, table: str, expected: list[str]
) -> None:
    assert [said(one.place) for one in lake.assignments(A, database, table)] == expected


@pytest.mark.parametrize(
    "look",
    [
        lambda lake: lake.table(TableName(A, "ads", "events")),
        lambda lake: lake.database(A, "ads"),
        lambda lake: lake.databases(A),
        lambda lake: lake.assignments(A, "ads", "events"),
    ],
    ids=["table", "database", "databases", "assignments"],
)
def test_tags_are_found_by_the_whole_name_however_many_others_there_are(
    engine: sa.Engine, lake: SqlLake, look: Callable[[SqlLake], object]
) -> None:
    asked: list[tuple[str, Any]] = []

    @sa.event.listens_for(engine, "before_cursor_execute")
    def note(_c: Any, _cursor: Any, statement: str, values: Any, _x: Any, _many: Any) -> None:
        if "FROM lf_assignments" in statement:
            asked.append((statement, values))

    assert look(lake)
    sa.event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        plans = [
            row.detail
            for statement, values in asked
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            if "lf_assignments" in row.detail
        ]

    assert plans
    assert all("account=? AND database=? AND table_name=?" in plan for plan in plans), plans
