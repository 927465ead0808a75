"""The AWS CLI, unmodified, in each protocol."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.doors.running import Door
from tests.doors.small_services import EXPIRES
from tests.doors.test_clients import aws


@pytest.mark.parametrize(
    ("arguments", "member", "value"),
    [
        (
            ["glue", "get-table", "--database-name", "ads", "--name", "campaigns"],
            "Table",
            {
                "Name": "campaigns",
                "CreateTime": EXPIRES,
                "StorageDescriptor": {"Columns": [{"Name": "spend", "Type": "bigint"}]},
            },
        ),
        (
            ["lakeformation", "get-lf-tag", "--tag-key", "class"],
            "TagValues",
            ["public", "private"],
        ),
        (["sts", "get-caller-identity"], "Account", "123456789012"),
        (["athena", "get-work-group", "--work-group", "primary"], "WorkGroup", {"Name": "primary"}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_the_aws_cli_reads_the_answer(
    lake: Door, tmp_path: Path, arguments: list[str], member: str, value: Any
) -> None:
    done = aws(tmp_path, *arguments, "--endpoint-url", lake.url)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[member] == value


def test_the_aws_cli_names_the_operation_that_is_not_served(lake: Door, tmp_path: Path) -> None:
    done = aws(tmp_path, "glue", "list-crawlers", "--endpoint-url", lake.url)

    assert done.returncode != 0
    assert "(UnknownOperationException)" in done.stderr
    assert "The operation ListCrawlers is not supported by Lakeveil." in done.stderr
