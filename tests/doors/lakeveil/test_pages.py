"""Listings come in pages, and clients that were given the paginators turn them by themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import OperationModel
from click.testing import CliRunner

from lakeveil.aws.protocol import load_model, own_files
from lakeveil.cli.api import command
from lakeveil.cli.session import Session
from tests.doors.lakeformation.conftest import key_of
from tests.doors.lakeveil.conftest import Client
from tests.doors.running import SECRET, Door
from tests.doors.test_clients import aws
from tests.flows.lakes import ADMIN, ANA, OWNER

EVERYTHING = [("ads", None), ("ads", "clicks"), ("ads", "events")]
PAGINATORS: Mapping[str, Mapping[str, str]] = json.loads(own_files()["paginators-1.json"])[
    "pagination"
]


def _operation(name: str) -> OperationModel:
    return load_model("lakeveil").operation_model(name)


def test_what_answers_in_pages_has_a_paginator_and_nothing_else() -> None:
    paged = {
        name
        for name in load_model("lakeveil").operation_names
        if "NextToken" in _operation(name).output_shape.members
    }

    assert set(PAGINATORS) == paged
    assert list(PAGINATORS) == sorted(PAGINATORS)


@pytest.mark.parametrize("name", sorted(PAGINATORS))
def test_a_paginator_names_members_that_there_are(name: str) -> None:
    said, operation = PAGINATORS[name], _operation(name)

    assert set(said) == {"input_token", "output_token", "limit_key", "result_key"}
    assert {said["input_token"], said["limit_key"]} <= set(operation.input_shape.members)
    assert said["output_token"] in operation.output_shape.members
    assert operation.output_shape.members[said["result_key"]].type_name == "list"


def test_boto3_turns_the_pages_of_a_listing(client: Client) -> None:
    pages = list(
        client(OWNER).get_paginator("list_discoverable").paginate(PaginationConfig={"PageSize": 2})
    )

    assert [_places(page["Listings"]) for page in pages] == [EVERYTHING[:2], EVERYTHING[2:]]


@pytest.mark.parametrize(
    ("name", "params", "expected"),
    [
        ("search_data", {"Text": "ads"}, 3),
        ("list_access_requests", {}, 2),
    ],
)
def test_boto3_finds_in_pages_of_one_what_it_finds_at_once(
    client: Client, name: str, params: dict[str, Any], expected: int
) -> None:
    for table in ("clicks", "events"):
        client(ANA).request_access(DatabaseName="ads", TableName=table, Reason="churn")
    paginator = client(ADMIN).get_paginator(name)
    operation = "".join(word.capitalize() for word in name.split("_"))
    member = PAGINATORS[operation]["result_key"]

    at_once = getattr(client(ADMIN), name)(**params)[member]
    found = [
        one
        for page in paginator.paginate(**params, PaginationConfig={"PageSize": 1})
        for one in page[member]
    ]

    assert len(found) == expected
    assert found == at_once


def test_the_aws_cli_turns_them_too(served: Door, models: Path, tmp_path: Path) -> None:
    told = aws(
        tmp_path, "lakeveil", "list-discoverable", "--page-size", "1", "--output", "json",
        AWS_DATA_PATH=str(models), AWS_ENDPOINT_URL_LAKEVEIL=served.url,
        AWS_ACCESS_KEY_ID=key_of(OWNER), AWS_SECRET_ACCESS_KEY=SECRET,
        AWS_DEFAULT_REGION="eu-central-1",
    )  # fmt: skip

    assert told.returncode == 0, told.stderr
    assert _places(json.loads(told.stdout)["Listings"]) == EVERYTHING


def test_the_command_prints_what_it_writes_beside_the_model(models: Path) -> None:
    printed = CliRunner().invoke(command, ["paginators"], obj=Session())

    [written] = models.rglob("paginators-1.json")
    assert printed.exit_code == 0
    assert printed.output == written.read_text("utf-8")
    assert (written.parent / "service-2.json").is_file()
    # botocore reads it as it reads its own.
    loader = Loader(extra_search_paths=[str(models)])
    assert loader.load_service_model("lakeveil", "paginators-1")["pagination"] == PAGINATORS


def _places(listings: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(one["DatabaseName"], one.get("TableName")) for one in listings]
