"""Name guards, and grants through masks, over the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lakeveil.core.access.deciding.decision import Outcome
from tests.doors.lakeformation.asking import code, refusal
from tests.doors.lakeveil.conftest import Client
from tests.flows.lakes import (
    ADMIN,
    ANA,
    BOB,
    CARL,
    CLICKS,
    OWNER,
    READER,
    THEIR_ADMIN,
    P,
    World,
    table_record,
)
from tests.flows.test_explain_access import open_class

GUARD = {"Pattern": "ip_addr*", "TagKey": "Class"}
TABLE = {"Table": {"DatabaseName": "Ads", "Name": "Events"}}


def outcome(lake: World, column: str = "ip_address") -> Outcome:
    """What becomes of a column of `events` for Ana."""
    [found] = [one for one in lake.decision(ANA).columns if one.name == column]
    return found.outcome


def test_a_guard_closes_says_what_and_is_lifted(client: Client, lake: World) -> None:
    lake.grant(ADMIN, ANA.arn, open_class(), P.SELECT)
    shown = {
        "Pattern": "ip_addr*",
        "TagKey": "class",
        "ColumnCount": 1,
        "Columns": ["ads.clicks.ip_address"],
    }

    assert client(ADMIN).guard_names(**GUARD)["Guard"] == shown
    assert "ip_address" not in _clicks(lake)
    assert client(READER).list_name_guards()["Guards"] == [shown]
    assert client(ADMIN).lift_name_guard(**GUARD)["Guard"] == shown
    assert "ip_address" in _clicks(lake)
    assert client(ADMIN).list_name_guards()["Guards"] == []


def test_of_very_many_columns_a_hundred_are_named(client: Client, lake: World) -> None:
    with lake.desk.lake.changing() as change:
        many = tuple(f"ip_address_{number}" for number in range(120))
        change.put_table(table_record(CLICKS, many))
    guard = client(ADMIN).guard_names(**GUARD)["Guard"]
    assert (guard["ColumnCount"], len(guard["Columns"])) == (120, 100)


@pytest.mark.parametrize("who", [ANA, OWNER, READER, CARL, THEIR_ADMIN], ids=lambda who: who.arn)
def test_guards_are_administrators(client: Client, who: Any) -> None:
    client(ADMIN).guard_names(**GUARD)
    home = {"CatalogId": ADMIN.account}
    for call in (client(who).guard_names, client(who).lift_name_guard):
        answer = refusal(call, **GUARD, **home)
        assert answer[0] == "AccessDeniedException"
        assert "ip_address" not in answer[1]
    if who is not READER:
        assert code(client(who).list_name_guards, **home) == "AccessDeniedException"
    assert len(client(ADMIN).list_name_guards()["Guards"]) == 1


def test_a_guard_is_set_once_on_a_key_that_there_is(client: Client) -> None:
    client(ADMIN).guard_names(**GUARD)
    wrong: list[tuple[dict[str, str], str]] = [
        ({**GUARD, "TagKey": "CLASS"}, "ConflictException"),
        ({**GUARD, "TagKey": "nope"}, "EntityNotFoundException"),
        ({**GUARD, "Pattern": "*"}, "InvalidInputException"),
    ]
    for asked, expected in wrong:
        assert code(client(ADMIN).guard_names, **asked) == expected
    absent = {"Pattern": "email", "TagKey": "class"}
    assert code(client(ADMIN).lift_name_guard, **absent) == "EntityNotFoundException"


@pytest.mark.parametrize(
    "resource",
    [
        TABLE,
        {
            "TableWithColumns": {
                "DatabaseName": "ads",
                "Name": "events",
                "ColumnNames": ["ip_address"],
            }
        },
        {
            "LFTagPolicy": {
                "ResourceType": "TABLE",
                "Expression": [{"TagKey": "class", "TagValues": ["private"]}],
            }
        },
    ],
    ids=lambda resource: next(iter(resource)),
)
def test_select_is_granted_through_a_mask(client: Client, lake: World, resource: Any) -> None:
    made = client(ADMIN).grant_masked(
        Principal=ANA.arn, Resource=resource, Mask={"Kind": "HASH"}, Reason="joins"
    )

    [grant] = made["Grants"]
    assert (grant["Principal"], grant["Mask"]) == (ANA.arn, {"Kind": "HASH"})
    assert outcome(lake) is Outcome.MASKED
    [kept] = lake.grants_to(ANA.arn)
    assert (kept.id, kept.reason) == (grant["GrantId"], "joins")


def test_a_masked_grant_ends(client: Client, lake: World) -> None:
    end = datetime.fromtimestamp(lake.clock.now() + 60, UTC).replace(microsecond=0)

    made = client(ADMIN).grant_masked(
        Principal=ANA.arn,
        Resource=TABLE,
        Mask={"Kind": "FIXED", "Text": "hidden"},
        ExpiresAt=end,
    )

    assert made["Grants"][0]["ExpiresAt"] == end
    assert made["Grants"][0]["Mask"] == {"Kind": "FIXED", "Text": "hidden"}
    assert outcome(lake) is Outcome.MASKED
    lake.clock.sleep(60)
    assert outcome(lake) is Outcome.HIDDEN


@pytest.mark.parametrize(
    ("mask", "resource", "expected"),
    [
        ({"Kind": "FIXED"}, TABLE, "InvalidInputException"),
        ({"Kind": "HASH", "Text": "x"}, TABLE, "InvalidInputException"),
        (
            {"Kind": "NULL"},
            {"Table": {"DatabaseName": "ads", "Name": "nope"}},
            "EntityNotFoundException",
        ),
    ],
)
def test_what_is_no_mask_or_on_nothing_is_refused(
    client: Client, lake: World, mask: Any, resource: Any, expected: str
) -> None:
    asked = {"Principal": ANA.arn, "Resource": resource, "Mask": mask}
    assert code(client(ADMIN).grant_masked, **asked) == expected
    assert lake.grants_to(ANA.arn) == []


def test_who_may_not_pass_it_on_does_not_grant_it_masked(client: Client, lake: World) -> None:
    lake.grant(ADMIN, BOB.arn, open_class(), P.SELECT)
    asked = {"Principal": ANA.arn, "Resource": TABLE, "Mask": {"Kind": "NULL"}}
    assert code(client(BOB).grant_masked, **asked) == "AccessDeniedException"
    assert code(client(CARL).grant_masked, **asked) == "EntityNotFoundException"
    assert lake.grants_to(ANA.arn) == []


def _clicks(lake: World) -> list[str]:
    return lake.sees(ANA, CLICKS)
