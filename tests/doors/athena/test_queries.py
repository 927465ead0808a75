"""Queries by boto3: states, results, pages, parameters, and what is told of failures."""

from __future__ import annotations

import time
import uuid
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lakeveil.aws.protocol import load_model
from tests.doors.athena.athena_lake import HEAVY, AthenaLake, values


def refused(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    """Code and message of what a client raised."""
    told = error.value.response["Error"]
    return told["Code"], told["Message"]


def test_a_query_goes_from_queued_to_succeeded_and_its_record_says_how(lake: AthenaLake) -> None:
    query_id = lake.start("SELECT max(length(noise)) FROM large", ResultConfiguration={})
    done = lake.ended(query_id)

    assert done["QueryExecutionId"] == query_id
    assert (done["StatementType"], done["SubstatementType"]) == ("DML", "SELECT")
    assert (
        done["ResultConfiguration"]["OutputLocation"] == f"s3://lake-results/tools/{query_id}.csv"
    )
    assert done["QueryExecutionContext"] == {"Database": "ads"}
    assert done["WorkGroup"] == "tools"
    assert isinstance(done["Status"]["SubmissionDateTime"], datetime)
    assert done["Status"]["CompletionDateTime"] >= done["Status"]["SubmissionDateTime"]
    took = done["Statistics"]
    assert took["DataScannedInBytes"] > 0
    assert took["TotalExecutionTimeInMillis"] >= took["EngineExecutionTimeInMillis"]
    assert done["EngineVersion"]["EffectiveEngineVersion"] == "Athena engine version 3"


def test_results_hold_null_empty_text_and_nested_values_as_athena_writes_them(
    lake: AthenaLake,
) -> None:
    query_id = lake.run("SELECT * FROM events ORDER BY id")["QueryExecutionId"]
    found = lake.client("wanda").get_query_results(QueryExecutionId=query_id)

    assert values(found) == [
        ["id", "name", "price", "seen", "day", "score", "tags", "attrs", "spot", "raw"],
        [
            *("1", 'says "no",\nreally', "12.30", "2026-01-31 12:34:56.789012"),
            *("2026-01-31", "0.5", "[a, null, b]", "{k=1}", "{x=7, label=é}", "00 ff"),
        ],
        ["2", "", *[None] * 8],
    ]
    columns = found["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    assert [one["Type"] for one in columns] == [
        *("bigint", "varchar", "decimal", "timestamp", "date", "double"),
        *("array", "map", "row", "varbinary"),
    ]
    assert (columns[2]["Precision"], columns[2]["Scale"]) == (12, 2)
    assert found["UpdateCount"] == 0


def test_results_come_in_pages_of_which_the_first_has_the_names(lake: AthenaLake) -> None:
    athena = lake.client("wanda")
    query_id = lake.run("SELECT n FROM many ORDER BY n")["QueryExecutionId"]

    pages = athena.get_paginator("get_query_results").paginate(QueryExecutionId=query_id)
    read = [row for page in pages for row in values(page)]
    small = athena.get_query_results(QueryExecutionId=query_id, MaxResults=3)
    after = athena.get_query_results(
        QueryExecutionId=query_id, MaxResults=2, NextToken=small["NextToken"]
    )

    assert read == [["n"], *([str(n)] for n in range(5_000))]
    assert values(small) == [["n"], ["0"], ["1"]]
    assert values(after) == [["2"], ["3"]]


@pytest.mark.parametrize("token", ["nope", "-1", "1", "9" * 17, "9" * 40])
def test_a_token_of_no_page_is_refused(lake: AthenaLake, token: str) -> None:
    query_id = lake.run("SELECT id FROM events")["QueryExecutionId"]

    with pytest.raises(ClientError) as error:
        lake.client("wanda").get_query_results(QueryExecutionId=query_id, NextToken=token)

    assert refused(error)[0] == "InvalidRequestException"


def test_parameters_are_bound_in_order_and_never_read_as_sql(lake: AthenaLake) -> None:
    sql = "SELECT id, ? FROM events WHERE id = ?"
    text = "'it''s -- 1) OR (1=1'"

    assert lake.rows(sql, ExecutionParameters=[text, "1"]) == [["1", "it's -- 1) OR (1=1"]]
    assert "SYNTAX_ERROR" in lake.failure(sql, ExecutionParameters=["1 OR 1=1", "1"])
    assert "INVALID_PARAMETER_USAGE" in lake.failure(sql, ExecutionParameters=["name", "1"])
    assert "INVALID_PARAMETER_USAGE" in lake.failure(sql, ExecutionParameters=["1"])


def test_a_request_token_gives_the_same_query_and_is_refused_for_another(lake: AthenaLake) -> None:
    token = uuid.uuid4().hex
    first = lake.start("SELECT 1", ClientRequestToken=token)
    # Two equal calls within a second have one signature, and are tried again.
    assert lake.start("SELECT 1", ClientRequestToken=token) == first

    with pytest.raises(ClientError) as error:
        lake.start("SELECT 2", ClientRequestToken=token)

    assert refused(error)[0] == "InvalidRequestException"


def test_a_running_query_is_stopped(lake: AthenaLake) -> None:
    query_id = lake.start(HEAVY)
    athena = lake.client("wanda")
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
        if found["Status"]["State"] == "RUNNING" and lake.stack.children("lakeveil"):
            break
        time.sleep(0.05)
    time.sleep(0.5)

    athena.stop_query_execution(QueryExecutionId=query_id)
    status = lake.ended(query_id)["Status"]
    athena.stop_query_execution(QueryExecutionId=query_id)

    assert status["State"] == "CANCELLED"
    assert "AthenaError" not in status
    with pytest.raises(ClientError) as error:
        athena.get_query_results(QueryExecutionId=query_id)
    assert refused(error) == (
        "InvalidRequestException",
        "Query did not finish successfully. Final query state: CANCELLED",
    )
    # It holds no thread any more: as many as run at once come to their end.
    assert lake.rows("SELECT 1") == [["1"]]
    assert lake.rows("SELECT 2") == [["2"]]


def test_results_of_a_query_on_its_way_are_refused(lake: AthenaLake) -> None:
    query_id = lake.start(HEAVY)
    with pytest.raises(ClientError) as error:
        lake.client("wanda").get_query_results(QueryExecutionId=query_id)
    lake.client("wanda").stop_query_execution(QueryExecutionId=query_id)

    code, message = refused(error)
    assert code == "InvalidRequestException"
    assert message.startswith("Query has not yet finished. Current state: ")


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT 1 FORM events", "SYNTAX_ERROR: line 1:"),
        ("GRANT SELECT ON events TO wanda", "NOT_SUPPORTED: line 1:1: "),
        ("SELECT nope FROM events", "COLUMN_NOT_FOUND: line 1:8: Column 'nope' cannot be resolved"),
        (
            "SELECT ip_address FROM events",
            "COLUMN_NOT_FOUND: line 1:8: Column 'ip_address' cannot be resolved",
        ),
        (
            "SELECT * FROM nope",
            "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.ads.nope' does not exist",
        ),
        (
            "SELECT * FROM payroll.salaries",
            "SCHEMA_NOT_FOUND: line 1:15: Schema 'payroll' does not exist",
        ),
        (
            "SELECT * FROM nope.salaries",
            "SCHEMA_NOT_FOUND: line 1:15: Schema 'nope' does not exist",
        ),
        ("SELECT CAST(name AS bigint) FROM events", "INVALID_CAST_ARGUMENT: "),
        ("SELECT read_csv('/etc/passwd')", "FUNCTION_NOT_FOUND: "),
    ],
)
def test_a_failure_says_what_athena_says_and_nothing_of_what_is_hidden(
    lake: AthenaLake, sql: str, reason: str
) -> None:
    status = lake.run(sql)["Status"]

    assert status["State"] == "FAILED"
    assert status["StateChangeReason"].startswith(reason)
    assert status["AthenaError"]["ErrorCategory"] == 2
    assert status["AthenaError"]["ErrorMessage"] == status["StateChangeReason"]
    assert not status["AthenaError"]["Retryable"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"QueryExecutionContext": {"Catalog": "other"}}, "Catalog other is not found."),
        ({"WorkGroup": "tools", "ClientRequestToken": "x" * 32 + " "}, "ClientRequestToken"),
        (
            {"ResultConfiguration": {"EncryptionConfiguration": {"EncryptionOption": "SSE_S3"}}},
            "Encryption and ACLs",
        ),
        ({"ResultConfiguration": {"OutputLocation": "lake-results"}}, "outputLocation"),
    ],
)
def test_what_cannot_be_started_is_refused(
    lake: AthenaLake, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError) as error:
        lake.start("SELECT 1", **more)

    code, told = refused(error)
    assert code == "InvalidRequestException"
    assert message in told


