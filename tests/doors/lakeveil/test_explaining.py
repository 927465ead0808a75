"""ExplainAccess: what an administrator is told, and how much less everybody else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lakeveil.core.access.grants import DataCellsFilter, OnColumns, OnFilter
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.flows.asked_grants import Asked
from lakeveil.flows.change_grants import grant
from tests.doors.lakeformation.asking import code, refusal
from tests.doors.lakeveil.conftest import Client
from tests.flows.lakes import (
    ADMIN,
    ANA,
    BOB,
    CARL,
    CLICKS,
    EVENTS,
    HOME,
    OWNER,
    READER,
    P,
    World,
    on_table,
)
from tests.flows.test_explain_access import hide, open_class

ADDRESS = {"DatabaseName": "ads", "TableName": "events", "ColumnName": "ip_address"}
EVENTS_TABLE = {"DatabaseName": "ads", "TableName": "events"}


def grant_open(lake: World) -> str:
    """Ana may select what is not private; the grant's id."""
    [made] = lake.grant(ADMIN, ANA.arn, open_class(), P.SELECT)
    return made.id


def test_an_administrator_learns_why_and_the_smallest_changes(client: Client, lake: World) -> None:
    made = grant_open(lake)

    told = client(ADMIN).explain_access(Principal=ANA.arn, **ADDRESS)

    assert (told["Principal"], told["CatalogId"], told["Everything"]) == (ANA.arn, HOME, True)
    assert (told["KnowsOfTable"], told["Governed"], told["HasDataAccess"]) == (True, True, True)
    [column] = told["Columns"]
    assert (column["Name"], column["Outcome"], column["Rows"]) == ("ip_address", "HIDDEN", "FALSE")
    [carried] = column["Tags"]
    assert carried.pop("SetAt").timestamp() == 1.0
    assert carried == {
        "Key": "class",
        "Value": "private",
        "Layer": "COLUMN",
        "Defined": True,
        "SetBy": OWNER.arn,
    }
    assert column["FailingGrants"] == [
        {
            "GrantId": made,
            "Principal": ANA.arn,
            "On": "everything with class=non-private",
            "Obstacles": [
                {"Kind": "TAG", "Key": "class", "Needs": ["non-private"], "Has": "private"}
            ],
        }
    ]
    best = told["Changes"][0]
    assert (best["CellsToOthers"], best["CellsBeyond"], best["CellsLost"]) == (0, 0, 0)
    assert best["Steps"][0]["Description"] == "grant ana SELECT on ads.events.ip_address by name"
    assert best["Steps"][0]["Commands"][0].startswith("aws lakeformation grant-permissions ")
    assert best["Exposes"] == [
        {
            "Principal": ANA.arn,
            "CatalogId": HOME,
            **ADDRESS,
            "Before": "HIDDEN",
            "After": "VISIBLE",
        }
    ]


def test_masks_owners_and_ends_of_grants_are_told(client: Client, lake: World) -> None:
    asked = Asked(
        principal=ANA.arn,
        resource=open_class(),
        permissions=frozenset({P.SELECT}),
        mask=Mask(MaskKind.HASH),
    )
    [masked] = grant(asked, call=lake.call(ADMIN), desk=lake.desk)
    end = lake.clock.now() + 60
    until = replace(asked, resource=on_table(), mask=None, expires_at=end)
    [ended] = grant(until, call=lake.call(ADMIN), desk=lake.desk)
    lake.clock.sleep(60)

    [column] = client(ANA).explain_access(**EVENTS_TABLE, ColumnName="ID")["Columns"]
    assert (column["Outcome"], column["Rows"]) == ("MASKED", "TRUE")
    assert column["Masks"] == [{"Mask": {"Kind": "HASH"}, "Rows": "TRUE"}]
    [contributing] = column["Grants"]
    assert contributing == {"GrantId": masked.id, "Via": ANA.arn, "Mask": {"Kind": "HASH"}}
    [failing] = column["FailingGrants"]
    [obstacle] = failing["Obstacles"]
    assert (failing["GrantId"], obstacle["Kind"]) == (ended.id, "EXPIRED")
    assert obstacle["At"].timestamp() == pytest.approx(end, abs=0.01)

    owned = client(OWNER).explain_access(**EVENTS_TABLE)
    assert owned["ImplicitRights"] == ["owner"]
    assert owned["Columns"][0]["Grants"] == [{"GrantId": "owner", "Via": OWNER.arn}]


