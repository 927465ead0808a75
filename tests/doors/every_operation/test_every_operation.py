"""Every operation, by boto3 and by the AWS CLI, and each answer held against the model."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.doors.every_operation.clients import (
    Answer,
    Boto3,
    Cli,
    Client,
    command_line,
    model_of,
    send,
)
from tests.doors.every_operation.held_against_the_model import misfits
from tests.doors.every_operation.names import Names
from tests.doors.every_operation.running_lake import RunningLake, running_lake
from tests.doors.every_operation.table import table
from tests.oidc_issuer import OidcIssuer
from tests.stack_fixture import Weed

ROWS = table(Names())
VARYING = frozenset(
    {
        "AccessKeyId",
        "SecretAccessKey",
        "SessionToken",
        "AssumedRoleId",
        "Expiration",
        "GrantId",
        "LastModified",
        "LastUpdated",
        "QueryAuthorizationId",
        "RequestId",
        "UserId",
        "metadata_location",
        "NextToken",
    }
)
"""Members that are never alike in two lakes; so are times, whatever they are called."""


_OF_ONE_LAKE = re.compile(
    r"every-[0-9a-f]{12}|\b[0-9a-f]{12,32}\b|expires:.*|/metadata/.*|[0-9a-f-]{36}"
)
"""Of texts the parts that are: buckets, versions of filters, ids of requests, times, paths."""


@pytest.fixture(scope="module")
def by_boto3(
    tmp_path_factory: pytest.TempPathFactory,
    accounts: Path,
    weed: Weed,
    issuer: OidcIssuer,
    models: Path,
) -> Iterator[list[Answer]]:
    """What boto3 was answered, row by row."""
    home = tmp_path_factory.mktemp("boto3") / "home"
    with running_lake(accounts, home, _names(weed), weed, issuer) as lake:
        yield _sent(Boto3(lake=lake, models=models))


@pytest.fixture(scope="module")
def lake_of_cli(
    tmp_path_factory: pytest.TempPathFactory, accounts: Path, weed: Weed, issuer: OidcIssuer
) -> Iterator[RunningLake]:
    home = tmp_path_factory.mktemp("cli") / "home"
    with running_lake(accounts, home, _names(weed), weed, issuer) as lake:
        yield lake


@pytest.fixture(scope="module")
def cli(lake_of_cli: RunningLake, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    return Cli(lake=lake_of_cli, models=models, files=tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def by_cli(cli: Cli) -> list[Answer]:
    """What the CLI was answered, row by row, by a lake of its own."""
    return _sent(cli)


def _names(store: Weed) -> Names:
    return Names(bucket=store.new_bucket("every"))


def _sent(client: Client) -> list[Answer]:
    answers = dict[str, Any]()
    return [send(client, row, answers) for row in table(client.lake.names)]


def test_every_operation_of_every_service_has_a_row(lake_of_cli: RunningLake) -> None:
    served = {(s.signing_name, name) for s in lake_of_cli.services for name in s.operations}
    assert {(row.service, row.operation) for row in ROWS} == served


def test_every_operation_succeeds_for_somebody_or_is_always_refused() -> None:
    never = {row.operation for row in ROWS} - {row.operation for row in ROWS if not row.refused}
    assert never == {
        "GetTemporaryDataLocationCredentials",
        "GetTemporaryGluePartitionCredentials",
        "GetTemporaryGlueTableCredentials",
    }


@pytest.mark.parametrize("number", range(len(ROWS)), ids=lambda n: str(ROWS[n]))
def test_what_boto3_is_answered_is_as_the_model_says(by_boto3: list[Answer], number: int) -> None:
    answer = by_boto3[number]

    assert (answer.code, answer.message * (answer.code != ROWS[number].refused)) == (
        ROWS[number].refused,
        "",
    )
    assert misfits(answer, model_of(ROWS[number])) == []


@pytest.mark.parametrize("number", range(len(ROWS)), ids=lambda n: str(ROWS[n]))
def test_the_cli_is_answered_as_the_model_says_and_tells_what_boto3_tells(
    by_boto3: list[Answer], by_cli: list[Answer], number: int
) -> None:
    told, expected = by_cli[number], by_boto3[number]

    assert misfits(told, model_of(ROWS[number])) == []
    assert (told.code, _alike(told.message)) == (expected.code, _alike(expected.message))
    assert _alike(told.document) == _alike(expected.document)


def test_a_process_of_the_cli_tells_what_the_one_within_this_process_tells(
    by_cli: list[Answer], cli: Cli, tmp_path: Path
) -> None:
    """For one row that reads, and one that is refused."""
    del by_cli
    for service, operation, params in (
        ("lakeformation", "GetDataLakeSettings", {}),
        ("glue", "GetTable", {"DatabaseName": "none", "Name": "none"}),
    ):
        within = cli.send("admin", service, operation, params)
        program = str(Path(sys.executable).with_name("aws"))
        line = command_line(service, operation, params, tmp_path)
        done = subprocess.run(
            [program, *line, "--endpoint-url", cli.lake.door.url],
            env={"PATH": "/usr/bin", "HOME": str(tmp_path), **cli.environment("admin")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert bool(done.returncode) == bool(within.code)
        assert json.loads(done.stdout or "{}") == within.document
        if within.code:
            assert f"({within.code})" in done.stderr
            assert within.message in done.stderr


def _alike(value: Any) -> Any:
    """A value without what is never alike in two lakes, in the CLI's words."""
    match value:
        case dict():
            return {
                name: _alike(item)
                for name, item in value.items()
                if name not in VARYING and not name.endswith(("Time", "At", "InMillis"))
            }
        case list():
            return [_alike(item) for item in value]
        case str():
            return _OF_ONE_LAKE.sub("#", value)
        case datetime():
            return value.isoformat()
        case _:
            return value
