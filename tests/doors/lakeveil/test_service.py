"""What holds for every operation: the model, who gets in, what is on record, and the AWS CLI."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.model import Shape

from lakeveil.aws.lakeveil.resources import arn_of
from lakeveil.aws.lakeveil.service import CHANGES, READS
from lakeveil.aws.protocol import AwsError, load_model, own_model
from lakeveil.aws.sigv4 import Caller
from lakeveil.core.access.changing.change_space import ChangeKind
from lakeveil.core.access.deciding.decision import Outcome
from lakeveil.core.access.explaining.access_requests import (
    MAX_DAYS,
    MAX_EMERGENCY_S,
    MAX_REASON,
    RequestState,
)
from lakeveil.core.access.explaining.explain import ObstacleKind
from lakeveil.core.access.masks import MaskKind
from lakeveil.core.identity.principal import Principal
from lakeveil.core.identity.rights import Effect, Rights, Statement
from lakeveil.errors import SetupError, Unavailable
from lakeveil.flows.change_discovery import MAX_PATTERN
from lakeveil.flows.discover import DataAccess
from tests.doors.lakeformation.conftest import key_of
from tests.doors.lakeveil.conftest import Client, service_over, serving_to
from tests.doors.running import SECRET, Door, signed
from tests.doors.test_clients import aws, environment
from tests.flows.lakes import ADMIN, ANA, BOB, HOME, OTHER, OWNER, World
from tests.flows.test_explain_access import Everybody

TABLE = {"DatabaseName": "Ads", "TableName": "Events"}
ID = "0123456789ab"
RESOURCE = {"Table": {"DatabaseName": "ads", "Name": "events"}}
HASH = {"Kind": "HASH"}
GUARD = {"Pattern": "ip_addr*", "TagKey": "class"}
WHY = "because"
AN_ACCOUNT = f"arn:aws:lakeveil::{HOME}:"

CALLS: dict[str, tuple[dict[str, Any], str]] = {
    "ExplainAccess": (TABLE, "table/ads/events"),
    "ListDiscoverable": ({}, "catalog"),
    "SearchData": ({"Text": "ads"}, "catalog"),
    "RequestAccess": ({**TABLE, "Reason": WHY}, "table/ads/events"),
    "ListAccessRequests": ({}, "catalog"),
    "DescribeAccessRequest": ({"RequestId": ID}, f"request/{ID}"),
    "ApproveAccessRequest": ({"RequestId": ID, "Cells": 1}, f"request/{ID}"),
    "DenyAccessRequest": ({"RequestId": ID, "Reason": WHY}, f"request/{ID}"),
    "WithdrawAccessRequest": ({"RequestId": ID}, f"request/{ID}"),
    "BreakGlass": ({**TABLE, "Reason": WHY}, "table/ads/events"),
    "GrantMasked": (
        {"Principal": ANA.arn, "Resource": RESOURCE, "Mask": HASH},
        "table/ads/events",
    ),
    "GuardNames": (GUARD, "catalog"),
    "ListNameGuards": ({}, "catalog"),
    "LiftNameGuard": (GUARD, "catalog"),
    "SetDiscoverable": ({"DatabaseName": "Ads", "Discoverable": True}, "database/ads"),
}


def test_every_operation_of_the_model_is_served() -> None:
    assert not CHANGES.keys() & READS.keys()
    assert {*CHANGES, *READS} == set(load_model("lakeveil").operation_names) == set(CALLS)


def test_botocore_reads_all_of_the_model_and_everything_in_it_is_explained() -> None:
    model = load_model("lakeveil")
    reached = {shape.name for shape in model.error_shapes}
    for name in model.operation_names:
        operation = model.operation_model(name)
        assert operation.documentation
        assert operation.http == {"method": "POST", "requestUri": "/"}
        assert {e.name for e in operation.error_shapes} >= {"AccessDeniedException"}
        for top in (operation.input_shape, operation.output_shape):
            for shape in _shapes(top):
                reached.add(shape.name)
                for member, one in getattr(shape, "members", {}).items():
                    assert one.documentation, f"{shape.name}.{member}"
    for shape in model.error_shapes:
        assert shape.documentation
        assert shape.metadata["error"]["httpStatusCode"] >= 400
        reached |= {one.name for one in shape.members.values()}
    assert reached == set(model.shape_names)
    assert (model.signing_name, model.service_id.hyphenize()) == ("lakeveil", "lakeveil")


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ("Outcome", Outcome),
        ("DataAccess", DataAccess),
        ("MaskKind", MaskKind),
        ("ObstacleKind", ObstacleKind),
        ("ChangeKind", ChangeKind),
        ("RequestState", RequestState),
    ],
)
def test_the_model_lists_our_own_words(shape: str, words: type[Enum]) -> None:
    assert load_model("lakeveil").shape_for(shape).enum == [word.name for word in words]


def test_the_model_has_our_own_limits() -> None:
    limits = {
        name: load_model("lakeveil").shape_for(name).metadata["max"]
        for name in ("Days", "EmergencySeconds", "Reason", "NamePattern")
    }
    assert limits == {
        "Days": MAX_DAYS,
        "EmergencySeconds": MAX_EMERGENCY_S,
        "Reason": MAX_REASON,
        "NamePattern": MAX_PATTERN,
    }


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_about_one_resource(name: str) -> None:
    params, resource = CALLS[name]
    assert arn_of(name, params, HOME) == AN_ACCOUNT + resource


def test_a_resource_is_of_the_account_that_is_named() -> None:
    by_tags = {"LFTagPolicy": {"CatalogId": OTHER, "ResourceType": "TABLE"}}
    by_filter = {
        "DataCellsFilter": {
            "TableCatalogId": OTHER,
            "DatabaseName": "ads",
            "TableName": "events",
            "Name": "f",
        }
    }
    assert arn_of("ListNameGuards", {"CatalogId": OTHER}, HOME) == (
        f"arn:aws:lakeveil::{OTHER}:catalog"
    )
    assert arn_of("GrantMasked", {"Resource": by_tags}, HOME) == (
        f"arn:aws:lakeveil::{OTHER}:catalog"
    )
    assert arn_of("GrantMasked", {"Resource": by_filter}, HOME) == (
        f"arn:aws:lakeveil::{OTHER}:table/ads/events"
    )


@pytest.mark.parametrize("name", CALLS)
def test_without_the_right_to_call_nothing_runs_and_changes_are_on_record(
    lake: World, name: str
) -> None:
    """A business unit's role has three rights, and none of them is ours."""
    params, resource = CALLS[name]
    allowed = ("athena:StartQueryExecution", "s3:PutObject", "lakeformation:GetDataAccess")
    others = tuple(f"lakeveil:{other}" for other in CALLS if other != name)
    for actions in (allowed, others):
        unit = replace(BOB, rights=_may(*actions))
        service = service_over(lake, lambda _caller, unit=unit: unit)  # type: ignore[misc]
        assert service.gate is not None
        with pytest.raises(AwsError) as refused:
            service.gate(Caller("LVTESTKEY"), name, params)
        assert refused.value.code == "AccessDeniedException"
        assert refused.value.message == (
            f"User: {BOB.arn} is not authorized to perform: lakeveil:{name} on resource: "
            f"{AN_ACCOUNT}{resource}"
        )
    told = [entry.record.event for entry in lake.trail.entries() if entry.record]
    mine = [e.outcome.value for e in told if e.action == f"lakeveil:{name}"]
    assert mine == (["refused", "refused"] if name in CHANGES else [])