def test_the_winning_mask_is_told_and_one_that_does_not_fit(client: Client, lake: World) -> None:
    asked = Asked(
        principal=ANA.arn,
        resource=open_class(),
        permissions=frozenset({P.SELECT}),
        mask=Mask(MaskKind.YEAR),
    )
    grant(asked, call=lake.call(ADMIN), desk=lake.desk)
    table = lake.desk.lake.table(EVENTS)
    assert table is not None
    kind = next(one.type for one in table.table.columns if one.name == "id")

    [column] = client(ANA).explain_access(**EVENTS_TABLE, ColumnName="id")["Columns"]

    assert column["WinningMask"] == {"Kind": "NULL"}
    assert [one["UnfitForType"] for one in column["Grants"]] == [kind]


def test_tags_are_told_as_get_resource_lf_tags_tells_them(client: Client, lake: World) -> None:
    grant_open(lake)
    lake.grant(ADMIN, ANA.arn, on_table(), P.SELECT)
    [found] = client(ANA).explain_access(**ADDRESS)["Columns"]
    assert [(one["Value"], "SetBy" in one, "SetAt" in one) for one in found["Tags"]] == [
        ("private", False, False)
    ]
    hide(lake)

    [column] = client(ANA).explain_access(**ADDRESS)["Columns"]

    assert column["Tags"] == []
    assert column["FailingGrants"][0]["Obstacles"] == [{"Kind": "TAG"}]
    [owned] = client(OWNER).explain_access(**ADDRESS)["Columns"]
    assert [(one["Value"], one["SetBy"]) for one in owned["Tags"]] == [("private", OWNER.arn)]


def test_of_a_whole_table_the_nearest_failing_grant_is_told(client: Client, lake: World) -> None:
    nearest = grant_open(lake)
    far = OnColumns(HOME, "ads", "events", frozenset({"id"}))
    lake.grant(ADMIN, ANA.arn, far, P.SELECT)
    told = client(ANA).explain_access(**EVENTS_TABLE)["Columns"]
    [address] = [column for column in told if column["Name"] == "ip_address"]
    assert [one["GrantId"] for one in address["FailingGrants"]] == [nearest]
    [alone] = client(ANA).explain_access(**ADDRESS)["Columns"]
    assert len(alone["FailingGrants"]) == 2


def test_kinds_of_changes_are_left_out(client: Client, lake: World) -> None:
    grant_open(lake)
    every = client(READER).explain_access(Principal=ANA.arn, **ADDRESS)["Changes"]
    fewer = client(READER).explain_access(Principal=ANA.arn, LeaveOut=["GRANT_COLUMN"], **ADDRESS)[
        "Changes"
    ]
    assert every[1:] == fewer


def test_somebody_learns_about_themselves_and_no_change(client: Client, lake: World) -> None:
    made = grant_open(lake)

    told = client(ANA).explain_access(**EVENTS_TABLE)

    assert told["Principal"] == ANA.arn
    assert told["Everything"] is False
    assert "Changes" not in told
    assert {c["Name"]: c["Outcome"] for c in told["Columns"]} == {
        "id": "VISIBLE",
        "ts": "VISIBLE",
        "ip_address": "HIDDEN",
        "spend": "VISIBLE",
    }
    assert told["Columns"][0]["Grants"] == [{"GrantId": made, "Via": ANA.arn}]