def test_a_statement_of_the_catalog_answers_lines_and_no_names(lake: AthenaLake) -> None:
    done = lake.run("SHOW TABLES")
    found = lake.client("wanda").get_query_results(QueryExecutionId=done["QueryExecutionId"])

    assert (done["StatementType"], done["SubstatementType"]) == ("UTILITY", "SHOW_TABLES")
    assert done["ResultConfiguration"]["OutputLocation"].endswith(".txt")
    assert ["events"] in values(found)
    assert ["tab_name"] not in values(found)


def test_ones_queries_are_listed_newest_first_in_pages(lake: AthenaLake) -> None:
    mine = [lake.run(f"SELECT {number}", "mia")["QueryExecutionId"] for number in range(3)]
    pages = (
        lake.client("mia")
        .get_paginator("list_query_executions")
        .paginate(WorkGroup="tools", PaginationConfig={"PageSize": 2})
    )
    listed = [query_id for page in pages for query_id in page["QueryExecutionIds"]]

    assert listed[:3] == mine[::-1]
    assert len(set(listed)) == len(listed)
    found = lake.client("mia").batch_get_query_execution(
        QueryExecutionIds=[mine[0], str(uuid.UUID(int=0))]
    )
    assert [one["Query"] for one in found["QueryExecutions"]] == ["SELECT 0"]
    assert found["UnprocessedQueryExecutionIds"][0]["ErrorCode"] == "INVALID_INPUT"


