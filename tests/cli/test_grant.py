"""`lakeveil grant`, over a real installation's state."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lakeveil.adapters.audit_log import open_audit_log
from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.identity.directory import Directory
from lakeveil.adapters.lake import SqlLake, open_lake
from lakeveil.cli.grant import command
from lakeveil.cli.session import Session
from lakeveil.core.access.deciding.database import database_permissions
from lakeveil.core.access.deciding.decide import decide
from lakeveil.core.access.grants import Grant, PolicyKind, TableName, TagPolicy
from lakeveil.core.access.lake import Column, Database, LakeSettings, Table
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import Expression, LFTag
from lakeveil.core.identity import arns
from lakeveil.core.identity.directory import Account
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import NotFound, Refused, UsageError
from lakeveil.ports.lake import Assignment, DatabaseRecord, Location, Place, TableRecord
from tests.new_database import new_database

HOME = "111111111111"
ANA, DAVE = (arns.user_arn(HOME, name) for name in ("ana", "dave"))
END_OF_2026 = 1_798_761_600.0


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqlLake]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("LAKEVEIL_HOME", str(home))
    engine = new_database(home / "state.db")
    directory = Directory(engine, SystemClock())
    directory.create_account(Account(id=HOME, name="main"))
    for name in ("ana", "dave"):
        directory.create_user(HOME, name)
    open_audit_log(engine, home)
    found = open_lake(engine)
    with found.changing() as change:
        change.put_settings(HOME, LakeSettings(administrators=frozenset({DAVE})))
        change.put_location(Location(account=HOME, location="s3://lake"))
        change.put_database(DatabaseRecord(database=Database(account=HOME, name="ads")))
        change.put_table(
            TableRecord(
                table=Table(
                    name=TableName(HOME, "ads", "events"),
                    columns=(Column("id"), Column("ip")),
                ),
                location="s3://lake/events",
            )
        )
    yield found
    engine.dispose()


Run = Callable[..., None]


@pytest.fixture
def run(lake: SqlLake) -> Run:
    del lake

    def call(*arguments: str) -> None:
        command.main(arguments, standalone_mode=False, obj=Session())

    return call


def granted(lake: SqlLake) -> list[Grant]:
    return lake.policy().grants_to({ANA})


def test_a_column_is_granted_through_a_mask_until_a_day(
    lake: SqlLake, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run("ana", "ads.events.ip", "--mask", "hash", "--until", "2026-12-31", "--json")

    [made] = granted(lake)
    assert (made.mask, made.expires_at) == (Mask(MaskKind.HASH), END_OF_2026)
    assert made.granted_by.startswith("local:")
    [shown] = json.loads(capsys.readouterr().out)
    assert (shown["id"], shown["mask"]) == (made.id, "hash")
    assert shown["until"] == "2027-01-01T00:00:00+00:00"


def test_a_database_is_described_unless_something_else_is_asked(lake: SqlLake, run: Run) -> None:
    run("ana", "ads")
    run("ana", "ads", "--permission", "create_table")

    [made] = granted(lake)
    assert sorted(made.permissions) == ["CREATE_TABLE", "DESCRIBE"]


def test_an_expression_matches_databases_where_asked_and_tables_otherwise(
    lake: SqlLake, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    public = Expression.of({"class": ["public"]})
    with lake.changing() as change:
        change.put_tag(LFTag(account=HOME, key="class", values=frozenset({"public", "private"})))

    run("ana", "class=public", "--on", "database", "--json")
    [shown] = json.loads(capsys.readouterr().out)
    run("ana", "class=public", "--on", "DATABASE", "--permission", "create_table")
    run("ana", "class=public", "--on", "table")
    run("ana", "class=public", "--permission", "insert")

    assert {made.resource: sorted(made.permissions) for made in granted(lake)} == {
        TagPolicy(HOME, PolicyKind.DATABASE, public): ["CREATE_TABLE", "DESCRIBE"],
        TagPolicy(HOME, PolicyKind.TABLE, public): ["INSERT", "SELECT"],
    }
    assert shown["resource"]["tag_policy"] == "DATABASE"


def test_a_policy_on_databases_shows_the_database_and_none_of_its_data(
    lake: SqlLake, run: Run
) -> None:
    with lake.changing() as change:
        change.put_tag(LFTag(account=HOME, key="class", values=frozenset({"public"})))
        change.assign(Assignment(place=Place(HOME, "ads"), key="class", value="public"))
    ana = Principal(arn=ANA, account=HOME, identities=frozenset({ANA}))

    run("ana", "class=public", "--on", "database")

    record = lake.table(TableName(HOME, "ads", "events"))
    assert record is not None
    policy = lake.policy()
    [database] = lake.databases(HOME)
    may, may_pass_on = database_permissions(ana, database.database, policy, now=0.0)
    assert may == {Permission.DESCRIBE}
    assert not may_pass_on
    assert decide(ana, record.table, policy, now=0.0).shown() == ()


def test_somebody_acts_with_their_own_rights(lake: SqlLake, run: Run) -> None:
    with pytest.raises(NotFound):
        run("ana", "ads.events", "--as", "ana")
    run("ana", "ads.events.id", "--as", "dave")
    with pytest.raises(Refused):
        run("dave", "ads.events", "--as", "ana")

    [made] = granted(lake)
    assert made.granted_by == DAVE


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("ana", "ads.events", "--mask", "blur"), "is no mask"),
        (("ana", "ads.events", "--mask", "fixed"), "is no mask"),
        (("ana", "ads.events", "--mask", "null:x"), "is no mask"),
        (("ana", "ads.events", "--permission", "LOOK"), "no such permission"),
        (("ana", "ads.events", "--until", "soon"), "is no day"),
        (("ana", "ads.events", "--until", "2020-01-01"), "expired already"),
        (("ana", "ads", "--mask", "hash"), "through a mask"),
        (("ana", "ads.events", "--on", "table"), "is named"),
        (("ana", "ads", "--on", "database"), "is named"),
        (("ana", "class=a", "--on", "database", "--mask", "hash"), "through a mask"),
        (("ana", "class=a", "--on", "database", "--permission", "select"), "cannot be granted"),
    ],
)
def test_what_makes_no_sense_is_refused(
    lake: SqlLake, run: Run, arguments: tuple[str, ...], why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        run(*arguments)

    assert granted(lake) == []
