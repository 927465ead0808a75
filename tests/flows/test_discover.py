"""What somebody finds: names and whether they may read, and nothing of what must not be known."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.core.access.explaining.askers import Asker, Operator
from lakeveil.core.access.grants import DataCellsFilter, OnColumns, OnDatabase, OnFilter, TableName
from lakeveil.core.access.lake import Database
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.core.identity.rights import Rights
from lakeveil.errors import Refused
from lakeveil.flows.asked_grants import Asked
from lakeveil.flows.change_access import looking
from lakeveil.flows.change_discovery import guard_names
from lakeveil.flows.change_grants import grant_masked
from lakeveil.flows.discover import DataAccess, Listing, discover, summed_up
from lakeveil.flows.look_at_guards import name_guards
from lakeveil.flows.look_at_tags import tags_of_table
from lakeveil.ports.lake import DatabaseRecord, Lake
from tests.flows.lakes import (
    ADMIN,
    ANA,
    BOB,
    CARL,
    CLICKS,
    EVENTS,
    HOME,
    OTHER,
    OWNER,
    READER,
    THEIR_ADMIN,
    P,
    World,
    on_table,
    table_record,
)
from tests.flows.test_explain_access import Counted, tag

OPERATOR = Operator(arn="local:eva")


def find(lake: World, who: Asker, text: str = "", **more: str) -> list[Listing]:
    return list(discover(who, text, lake=lake.desk.lake, clock=lake.clock, **more))


def names(lake: World, who: Asker, text: str = "", **more: str) -> list[str]:
    return [f"{one.database}.{one.table}".rstrip(".") for one in find(lake, who, text, **more)]


def access(lake: World, who: Asker, table: str = "events") -> DataAccess | None:
    [listing] = [one for one in find(lake, who) if one.table == table]
    return listing.access


def switch(lake: World, table: str = "", *, on: bool = False) -> None:
    with lake.desk.lake.changing() as change:
        change.set_discoverable(HOME, "ads", table, on=on)


def describe(lake: World, name: TableName, text: str) -> None:
    with lake.desk.lake.changing() as change:
        change.put_table(replace(table_record(name), document={"Description": text}))


def test_people_of_the_account_find_what_they_may_not_read(lake: World) -> None:
    tag(lake)
    describe(lake, EVENTS, "What happened, and when")

    database, _, events = find(lake, BOB)

    assert events == Listing(
        account=HOME,
        database="ads",
        table="events",
        description="What happened, and when",
        owner=OWNER.arn,
        tags={"class": "non-private"},
        access=DataAccess.NO_ACCESS,
    )
    assert (database.table, database.owner, database.access) == (
        "",
        OWNER.arn,
        DataAccess.NO_ACCESS,
    )


def test_what_is_not_discoverable_is_not_in_the_list(lake: World) -> None:
    switch(lake, "events")
    assert names(lake, BOB) == ["ads", "ads.clicks"]
    switch(lake)
    assert names(lake, BOB) == []


@pytest.mark.parametrize("who", [ADMIN, READER, OWNER])
def test_who_may_know_of_it_finds_it_nevertheless(lake: World, who: Asker) -> None:
    switch(lake)
    switch(lake, "events")
    assert names(lake, who) == ["ads", "ads.clicks", "ads.events"]


def test_a_table_that_was_granted_is_found_in_a_database_that_may_not_be_discovered(
    lake: World,
) -> None:
    switch(lake)
    lake.grant(ADMIN, ANA.arn, on_table(), P.SELECT)
    assert names(lake, ANA) == ["ads", "ads.events"]


class Watched:
    """A lake that notes what it is asked while somebody looks."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self.asked: list[str] = []

    @contextmanager
    def looking(self) -> Iterator[object]:
        with self._lake.looking() as state:
            counted = Counted(state)
            yield counted
            self.asked += counted.asked


def test_looking_for_what_is_hidden_is_the_work_of_looking_for_what_is_not_there(
    lake: World,
) -> None:
    switch(lake, "events")
    ways = []
    for text in ("events", "nope"):
        watched = Watched(lake.desk.lake)
        assert not list(discover(BOB, text, lake=watched, clock=lake.clock))  # type: ignore[arg-type]
        ways.append(watched.asked)
    assert ways[0] == ways[1] == ["policy", "databases", "tables"]


def test_a_table_whose_location_is_not_registered_is_not_found(lake: World) -> None:
    with lake.desk.lake.changing() as change:
        change.remove_location(HOME, "s3://lake/ads")
    assert names(lake, BOB) == ["ads"]
    assert names(lake, ADMIN) == ["ads", "ads.clicks", "ads.events"]


def test_another_account_finds_only_what_was_shared_with_it(lake: World) -> None:
    assert find(lake, CARL) == find(lake, CARL, account=HOME) == find(lake, THEIR_ADMIN) == []
    lake.grant(ADMIN, OTHER, on_table(), P.SELECT, option=(P.SELECT,))
    lake.grant(THEIR_ADMIN, CARL.arn, on_table(), P.SELECT)
    assert names(lake, CARL) == ["ads.events"]
    assert find(lake, CARL, account=OTHER) == []


def test_what_is_readable_is_told_apart_from_a_part_a_mask_and_nothing(lake: World) -> None:
    assert access(lake, ANA) is DataAccess.NO_ACCESS
    asked = Asked(principal=ANA.arn, resource=on_table(), permissions=frozenset({P.SELECT}))
    grant_masked(asked, Mask(MaskKind.HASH), call=lake.call(ADMIN), desk=lake.desk)
    assert access(lake, ANA) is DataAccess.MASKED
    lake.grant(ADMIN, ANA.arn, OnColumns(HOME, "ads", "events", frozenset({"id"})), P.SELECT)
    assert access(lake, ANA) is DataAccess.PARTLY
    lake.grant(ADMIN, ANA.arn, on_table(), P.SELECT)
    assert access(lake, ANA) is DataAccess.READABLE
    assert access(lake, ANA, "") is DataAccess.PARTLY
    lake.grant(ADMIN, ANA.arn, on_table(CLICKS), P.SELECT)
    assert access(lake, ANA, "") is DataAccess.READABLE


