"""Versions of a table: each as its caller would see it today."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.doors.glue.asking import names, publish, register, table_input
from tests.doors.glue.conftest import Client
from tests.doors.lakeformation.asking import code, refusal
from tests.flows.lakes import ANA, BOB, OWNER, World

VISITS = {"DatabaseName": "ads", "TableName": "visits"}


@pytest.fixture
def owner(lake: World, client: Client) -> Any:
    """Dave, whose table lost `ip_address` in version 1 and has a new description in version 2."""
    register(lake, "s3://lake/ads")
    glue = client(OWNER)
    glue.create_table(DatabaseName="ads", TableInput=table_input())
    publish(lake)
    without = table_input(Parameters={"classification": "parquet"})
    storage = without["StorageDescriptor"]
    storage["Columns"] = [{"Name": "id", "Type": "bigint"}, {"Name": "page", "Type": "string"}]
    for member in ("BucketColumns", "SortColumns", "SerdeInfo"):
        del storage[member]
    for description in ("one", "two"):
        given = {**without, "Description": description}
        glue.update_table(DatabaseName="ads", TableInput=given)
    return glue


def test_versions_are_listed_newest_first(owner: Any) -> None:
    found = owner.get_table_versions(**VISITS)["TableVersions"]

    assert [version["VersionId"] for version in found] == ["2", "1", "0"]
    assert [version["Table"]["Description"] for version in found] == [
        "two",
        "one",
        "Visits of pages.",
    ]
    assert names(found[2]["Table"]) == ["id", "ip_address", "page", "region", "year"]


def test_a_column_that_is_gone_is_as_hidden_as_it_was(owner: Any, client: Client) -> None:
    del owner
    found = client(ANA).get_table_versions(**VISITS)

    assert [names(v["Table"]) for v in found["TableVersions"]] == [
        ["id", "page", "region", "year"]
    ] * 3
    assert "ip_address" not in json.dumps(found, default=str)


def test_one_version_is_read_and_the_current_one_where_none_is_named(owner: Any) -> None:
    assert owner.get_table_version(**VISITS, VersionId="1")["TableVersion"]["VersionId"] == "1"
    assert owner.get_table_version(**VISITS)["TableVersion"]["VersionId"] == "2"
    said = refusal(owner.get_table_version, **VISITS, VersionId="7")
    assert said[:2] == ("EntityNotFoundException", "Version not found.")


def test_pages_have_every_version_once(owner: Any) -> None:
    pages = owner.get_paginator("get_table_versions").paginate(
        **VISITS, PaginationConfig={"PageSize": 2}
    )

    assert [v["VersionId"] for page in pages for v in page["TableVersions"]] == ["2", "1", "0"]


def test_an_update_can_leave_no_version_behind(owner: Any) -> None:
    owner.update_table(DatabaseName="ads", TableInput=table_input(), SkipArchive=True)

    found = owner.get_table_versions(**VISITS)["TableVersions"]
    assert [version["VersionId"] for version in found] == ["3", "1", "0"]


def test_earlier_versions_can_be_forgotten(owner: Any, client: Client) -> None:
    owner.delete_table_version(**VISITS, VersionId="0")

    done = owner.batch_delete_table_version(**VISITS, VersionIds=["1", "2", "7"])
    assert [(e["VersionId"], e["ErrorDetail"]["ErrorCode"]) for e in done["Errors"]] == [
        ("2", "InvalidInputException"),
        ("7", "EntityNotFoundException"),
    ]
    assert len(owner.get_table_versions(**VISITS)["TableVersions"]) == 1
    assert code(client(ANA).delete_table_version, **VISITS, VersionId="2") == (
        "AccessDeniedException"
    )
    assert code(client(BOB).batch_delete_table_version, **VISITS, VersionIds=["2"]) == (
        "EntityNotFoundException"
    )
