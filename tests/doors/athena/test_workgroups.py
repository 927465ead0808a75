"""Workgroups by boto3: whose results go where, what a query may scan, and what it all cost."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.doors.athena.athena_lake import AthenaLake


@pytest.fixture
def group(lake: AthenaLake) -> Iterator[str]:
    """A workgroup of one's own; in a new one nothing was read before, and none of it is at hand."""
    athena, name = lake.client("admin"), f"mine-{uuid.uuid4().hex[:8]}"
    athena.create_work_group(
        Name=name,
        Description="for a test",
        Configuration={
            "ResultConfiguration": {"OutputLocation": "s3://lake-results/mine"},
            "EnforceWorkGroupConfiguration": True,
        },
        Tags=[{"Key": "team", "Value": "growth"}],
    )
    yield name
    athena.delete_work_group(WorkGroup=name, RecursiveDeleteOption=True)


def refused(lake: AthenaLake, operation: str, who: str = "admin", **params: Any) -> tuple[str, str]:
    """Code and message of a call that has to be refused."""
    with pytest.raises(ClientError) as error:
        getattr(lake.client(who), operation)(**params)
    told = error.value.response["Error"]
    return told["Code"], told["Message"]


def change(lake: AthenaLake, group: str, **updates: Any) -> None:
    """Change a workgroup's configuration."""
    lake.client("admin").update_work_group(WorkGroup=group, ConfigurationUpdates=updates)


def run(lake: AthenaLake, group: str, sql: str, **more: Any) -> dict[str, Any]:
    """The record of a query in the workgroup, run to its end."""
    return lake.run(sql, "admin", WorkGroup=group, **more)


def test_a_workgroup_is_told_as_it_was_made(lake: AthenaLake, group: str) -> None:
    found = lake.client("admin").get_work_group(WorkGroup=group)["WorkGroup"]

    assert (found["Name"], found["State"], found["Description"]) == (group, "ENABLED", "for a test")
    configuration = found["Configuration"]
    assert configuration["ResultConfiguration"] == {"OutputLocation": "s3://lake-results/mine/"}
    assert configuration["EnforceWorkGroupConfiguration"]
    assert "BytesScannedCutoffPerQuery" not in configuration
    assert isinstance(found["CreationTime"], datetime)


def test_with_an_enforced_configuration_the_callers_own_output_does_not_count(
    lake: AthenaLake, group: str
) -> None:
    elsewhere = {"OutputLocation": "s3://lake-results/elsewhere/"}

    enforced = run(lake, group, "SELECT 1", ResultConfiguration=elsewhere)
    change(lake, group, EnforceWorkGroupConfiguration=False)
    free = run(lake, group, "SELECT 2", ResultConfiguration=elsewhere)

    assert enforced["ResultConfiguration"]["OutputLocation"].startswith("s3://lake-results/mine/")
    assert free["ResultConfiguration"]["OutputLocation"].startswith("s3://lake-results/elsewhere/")


def test_without_an_output_location_nothing_starts(lake: AthenaLake, group: str) -> None:
    change(lake, group, ResultConfigurationUpdates={"RemoveOutputLocation": True})

    code, message = refused(lake, "start_query_execution", QueryString="SELECT 1", WorkGroup=group)

    assert code == "InvalidRequestException"
    assert message.startswith("No output location provided.")


def test_results_never_go_among_the_lakes_data(lake: AthenaLake, group: str) -> None:
    change(
        lake, group, ResultConfigurationUpdates={"OutputLocation": "s3://lake/ads/events/results/"}
    )

    code, message = refused(lake, "start_query_execution", QueryString="SELECT 1", WorkGroup=group)

    assert code == "InvalidRequestException"
    assert "lies among the lake's data" in message


def test_a_disabled_workgroup_takes_no_query(lake: AthenaLake, group: str) -> None:
    lake.client("admin").update_work_group(WorkGroup=group, State="DISABLED")

    told = refused(lake, "start_query_execution", QueryString="SELECT 1", WorkGroup=group)

    assert told == ("InvalidRequestException", f"WorkGroup {group} is disabled.")


def test_a_query_that_scans_more_than_the_limit_fails(lake: AthenaLake, group: str) -> None:
    change(lake, group, BytesScannedCutoffPerQuery=10_000_000)

    within = run(lake, group, "SELECT count(*), max(id) FROM events")
    beyond = run(lake, group, "SELECT max(length(noise)) FROM large")
    change(lake, group, RemoveBytesScannedCutoffPerQuery=True)
    lifted = run(lake, group, "SELECT max(length(noise)) FROM large")

    assert within["Status"]["State"] == "SUCCEEDED"
    assert beyond["Status"]["State"] == "FAILED"
    assert "EXCEEDED_SCAN_LIMIT" in beyond["Status"]["StateChangeReason"]
    assert lifted["Status"]["State"] == "SUCCEEDED"
    assert lifted["Statistics"]["DataScannedInBytes"] > 16_000_000


