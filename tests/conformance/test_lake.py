"""What every lake state must do: catalog, tags, grants, one transaction per change."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.database import open_database
from lakeveil.adapters.identity.directory import Directory
from lakeveil.adapters.lake import open_lake
from lakeveil.adapters.lake.codec import resource_of, resource_text
from lakeveil.core.access.grants import (
    DataCellsFilter,
    Grant,
    OnCatalog,
    OnColumns,
    OnDatabase,
    OnExpression,
    OnFilter,
    OnLocation,
    OnTable,
    OnTag,
    PolicyKind,
    Resource,
    TableName,
    TagPolicy,
)
from lakeveil.core.access.guards import NameGuard, shown
from lakeveil.core.access.lake import Column, Database, LakeSettings, Table
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import WITHHELD, Expression, LFTag, SavedExpression
from lakeveil.core.identity.directory import Account
from lakeveil.errors import LakeveilError
from lakeveil.ports.lake import Assignment, DatabaseRecord, Lake, Location, Place, TableRecord
from tests.new_database import new_database

A = "123456789012"
EVENTS = TableName(A, "ads", "events")
SELECT = frozenset({Permission.SELECT})


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    engine = new_database(tmp_path / "state.db")
    yield open_lake(engine)
    engine.dispose()


@pytest.fixture
def other(lake: Lake, tmp_path: Path) -> Iterator[Lake]:
    """The same state as another process has it open."""
    del lake
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    yield open_lake(engine)
    engine.dispose()


def record(name: TableName = EVENTS, *columns: str, location: str = "s3://lake/ads") -> TableRecord:
    found = tuple(Column(column) for column in columns or ("id", "ip_address"))
    return TableRecord(
        table=Table(name=name, columns=found, owner="arn:aws:iam::123456789012:user/dave"),
        document={"StorageDescriptor": {"Location": location}},
        location=location,
        created_at=1.0,
        updated_at=1.0,
    )


def ads() -> DatabaseRecord:
    return DatabaseRecord(database=Database(account=A, name="ads", owner="o"), created_at=1.0)


def grant(resource: Resource, principal: str = "arn:p") -> Grant:
    return Grant(id="", account=A, principal=principal, resource=resource, permissions=SELECT)


def test_a_table_comes_back_with_the_tags_of_every_layer(lake: Lake) -> None:
    with lake.changing() as change:
        change.put_database(ads())
        change.put_table(record())
        for place, value in [
            (Place(A), "z"),
            (Place(A, "ads"), "non-private"),
            (Place(A, "ads", "events"), "t"),
            (Place(A, "ads", "events", "ip_address"), "private"),
            (Place(A, "ads", "other", "id"), "elsewhere"),
            (Place(A, "other"), "elsewhere"),
            (Place("210987654321", "ads", "events", "id"), "elsewhere"),
        ]:
            change.assign(Assignment(place=place, key="class", value=value, set_by="d", set_at=2.0))

    found = lake.table(EVENTS)

    assert found is not None
    assert found.table.tags.catalog == {"class": "z"}
    assert found.table.tags.database == {"class": "non-private"}
    assert found.table.tags.table == {"class": "t"}
    assert found.table.tags.columns == {"ip_address": {"class": "private"}}
    assert [list(lake.tables(A, "ads")), list(lake.tables(A))] == [[found], [found]]
    database = lake.database(A, "ads")
    assert database is not None
    assert database.database.effective_tags() == {"class": "non-private"}
    assert lake.databases(A) == [database]
    assert [a.place.column for a in lake.assignments(A, "ads", "events")] == [
        "", "", "", "ip_address",
    ]  # fmt: skip


def test_assigning_again_replaces_one_key_and_keeps_the_others(lake: Lake) -> None:
    place = Place(A, "ads", "events")
    with lake.changing() as change:
        for key, value in [("class", "a"), ("owner", "b"), ("class", "c")]:
            change.assign(Assignment(place=place, key=key, value=value))

    assert {a.key: a.value for a in lake.assignments(A, "ads", "events")} == {
        "class": "c",
        "owner": "b",
    }


def test_an_exception_undoes_the_whole_change(lake: Lake) -> None:
    def half_a_change() -> None:
        with lake.changing() as change:
            change.put_database(ads())
            change.put_tag(LFTag(account=A, key="class", values=frozenset({"private"})))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_a_change()

    assert lake.database(A, "ads") is None
    assert not lake.policy().tags


def test_a_change_sees_its_own_writes(lake: Lake) -> None:
    with lake.changing() as change:
        kept = change.put_grant(grant(OnTable(A, "ads", None)))
        assert change.policy().grants == (kept,)
        change.remove_grant(kept.id)
        assert change.policy().grants == ()


def test_another_process_sees_a_change_with_its_next_look(lake: Lake, other: Lake) -> None:
    with lake.changing() as change:
        kept = change.put_grant(grant(OnTable(A, "ads", None)))
    assert other.policy().grants == (kept,)
    same = other.policy()
    assert other.policy() is same

    with lake.changing() as change:
        change.remove_grant(kept.id)

    assert other.policy().grants == ()


def test_a_grants_id_is_never_used_twice(lake: Lake) -> None:
    with lake.changing() as change:
        first = change.put_grant(grant(OnTable(A, "ads", None)))
        change.remove_grant(first.id)
    with lake.changing() as change:
        second = change.put_grant(grant(OnTable(A, "ads", None)))

    assert second.id != first.id


RESOURCES: list[Resource] = [
    OnCatalog(A),
    OnDatabase(A, "ads"),
    OnTable(A, "ads", None),
    OnTable(A, "ads", "events"),
    OnColumns(A, "ads", "events", frozenset({"b", "a"}), excluding=True),
    OnFilter(A, "ads", "events", "us"),
    OnLocation(A, "s3://lake/ads"),
    OnTag(A, "class", frozenset({"*"})),
    OnExpression(A, "open"),
    TagPolicy(A, PolicyKind.TABLE, Expression.of({"class": ["b", "a"], "owner": ["x"]})),
    TagPolicy(A, PolicyKind.DATABASE, name="open"),
]


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda r: type(r).__name__)
def test_a_grant_comes_back_as_it_was_recorded(lake: Lake, resource: Resource) -> None:
    full = replace(
        grant(resource),
        grantable=SELECT,
        mask=Mask(MaskKind.FIXED, "***"),
        expires_at=12.5,
        granted_by="arn:admin",
        granted_at=3.0,
        reason="an incident",
    )
    with lake.changing() as change:
        kept = change.put_grant(full)
        change.put_grant(replace(kept, expires_at=None))

    assert lake.policy().grants == (replace(full, id=kept.id, expires_at=None),)


VALUES = st.text(st.characters(exclude_characters=WITHHELD))


@given(st.dictionaries(st.text(min_size=1), st.sets(VALUES, min_size=1), min_size=1))
def test_any_expression_survives_the_text_it_is_kept_as(terms: dict[str, set[str]]) -> None:
    resource = TagPolicy(A, PolicyKind.TABLE, Expression.of(terms))
    assert resource_of(resource_text(resource)) == resource


def test_everything_else_of_the_policy_comes_back(lake: Lake) -> None:
    tag = LFTag(account=A, key="class", values=frozenset({"a", "b"}), created_by="c")
    saved = SavedExpression(account=A, name="open", body=Expression.of({"class": ["a"]}))
    found = DataCellsFilter(
        table=EVENTS, name="us", named=frozenset({"id"}), excluding=True, rows="r = 'us'"
    )
    settings = LakeSettings(
        administrators=frozenset({"x"}), guards=frozenset({NameGuard("ip*addr*", "class")})
    )
    with lake.changing() as change:
        change.put_tag(tag)
        change.put_expression(saved)
        change.put_filter(found)
        change.put_settings(A, settings)

    policy = lake.policy()
    assert policy.tags == {(A, "class"): tag}
    assert policy.expressions == {(A, "open"): saved}
    assert policy.filters == {(EVENTS, "us"): found}
    assert policy.settings == {A: settings}


def test_an_account_cannot_choose_its_organisation_by_its_settings(
    lake: Lake, tmp_path: Path
) -> None:
    claims = LakeSettings(organisations=frozenset({"arn:aws:organizations::1:organization/o-x"}))
    unit = "arn:aws:organizations::123456789012:ou/o-abcdefghij/ou-abcd-12345678"
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    with lake.changing() as change:
        change.put_settings(A, claims)
    before = lake.policy().settings_of(A).organisations
    Directory(engine, SystemClock()).create_account(Account(id=A, name="a", units=(unit,)))

    assert before == frozenset()
    assert lake.policy().settings_of(A).organisations == {unit}
    engine.dispose()


def test_a_removed_tag_vanishes_from_every_resource(lake: Lake) -> None:
    with lake.changing() as change:
        change.put_tag(LFTag(account=A, key="class", values=frozenset({"a"})))
        change.assign(Assignment(place=Place(A, "ads"), key="class", value="a"))
        assert change.tag_values_in_use(A, "class") == {"a"}
        change.remove_tag(A, "class")

    assert lake.assignments(A, "ads") == []
    assert lake.policy().tags == {}


def test_a_removed_expression_takes_the_grants_with_it_that_name_it(lake: Lake) -> None:
    by_name = TagPolicy(A, PolicyKind.TABLE, name="open")
    with lake.changing() as change:
        change.put_expression(
            SavedExpression(account=A, name="open", body=Expression.of({"c": ["a"]}))
        )
        change.put_grant(grant(by_name))
        other = change.put_grant(grant(OnTable(A, "ads", None)))
        change.remove_expression(A, "open")

    assert lake.policy().grants == (other,)


def test_a_dropped_table_leaves_nothing_for_one_of_the_same_name(lake: Lake) -> None:
    on_filter = OnFilter(A, "ads", "events", "us")
    with lake.changing() as change:
        change.put_database(ads())
        change.put_table(record())
        change.assign(Assignment(place=Place(A, "ads", "events", "id"), key="c", value="open"))
        change.put_filter(DataCellsFilter(table=EVENTS, name="us", named=frozenset({"id"})))
        change.put_partition(EVENTS, ["2026"], {})
        for on in (OnTable(A, "ads", "events"), on_filter, OnColumns(A, "ads", "events", SELECT)):
            change.put_grant(grant(on))
        wide = change.put_grant(grant(OnTable(A, "ads", None)))
        change.remove_table(EVENTS)
        change.put_table(record())

    assert lake.policy().grants == (wide,)
    assert lake.policy().filters == {}
    assert lake.assignments(A, "ads", "events") == []
    assert list(lake.partitions(EVENTS)) == []
    assert [found.version for found in lake.table_versions(EVENTS)] == [0]


def test_a_dropped_database_takes_its_tables_tags_and_grants(lake: Lake) -> None:
    with lake.changing() as change:
        change.put_database(ads())
        change.put_table(record())
        change.assign(Assignment(place=Place(A, "ads"), key="c", value="open"))
        change.put_grant(grant(OnDatabase(A, "ads")))
        change.put_grant(grant(OnTable(A, "ads", "events")))
        kept = change.put_grant(grant(OnDatabase(A, "other")))
        change.remove_database(A, "ads")

    assert lake.table(EVENTS) is None
    assert lake.assignments(A, "ads", "events") == []
    assert lake.policy().grants == (kept,)


def test_a_column_that_comes_back_is_as_closed_as_it_was(lake: Lake) -> None:
    secret = Place(A, "ads", "events", "ip_address")
    with lake.changing() as change:
        change.put_table(record())
        change.assign(Assignment(place=secret, key="class", value="private"))
        gone = change.put_table(record(EVENTS, "id"))
        back = change.put_table(record(EVENTS, "id", "ip_address"))

    assert gone.table.tags.columns == {}
    assert back.table.tags.columns == {"ip_address": {"class": "private"}}


def test_a_guarded_name_inherits_nothing_until_it_is_tagged_itself(lake: Lake) -> None:
    guards = frozenset({NameGuard("ip_addr*", "class")})
    with lake.changing() as change:
        change.put_settings(A, LakeSettings(guards=guards))
        change.assign(Assignment(place=Place(A, "ads"), key="class", value="non-private"))
        change.assign(Assignment(place=Place(A, "ads"), key="owner", value="internal"))
        near_miss = change.put_table(record(EVENTS, "id", "IPAddress".lower()))
        change.assign(
            Assignment(place=Place(A, "ads", "events", "ipaddress"), key="class", value="private")
        )
        tagged = change.table(EVENTS)

    assert shown(near_miss.table.tags.of_column("ipaddress")) == {"owner": "internal"}
    assert near_miss.table.tags.of_column("id")["class"] == "non-private"
    assert tagged is not None
    assert tagged.table.tags.of_column("ipaddress")["class"] == "private"


def test_each_write_of_a_table_is_a_version(lake: Lake) -> None:
    with lake.changing() as change:
        change.put_table(record())
        change.put_table(record(EVENTS, "id"))
        change.put_table(record(EVENTS, "id", "extra"))
        change.remove_table_version(EVENTS, 1)

    found = lake.table_versions(EVENTS)
    assert [one.version for one in found] == [2, 0]
    assert [[c.name for c in one.table.columns] for one in found] == [
        ["id", "extra"],
        ["id", "ip_address"],
    ]


@pytest.mark.parametrize(
    ("registered", "governed"),
    [
        ("s3://lake", True),
        ("s3://lake/ads", True),
        ("s3://lake/ad", False),
        ("s3://other", False),
        ("s3://lake/ads/events", False),
    ],
)
def test_a_table_is_governed_where_its_location_is_registered(
    lake: Lake, registered: str, governed: bool
) -> None:
    with lake.changing() as change:
        change.put_table(record(location="s3a://lake/ads/"))
        before = lake.table(EVENTS)
        change.put_location(Location(account=A, location=registered))
        change.put_location(Location(account="210987654321", location="s3://lake/ads"))

    assert before is None
    found = lake.table(EVENTS)
    assert found is not None
    assert found.table.governed is governed
    with lake.changing() as change:
        change.remove_location(A, registered)
    again = lake.table(EVENTS)
    assert again is not None
    assert not again.table.governed


def test_partitions_are_kept_by_their_values(lake: Lake) -> None:
    with lake.changing() as change:
        change.put_partition(EVENTS, ["2026", 'a"b'], {"Parameters": {"n": "1"}})
        change.put_partition(EVENTS, ["2026", 'a"b'], {"Parameters": {"n": "2"}})
        change.put_partition(EVENTS, ["2025", "x"], {})
        change.remove_partition(EVENTS, ["2025", "x"])

    assert list(lake.partitions(EVENTS)) == [(("2026", 'a"b'), {"Parameters": {"n": "2"}})]
    assert lake.partition(EVENTS, ["2026", 'a"b']) == {"Parameters": {"n": "2"}}
    assert lake.partition(EVENTS, ["2025", "x"]) is None


def test_what_is_discoverable_can_be_switched(lake: Lake) -> None:
    with lake.changing() as change:
        change.put_database(ads())
        change.put_table(record())
        change.set_discoverable(A, "ads", "", on=False)
        change.set_discoverable(A, "ads", "events", on=False)

    found, table = lake.database(A, "ads"), lake.table(EVENTS)
    assert found is not None
    assert table is not None
    assert not found.discoverable
    assert not table.discoverable


def test_changes_at_once_are_made_one_after_the_other(lake: Lake, other: Lake) -> None:
    def add(state: Lake) -> None:
        for _ in range(20):
            with state.changing() as change:
                values = {"0"} | {v for t in change.policy().tags.values() for v in t.values}
                change.put_tag(
                    LFTag(account=A, key="n", values=frozenset(values | {str(len(values))}))
                )

    threads = [threading.Thread(target=add, args=(state,)) for state in (lake, other, lake)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(lake.policy().tags[A, "n"].values) == 61


def test_a_state_that_is_away_is_an_error_and_never_an_empty_policy(tmp_path: Path) -> None:
    engine = new_database(tmp_path / "state.db")
    lake = open_lake(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE lf_grants")

    with pytest.raises(LakeveilError):
        lake.policy()
    engine.dispose()
