"""What names may give away: guards only close, and what is not discoverable is not there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lakeveil.core.access.deciding.decide import decide
from lakeveil.core.access.grants import PolicyKind, TagPolicy
from lakeveil.core.access.guards import NameGuard
from lakeveil.core.access.lake import Column
from lakeveil.core.access.tags import Expression, LFTag
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import Conflict, LakeveilError, NotFound, Refused, UsageError
from lakeveil.flows.change_discovery import guard_names, lift_guard, set_discoverable, withheld_by
from lakeveil.ports.lake import Assignment, Place
from tests.flows.lakes import ADMIN, ANA, EVENTS, HOME, OWNER, READER, THEIR_ADMIN, P, World

GUARD = NameGuard("ip_addr*", "class")


@pytest.fixture(autouse=True)
def tagged(lake: World) -> None:
    """The article's lake: open as a whole, but for one column."""
    with lake.desk.lake.changing() as change:
        values = frozenset({"private", "non-private"})
        change.put_tag(LFTag(account=HOME, key="class", values=values))
        for place, value in (
            (Place(HOME, EVENTS.database), "non-private"),
            (Place(HOME, EVENTS.database, EVENTS.table, "ip_address"), "private"),
        ):
            change.assign(Assignment(place=place, key="class", value=value))


def guard(
    lake: World, by: Principal = ADMIN, pattern: str = "ip_addr*", key: str = "class"
) -> None:
    guard_names(pattern, key, account=HOME, call=lake.call(by), desk=lake.desk)


def visible(lake: World, who: Principal = ANA) -> list[str]:
    record = lake.desk.lake.table(EVENTS)
    assert record is not None
    found = decide(who, record.table, lake.desk.lake.policy(), now=lake.clock.now())
    return [column.name for column in found.shown()]


def add_column(lake: World, name: str) -> None:
    with lake.desk.lake.changing() as change:
        record = change.table(EVENTS)
        assert record is not None
        columns = (*record.table.columns, Column(name))
        change.put_table(replace(record, table=replace(record.table, columns=columns)))


def test_the_near_miss_is_closed_until_it_is_tagged_itself(lake: World) -> None:
    """The article's own trouble: rules by name knew `ip_address`, and `ipaddress` came."""
    body = Expression.of({"class": ["non-private"]})
    lake.grant(ADMIN, ANA.arn, TagPolicy(HOME, PolicyKind.TABLE, body), P.SELECT)
    before = visible(lake)
    assert "ip_address" not in before
    add_column(lake, "ipaddress")
    assert "ipaddress" in visible(lake)

    guard(lake)

    assert visible(lake) == before
    assert list(withheld_by(GUARD, account=HOME, lake=lake.desk.lake)) == [
        ("ads.clicks", "ip_address"),
        ("ads.events", "ipaddress"),
    ]
    lift_guard("ip_addr*", "class", account=HOME, call=lake.call(ADMIN), desk=lake.desk)
    assert "ipaddress" in visible(lake)


@pytest.mark.parametrize("who", [ANA, READER, OWNER, THEIR_ADMIN], ids=lambda who: who.arn)
def test_only_an_administrator_sets_and_lifts_guards(lake: World, who: Principal) -> None:
    with pytest.raises(Refused):
        guard(lake, who)
    guard(lake)
    with pytest.raises(Refused):
        lift_guard("ip_addr*", "class", account=HOME, call=lake.call(who), desk=lake.desk)
    assert lake.desk.lake.policy().settings_of(HOME).guards == {GUARD}


@pytest.mark.parametrize(
    ("pattern", "key", "error"),
    [
        ("*", "class", UsageError),
        ("", "class", UsageError),
        ("a" * 129, "class", UsageError),
        ("ip*", "nothing", NotFound),
    ],
)
def test_a_guard_that_makes_no_sense_is_refused(
    lake: World, pattern: str, key: str, error: type[LakeveilError]
) -> None:
    with pytest.raises(error):
        guard(lake, pattern=pattern, key=key)


def test_the_same_guard_twice_is_a_conflict_and_one_that_is_not_there_not_found(
    lake: World,
) -> None:
    guard(lake)
    with pytest.raises(Conflict):
        guard(lake, key="CLASS")
    with pytest.raises(NotFound):
        lift_guard("other", "class", account=HOME, call=lake.call(ADMIN), desk=lake.desk)


def test_administrators_and_owners_switch_what_can_be_found(lake: World) -> None:
    for who, on in ((ADMIN, False), (OWNER, True)):
        set_discoverable(
            HOME, EVENTS.database, EVENTS.table, on=on, call=lake.call(who), desk=lake.desk
        )
        record = lake.desk.lake.table(EVENTS)
        assert record is not None
        assert record.discoverable is on


@pytest.mark.parametrize("table", ["", EVENTS.table, "nothing"])
def test_for_everybody_else_it_does_not_exist(lake: World, table: str) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        set_discoverable(
            HOME, EVENTS.database, table, on=False, call=lake.call(ANA), desk=lake.desk
        )
