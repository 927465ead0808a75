"""The AWS CLI, as somebody types it, with the endpoints in its environment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.doors.athena.athena_lake import AthenaLake, values
from tests.running_stack import wait_for

AWS = str(Path(sys.executable).with_name("aws"))


def aws(lake: AthenaLake, who: str, *words: str) -> Any:
    """What `aws athena WORDS` prints, or what it says of an error."""
    done = subprocess.run(
        [AWS, "athena", *words],
        env={"PATH": "/usr/bin", **lake.environment(who)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return json.loads(done.stdout or "{}") if done.returncode == 0 else done.stderr


def test_a_query_is_run_by_the_command_line(lake: AthenaLake) -> None:
    started = aws(
        *(lake, "wanda", "start-query-execution", "--work-group", "tools"),
        *("--query-string", "SELECT id FROM events WHERE id = ?", "--execution-parameters", "2"),
        *("--query-execution-context", "Database=ads"),
    )
    lake.ended(started["QueryExecutionId"])
    about = ("--query-execution-id", started["QueryExecutionId"])

    assert values(aws(lake, "wanda", "get-query-results", *about)) == [["id"], ["2"]]
    assert "was not found" in aws(lake, "bu-a", "get-query-results", *about)


@pytest.mark.slow
def test_a_unit_works_by_the_command_line(lake: AthenaLake) -> None:
    group = ("--work-group", "tools")
    saved = aws(
        *(lake, "wanda", "create-named-query", *group, "--name", "one"),
        *("--database", "ads", "--query-string", "SELECT 1"),
    )
    named = ("--named-query-id", saved["NamedQueryId"])
    tables = ("--catalog-name", "AwsDataCatalog", "--database-name", "ads")
    prepared = (*group, "--statement-name", "of_cli")
    aws(lake, "wanda", "create-prepared-statement", *prepared, "--query-statement", "SELECT ?")
    started = aws(
        *(lake, "wanda", "start-query-execution", *group, "--query-string", "EXECUTE of_cli"),
        *("--execution-parameters", "'x'"),
    )
    query = ("--query-execution-id", started["QueryExecutionId"])

    def over() -> bool:
        found = aws(lake, "wanda", "get-query-execution", *query)["QueryExecution"]
        return bool(found["Status"]["State"] == "SUCCEEDED")

    wait_for(over)
    assert values(aws(lake, "wanda", "get-query-results", *query))[1:] == [["x"]]
    assert aws(lake, "wanda", "get-named-query", *named)["NamedQuery"]["QueryString"] == "SELECT 1"
    listed = aws(lake, "wanda", "list-query-executions", *group)["QueryExecutionIds"]
    assert listed[0] == started["QueryExecutionId"]
    shown = aws(lake, "wanda", "list-table-metadata", *tables)["TableMetadataList"]
    assert {"events", "many", "large"} <= {one["Name"] for one in shown}
    assert aws(lake, "wanda", "get-work-group", *group)["WorkGroup"]["State"] == "ENABLED"
    assert "AccessDeniedException" in aws(lake, "wanda", "get-work-group", "--work-group", "bu-a")
    assert aws(lake, "wanda", "stop-query-execution", *query) == {}
    aws(lake, "wanda", "delete-named-query", *named)
    aws(lake, "wanda", "delete-prepared-statement", *prepared)
