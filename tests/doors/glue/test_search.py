"""SearchTables: through what its caller is shown, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doors.glue.asking import publish, register, table_input
from tests.doors.glue.conftest import Client
from tests.doors.lakeformation.asking import code
from tests.flows.lakes import ADMIN, ANA, BOB, CARL, OWNER, P, World
from tests.flows.lakes import on_table as events


@pytest.fixture
def owner(lake: World, client: Client) -> Any:
    """Dave, who has made `visits` and the empty `page-log`."""
    register(lake, "s3://lake/ads")
    glue = client(OWNER)
    glue.create_table(DatabaseName="ads", TableInput=table_input())
    log = {**table_input("page-log", "s3://lake/ads/log"), "Description": "Log of servers."}
    lake.clock.sleep(60)
    glue.create_table(DatabaseName="ads", TableInput={**log, "Parameters": {}})
    publish(lake)
    return glue


def found(glue: Any, **asked: Any) -> list[str]:
    return [table["Name"] for table in glue.search_tables(**asked)["TableList"]]


def test_everybody_finds_what_is_there_for_them(owner: Any, client: Client) -> None:
    every = ["clicks", "events", "page-log", "visits"]

    assert found(owner) == found(client(ANA)) == found(client(ADMIN)) == every
    assert found(client(BOB)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("VISITS", ["visits"]),
        ("visits pages", ["visits"]),
        ("visits servers", []),
        ('"log"', ["page-log"]),
        ('"page-log"', ["page-log"]),
        ('"isit"', []),
        ("isit", ["page-log", "visits"]),
        ("spend", ["clicks", "events"]),
    ],
)
def test_texts_are_found_in_names_descriptions_and_columns(
    owner: Any, text: str, expected: list[str]
) -> None:
    assert found(owner, SearchText=text) == expected


def test_the_name_of_a_hidden_column_finds_nothing(owner: Any, client: Client) -> None:
    assert found(owner, SearchText="ip_address")[-1] == "visits"
    # It is hidden in one table alone.
    assert "visits" not in found(client(ANA), SearchText="ip_address")
    assert "visits" not in found(client(ANA), SearchText='"ip_address"')
    assert found(client(ANA), SearchText="acme") == []
    assert found(client(ANA), SearchText="s3://lake") == []


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([{"Key": "DatabaseName", "Value": "ads"}, {"Key": "Name", "Value": "log"}], ["page-log"]),
        ([{"Key": "TableName", "Value": "page-log"}], ["page-log"]),
        ([{"Key": "Name", "Value": "lo"}], []),
        ([{"Key": "Description", "Value": "servers"}], ["page-log"]),
        ([{"Key": "classification", "Value": "parquet"}], ["visits"]),
        (
            [{"Key": "CreateTime", "Value": "1700000001", "Comparator": "GREATER_THAN"}],
            ["page-log"],
        ),
        (
            [
                {
                    "Key": "UpdateTime",
                    "Value": "2023-11-14T22:13:20",
                    "Comparator": "LESS_THAN_EQUALS",
                }
            ],
            ["clicks", "events", "visits"],
        ),
    ],
)
def test_tables_are_filtered(
    owner: Any, filters: list[dict[str, str]], expected: list[str]
) -> None:
    assert found(owner, Filters=filters) == expected


def test_tables_are_sorted_page_by_page(owner: Any) -> None:
    by_time = [{"FieldName": "CreateTime", "Sort": "DESC"}]
    token: dict[str, str] = {}
    names: list[str] = []
    while True:
        page = owner.search_tables(SortCriteria=by_time, MaxResults=1, **token)
        names += [table["Name"] for table in page["TableList"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}

    assert names == ["page-log", "visits", "clicks", "events"]


@pytest.mark.parametrize(
    "asked",
    [
        {"Filters": [{"Key": "Secret", "Value": "x"}]},
        {"Filters": [{"Key": "CreateTime", "Value": "soon"}]},
        {"SortCriteria": [{"FieldName": "Secret"}]},
        {"NextToken": "x"},
        {"CatalogId": "here"},
    ],
)
def test_what_is_not_evaluated_is_refused(owner: Any, asked: dict[str, Any]) -> None:
    assert code(owner.search_tables, **asked) == "InvalidInputException"


def test_what_is_shared_is_found_when_asked_for(lake: World, owner: Any, client: Client) -> None:
    del owner
    lake.grant(ADMIN, CARL.arn, events(), P.SELECT)

    assert found(client(CARL)) == []
    assert found(client(CARL), ResourceShareType="FOREIGN") == ["events"]
    assert found(client(CARL), ResourceShareType="ALL", SearchText="ip_address") == ["events"]