def test_a_workgroup_that_has_scanned_its_share_takes_no_query_until_the_period_is_over(
    lake: AthenaLake, group: str
) -> None:
    limits = {"data_limits": [{"bytes": 1, "period_s": 86_400 * 365}]}
    change(lake, group, AdditionalConfiguration=json.dumps(limits))

    first = run(lake, group, "SELECT 1")
    spent = run(lake, group, "SELECT id FROM events")
    limits["data_limits"][0]["bytes"] = 10**12
    change(lake, group, AdditionalConfiguration=json.dumps(limits))
    more = run(lake, group, "SELECT id FROM events")
    limits["data_limits"][0]["bytes"] = 1
    change(lake, group, AdditionalConfiguration=json.dumps(limits))

    assert first["Status"]["State"] == "SUCCEEDED"
    assert "EXCEEDED_SCAN_LIMIT" in spent["Status"]["StateChangeReason"]
    assert more["Status"]["State"] == "SUCCEEDED"
    code, message = refused(lake, "start_query_execution", QueryString="SELECT 1", WorkGroup=group)
    assert code == "InvalidRequestException"
    assert "has reached its data usage limit of 1 bytes" in message


def test_tags_are_put_on_a_workgroup_and_taken_off(lake: AthenaLake, group: str) -> None:
    athena = lake.client("admin")
    arn = f"arn:aws:athena:us-east-1:{lake.account}:workgroup/{group}"
    athena.tag_resource(ResourceARN=arn, Tags=[{"Key": "year", "Value": "2026"}])
    both = athena.list_tags_for_resource(ResourceARN=arn)["Tags"]
    athena.untag_resource(ResourceARN=arn, TagKeys=["team"])
    left = athena.list_tags_for_resource(ResourceARN=arn)["Tags"]

    assert both == [{"Key": "team", "Value": "growth"}, {"Key": "year", "Value": "2026"}]
    assert left == [{"Key": "year", "Value": "2026"}]
    for other in (f"{arn}x", arn.replace("workgroup", "datacatalog"), "arn:aws:athena:::x"):
        assert refused(lake, "list_tags_for_resource", ResourceARN=other)[0] == (
            "ResourceNotFoundException"
        )


def test_what_a_workgroup_used_is_told_by_day_and_tag(lake: AthenaLake, group: str) -> None:
    scanned = run(lake, group, "SELECT id FROM events")["Statistics"]["DataScannedInBytes"]
    today = datetime.now(UTC).date().isoformat()

    by_day = lake.stack.lakeveil("workgroup", "usage", "--since", today)
    by_team = lake.stack.lakeveil("workgroup", "usage", "--by", "team")
    listed = lake.stack.lakeveil("workgroup", "ls")

    (mine,) = [one for one in by_day if one["workgroup"] == group and one["day"] == today]
    assert mine["tags"] == {"team": "growth"}
    assert mine["scanned_bytes"] >= scanned > 0
    assert mine["price"] == pytest.approx(mine["scanned_bytes"] / 2**40 * 5.0)
    (growth,) = [one for one in by_team if one["value"] == "growth" and one["day"] == today]
    assert growth["queries"] == mine["queries"]
    (entry,) = [one for one in listed if one["name"] == group]
    assert (entry["output"], entry["enforced"]) == ("s3://lake-results/mine/", True)


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"BytesScannedCutoffPerQuery": 10_000_000, "ExecutionRole": "arn:aws:iam::1:role/x"},
         "ExecutionRole"),
        ({"RequesterPaysEnabled": True}, "RequesterPaysEnabled is not supported"),
        ({"ResultConfiguration": {"OutputLocation": "http://x/"}}, "is not s3://bucket/prefix/"),
        ({"AdditionalConfiguration": '{"strict": 1}'}, "AdditionalConfiguration"),
        ({"AdditionalConfiguration": '{"data_limits": [{"bytes": 0, "period_s": 1}]}'},
         "AdditionalConfiguration"),
    ],
)  # fmt: skip
def test_what_a_workgroup_cannot_be_is_refused(
    lake: AthenaLake, configuration: dict[str, Any], message: str
) -> None:
    code, told = refused(lake, "create_work_group", Name="never", Configuration=configuration)

    assert code == "InvalidRequestException"
    assert message in told
    assert "is not found" in refused(lake, "get_work_group", WorkGroup="never")[1]


def test_a_workgroup_is_made_once_and_primary_stays(lake: AthenaLake, group: str) -> None:
    assert refused(lake, "create_work_group", Name=group) == (
        "InvalidRequestException",
        f"WorkGroup {group} is already created",
    )
    assert refused(lake, "delete_work_group", WorkGroup="primary")[0] == "InvalidRequestException"
    athena = lake.client("admin")
    athena.create_named_query(Name="x", Database="ads", QueryString="SELECT 1", WorkGroup=group)
    assert "is not empty" in refused(lake, "delete_work_group", WorkGroup=group)[1]


def test_one_sees_the_workgroups_that_one_may_look_at(lake: AthenaLake, group: str) -> None:
    def names(who: str) -> set[str]:
        return {one["Name"] for one in lake.client(who).list_work_groups()["WorkGroups"]}

    assert {"primary", "tools", "bu-a", "bu-b", group} <= names("admin")
    assert names("wanda") == {"tools"}
