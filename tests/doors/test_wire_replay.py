"""A request that changes something runs once, however often it is sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.aws.protocol import AwsError, Service
from lakeveil.aws.replay import MARGIN_S, Replays, RunsAgainLater
from lakeveil.aws.sigv4 import MAX_SKEW_S, Caller, Scope, Verified
from lakeveil.aws.wire import Answer
from tests.doors.running import KEY, SECRET, Clock, Door, doors, serving, signed
from tests.doors.small_services import Seen, athena, glue, lake_formation, sts

BODY = b'{"DatabaseInput": {"Name": "ads"}}'
START = 1_000_000.0


def captured(door: Door, target: str = "AWSGlue.CreateDatabase", body: bytes = BODY) -> Any:
    """A request as somebody on the way sees it; sent as often as it is called."""
    request = signed(door.url, body, target=target, service="glue")

    def send() -> httpx.Response:
        return httpx.post(request.url, content=body, headers=dict(request.headers), timeout=30)

    return send


def test_a_captured_request_sent_again_changes_nothing_and_is_answered_as_before() -> None:
    seen = Seen()
    with serving(doors(services=[glue(seen)])) as door:
        send = captured(door)
        first, again = send(), send()

    assert (first.status_code, again.status_code) == (200, 200)
    assert first.headers["x-amzn-requestid"] == again.headers["x-amzn-requestid"]
    assert first.content == again.content
    assert seen.names == ["CreateDatabase"]


def test_the_same_call_signed_again_is_another_call() -> None:
    seen = Seen()
    with serving(doors(services=[glue(seen)])) as door:
        client = door.boto3(service="glue")
        client.create_database(DatabaseInput={"Name": "ads"})
        client.create_database(DatabaseInput={"Name": "other"})

    assert len(seen.calls) == 2


@pytest.mark.parametrize("service", ["glue", "lakeformation", "sts", "athena"])
def test_an_equal_call_in_the_same_second_is_made_by_an_unmodified_client(service: str) -> None:
    """It is told to try again, which it does, and signs anew."""
    seen = Seen()
    started = {"StartQueryExecution": seen("StartQueryExecution", {"QueryExecutionId": "1"})}
    cases: Mapping[str, tuple[Callable[[Seen], Service], str, Mapping[str, Any]]] = {
        "glue": (glue, "create_database", {"DatabaseInput": {"Name": "ads"}}),
        "lakeformation": (lake_formation, "create_lf_tag", {"TagKey": "a", "TagValues": ["b"]}),
        "sts": (
            sts,
            "assume_role",
            {"RoleArn": "arn:aws:iam::123456789012:role/bu-a", "RoleSessionName": "ana"},
        ),
        "athena": (
            lambda seen: athena(seen, operations=started),
            "start_query_execution",
            {"QueryString": "SELECT 1", "ClientRequestToken": "t" * 32},
        ),
    }
    make, call, named = cases[service]
    with serving(doors(services=[make(seen)])) as door:
        client = door.boto3(service=service, attempts=10)
        for _ in range(3):
            getattr(client, call)(**named)

    assert len(seen.calls) == 3


def test_a_copy_that_claims_to_be_another_call_does_not_run() -> None:
    seen = Seen()
    with serving(doors(services=[glue(seen)])) as door:
        request = signed(door.url, BODY, target="AWSGlue.CreateDatabase", service="glue")
        answers = [
            httpx.post(
                request.url,
                content=BODY,
                headers={**dict(request.headers), "amz-sdk-invocation-id": invocation},
            )
            for invocation in ("one", "one", "two")
        ]

    assert [a.status_code for a in answers] == [200, 200, 400]
    assert answers[2].json()["__type"] == "ThrottlingException"
    assert seen.names == ["CreateDatabase"]


def test_every_protocol_is_guarded() -> None:
    seen = Seen()
    tag = b'{"TagKey": "class", "TagValues": ["public"]}'
    form = (
        b"Action=AssumeRole&Version=2011-06-15&RoleSessionName=ana"
        b"&RoleArn=arn:aws:iam::123456789012:role/bu-a"
    )
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    with serving(doors(services=[lake_formation(seen), sts(seen)])) as door:
        for service, path, body, headers in (
            ("lakeformation", "/CreateLFTag", tag, {}),
            ("sts", "/", form, kind),
        ):
            request = signed(
                f"{door.url}{path}", body, target=None, headers=headers, service=service, exact=True
            )
            answers = [
                httpx.post(request.url, content=body, headers=dict(request.headers))
                for _ in range(2)
            ]
            assert [a.status_code for a in answers] == [200, 200]
            assert answers[0].content == answers[1].content

    assert seen.names == ["CreateLFTag", "AssumeRole"]


def test_what_only_reads_runs_every_time() -> None:
    seen = Seen()
    with serving(doors(services=[glue(seen)])) as door:
        send = captured(door, "AWSGlue.GetTable", b'{"DatabaseName": "a", "Name": "b"}')
        assert [send().status_code for _ in range(3)] == [200] * 3

    assert seen.names == ["GetTable"] * 3


def test_a_refusal_is_remembered_and_a_fault_of_ours_is_not() -> None:
    errors: list[Exception] = [
        RuntimeError("away"),
        AwsError("AlreadyExistsException", "It exists."),
    ]

    def failing(_caller: Caller, _params: Mapping[str, Any]) -> Mapping[str, Any]:
        raise errors.pop(0)

    with serving(doors(services=[glue(Seen(), operations={"CreateDatabase": failing})])) as door:
        send = captured(door)
        answers = [send() for _ in range(3)]

    assert [a.status_code for a in answers] == [500, 400, 400]
    assert answers[2].json()["__type"] == "AlreadyExistsException"


def test_the_gate_is_asked_again_before_an_answer_is_given_again() -> None:
    seen, allowed = Seen(), [True]

    def gate(_caller: Caller, _name: str, _params: Mapping[str, Any]) -> None:
        if not allowed[0]:
            raise AwsError("AccessDeniedException", "You may not any more.")

    with serving(doors(services=[glue(seen, gate=gate)])) as door:
        send = captured(door)
        assert send().status_code == 200
        allowed[0] = False
        assert send().json()["__type"] == "AccessDeniedException"


def test_a_copy_of_a_call_that_is_still_running_is_told_to_try_again() -> None:
    released, entered, ran = threading.Event(), threading.Event(), list[int]()

    def slow(_caller: Caller, _params: Mapping[str, Any]) -> Mapping[str, Any]:
        ran.append(1)
        entered.set()
        released.wait(60)
        return {}

    service = glue(Seen(), operations={"CreateDatabase": slow})
    with serving(doors(services=[service])) as door, ThreadPoolExecutor(1) as callers:
        try:
            send = captured(door)
            running = callers.submit(send)
            assert entered.wait(10)
            copy = send()
        finally:
            released.set()
        assert running.result().status_code == 200
        assert send().status_code == 200

    assert copy.json()["__type"] == "ThrottlingException"
    assert len(ran) == 1


def test_calls_signed_before_the_server_began_are_not_run() -> None:
    """An earlier process may have run them."""
    seen, clock = Seen(), Clock(at=time.time() + 60)
    with serving(doors(services=[glue(seen)], clock=clock)) as door:
        send = captured(door)
        assert send().json()["__type"] == "ThrottlingException"
        read = captured(door, "AWSGlue.GetTable", b'{"DatabaseName": "a", "Name": "b"}')
        assert read().status_code == 200

    assert seen.names == ["GetTable"]


def test_a_presigned_change_is_good_for_no_longer_than_any_other() -> None:
    seen, clock = Seen(), Clock(at=time.time() - 400)
    with serving(doors(services=[sts(seen)], clock=clock)) as door:
        query = (
            "Action=AssumeRole&Version=2011-06-15&RoleSessionName=ana"
            "&RoleArn=arn:aws:iam::123456789012:role/bu-a"
        )
        request = AWSRequest("GET", f"{door.url}/?{query}", headers={"Host": door.host})
        auth = SigV4QueryAuth(Credentials(KEY, SECRET), "sts", "us-east-1", expires=7000)
        auth.add_auth(request)
        url = request.prepare().url
        clock.at = time.time()
        assert [httpx.get(url).status_code for _ in range(2)] == [200, 200]
        clock.at = time.time() + MAX_SKEW_S + 10
        late = httpx.get(url)

    assert "<Code>Throttling</Code>" in late.text
    assert seen.names == ["AssumeRole"]


def of(signature: str, at: float = START, key: str = KEY) -> Verified:
    scope = Scope("us-east-1", "glue")
    return Verified(caller=Caller(key), scope=scope, signature=signature, signed_at=at)


def answering(status: int = 200, size: int = 2) -> Callable[[], Answer]:
    answer = Answer(status=status, content_type="", body=b"x" * size, request_id="1")
    return lambda: answer


def never() -> Answer:
    raise AssertionError("it ran again")


@pytest.mark.parametrize(
    "memory",
    [Replays(began=START, most_calls=6), Replays(began=START, most_bytes=6)],
    ids=["calls", "bytes"],
)
def test_a_full_memory_refuses_new_changes_until_old_signatures_have_run_out(
    memory: Replays,
) -> None:
    for i in range(3):
        memory.once(of(f"a{i}"), now=START, work=answering())
        if memory.most_bytes > 6:
            memory.once(of(f"b{i}", key="OTHER"), now=START, work=answering())
    with pytest.raises(RunsAgainLater, match="Too many changes"):
        memory.once(of("new", key="THIRD"), now=START, work=never)
    assert memory.once(of("a0"), now=START, work=never).status == 200

    later = START + MAX_SKEW_S + MARGIN_S + 1
    assert memory.once(of("new", at=later), now=later, work=answering()).status == 200


def test_one_key_cannot_fill_the_memory() -> None:
    memory = Replays(began=START, most_calls=10)
    for i in range(5):
        memory.once(of(f"a{i}"), now=START, work=answering())

    with pytest.raises(RunsAgainLater, match="Too many changes"):
        memory.once(of("a5"), now=START, work=never)
    assert memory.once(of("b", key="OTHER"), now=START, work=answering()).status == 200


def test_faults_fill_the_memory_too() -> None:
    memory = Replays(began=START, most_calls=10)
    for _ in range(10):
        memory.once(of("a"), now=START, work=answering(500))

    with pytest.raises(RunsAgainLater, match="Too many changes"):
        memory.once(of("a"), now=START, work=never)


def test_a_clock_that_is_set_back_makes_nothing_good_again() -> None:
    memory = Replays(began=START)
    memory.once(of("a"), now=START, work=answering())
    later = START + 2 * MAX_SKEW_S
    memory.once(of("b", at=later), now=later, work=answering())

    with pytest.raises(RunsAgainLater, match="too long ago"):
        memory.once(of("a"), now=START, work=never)


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.integers(-400, 400),
            st.integers(0, 200),
            st.sampled_from([200, 400, 500]),
        ),
        max_size=40,
    )
)
def test_no_signature_ever_succeeds_twice(steps: list[tuple[str, int, int, int]]) -> None:
    """For any order of copies, clocks and outcomes; a signature has one date."""
    memory, now, done = Replays(began=START, most_calls=30), START, set[str]()
    for name, offset, passed, status in steps:
        now += passed
        signature = f"{name}{START + offset}"
        call = of(signature, at=START + offset)
        if abs(call.signed_at - now) > MAX_SKEW_S:
            # The signature's own check refuses it.
            continue
        ran = list[str]()

        def work(signature: str = signature, status: int = status, ran: list[str] = ran) -> Answer:
            ran.append(signature)
            return answering(status)()

        try:
            memory.once(call, now=now, work=work)
        except RunsAgainLater:
            assert not ran
            continue
        assert not (ran and signature in done)
        if ran and status < 500:
            done.add(signature)
