"""The lake that is kept is the lake as it is: whatever was written meanwhile counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from lakeveil.adapters.kept_lake import KeptLake
from lakeveil.adapters.lake import SqlLake, open_lake
from lakeveil.core.access.grants import Grant, OnTable, TableName
from lakeveil.core.access.guards import NameGuard
from lakeveil.core.access.lake import Column, Database, LakeSettings, Table
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import LFTag
from lakeveil.errors import Unavailable
from lakeveil.ports.lake import (
    Assignment,
    DatabaseRecord,
    LakeWriter,
    Location,
    Place,
    TableRecord,
)
from tests.new_database import new_database

HOME, OTHER = "111111111111", "222222222222"
T, U = TableName(HOME, "d", "t"), TableName(OTHER, "d", "u")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = new_database(tmp_path / "state.db")
    with open_lake(engine).changing() as change:
        for name in (T, U):
            change.put_database(DatabaseRecord(database=Database(account=name.account, name="d")))
            change.put_location(Location(account=name.account, location="s3://lake/d"))
            put(change, name, "id", "email")
        change.put_tag(LFTag(account=HOME, key="class", values=frozenset({"open", "private"})))
        tag(change, "private", column="email")
        tag(change, "private", column="gone")
    yield engine
    engine.dispose()


def put(change: LakeWriter, name: TableName, *columns: str, owner: str = "") -> None:
    table = Table(name=name, columns=tuple(Column(one, "string") for one in columns), owner=owner)
    change.put_table(TableRecord(table=table, location=f"s3://lake/d/{name.table}"))


def tag(change: LakeWriter, value: str, database: str = "d", table: str = "t", column: str = "",
        ) -> None:  # fmt: skip
    place = Place(HOME, database, table, column)
    change.assign(Assignment(place=place, key="class", value=value))


def check(kept: KeptLake, lake: SqlLake) -> None:
    """It holds what reading it anew gives."""
    with kept.whole() as whole:
        there = {one.table.name: one for account in (HOME, OTHER) for one in lake.tables(account)}
        assert {table.name: table for table in whole.index} == {
            name: record.table for name, record in there.items()
        }
        hidden = {
            (account, one.database.name)
            for account in (HOME, OTHER)
            for one in lake.databases(account)
            if not one.discoverable
        }
        assert whole.secret == {
            name
            for name, record in there.items()
            if not record.discoverable or (name.account, name.database) in hidden
        }
        assert whole.policy == lake.policy()


CHANGES: dict[str, Callable[[LakeWriter], object]] = {
    "a tag on a column": lambda c: tag(c, "open", column="id"),
    "a tag on a table": lambda c: tag(c, "open"),
    "a tag on a database": lambda c: tag(c, "open", table=""),
    "a tag on the catalog": lambda c: tag(c, "open", database="", table=""),
    "no tag on a column": lambda c: c.unassign(Place(HOME, "d", "t", "email"), "class"),
    "more columns": lambda c: put(c, T, "id", "email", "gone"),
    "other columns": lambda c: put(c, T, "email", "name"),
    "an owner": lambda c: put(c, T, "id", "email", owner="ana"),
    "a table": lambda c: put(c, TableName(HOME, "d", "new"), "id"),
    "no table": lambda c: c.remove_table(T),
    "no database": lambda c: c.remove_database(HOME, "d"),
    "a secret table": lambda c: c.set_discoverable(HOME, "d", "t", on=False),
    "a secret database": lambda c: c.set_discoverable(HOME, "d", "", on=False),
    "no location": lambda c: c.remove_location(HOME, "s3://lake/d"),
    "no tag": lambda c: c.remove_tag(HOME, "class"),
    "a guard": lambda c: c.put_settings(
        HOME, LakeSettings(guards=frozenset({NameGuard("i*", "class")}))
    ),
    "a grant": lambda c: c.put_grant(
        Grant(
            id="",
            account=HOME,
            principal="ana",
            resource=OnTable(HOME, "d", "t"),
            permissions=frozenset({Permission.SELECT}),
        )
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_it_follows_what_somebody_else_writes(engine: sa.Engine, what: str) -> None:
    kept, lake = KeptLake(engine), open_lake(engine)
    check(kept, lake)
    with lake.changing() as change:
        CHANGES[what](change)
    check(kept, lake)
    check(KeptLake(engine), lake)


def test_a_table_that_comes_back_is_another_one(engine: sa.Engine) -> None:
    kept, lake = KeptLake(engine), open_lake(engine)
    check(kept, lake)
    with lake.changing() as change:
        change.remove_table(T)
        put(change, T, "id", "phone")
    check(kept, lake)


def test_what_did_not_change_is_not_made_anew(engine: sa.Engine) -> None:
    kept = KeptLake(engine)
    with kept.whole() as before:
        index, numbers = before.index, before.index.numbers().tolist()
        policy = before.policy
    with kept.whole() as after:
        assert after.index is index
        assert after.policy is policy
        assert after.index.numbers().tolist() == numbers


def test_a_state_that_does_not_answer_is_unavailable_and_nothing_of_it_is_kept(
    engine: sa.Engine,
) -> None:
    kept = KeptLake(engine)
    with kept.whole():
        pass
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE lf_assignments RENAME TO away")
    with pytest.raises(Unavailable), kept.whole():
        pass
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO lf_assignments")
    check(kept, open_lake(engine))