def test_the_text_of_a_row_filter_is_told_to_administrators_alone(
    client: Client, lake: World
) -> None:
    with lake.desk.lake.changing() as change:
        change.put_filter(
            DataCellsFilter(table=EVENTS, name="f", named=frozenset({"id"}), rows="id = '4711'")
        )
    lake.grant(ADMIN, ANA.arn, OnFilter(HOME, "ads", "events", "f"), P.SELECT)
    asked = {**EVENTS_TABLE, "ColumnName": "id"}

    [mine] = client(ANA).explain_access(**asked)["Columns"]
    [theirs] = client(ADMIN).explain_access(Principal=ANA.arn, **asked)["Columns"]

    assert "a row filter" in mine["Rows"]
    assert "4711" not in str(mine)
    assert "id = '4711'" in theirs["Rows"]
    assert mine["Grants"][0]["FilterName"] == "f"


def test_nobody_asks_about_somebody_else(client: Client) -> None:
    for name in ("events", "nope"):
        answer = refusal(
            client(BOB).explain_access, Principal=ANA.arn, DatabaseName="ads", TableName=name
        )
        assert answer[::2] == ("AccessDeniedException", 403)
        assert "about yourself only" in answer[1]


@pytest.mark.parametrize("column", [{}, {"ColumnName": "id"}])
def test_what_may_not_be_known_is_answered_as_what_is_not_there(
    client: Client, lake: World, column: dict[str, str]
) -> None:
    hide(lake)
    answers = [
        whole_answer(client(BOB), DatabaseName="ads", TableName=name, **column)
        for name in ("events", "nothing")
    ]
    hidden, absent = answers
    assert hidden["Error"]["Code"] == "EntityNotFoundException"
    assert _with(hidden, "events") == _with(absent, "nothing")


def test_a_database_that_may_not_be_known_is_answered_so_too(client: Client, lake: World) -> None:
    hide(lake, table="")
    answers = [whole_answer(client(BOB), DatabaseName=name) for name in ("ads", "nothing")]
    assert _with(answers[0], "ads") == _with(answers[1], "nothing")


def test_a_hidden_column_is_answered_as_one_that_is_not_there(client: Client, lake: World) -> None:
    grant_open(lake)
    hide(lake)
    hidden, absent = (
        whole_answer(client(ANA), **EVENTS_TABLE, ColumnName=name)
        for name in ("ip_address", "nothing")
    )
    assert _with(hidden, "ip_address") == _with(absent, "nothing")
    told = client(ANA).explain_access(**EVENTS_TABLE)
    assert [column["Name"] for column in told["Columns"]] == ["id", "ts", "spend"]


def test_another_account_is_told_of_nothing(client: Client) -> None:
    answer = refusal(client(CARL).explain_access, CatalogId=HOME, **EVENTS_TABLE)
    assert answer[0] == "EntityNotFoundException"


def test_a_database_is_told_in_short(client: Client, lake: World) -> None:
    grant_open(lake)

    told = client(ADMIN).explain_access(Principal=ANA.arn, DatabaseName="ADS")

    assert told["DatabaseName"] == "ads"
    assert told["Permissions"] == []
    assert told["Tables"] == [
        {"TableName": CLICKS.table, "Visible": 4, "Masked": 0, "Hidden": 0},
        {"TableName": EVENTS.table, "Visible": 3, "Masked": 0, "Hidden": 1},
    ]


def test_a_column_takes_a_table(client: Client) -> None:
    asked = {"DatabaseName": "ads", "ColumnName": "id"}
    assert code(client(ADMIN).explain_access, **asked) == "InvalidInputException"


def whole_answer(asking: Any, **asked: str) -> dict[str, Any]:
    """Everything that a refused caller gets, but for what no two answers share."""
    with pytest.raises(ClientError) as refused:
        asking.explain_access(**asked)
    said = refused.value.response
    headers = said["ResponseMetadata"]["HTTPHeaders"]
    for changing in ("date", "x-amzn-requestid", "content-length"):
        headers.pop(changing, None)
    said["ResponseMetadata"].pop("RequestId", None)
    said["ResponseMetadata"].pop("RetryAttempts", None)
    return dict(said)


def _with(answer: dict[str, Any], name: str) -> str:
    return repr(answer).replace(f"`{name}`", "`X`").replace(f".{name}`", ".X`")
