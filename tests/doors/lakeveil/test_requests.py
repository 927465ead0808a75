"""Asking for access, answering, and breaking the glass, over the wire."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lakeveil.adapters.access_requests import SqlAccessRequests
from lakeveil.core.access.explaining.access_requests import ANSWER_WITHIN_S, DAY_S
from lakeveil.core.access.grants import OnColumns
from lakeveil.core.identity.rights import Effect, Rights, Statement
from lakeveil.flows.request_access import MAX_PENDING
from tests.doors.lakeformation.asking import code, refusal
from tests.doors.lakeformation.conftest import key_of
from tests.doors.lakeveil.conftest import Client, client_of, service_over, serving_to
from tests.flows.lakes import ADMIN, ANA, BOB, CARL, HOME, OWNER, P, World
from tests.flows.test_explain_access import hide

TABLE = {"DatabaseName": "ads", "TableName": "events"}
ASKED = {**TABLE, "ColumnNames": ["IP_Address"], "Reason": "churn model"}


def ask(client: Client, **more: Any) -> Any:
    """Ana asks for a column."""
    return client(ANA).request_access(**{**ASKED, **more})["Request"]


def events_of(lake: World, action: str) -> list[tuple[str, str, str]]:
    """Who, with which key, and what became of it, of every record of an action; oldest first."""
    entries = lake.trail.entries(action=action, limit=1_000)
    events = [entry.record.event for entry in entries if entry.record]
    assert {event.source_ip for event in events} == {"127.0.0.1"}
    assert all(event.request_id for event in events)
    return [(e.principal, e.access_key, e.outcome.value) for e in reversed(events)]


def test_a_request_is_kept_as_it_was_made(client: Client, lake: World) -> None:
    made = ask(client)

    assert made.pop("RequestedAt").timestamp() == pytest.approx(lake.clock.now(), abs=0.01)
    assert made == {
        "RequestId": made["RequestId"],
        "State": "PENDING",
        "Requester": ANA.arn,
        "CatalogId": HOME,
        **TABLE,
        "ColumnNames": ["ip_address"],
        "Reason": "churn model",
        "Own": False,
    }
    assert ask(client)["RequestId"] == made["RequestId"]
    assert events_of(lake, "lakeveil:CreateAccessRequest") == [
        (ANA.arn, key_of(ANA), "allowed"),
        (ANA.arn, key_of(ANA), "done"),
    ]


def test_an_approval_says_what_it_exposes_and_ends(client: Client, lake: World) -> None:
    number = ask(client)["RequestId"]

    seen = client(OWNER).describe_access_request(RequestId=number)
    assert OWNER.arn in seen["AskedOf"]
    assert seen["Cells"] == 1
    assert seen["Exposes"] == [
        {
            "Principal": ANA.arn,
            "CatalogId": HOME,
            **TABLE,
            "ColumnName": "ip_address",
            "Before": "HIDDEN",
            "After": "VISIBLE",
        }
    ]
    done = client(OWNER).approve_access_request(RequestId=number, Cells=seen["Cells"], Days=3)

    assert lake.sees(ANA) == ["ip_address"]
    assert done["Request"]["State"] == "APPROVED"
    assert done["Request"]["AnsweredBy"] == OWNER.arn
    assert done["Request"]["ExpiresAt"].timestamp() == pytest.approx(
        lake.clock.now() + 3 * DAY_S, abs=0.01
    )
    assert [g.id for g in lake.grants_to(ANA.arn)] == [done["Request"]["GrantId"]]
    lake.clock.sleep(3 * DAY_S)
    assert lake.sees(ANA) == []


def test_nothing_is_granted_where_it_would_expose_something_else(
    client: Client, lake: World
) -> None:
    number = ask(client)["RequestId"]
    seen = client(ADMIN).describe_access_request(RequestId=number)["Cells"]
    lake.grant(
        ADMIN, ANA.arn, OnColumns(HOME, "ads", "events", frozenset({"ip_address"})), P.SELECT
    )

    answer = refusal(client(ADMIN).approve_access_request, RequestId=number, Cells=seen)

    assert answer[::2] == ("ConflictException", 409)
    assert "would now expose 0 cells, not 1" in answer[1]
    assert len(lake.grants_to(ANA.arn)) == 1


def test_errors_say_what_to_do_and_a_code_for_programs(client: Client) -> None:
    ada = client(ADMIN)
    number = ask(client)["RequestId"]

    with pytest.raises(ada.exceptions.ConflictException) as refused:
        ada.approve_access_request(RequestId=number, Cells=7)

    assert refused.value.response["Reason"] == "exposure_changed"
    assert refused.value.response["Fix"] == f"lakeveil access requests {number}"


def test_nobody_approves_their_own(client: Client, lake: World) -> None:
    number = ask(client)["RequestId"]
    answer = refusal(client(ANA).approve_access_request, RequestId=number, Cells=1)
    assert answer[::2] == ("AccessDeniedException", 403)
    assert lake.sees(ANA) == []


def test_a_request_of_others_is_not_there(client: Client) -> None:
    number = ask(client)["RequestId"]
    for asking in (client(BOB), client(CARL)):
        for call, more in (
            (asking.describe_access_request, {}),
            (asking.approve_access_request, {"Cells": 1}),
            (asking.deny_access_request, {"Reason": "no"}),
            (asking.withdraw_access_request, {}),
        ):
            theirs = refusal(call, RequestId=number, **more)
            absent = refusal(call, RequestId="0123456789ab", **more)
            assert theirs[0] == "EntityNotFoundException"
            assert theirs[1].replace(number, "0123456789ab") == absent[1]


def test_a_denial_has_a_reason_and_cannot_be_taken_back(client: Client) -> None:
    number = ask(client)["RequestId"]
    denied = client(OWNER).deny_access_request(RequestId=number, Reason="there is an aggregate")
    assert (denied["Request"]["State"], denied["Request"]["Answer"]) == (
        "DENIED",
        "there is an aggregate",
    )
    again = refusal(client(OWNER).approve_access_request, RequestId=number, Cells=1)
    assert again[0] == "ConflictException"
    blank = {"RequestId": number, "Reason": "  "}
    assert code(client(OWNER).deny_access_request, **blank) == "InvalidInputException"


def test_a_request_is_withdrawn_by_who_made_it(client: Client) -> None:
    number = ask(client)["RequestId"]
    done = client(ANA).withdraw_access_request(RequestId=number)
    assert done["Request"]["State"] == "WITHDRAWN"
    assert code(client(ANA).withdraw_access_request, RequestId=number) == "ConflictException"


def test_requests_are_listed_in_pages_and_by_state(client: Client, lake: World) -> None:
    numbers = []
    for column in ("id", "ts", "spend"):
        numbers.append(ask(client, ColumnNames=[column])["RequestId"])
        lake.clock.sleep(1.0)
    client(ANA).withdraw_access_request(RequestId=numbers[1])
    asking = client(ADMIN)

    first = asking.list_access_requests(MaxResults=2)
    rest = asking.list_access_requests(MaxResults=2, NextToken=first["NextToken"])

    assert [r["RequestId"] for r in first["Requests"] + rest["Requests"]] == numbers
    pending = asking.list_access_requests(States=["PENDING"])["Requests"]
    assert [r["RequestId"] for r in pending] == [numbers[0], numbers[2]]
    assert len(client(ANA).list_access_requests()["Requests"]) == 3
    assert client(BOB).list_access_requests()["Requests"] == []


def test_what_nobody_answered_has_lapsed(client: Client, lake: World) -> None:
    number = ask(client)["RequestId"]
    lake.clock.sleep(ANSWER_WITHIN_S)
    [listed] = client(ANA).list_access_requests()["Requests"]
    seen = client(ANA).describe_access_request(RequestId=number)["Request"]
    assert listed["State"] == seen["State"] == "LAPSED"


def test_nothing_can_be_asked_for_that_may_not_be_known(client: Client, lake: World) -> None:
    hide(lake)
    hidden = refusal(client(ANA).request_access, **ASKED)
    absent = refusal(client(ANA).request_access, **{**ASKED, "TableName": "nope"})
    assert hidden[0] == "EntityNotFoundException"
    assert hidden[1].replace("events", "nope") == absent[1]


def test_one_person_cannot_flood_the_queue(client: Client, lake: World) -> None:
    ask(client)
    requests = SqlAccessRequests(lake.engine)
    [one] = requests.of_requester(ANA.arn)
    for number in range(MAX_PENDING - 1):
        requests.add(replace(one, id="", reason=f"again {number}", columns=("id",)))

    answer = refusal(client(ANA).request_access, **{**ASKED, "ColumnNames": ["ts"]})

    assert answer[0] == "ResourceNumberLimitExceededException"


def test_the_glass_is_broken_for_a_while_and_on_record(client: Client, lake: World) -> None:
    done = client(ADMIN).break_glass(**ASKED, DurationSeconds=60)["Request"]

    assert (done["State"], done["Own"]) == ("EMERGENCY", True)
    assert lake.sees(ADMIN) == ["ip_address"]
    lake.clock.sleep(60)
    assert lake.sees(ADMIN) == []
    assert events_of(lake, "lakeveil:BreakGlass") == [
        (ADMIN.arn, key_of(ADMIN), "allowed"),
        (ADMIN.arn, key_of(ADMIN), "done"),
    ]


def test_the_glass_is_not_broken_for_long_nor_by_who_has_no_right(
    lake: World, models: Path
) -> None:
    everything_else = Rights(
        statements=(
            Statement(effect=Effect.ALLOW, actions=("*",), resources=("*",)),
            Statement(effect=Effect.DENY, actions=("lakeveil:BreakGlass",), resources=("*",)),
        )
    )
    bob = replace(BOB, rights=everything_else)
    with serving_to(service_over(lake, lambda _caller: bob)) as running:
        answer = refusal(client_of(running, models, BOB).break_glass, **ASKED)

    assert answer[::2] == ("AccessDeniedException", 403)
    assert f"arn:aws:lakeveil::{HOME}:table/ads/events" in answer[1]
    assert events_of(lake, "lakeveil:BreakGlass") == [(BOB.arn, key_of(BOB), "refused")]
    assert lake.sees(BOB) == []


def test_four_hours_are_the_most(client: Client, lake: World) -> None:
    answer = refusal(client(ADMIN).break_glass, **ASKED, DurationSeconds=4 * 3_600 + 1)
    assert answer[0] == "InvalidInputException"
    assert "`DurationSeconds` must be at most 14400" in answer[1]
    assert lake.sees(ADMIN) == []
