"""A unit's role through Athena and the store: its own workgroup, output and results."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lakeveil.core.identity import arns
from tests.doors.athena.athena_lake import HEAVY, AthenaLake, values


def refused(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    """Code and message of a call that has to be refused."""
    with pytest.raises(ClientError) as error:
        call(**params)
    told = error.value.response["Error"]
    return told["Code"], told["Message"]


def test_a_unit_asks_in_its_workgroup_and_reads_its_result_at_the_store(lake: AthenaLake) -> None:
    done = lake.run("SELECT id FROM events ORDER BY id", "bu-a")
    place = done["ResultConfiguration"]["OutputLocation"]
    key = place.removeprefix("s3://lake-results/")
    found = lake.client("bu-a").get_query_results(QueryExecutionId=done["QueryExecutionId"])

    assert values(found) == [["id"], ["1"], ["2"]]
    assert key.startswith("bu-a/")
    own = lake.client("bu-a", "s3").get_object(Bucket="lake-results", Key=key)["Body"].read()
    assert own == b'"id"\n"1"\n"2"\n'
    others = lake.client("bu-b", "s3")
    assert refused(others.get_object, Bucket="lake-results", Key=key)[0] == "AccessDenied"
    assert refused(others.put_object, Bucket="lake-results", Key=key, Body=b"")[0] == "AccessDenied"
    assert refused(others.list_objects_v2, Bucket="lake-results", Prefix="bu-a/")[0] == (
        "AccessDenied"
    )
    assert refused(others.get_object, Bucket="lake", Key="ads/events/1.parquet")[0] == (
        "AccessDenied"
    )


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("start_query_execution", {"QueryString": "SELECT 1"}),
        ("get_work_group", {}),
        ("update_work_group", {"State": "DISABLED"}),
        ("delete_work_group", {}),
        ("list_query_executions", {}),
        ("list_named_queries", {}),
        ("list_prepared_statements", {}),
        ("create_named_query", {"Name": "x", "Database": "ads", "QueryString": "SELECT 1"}),
        ("create_prepared_statement", {"StatementName": "by_id", "QueryStatement": "SELECT 1"}),
        ("get_prepared_statement", {"StatementName": "by_id"}),
    ],
)
@pytest.mark.parametrize("group", ["bu-b", "nobodys"])
def test_a_unit_is_refused_at_anothers_workgroup_whether_or_not_there_is_one(
    lake: AthenaLake, operation: str, params: dict[str, str], group: str
) -> None:
    code, message = refused(getattr(lake.client("bu-a"), operation), WorkGroup=group, **params)

    assert code == "AccessDeniedException"
    action = "athena:" + operation.title().replace("_", "")
    assert f"not authorized to perform: {action} on resource" in message
    assert message.endswith(f":workgroup/{group}")


def test_a_unit_is_refused_in_the_primary_workgroup_too(lake: AthenaLake) -> None:
    start = lake.client("bu-a").start_query_execution
    code, message = refused(
        start,
        QueryString="SELECT 1",
        ResultConfiguration={"OutputLocation": "s3://lake-results/bu-a/"},
    )

    assert code == "AccessDeniedException"
    assert message.endswith(":workgroup/primary")


def test_no_result_of_a_unit_goes_to_anothers_output(lake: AthenaLake) -> None:
    admin, before = lake.client("admin"), lake.client("admin").get_work_group(WorkGroup="bu-a")
    assert before["WorkGroup"]["Configuration"]["EnforceWorkGroupConfiguration"]
    admin.update_work_group(
        WorkGroup="bu-a", ConfigurationUpdates={"EnforceWorkGroupConfiguration": False}
    )
    try:
        code, message = refused(
            lake.client("bu-a").start_query_execution,
            QueryString="SELECT 1",
            WorkGroup="bu-a",
            ResultConfiguration={"OutputLocation": "s3://lake-results/bu-b/"},
        )
        failure = lake.failure(
            "UNLOAD (SELECT 1 AS one) TO 's3://lake-results/bu-b/out/' WITH (format = 'PARQUET')",
            "bu-a",
        )
        made = lake.failure(
            "CREATE TABLE ads.theirs WITH (external_location = 's3://lake-results/bu-b/t/') "
            "AS SELECT 1 AS one",
            "bu-a",
        )
    finally:
        admin.update_work_group(
            WorkGroup="bu-a", ConfigurationUpdates={"EnforceWorkGroupConfiguration": True}
        )

    assert code == "InvalidRequestException"
    assert message.startswith("Access denied when writing output to the given location.")
    assert failure.startswith("PERMISSION_DENIED: Access denied when writing")
    assert made.startswith("PERMISSION_DENIED: ")
    listed = lake.stack.s3("service").list_objects_v2(Bucket="lake-results", Prefix="bu-b/")
    assert not any(
        "out/" in one["Key"] or "/t/" in one["Key"] for one in listed.get("Contents", ())
    )


def test_without_get_data_access_a_unit_sees_no_data(lake: AthenaLake) -> None:
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "lakeformation:GetDataAccess", "Resource": "*"},
        ],
    }
    lake.keys["closed"] = lake.session("bu-a", "user-of-bu-a", Policy=json.dumps(policy))

    reason = lake.failure("SELECT id FROM events", "closed", WorkGroup="bu-a")
    counted = lake.failure("SELECT count(*) FROM events", "closed", WorkGroup="bu-a")

    denied = "PERMISSION_DENIED: Access Denied: Cannot select from table ads.events"
    assert (reason, counted) == (denied, denied)
    assert lake.rows("SELECT id FROM events ORDER BY id", "bu-a") == [["1"], ["2"]]


def test_a_query_and_its_result_are_there_for_its_own_principal_alone(lake: AthenaLake) -> None:
    query_id = lake.run("SELECT id FROM events", "bu-a")["QueryExecutionId"]
    running = lake.start(HEAVY, "bu-a")
    never = str(uuid.uuid4())

    for who in ("bu-b", "wanda", "admin"):
        athena = lake.client(who)
        for one in (query_id, running, never):
            for operation in (
                athena.get_query_execution,
                athena.get_query_results,
                athena.get_query_runtime_statistics,
                athena.stop_query_execution,
            ):
                assert refused(operation, QueryExecutionId=one) == (
                    "InvalidRequestException",
                    f"QueryExecution {one} was not found",
                )
        found = athena.batch_get_query_execution(QueryExecutionIds=[query_id, never])
        assert found["QueryExecutions"] == []
        assert [one["ErrorMessage"] for one in found["UnprocessedQueryExecutionIds"]] == [
            f"QueryExecution {query_id} was not found",
            f"QueryExecution {never} was not found",
        ]
    listed = lake.client("admin").list_query_executions(WorkGroup="bu-a")["QueryExecutionIds"]
    assert not {query_id, running} & set(listed)
    status = lake.client("bu-a").get_query_execution(QueryExecutionId=running)["QueryExecution"]
    assert status["Status"]["State"] in {"QUEUED", "RUNNING"}
    lake.client("bu-a").stop_query_execution(QueryExecutionId=running)


def test_a_result_is_not_there_any_more_for_whom_other_groups_speak(lake: AthenaLake) -> None:
    group = f"readers-{uuid.uuid4().hex[:8]}"
    lake.stack.lakeveil("identity", "group", "create", group)
    query_id = lake.run("SELECT 1", "mia")["QueryExecutionId"]

    lake.stack.lakeveil("identity", "group", "add", group, "mia")
    told = refused(lake.client("mia").get_query_results, QueryExecutionId=query_id)
    lake.stack.lakeveil("identity", "group", "remove", group, "mia")

    assert told == ("InvalidRequestException", f"QueryExecution {query_id} was not found")
    again = lake.client("mia").get_query_results(QueryExecutionId=query_id)
    assert values(again)[1:] == [["1"]]


def test_a_query_whose_role_was_revoked_while_it_waited_reads_nothing(lake: AthenaLake) -> None:
    role = f"bu-{uuid.uuid4().hex[:8]}"
    lake.client("admin").create_work_group(
        Name=role,
        Configuration={"ResultConfiguration": {"OutputLocation": f"s3://lake-results/{role}/"}},
    )
    lake.unit(role, "user-of-bu-a")
    lake.grant(
        arns.role_arn(lake.account, role),
        {"Table": {"DatabaseName": "ads", "Name": "many"}},
        "SELECT",
    )
    # As many as run at once, so that the next one waits.
    heavy = [lake.start(HEAVY, "bu-a") for _ in range(2)]
    waiting = lake.start("SELECT n FROM many", role, WorkGroup=role)

    lake.stack.lakeveil("identity", "role", "revoke", role, "--yes")
    for one in heavy:
        lake.client("bu-a").stop_query_execution(QueryExecutionId=one)

    time.sleep(2)
    listed = lake.stack.s3("service").list_objects_v2(Bucket="lake-results", Prefix=f"{role}/")
    assert not [one for one in listed.get("Contents", ()) if waiting in one["Key"]]
    shown = lake.stack.lakeveil("audit", "show", "--outcome", "refused", "--limit", "50")
    assert any(waiting in one["resource"] for one in shown)
