"""A server that is killed leaves no query that looks as if somebody ran it."""

from __future__ import annotations

import os
import signal
import time

from botocore.exceptions import BotoCoreError, ClientError

from tests.doors.athena.athena_lake import HEAVY, AthenaLake
from tests.running_stack import wait_for


def test_queries_of_a_killed_server_are_failed_by_the_next(lake: AthenaLake) -> None:
    running = [lake.start(HEAVY) for _ in range(2)]
    waiting = lake.start("SELECT 1")
    done = lake.client("wanda").get_query_execution(QueryExecutionId=waiting)["QueryExecution"]
    assert done["Status"]["State"] == "QUEUED"
    time.sleep(1)
    (server,) = [one["pid"] for one in lake.stack.ready["children"] if one["name"] == "http"]
    os.kill(server, signal.SIGKILL)

    def failed() -> list[str] | None:
        try:
            found = lake.client("wanda").batch_get_query_execution(
                QueryExecutionIds=[*running, waiting]
            )["QueryExecutions"]
        except (BotoCoreError, ClientError):
            return None
        if {one["Status"]["State"] for one in found} != {"FAILED"}:
            return None
        return [one["Status"]["StateChangeReason"] for one in found]

    reasons = wait_for(failed, seconds=60, why=lake.stack.log())

    assert set(reasons) == {"ABANDONED_QUERY: The server that ran the query stopped. Run it again."}
    assert lake.rows("SELECT 1") == [["1"]]
