"""ListDiscoverable, SearchData and SetDiscoverable."""

from __future__ import annotations

from typing import Any

from tests.doors.lakeformation.asking import code, refusal
from tests.doors.lakeveil.conftest import Client
from tests.flows.lakes import ADMIN, ANA, BOB, CARL, HOME, OWNER, P, World, on_table


def names(answer: Any) -> list[str]:
    """What was found."""
    return [one.get("TableName", one["DatabaseName"]) for one in answer["Listings"]]


def test_everything_that_is_discoverable_is_listed(client: Client, lake: World) -> None:
    lake.grant(ADMIN, ANA.arn, on_table(), P.SELECT)

    told = client(ANA).list_discoverable()

    assert "NextToken" not in told
    assert told["Listings"] == [
        {
            "CatalogId": HOME,
            "DatabaseName": "ads",
            **more,
            "Owner": OWNER.arn,
            "Tags": [{"Key": "class", "Value": "non-private"}],
            "Access": access,
        }
        for more, access in (
            ({}, "PARTLY"),
            ({"TableName": "clicks"}, "NO_ACCESS"),
            ({"TableName": "events"}, "READABLE"),
        )
    ]


def test_pages_leave_nothing_out_and_repeat_nothing(client: Client) -> None:
    asking = client(BOB)
    first = asking.list_discoverable(MaxResults=2)
    rest = asking.list_discoverable(MaxResults=2, NextToken=first["NextToken"])
    assert names(first) + names(rest) == ["ads", "clicks", "events"]
    assert "NextToken" not in rest


def test_a_token_is_good_for_one_question_of_one_caller(client: Client) -> None:
    token = client(BOB).list_discoverable(MaxResults=1)["NextToken"]
    for asking, more in (
        (client(ANA).list_discoverable, {}),
        (client(BOB).search_data, {"Text": "ads"}),
        (client(BOB).list_discoverable, {"CatalogId": HOME}),
    ):
        assert code(asking, NextToken=token, **more) == "InvalidInputException"


def test_words_are_searched_for(client: Client) -> None:
    assert names(client(BOB).search_data(Text="CLICKS class=non-private")) == ["clicks"]
    assert names(client(BOB).search_data(Text="ip_address")) == []
    assert names(client(CARL).search_data(Text="clicks")) == []


def test_what_must_not_be_known_is_switched_off(client: Client) -> None:
    client(OWNER).set_discoverable(DatabaseName="ads", TableName="Events", Discoverable=False)
    assert names(client(BOB).list_discoverable()) == ["ads", "clicks"]
    client(ADMIN).set_discoverable(DatabaseName="ads", Discoverable=False)
    assert names(client(BOB).list_discoverable()) == names(client(BOB).search_data(Text="ads"))
    assert names(client(BOB).list_discoverable()) == []
    assert names(client(OWNER).list_discoverable()) == ["ads", "clicks", "events"]


def test_only_owner_and_administrator_switch(client: Client, lake: World) -> None:
    lake.grant(ADMIN, ANA.arn, on_table(), P.SELECT)
    asked = {"DatabaseName": "ads", "TableName": "events", "Discoverable": True}
    known = refusal(client(ANA).set_discoverable, **asked)
    hidden = refusal(client(BOB).set_discoverable, **asked)
    absent = refusal(client(BOB).set_discoverable, **{**asked, "TableName": "nope"})
    assert known[0] == "AccessDeniedException"
    assert hidden[0] == absent[0] == "EntityNotFoundException"
    assert hidden[1].replace("events", "nope") == absent[1]