def test_runtime_statistics_tell_rows_and_times(lake: AthenaLake) -> None:
    # What has been read for somebody is at hand, and not read again.
    query_id = lake.run("SELECT id FROM events", "bu-b")["QueryExecutionId"]
    told = lake.client("bu-b").get_query_runtime_statistics(QueryExecutionId=query_id)
    found = told["QueryRuntimeStatistics"]

    assert found["Rows"]["OutputRows"] == 2
    assert found["Rows"]["InputBytes"] > 0
    assert found["Timeline"]["TotalExecutionTimeInMillis"] > 0


def test_the_result_file_is_readable_with_the_callers_own_key(lake: AthenaLake) -> None:
    done = lake.run("SELECT id, name FROM events ORDER BY id")
    key = done["ResultConfiguration"]["OutputLocation"].removeprefix("s3://lake-results/")
    body = lake.client("wanda", "s3").get_object(Bucket="lake-results", Key=key)["Body"].read()

    assert body == b'"id","name"\n"1","says ""no"",\nreally"\n"2",""\n'


def test_every_operation_that_is_not_served_is_refused_by_name(lake: AthenaLake) -> None:
    model = load_model("athena")
    assert "StartSession" in model.operation_names
    with pytest.raises(ClientError) as error:
        lake.client("admin").start_session(
            WorkGroup="tools", EngineConfiguration={"MaxConcurrentDpus": 4}
        )

    assert "StartSession" in refused(error)[1]
