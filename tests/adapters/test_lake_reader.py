"""Looking something up reads what is asked for, not the whole lake."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from lakeveil.adapters.lake import SqlLake, open_lake
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.guards import NameGuard
from lakeveil.core.access.lake import Column, Database, LakeSettings, Table
from lakeveil.errors import Unavailable
from lakeveil.ports.lake import Assignment, DatabaseRecord, LakeWriter, Location, Place, TableRecord
from tests.new_database import new_database

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
    opened = new_database(tmp_path / "state.db")
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
    asked: list[str] = []

    @sa.event.listens_for(engine, "checkout")
    def note(connection: sqlite3.Connection, _record: Any, _proxy: Any) -> None:
        connection.set_trace_callback(asked.append)

    assert look(lake)
    sa.event.remove(engine, "checkout", note)
    with engine.connect() as connection:
        plans = [
            row.detail
            for statement in list(asked)
            if "FROM lf_assignments" in statement
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")
            if "lf_assignments" in row.detail
        ]

    assert plans
    assert all("account=? AND database=? AND table_name=?" in plan for plan in plans), plans


EVENTS = TableName(A, "ads", "events")


def test_a_table_is_the_same_object_for_as_long_as_nothing_of_it_changes(lake: SqlLake) -> None:
    found = lake.table(EVENTS)

    assert found is not None
    with lake.changing() as change:
        change.assign(Assignment(place=Place(A, "logs"), key="more", value="set"))
        change.put_table(replace(found, document={"Description": "of another database"}))
    again = lake.table(EVENTS)
    assert again is not None
    assert again.document == {"Description": "of another database"}
    assert again.table is found.table
    assert [one.table for one in lake.tables(A) if one.table.name == EVENTS] == [found.table]


def _with_a_column(change: LakeWriter) -> None:
    record = change.table(EVENTS)
    assert record is not None
    table = replace(record.table, columns=(Column("id"), Column("more")))
    change.put_table(replace(record, table=table))


def _moved(change: LakeWriter) -> None:
    record = change.table(EVENTS)
    assert record is not None
    change.put_table(replace(record, location="s3://elsewhere/x"))


def _of_another_owner(change: LakeWriter) -> None:
    record = change.table(EVENTS)
    assert record is not None
    change.put_table(replace(record, table=replace(record.table, owner="arn:other")))


@pytest.mark.parametrize(
    "make",
    [
        *(
            lambda change, place=place: change.assign(
                Assignment(place=place, key="new", value="set")
            )
            for place in PLACES[:4]
        ),
        *(lambda change, place=place: change.unassign(place, said(place)) for place in PLACES[:4]),
        _with_a_column,
        _moved,
        _of_another_owner,
        lambda change: change.put_settings(
            A, LakeSettings(guards=frozenset({NameGuard("i*", f"{A}/ads")}))
        ),
    ],
)
def test_a_table_that_changed_is_read_as_by_somebody_who_never_saw_it(
    engine: sa.Engine, lake: SqlLake, make: Callable[[LakeWriter], None]
) -> None:
    before = lake.table(EVENTS)
    with open_lake(engine).changing() as change:
        make(change)

    found = lake.table(EVENTS)

    assert found == open_lake(engine).table(EVENTS)
    assert list(lake.tables(A)) == list(open_lake(engine).tables(A))
    assert found is not None
    assert before is not None
    assert found.table != before.table


def test_what_governs_a_table_is_not_kept_beyond_its_location(
    engine: sa.Engine, lake: SqlLake
) -> None:
    with lake.changing() as change:
        change.put_location(Location(account=A, location="s3://lake"))
        record = change.table(EVENTS)
        assert record is not None
        change.put_table(replace(record, location="s3://lake/events"))
    governed = lake.table(EVENTS)
    assert governed is not None
    assert governed.table.governed

    with open_lake(engine).changing() as change:
        change.remove_location(A, "s3://lake")

    found = lake.table(EVENTS)
    assert found is not None
    assert not found.table.governed


def test_a_state_that_cannot_be_read_is_unavailable(engine: sa.Engine, lake: SqlLake) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE lf_assignments RENAME TO gone")

    with pytest.raises(Unavailable):
        lake.table(EVENTS)
