"""What a service says of itself: its gate, its places, its limits."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from lakeveil.aws.protocol import AwsError, Service, load_model
from lakeveil.aws.sigv4 import Caller
from tests.doors.running import KEY, doors, serving
from tests.doors.small_services import Seen, glue, sts
from tests.doors.wire_calls import FORM, VERSION, WEB, post, refusal


def test_the_gate_is_asked_before_every_signed_operation() -> None:
    seen, asked = Seen(), list[tuple[str, str, Mapping[str, Any]]]()

    def gate(caller: Caller, name: str, params: Mapping[str, Any]) -> None:
        asked.append((caller.access_key, name, params))
        if params.get("Name") == "secret":
            raise AwsError("AccessDeniedException", "You may not.")
        if params.get("Name") == "broken":
            raise RuntimeError("hunter2")

    with serving(doors(services=[glue(seen, gate=gate), sts(seen, gate=gate)])) as door:
        client = door.boto3(service="glue")
        client.get_table(DatabaseName="ads", Name="open")
        assert asked == [(KEY, "GetTable", {"DatabaseName": "ads", "Name": "open"})]
        for name, code in (
            ("secret", "AccessDeniedException"),
            ("broken", "InternalServiceException"),
        ):
            with pytest.raises(ClientError) as refused:
                client.get_table(DatabaseName="ads", Name=name)
            assert refused.value.response["Error"]["Code"] == code
        assert seen.names == ["GetTable"]

        httpx.post(door.url, content=WEB, headers=FORM)
        assert (seen.names[-1], len(asked)) == ("AssumeRoleWithWebIdentity", 3)


def test_a_service_is_checked_when_it_is_made() -> None:
    model = load_model("sts")

    def nothing(_caller: Caller, _params: Mapping[str, Any]) -> Mapping[str, Any]:
        return {}

    served = {"GetCallerIdentity": nothing, "AssumeRole": nothing}
    for wrong in (
        {"operations": {"Nothing": nothing}},
        {"operations": served, "reads": frozenset({"GetSessionToken"})},
        {"operations": served, "unsigned": frozenset({"AssumeRoleWithWebIdentity"})},
        {"operations": served, "unsigned": frozenset({"AssumeRole"})},
    ):
        with pytest.raises(ValueError, match="sts"):
            Service(model=model, **wrong)


def test_two_services_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="same signing name"):
        doors(services=[glue(Seen()), glue(Seen())])


def test_a_slow_service_leaves_the_others_their_threads() -> None:
    released, entered, seen = threading.Event(), threading.Semaphore(0), Seen()

    def slow(_caller: Caller, _params: Mapping[str, Any]) -> Mapping[str, Any]:
        entered.release()
        released.wait(60)
        return {"Table": {"Name": "slow"}}

    busy = glue(seen, operations={"GetTable": slow}, threads=1, waiting=0)
    with serving(doors(services=[busy, sts(seen)])) as door, ThreadPoolExecutor(1) as callers:
        try:
            client = door.boto3(service="glue")
            inside = callers.submit(client.get_table, DatabaseName="a", Name="b")
            assert entered.acquire(timeout=10)
            with pytest.raises(ClientError) as refused:
                door.boto3(service="glue").get_table(DatabaseName="a", Name="b")
            assert refused.value.response["Error"]["Code"] == "ThrottlingException"
            assert door.boto3(service="sts").get_caller_identity()["UserId"] == "A1"
        finally:
            released.set()
        assert inside.result()["Table"]["Name"] == "slow"


def test_each_service_has_its_own_limit_of_a_body() -> None:
    seen = Seen()
    body = json.dumps({"DatabaseName": "a", "Name": "b", "CatalogId": "c" * 2000})
    small = glue(seen, max_body_bytes=1000)
    with serving(doors(services=[small, sts(seen)])) as door:
        answer = post(door, body, service="glue", target="AWSGlue.GetTable")
        assert refusal(answer) == (400, "RequestEntityTooLargeException")
        form = f"Action=GetCallerIdentity&{VERSION}&Else={'a' * 2000}"
        assert refusal(post(door, form, service="sts", headers=FORM)) == (400, "ValidationError")