@pytest.mark.parametrize("name", CALLS)
def test_the_right_to_call_one_thing_is_enough_for_that(lake: World, name: str) -> None:
    params, resource = CALLS[name]
    only = replace(BOB, rights=_may(f"lakeveil:{name}", on=AN_ACCOUNT + resource))
    service = service_over(lake, lambda _caller: only)
    assert service.gate is not None
    service.gate(Caller("LVTESTKEY"), name, params)


def test_a_key_that_is_no_longer_good_is_refused(served: Door) -> None:
    for key in ("LVTESTSTRANGER", "LVTESTUNKNOWN"):
        answer = _post(served, "ListDiscoverable", {}, key=key)
        assert answer.status_code in {400, 403}
        assert answer.json()["__type"] in {"AccessDeniedException", "UnrecognizedClientException"}


def test_what_does_not_fit_the_model_is_refused(served: Door) -> None:
    for name, body, says in (
        ("DenyAccessRequest", {"RequestId": "../../x", "Reason": "r"}, "`RequestId`"),
        ("SearchData", {"Text": "x", "Everything": True}, "`Everything`"),
        ("GrantMasked", {"Principal": "p", "Resource": {}, "Mask": HASH}, "exactly one"),
        ("SetDiscoverable", {"DatabaseName": "ads", "Discoverable": "no"}, "true or false"),
    ):
        answer = _post(served, name, body)
        assert (answer.status_code, answer.json()["__type"]) == (400, "InvalidInputException")
        assert says in answer.json()["Message"]


