"""What a caller can take of us: bodies, time and places are bounded."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from botocore.exceptions import ClientError

from lakeveil.pixels.examination import Examination
from tests.doors.running import FACE, TARGET, Door, doors, found, photo, serving, signed

IMAGE = {"Image": {"Bytes": base64.b64encode(photo()).decode()}}


def test_beyond_its_places_the_door_throttles_and_stays_responsive() -> None:
    released, entered = threading.Event(), threading.Semaphore(0)

    def slow(_data: bytes) -> Examination:
        entered.release()
        released.wait(60)
        return found(FACE)

    with (
        serving(doors(look=slow, rekognition={"threads": 2, "waiting": 0})) as door,
        ThreadPoolExecutor(2) as callers,
    ):
        try:
            inside = [callers.submit(door.call, IMAGE) for _ in range(2)]
            assert entered.acquire(timeout=10)
            assert entered.acquire(timeout=10)
            refused = door.call(IMAGE)

            assert (refused.status_code, refused.json()["__type"]) == (500, "ThrottlingException")
            assert httpx.get(f"{door.url}/healthz").status_code == 200
        finally:
            released.set()
        assert [answer.result().status_code for answer in inside] == [200, 200]
        assert door.call(IMAGE).status_code == 200


def test_a_few_callers_may_wait_for_their_turn() -> None:
    def slow(_data: bytes) -> Examination:
        time.sleep(0.02)
        return found(FACE)

    with (
        serving(doors(look=slow, rekognition={"threads": 1, "waiting": 5})) as door,
        ThreadPoolExecutor(6) as callers,
    ):
        answers = list(callers.map(lambda _: door.call(IMAGE).status_code, range(6)))

    assert answers == [200] * 6


def test_an_unmodified_client_gets_through_a_busy_door_by_its_own_retries() -> None:
    import boto3
    from botocore.config import Config

    def slow(_data: bytes) -> Examination:
        time.sleep(0.05)
        return found(FACE)

    with serving(doors(look=slow, rekognition={"threads": 1, "waiting": 0})) as door:
        client = boto3.client(
            "rekognition",
            endpoint_url=door.url,
            region_name="us-east-1",
            aws_access_key_id="LVTESTKEY0001",
            aws_secret_access_key="a-secret-of-forty-characters-0123456789x",
            config=Config(retries={"mode": "standard", "total_max_attempts": 10}),
        )
        with ThreadPoolExecutor(4) as callers:
            answers = callers.map(lambda _: client.detect_faces(Image={"Bytes": photo()}), range(8))
            assert all(answer["FaceDetails"] == [FACE] for answer in answers)


def test_a_body_without_end_is_cut_off() -> None:
    with serving(doors(rekognition={"max_bytes": 1000})) as door:
        answer = httpx.post(
            door.url,
            content=b"x" * 200_000,
            headers=dict(signed(door.url, b"x" * 200_000).headers),
        )

    assert answer.status_code == 413


def test_a_body_that_does_not_arrive_is_given_up() -> None:
    with serving(doors(body_timeout_s=0.2)) as door:
        head = _head(door, json.dumps(IMAGE).encode(), length=1000)
        answer = _raw(door, head + b'{"Image"')

    assert answer.startswith(b"HTTP/1.1 408")
    assert b"RequestTimeoutException" in answer


def test_bodies_of_strangers_are_not_kept() -> None:
    """They are taken in, so that the stranger can read why he is refused."""
    with serving(doors()) as door:
        request = signed(door.url, b"x" * 4_000_000, key="SOMEBODY")
        answer = httpx.post(door.url, content=b"x" * 4_000_000, headers=dict(request.headers))

    assert answer.status_code == 400
    assert answer.json()["__type"] == "UnrecognizedClientException"


def test_strangers_take_no_places() -> None:
    with serving(doors(rekognition={"threads": 1, "waiting": 0})) as door:
        slow = socket.create_connection(("127.0.0.1", int(door.url.rpartition(":")[2])))
        with slow:
            slow.sendall(
                f"POST / HTTP/1.1\r\nHost: {door.host}\r\nContent-Length: 1000\r\n\r\n".encode()
            )
            assert door.call(IMAGE).status_code == 200


def test_a_caller_who_leaves_in_the_middle_gives_his_place_back() -> None:
    with serving(doors(rekognition={"threads": 1, "waiting": 0})) as door:
        port = int(door.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as leaving:
            leaving.sendall(_head(door, b"{}", length=1000))
        deadline = time.monotonic() + 10
        while (answer := door.call(IMAGE)).status_code != 200 and time.monotonic() < deadline:
            time.sleep(0.02)

    assert answer.status_code == 200


def test_a_chunked_body_is_signed_like_any_other() -> None:
    data = json.dumps(IMAGE).encode()
    with serving(doors()) as door:
        headers = dict(signed(door.url, data).headers)
        headers.pop("Content-Length", None)
        answer = httpx.post(door.url, content=iter([data[:100], data[100:]]), headers=headers)

    assert answer.json()["FaceDetails"] == [FACE]


@pytest.mark.parametrize("change", ["body", "target", "signature"])
def test_a_tampered_request_is_refused(door: Door, change: str) -> None:
    data = json.dumps(IMAGE).encode()
    headers = dict(signed(door.url, data).headers)
    if change == "body":
        data = data.replace(b"Image", b"image")
    elif change == "target":
        headers["X-Amz-Target"] = TARGET.replace("Detect", "Delete")
    else:
        flipped = "0" if headers["Authorization"][-1] != "0" else "1"
        headers["Authorization"] = headers["Authorization"][:-1] + flipped
    answer = httpx.post(door.url, content=data, headers=headers)

    assert (answer.status_code, answer.json()["__type"]) == (400, "InvalidSignatureException")


def test_an_unsigned_request_is_refused(door: Door) -> None:
    answer = httpx.post(door.url, json=IMAGE, headers={"X-Amz-Target": TARGET})

    assert answer.status_code == 400
    assert answer.json()["__type"] == "MissingAuthenticationTokenException"


def test_a_clock_more_than_five_minutes_off_is_refused() -> None:
    with (
        serving(doors(clock=lambda: time.time() + 301)) as door,
        pytest.raises(ClientError) as refused,
    ):
        door.boto3().detect_faces(Image={"Bytes": photo()})

    error = refused.value.response["Error"]
    assert error["Code"] == "InvalidSignatureException"
    assert "Signature expired" in error["Message"]


def test_a_wrong_key_and_a_wrong_secret_are_told_apart_as_in_aws(door: Door) -> None:
    for client, code in (
        (door.boto3(key="SOMEBODY"), "UnrecognizedClientException"),
        (door.boto3(secret="guessed"), "InvalidSignatureException"),
    ):
        with pytest.raises(ClientError) as refused:
            client.detect_faces(Image={"Bytes": photo()})
        assert refused.value.response["Error"]["Code"] == code


def test_answers_on_a_kept_connection_do_not_wait_for_each_other(door: Door) -> None:
    """Nagle's algorithm and delayed acknowledgements together cost 40 ms for each."""
    with httpx.Client() as client:
        took = [client.get(f"{door.url}/healthz").elapsed.total_seconds() for _ in range(30)]

    assert min(took[-10:]) < 0.03


def _head(door: Door, data: bytes, *, length: int) -> bytes:
    headers = {**dict(signed(door.url, data).headers), "Content-Length": str(length)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST / HTTP/1.1\r\n{lines}\r\n".encode()


def _raw(door: Door, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", int(door.url.rpartition(":")[2]))) as connection:
        connection.settimeout(20)
        connection.sendall(data)
        answer = b""
        while b"\r\n\r\n" not in answer or b"}" not in answer:
            answer += connection.recv(65_536)
        return answer
