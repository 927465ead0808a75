"""Named queries and prepared statements by boto3, and EXECUTE."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.doors.athena.athena_lake import AthenaLake


def refused(lake: AthenaLake, who: str, operation: str, **params: Any) -> tuple[str, str]:
    """Code and message of a call that has to be refused."""
    with pytest.raises(ClientError) as error:
        getattr(lake.client(who), operation)(**params)
    told = error.value.response["Error"]
    return told["Code"], told["Message"]


def test_a_query_is_saved_changed_listed_and_removed(lake: AthenaLake) -> None:
    athena = lake.client("wanda")
    saved = {"Name": "daily", "Database": "ads", "QueryString": "SELECT 1", "WorkGroup": "tools"}
    query_id = athena.create_named_query(**saved, Description="each day")["NamedQueryId"]

    found = athena.get_named_query(NamedQueryId=query_id)["NamedQuery"]
    athena.update_named_query(NamedQueryId=query_id, Name="weekly", QueryString="SELECT 7")
    changed = athena.batch_get_named_query(NamedQueryIds=[query_id, "0" * 8])
    listed = athena.list_named_queries(WorkGroup="tools")["NamedQueryIds"]
    hidden = refused(lake, "bu-a", "get_named_query", NamedQueryId=query_id)
    missing = refused(lake, "bu-a", "get_named_query", NamedQueryId="0" * len(query_id))
    athena.delete_named_query(NamedQueryId=query_id)

    assert found == {**saved, "Description": "each day", "NamedQueryId": query_id}
    (weekly,) = changed["NamedQueries"]
    assert (weekly["Name"], weekly["QueryString"]) == ("weekly", "SELECT 7")
    assert weekly["Description"] == "each day"
    assert changed["UnprocessedNamedQueryIds"][0]["NamedQueryId"] == "0" * 8
    assert query_id in listed
    assert hidden == ("InvalidRequestException", f"NamedQuery {query_id} was not found")
    assert missing[0] == hidden[0]
    assert refused(lake, "wanda", "get_named_query", NamedQueryId=query_id) == hidden


def test_a_prepared_statement_is_kept_and_executed_with_values(lake: AthenaLake) -> None:
    athena = lake.client("wanda")
    about = {"StatementName": "by_id", "WorkGroup": "tools"}
    athena.create_prepared_statement(**about, QueryStatement="SELECT id FROM events WHERE id = ?")

    assert lake.rows("EXECUTE by_id USING 2") == [["2"]]
    assert lake.rows("EXECUTE by_id", ExecutionParameters=["1"]) == [["1"]]
    assert "INVALID_PARAMETER_USAGE" in lake.failure("EXECUTE by_id")
    athena.update_prepared_statement(
        **about, QueryStatement="SELECT ip_address FROM events WHERE id = ?"
    )
    assert lake.failure("EXECUTE by_id USING 2").startswith("COLUMN_NOT_FOUND")
    found = athena.get_prepared_statement(**about)["PreparedStatement"]
    assert found["QueryStatement"].startswith("SELECT ip_address")
    assert refused(
        lake, "wanda", "create_prepared_statement", **about, QueryStatement="SELECT 1"
    ) == ("InvalidRequestException", "Prepared statement by_id already exists")
    listed = athena.list_prepared_statements(WorkGroup="tools")["PreparedStatements"]
    assert [one["StatementName"] for one in listed] == ["by_id"]
    many = athena.batch_get_prepared_statement(
        PreparedStatementNames=["by_id", "nope"], WorkGroup="tools"
    )
    assert [one["StatementName"] for one in many["PreparedStatements"]] == ["by_id"]
    (unknown,) = many["UnprocessedPreparedStatementNames"]
    assert (unknown["StatementName"], unknown["ErrorCode"]) == ("nope", "STATEMENT_NOT_FOUND")

    athena.delete_prepared_statement(**about)

    assert refused(lake, "wanda", "get_prepared_statement", **about) == (
        "ResourceNotFoundException",
        "PreparedStatement by_id was not found in workGroup tools",
    )
    assert lake.failure("EXECUTE by_id USING 2").startswith("NOT_FOUND: Prepared statement")


def test_statements_are_prepared_in_sql_as_well(lake: AthenaLake) -> None:
    lake.run("PREPARE two FROM SELECT ? + ?")

    assert lake.rows("EXECUTE two USING 1, 2") == [["3"]]
    assert lake.run("DEALLOCATE PREPARE two")["Status"]["State"] == "SUCCEEDED"
    assert lake.failure("EXECUTE two USING 1, 2").startswith("NOT_FOUND")


@pytest.mark.parametrize("name", ["1x", "a b", "a;b"])
def test_a_name_that_is_none_is_refused(lake: AthenaLake, name: str) -> None:
    code, _ = refused(
        *(lake, "wanda", "create_prepared_statement"),
        StatementName=name,
        WorkGroup="tools",
        QueryStatement="SELECT 1",
    )
    assert code == "InvalidRequestException"