@pytest.mark.parametrize(
    ("trouble", "status", "expected"),
    [
        (RuntimeError("hunter2"), 500, "InternalServiceException"),
        (SetupError("hunter2"), 500, "InternalServiceException"),
        (Unavailable("the directory did not answer"), 503, "ServiceUnavailableException"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_fault_of_ours_tells_nothing(
    lake: World, trouble: Exception, status: int, expected: str
) -> None:
    class Broken(Everybody):
        def principals(self) -> Any:
            raise trouble

    service = service_over(lake, people=Broken())
    address = {"DatabaseName": "ads", "TableName": "events", "ColumnName": "ip_address"}
    with serving_to(service) as running:
        answer = _post(running, "ExplainAccess", {"Principal": ANA.arn, **address})
    assert (answer.status_code, answer.json()["__type"]) == (status, expected)
    assert "hunter2" not in answer.text


_RUN_ALL = """
import contextlib, io, json, os, sys
from awscli.clidriver import create_clidriver
answers = []
for who, arguments in json.load(sys.stdin):
    os.environ["AWS_ACCESS_KEY_ID"] = who
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = create_clidriver().main(arguments)
    answers.append([code, out.getvalue()])
json.dump(answers, sys.stdout)
"""
"""The AWS CLI itself, once for many commands: to start is most of what it does."""


def test_the_aws_cli_calls_every_operation(
    client: Client, served: Door, lake: World, models: Path, tmp_path: Path
) -> None:
    numbers = []
    for column in ("id", "ts", "ip_address"):
        asked = {**TABLE, "ColumnNames": [column], "Reason": WHY}
        numbers.append(client(ANA).request_access(**asked)["Request"]["RequestId"])
    table = ("--database-name", "ads", "--table-name", "events")
    request, because = "--request-id", ("--reason", WHY)
    guard = ["--pattern", "ip_addr*", "--tag-key", "class"]
    commands: dict[str, tuple[Principal, list[str]]] = {
        "explain-access": (ANA, [*table, "--column-name", "id"]),
        "list-discoverable": (ANA, []),
        "search-data": (ANA, ["--text", "clicks"]),
        "request-access": (ANA, [*table, "--column-names", "spend", *because]),
        "list-access-requests": (OWNER, []),
        "describe-access-request": (OWNER, [request, numbers[0]]),
        "approve-access-request": (OWNER, [request, numbers[0], "--cells", "1", "--days", "1"]),
        "deny-access-request": (OWNER, [request, numbers[1], *because]),
        "withdraw-access-request": (ANA, [request, numbers[2]]),
        "break-glass": (ADMIN, [*table, *because]),
        "grant-masked": (
            ADMIN,
            ["--principal", BOB.arn, "--resource", json.dumps(RESOURCE), "--mask", "Kind=HASH"],
        ),
        "guard-names": (ADMIN, guard),
        "list-name-guards": (ADMIN, []),
        "lift-name-guard": (ADMIN, guard),
        "set-discoverable": (ADMIN, ["--database-name", "ads", "--no-discoverable"]),
    }
    lines = [
        (key_of(who), ["lakeveil", name, *rest, "--endpoint-url", served.url])
        for name, (who, rest) in commands.items()
    ]

    done = subprocess.run(
        [sys.executable, "-c", _RUN_ALL],
        input=json.dumps(lines),
        env=environment(
            tmp_path,
            AWS_DATA_PATH=str(models),
            AWS_SECRET_ACCESS_KEY=SECRET,
            AWS_MAX_ATTEMPTS="6",
        ),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert [code for code, _ in answers] == [0] * len(CALLS), done.stderr
    told = {name: json.loads(out or "{}") for name, (_, out) in zip(commands, answers, strict=True)}
    assert told["search-data"]["Listings"][0]["TableName"] == "clicks"
    assert told["approve-access-request"]["Request"]["State"] == "APPROVED"
    assert told["lift-name-guard"]["Guard"]["ColumnCount"] == 1
    assert lake.sees(ANA) == ["id"]
    assert client(BOB).list_discoverable()["Listings"][0]["Access"] == "MASKED"


@pytest.mark.skipif(not shutil.which("groff"), reason="the AWS CLI draws its help with groff")
@pytest.mark.parametrize(
    ("page", "says"), [((), "governed data lake"), (("approve-access-request",), "--cells")]
)
def test_the_aws_cli_explains_the_service(
    models: Path, tmp_path: Path, page: tuple[str, ...], says: str
) -> None:
    told = aws(tmp_path, "lakeveil", *page, "help", PAGER="cat", AWS_DATA_PATH=str(models))
    assert told.returncode == 0, told.stderr
    assert says in " ".join(told.stdout.split())


@pytest.mark.slow
def test_the_aws_cli_takes_the_model(tmp_path: Path) -> None:
    model = tmp_path / "lakeveil.json"
    model.write_text(own_model())

    added = aws(tmp_path, "configure", "add-model", "--service-model", f"file://{model}")

    assert added.returncode == 0, added.stderr
    listed = aws(tmp_path, "lakeveil", "nothing")
    assert all(_dashed(name) in listed.stderr for name in CALLS)


def _may(*actions: str, on: str = "*") -> Rights:
    return Rights(statements=(Statement(effect=Effect.ALLOW, actions=actions, resources=(on,)),))


def _shapes(shape: Shape) -> Iterator[Shape]:
    yield shape
    if shape.type_name == "structure":
        for member in shape.members.values():
            yield from _shapes(member)
    elif shape.type_name == "list":
        yield from _shapes(shape.member)


def _post(door: Door, name: str, body: dict[str, Any], key: str = key_of(ADMIN)) -> httpx.Response:
    data = json.dumps(body).encode()
    request = signed(
        door.url, data, target=f"Lakeveil.{name}", key=key, secret=SECRET, service="lakeveil"
    )
    return httpx.post(request.url, content=data, headers=dict(request.headers), timeout=30)


def _dashed(name: str) -> str:
    return "".join(f"-{sign.lower()}" if sign.isupper() else sign for sign in name).lstrip("-")