def test_some_rows_are_a_part(lake: World) -> None:
    with lake.desk.lake.changing() as change:
        change.put_filter(
            DataCellsFilter(
                table=EVENTS, name="f", named=frozenset(), excluding=True, rows="id = '4711'"
            )
        )
    lake.grant(ADMIN, ANA.arn, OnFilter(HOME, "ads", "events", "f"), P.SELECT)
    assert access(lake, ANA) is DataAccess.PARTLY


def test_nothing_is_readable_without_the_right_to_read_data(lake: World) -> None:
    lake.grant(ADMIN, ANA.arn, on_table(), P.SELECT)
    assert access(lake, replace(ANA, rights=Rights())) is DataAccess.NO_ACCESS


def test_administrators_read_nothing_by_being_such(lake: World) -> None:
    assert access(lake, ADMIN) is DataAccess.NO_ACCESS


@pytest.mark.parametrize(
    ("text", "finds"),
    [
        ("CLICKS", ["ads.clicks"]),
        ("happened ads", ["ads.events"]),
        ("class=non-private events", ["ads.events"]),
        ("class=private", []),
        ("happened clicks", []),
        ("4711", []),
    ],
)
def test_every_word_must_be_in_name_description_or_tags(
    lake: World, text: str, finds: list[str]
) -> None:
    tag(lake)
    describe(lake, EVENTS, "What happened")
    assert names(lake, BOB, text) == finds


def test_no_column_is_found(lake: World) -> None:
    lake.grant(ADMIN, ANA.arn, on_table(), P.SELECT)
    for who in (ANA, OWNER):
        assert find(lake, who, "ip_address") == []


def test_what_is_hidden_from_the_catalog_is_not_told_by_way_of_the_description(
    lake: World,
) -> None:
    describe(lake, EVENTS, "joins on ip_address")
    lake.grant(ADMIN, ANA.arn, OnColumns(HOME, "ads", "events", frozenset({"id"})), P.SELECT)
    assert names(lake, ANA, "joins") == ["ads.events"]

    switch(lake, "events")

    assert names(lake, ANA, "joins") == []
    assert names(lake, ANA, "events") == ["ads.events"]
    assert names(lake, OWNER, "joins") == ["ads.events"]


def test_tags_that_one_may_not_know_of_are_told_of_what_is_discoverable_alone(
    lake: World,
) -> None:
    tag(lake)
    lake.grant(ADMIN, ANA.arn, on_table(), P.SELECT)
    record = lake.desk.lake.table(EVENTS)
    assert record is not None
    mine = looking(ANA, lake.desk)
    assert tags_of_table(mine, record.table, assigned=False).table == {}
    assert names(lake, ANA, "class=non-private events") == ["ads.events"]

    switch(lake, "events")

    assert names(lake, ANA, "class=non-private events") == []
    assert names(lake, ADMIN, "class=non-private events") == ["ads.events"]


def test_the_operator_finds_everything_and_is_nobody_with_access(lake: World) -> None:
    switch(lake)
    found = find(lake, OPERATOR, account=HOME)
    assert [(one.table, one.access) for one in found] == [
        ("", None),
        ("clicks", None),
        ("events", None),
    ]
    assert find(lake, OPERATOR) == []


def test_a_database_without_tables_is_found(lake: World) -> None:
    with lake.desk.lake.changing() as change:
        change.put_database(DatabaseRecord(database=Database(account=HOME, name="zoo")))
    assert names(lake, BOB, "zoo") == ["zoo"]
    lake.grant(ADMIN, BOB.arn, OnDatabase(HOME, "zoo"), P.DESCRIBE)
    [zoo] = find(lake, BOB, "zoo")
    assert zoo.access is DataAccess.NO_ACCESS


def test_what_is_found_is_in_order(lake: World) -> None:
    with lake.desk.lake.changing() as change:
        change.put_database(DatabaseRecord(database=Database(account=HOME, name="Aa")))
        change.put_database(DatabaseRecord(database=Database(account=HOME, name="ads2")))
    keys = [one.key for one in find(lake, BOB)]
    assert keys == sorted(keys)
    assert len(keys) == 5


@given(st.lists(st.sampled_from(DataAccess)), st.sampled_from(DataAccess))
def test_a_database_is_readable_only_if_all_of_it_is(
    every: list[DataAccess], other: DataAccess
) -> None:
    assert (summed_up([*every, other]) is DataAccess.READABLE) == (
        {*every, other} == {DataAccess.READABLE}
    )
    assert (summed_up([*every, other]) is DataAccess.NO_ACCESS) == (
        {*every, other} == {DataAccess.NO_ACCESS}
    )


def test_guards_are_shown_with_what_they_close_to_administrators_alone(lake: World) -> None:
    tag(lake)
    guard_names("ip_addr*", "class", account=HOME, call=lake.call(ADMIN), desk=lake.desk)
    for who in (ADMIN, READER, OPERATOR):
        [shown] = name_guards(who, HOME, lake=lake.desk.lake)
        assert (shown.guard.pattern, shown.closes) == ("ip_addr*", (("ads.clicks", "ip_address"),))
    for who in (ANA, OWNER, THEIR_ADMIN):
        with pytest.raises(Refused, match="only an administrator"):
            name_guards(who, HOME, lake=lake.desk.lake)
