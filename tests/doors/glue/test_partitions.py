"""Partitions: there for whoever sees all of their values, changed by whoever writes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lakeveil.core.access.grants import DataCellsFilter, OnFilter, TableName
from lakeveil.ports.lake import Assignment, Place
from tests.doors.glue.asking import AT, on_table, publish, register, table_input
from tests.doors.glue.conftest import Client
from tests.doors.lakeformation.asking import code, refusal
from tests.flows.lakes import ADMIN, ANA, BOB, HOME, OWNER, P, World

VISITS = {"DatabaseName": "ads", "TableName": "visits"}
ALL = [["eu", "2025"], ["eu", "2026"], ["us", "2026"]]


def partition(region: str, year: str, **more: Any) -> dict[str, Any]:
    storage = table_input()["StorageDescriptor"]
    location = f"{AT}/region={region}/year={year}"
    return {
        "Values": [region, year],
        "StorageDescriptor": {**storage, "Location": location},
        "Parameters": {"classification": "parquet", "ip_address": "min 10.0.0.1"},
        **more,
    }


@pytest.fixture
def owner(lake: World, client: Client) -> Any:
    """Dave, whose table `visits` has three partitions; Ana sees all but `ip_address`."""
    register(lake, "s3://lake/ads")
    glue = client(OWNER)
    glue.create_table(DatabaseName="ads", TableInput=table_input())
    done = glue.batch_create_partition(
        **VISITS, PartitionInputList=[partition(*values) for values in reversed(ALL)]
    )
    assert done["Errors"] == []
    publish(lake)
    return glue


def values(glue: Any, **more: Any) -> list[list[str]]:
    return [p["Values"] for p in glue.get_partitions(**VISITS, **more)["Partitions"]]


def hide(lake: World, column: str) -> None:
    with lake.desk.lake.changing() as change:
        place = Place(HOME, "ads", "visits", column)
        change.assign(Assignment(place=place, key="class", value="private"))


def test_partitions_are_listed_in_order_of_their_values(owner: Any, client: Client) -> None:
    assert values(owner) == ALL
    assert values(client(ANA)) == ALL


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("region = 'eu'", ALL[:2]),
        ("(year > 2025) AND region IN ('us', 'ap')", ALL[2:]),
        ("NOT year BETWEEN 2026 AND 2030", ALL[:1]),
        ("Region LIKE 'e_'", ALL[:2]),
        ("year IS NULL", []),
    ],
)
def test_an_expression_selects_partitions(
    owner: Any, expression: str, expected: list[list[str]]
) -> None:
    assert values(owner, Expression=expression) == expected


def test_what_is_no_expression_is_refused(owner: Any) -> None:
    for expression in ("id = 1", "region = 1", "length(region) = 2", "region = 'eu' OR"):
        said = refusal(owner.get_partitions, **VISITS, Expression=expression)
        assert said[0] == "InvalidInputException"
        assert said[1].startswith("Unsupported expression")


def test_a_partition_is_shown_like_its_table(owner: Any, client: Client) -> None:
    asked = {**VISITS, "PartitionValues": ["eu", "2026"]}
    whole = owner.get_partition(**asked)["Partition"]
    part = client(ANA).get_partition(**asked)["Partition"]

    assert whole["StorageDescriptor"]["Location"] == f"{AT}/region=eu/year=2026"
    assert (whole["DatabaseName"], whole["TableName"], whole["CatalogId"]) == (
        "ads",
        "visits",
        HOME,
    )
    assert "CreationTime" in whole
    assert [c["Name"] for c in part["StorageDescriptor"]["Columns"]] == ["id", "page"]
    assert "ip_address" not in json.dumps(part, default=str)
    assert "Location" not in part["StorageDescriptor"]
    assert part["Parameters"] == {"classification": "parquet"}
    bare = owner.get_partitions(**VISITS, ExcludeColumnSchema=True)["Partitions"][0]
    assert "Columns" not in bare["StorageDescriptor"]


@pytest.mark.parametrize("column", ["region", "year"])
def test_where_a_key_is_hidden_no_partition_is_there(
    lake: World, owner: Any, client: Client, column: str
) -> None:
    hide(lake, column)
    glue = client(ANA)

    assert values(glue) == []
    said = refusal(glue.get_partition, **VISITS, PartitionValues=["eu", "2026"])
    absent = refusal(glue.get_partition, **VISITS, PartitionValues=["xx", "1"])
    assert said == absent == ("EntityNotFoundException", "Cannot find partition.", 400)
    found = glue.batch_get_partition(**VISITS, PartitionsToGet=[{"Values": ALL[0]}])
    assert found["Partitions"] == []
    unknown = refusal(glue.get_partitions, **VISITS, Expression=f"{column} = 'eu'")
    assert unknown[1] == refusal(glue.get_partitions, **VISITS, Expression="nowhere = 'eu'")[
        1
    ].replace("nowhere", column)
    keys = glue.get_table(DatabaseName="ads", Name="visits")["Table"]["PartitionKeys"]
    assert column not in [key["Name"] for key in keys]
    assert values(owner) == ALL


def test_an_administrator_sees_keys_and_no_values(owner: Any, client: Client) -> None:
    del owner
    glue = client(ADMIN)

    assert values(glue) == []
    keys = glue.get_table(DatabaseName="ads", Name="visits")["Table"]["PartitionKeys"]
    assert [key["Name"] for key in keys] == ["region", "year"]


def test_a_limit_on_rows_is_one_on_partitions(lake: World, owner: Any, client: Client) -> None:
    del owner
    name = TableName(HOME, "ads", "visits")
    with lake.desk.lake.changing() as change:
        for number, rows in enumerate(["region = 'eu'", "page = 'home'"]):
            change.put_filter(
                DataCellsFilter(
                    table=name, name=f"f{number}", named=frozenset(), excluding=True, rows=rows
                )
            )
    lake.grant(ADMIN, BOB.arn, OnFilter(HOME, "ads", "visits", "f0"), P.SELECT)
    assert values(client(BOB)) == ALL[:2]
    lake.revoke(ADMIN, BOB.arn, OnFilter(HOME, "ads", "visits", "f0"), P.SELECT)
    lake.grant(ADMIN, BOB.arn, OnFilter(HOME, "ads", "visits", "f1"), P.SELECT)
    assert values(client(BOB)) == []


def test_pages_and_segments_have_every_partition_once(owner: Any) -> None:
    pages = owner.get_paginator("get_partitions").paginate(
        **VISITS, PaginationConfig={"PageSize": 2}
    )
    assert [p["Values"] for page in pages for p in page["Partitions"]] == ALL
    segments = [
        values(owner, Segment={"SegmentNumber": number, "TotalSegments": 3}) for number in range(3)
    ]
    assert sorted(one for segment in segments for one in segment) == ALL
    wrong = {"SegmentNumber": 3, "TotalSegments": 3}
    assert code(owner.get_partitions, **VISITS, Segment=wrong) == "InvalidInputException"


def test_some_are_read_at_once(owner: Any) -> None:
    wanted = [{"Values": one} for one in (ALL[2], ["xx", "1"], ALL[0], ["eu"])]

    found = owner.batch_get_partition(**VISITS, PartitionsToGet=wanted)

    assert [p["Values"] for p in found["Partitions"]] == [ALL[2], ALL[0]]
    assert found["UnprocessedKeys"] == []


def test_adding_takes_insert_and_removing_takes_delete(
    lake: World, owner: Any, client: Client
) -> None:
    new = {**VISITS, "PartitionInput": partition("ap", "2026")}
    gone = {**VISITS, "PartitionValues": ["ap", "2026"]}
    glue = client(BOB)

    assert code(glue.create_partition, **new) == "EntityNotFoundException"
    assert code(client(ANA).create_partition, **new) == "AccessDeniedException"
    lake.grant(ADMIN, BOB.arn, on_table(), P.INSERT)
    glue.create_partition(**new)
    assert values(glue) == []
    assert code(glue.delete_partition, **gone) == "AccessDeniedException"
    lake.grant(ADMIN, BOB.arn, on_table(), P.DELETE)
    glue.delete_partition(**gone)
    assert values(owner) == ALL


def test_a_partition_is_changed_under_its_values(owner: Any) -> None:
    changed = partition("eu", "2026", Parameters={"classification": "json"})
    asked = {**VISITS, "PartitionValueList": ["eu", "2026"]}

    owner.update_partition(**asked, PartitionInput=changed)

    found = owner.get_partition(**VISITS, PartitionValues=["eu", "2026"])["Partition"]
    assert found["Parameters"] == {"classification": "json"}
    moved = partition("eu", "2030")
    assert code(owner.update_partition, **asked, PartitionInput=moved) == "InvalidInputException"
    absent = {**VISITS, "PartitionValueList": ["xx", "1"]}
    said = refusal(owner.update_partition, **absent, PartitionInput=partition("xx", "1"))
    assert said[:2] == ("EntityNotFoundException", "Cannot find partition.")


def test_of_several_those_that_fail_are_told(owner: Any) -> None:
    made = owner.batch_create_partition(
        **VISITS,
        PartitionInputList=[partition("eu", "2026"), partition("ap", "1"), {"Values": ["eu"]}],
    )
    entries = [
        {"PartitionValueList": one, "PartitionInput": partition(*one)}
        for one in (["ap", "1"], ["xx", "1"])
    ]
    changed = owner.batch_update_partition(**VISITS, Entries=entries)
    gone = owner.batch_delete_partition(
        **VISITS, PartitionsToDelete=[{"Values": ["ap", "1"]}, {"Values": ["xx", "1"]}]
    )

    assert [(e["PartitionValues"], e["ErrorDetail"]["ErrorCode"]) for e in made["Errors"]] == [
        (["eu", "2026"], "AlreadyExistsException"),
        (["eu"], "InvalidInputException"),
    ]
    assert [(e["PartitionValueList"], e["ErrorDetail"]) for e in changed["Errors"]] == [
        (
            ["xx", "1"],
            {
                "ErrorCode": "EntityNotFoundException",
                "ErrorMessage": "Cannot find partition.",
            },
        )
    ]
    assert [e["PartitionValues"] for e in gone["Errors"]] == [["xx", "1"]]
    assert values(owner) == ALL


@pytest.mark.parametrize(
    "location", ["s3://lake/ads/events", "s3://salaries/x", "s3://lake/ads/visits2", "/etc"]
)
def test_a_partition_lies_within_its_table(owner: Any, location: str) -> None:
    new = partition("ap", "1")
    new["StorageDescriptor"]["Location"] = location

    said = refusal(owner.create_partition, **VISITS, PartitionInput=new)

    assert said[:2] == ("InvalidInputException", "A partition lies under its table's location.")


def test_the_keys_of_a_table_with_partitions_stay(owner: Any) -> None:
    after = table_input()
    after["PartitionKeys"].reverse()

    assert code(owner.update_table, DatabaseName="ads", TableInput=after) == (
        "InvalidInputException"
    )


def test_values_go_on_record_encrypted(lake: World, owner: Any) -> None:
    owner.create_partition(**VISITS, PartitionInput=partition("acme", "2026"))

    entries = lake.trail.entries(action="glue:CreatePartition")
    for entry in entries:
        assert "acme" not in repr(entry.record)
    sealed = [e.record.id for e in entries if e.record and e.record.sealed]
    assert [lake.trail.reveal(one) for one in sealed] == [{"values": '[["acme", "2026"]]'}]


def test_there_are_no_indexes(owner: Any, client: Client) -> None:
    assert owner.get_partition_indexes(**VISITS)["PartitionIndexDescriptorList"] == []
    assert code(client(BOB).get_partition_indexes, **VISITS) == "EntityNotFoundException"
