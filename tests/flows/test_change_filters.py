"""Data cells filters: who may define and see them, and what a filter may say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lakeveil.core.access.grants import DataCellsFilter, OnColumns, OnFilter, TableName
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import Conflict, NotFound, Refused, UsageError
from lakeveil.flows import change_filters
from lakeveil.flows.change_access import looking
from lakeveil.flows.change_filters import create_filter, delete_filter, update_filter
from lakeveil.flows.known_resources import known_filter
from tests.flows.lakes import ADMIN, ANA, BOB, EVENTS, HOME, OWNER, READER, P, World, on_table

CHEAP = DataCellsFilter(
    table=EVENTS, name="cheap", named=frozenset({"id", "spend"}), rows="spend < 10"
)
ON_CHEAP = OnFilter(HOME, "ads", "events", "cheap")


@pytest.mark.parametrize("who", [ADMIN, OWNER], ids=["administrator", "owner"])
def test_administrator_and_owner_define_filters(lake: World, who: Principal) -> None:
    create_filter(CHEAP, call=lake.call(who), desk=lake.desk)
    lake.grant(ADMIN, ANA.arn, ON_CHEAP, P.SELECT)

    assert [(c.name, c.visible.text()) for c in lake.decision(ANA).shown()] == [
        ("id", "(spend < 10)"),
        ("spend", "(spend < 10)"),
    ]


def test_who_may_not_pass_on_all_of_the_table_defines_none(lake: World) -> None:
    with pytest.raises(NotFound, match="Table not found"):
        create_filter(CHEAP, call=lake.call(ANA), desk=lake.desk)
    some = OnColumns(HOME, "ads", "events", frozenset({"id", "spend"}))
    lake.grant(ADMIN, ANA.arn, some, P.SELECT, option=(P.SELECT,))
    with pytest.raises(Refused, match="Select with grant option"):
        create_filter(CHEAP, call=lake.call(ANA), desk=lake.desk)
    lake.grant(ADMIN, ANA.arn, on_table(), P.SELECT, option=(P.SELECT,))
    create_filter(CHEAP, call=lake.call(ANA), desk=lake.desk)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"named": frozenset({"nowhere"})}, "table lacks: `nowhere`"),
        ({"named": frozenset()}, "leaves no column"),
        ({"named": frozenset({"id", "ts", "ip_address", "spend"}), "excluding": True}, "no column"),
        ({"rows": "spend = 'much'"}, "does not fit"),
        ({"rows": "nowhere = 1"}, "does not fit"),
        ({"rows": "1 = 1"}, "is not valid"),
        ({"rows": "spend < 10; drop"}, "is not valid"),
        ({"rows": ""}, "is not valid"),
    ],
)
def test_a_filter_that_does_not_fit_the_table_is_refused(
    lake: World, change: dict[str, object], why: str
) -> None:
    asked = replace(CHEAP, **change)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=why):
        create_filter(asked, call=lake.call(ADMIN), desk=lake.desk)

    assert lake.desk.lake.policy().filters == {}


def test_a_name_is_given_once_and_a_table_has_so_many(
    lake: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_filter(CHEAP, call=lake.call(ADMIN), desk=lake.desk)
    with pytest.raises(Conflict):
        create_filter(CHEAP, call=lake.call(ADMIN), desk=lake.desk)

    monkeypatch.setattr(change_filters, "MAX_FILTERS", 1)
    with pytest.raises(UsageError, match="at most 1 filters"):
        create_filter(replace(CHEAP, name="more"), call=lake.call(ADMIN), desk=lake.desk)


def test_an_update_moves_every_grant_and_minds_who_was_first(lake: World) -> None:
    first = create_filter(CHEAP, call=lake.call(ADMIN), desk=lake.desk)
    lake.grant(ADMIN, ANA.arn, ON_CHEAP, P.SELECT)

    narrower = replace(CHEAP, named=frozenset({"id"}), version=first.version)
    second = update_filter(narrower, call=lake.call(ADMIN), desk=lake.desk)

    assert lake.sees(ANA) == ["id"]
    assert second.version != first.version
    with pytest.raises(Conflict, match="changed meanwhile"):
        update_filter(narrower, call=lake.call(ADMIN), desk=lake.desk)
    with pytest.raises(NotFound):
        update_filter(replace(CHEAP, name="other"), call=lake.call(ADMIN), desk=lake.desk)


def test_to_read_through_a_filter_is_not_to_see_or_drop_it(lake: World) -> None:
    create_filter(CHEAP, call=lake.call(ADMIN), desk=lake.desk)
    lake.grant(ADMIN, ANA.arn, ON_CHEAP, P.SELECT)

    def look(who: Principal) -> DataCellsFilter:
        return known_filter(lake.desk.lake, looking(who, lake.desk), EVENTS, "cheap")

    with pytest.raises(NotFound, match="Data cells filter not found"):
        look(ANA)
    with pytest.raises(NotFound):
        delete_filter(EVENTS, "cheap", call=lake.call(ANA), desk=lake.desk)
    lake.grant(ADMIN, ANA.arn, ON_CHEAP, P.DESCRIBE)
    assert look(ANA) == look(READER)
    with pytest.raises(Refused, match="Required Drop"):
        delete_filter(EVENTS, "cheap", call=lake.call(ANA), desk=lake.desk)
    lake.grant(ADMIN, ANA.arn, ON_CHEAP, P.DROP)
    delete_filter(EVENTS, "cheap", call=lake.call(ANA), desk=lake.desk)
    assert lake.grants_to(ANA.arn) == []


def test_a_filter_that_names_hidden_columns_stays_hidden(lake: World) -> None:
    shy = replace(CHEAP, named=frozenset({"ip_address"}), excluding=True, rows=None)
    create_filter(shy, call=lake.call(ADMIN), desk=lake.desk)
    lake.grant(ADMIN, ANA.arn, ON_CHEAP, P.SELECT, P.DESCRIBE)

    assert "ip_address" not in lake.sees(ANA)
    with pytest.raises(NotFound):
        known_filter(lake.desk.lake, looking(ANA, lake.desk), EVENTS, "cheap")


def test_a_table_that_is_hidden_has_no_filters(lake: World) -> None:
    create_filter(CHEAP, call=lake.call(ADMIN), desk=lake.desk)

    def answer(table: TableName, name: str) -> str:
        with pytest.raises(NotFound) as refused:
            delete_filter(table, name, call=lake.call(BOB), desk=lake.desk)
        return str(refused.value)

    assert answer(EVENTS, "cheap") == answer(TableName(HOME, "ads", "nowhere"), "cheap")


def test_constants_of_a_row_filter_are_encrypted_on_record(lake: World) -> None:
    secret = replace(CHEAP, rows="id = 'Jane Doe'")
    create_filter(secret, call=lake.call(ADMIN), desk=lake.desk)

    records = [entry.record for entry in lake.trail.entries() if entry.record]
    assert any(record.sealed for record in records)
    assert "Jane" not in repr(records)
