"""What a function can say of a message: later, or never with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from lakeveil.adapters.function_queue import FunctionQueue
from lakeveil.errors import SetupError, Unavailable
from tests.stack_fixture import free_ports

REGION = "eu-central-1"


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client("sqs", endpoint_url=f"http://{host}:{port}", region_name=REGION)
    yield client
    client.close()
    server.stop()


def test_a_reason_of_any_length_and_characters_can_be_read_back(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="dead")["QueueUrl"]
    queue = FunctionQueue("", dead_letter_url=url, region=REGION)

    queue.bury("{}", origin="m1", reason="key \x00\x1b[31mü\n" + "x" * 5000, receive_count=2)

    (letter,) = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    said = {k: v["StringValue"] for k, v in letter["MessageAttributes"].items()}
    assert said["LakeveilReason"].startswith("key   [31mü x")
    assert len(said["LakeveilReason"]) == 2000
    assert (said["LakeveilOrigin"], said["LakeveilReceiveCount"]) == ("m1", "2")


def test_without_a_queue_for_dead_letters_burying_is_refused() -> None:
    queue = FunctionQueue("", dead_letter_url="", region=REGION)
    with pytest.raises(SetupError, match="no queue for dead letters"):
        queue.bury("{}", origin="m1", reason="bad", receive_count=1)


def test_without_a_queue_there_is_nothing_to_delay() -> None:
    FunctionQueue("", dead_letter_url="", region=REGION).delay("handle", delay_s=1.0)


def test_a_queue_that_is_gone_or_away_is_unavailable(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="dead")["QueueUrl"]
    sqs.delete_queue(QueueUrl=url)
    gone = FunctionQueue(url, dead_letter_url=url, region=REGION)
    with pytest.raises(Unavailable, match="dead letter"):
        gone.bury("{}", origin="m1", reason="bad", receive_count=1)
    (port,) = free_ports(1)
    nowhere = f"http://127.0.0.1:{port}/123456789012/dead"
    away = FunctionQueue(nowhere, dead_letter_url=nowhere, region=REGION, timeout_s=1.0)
    with pytest.raises(Unavailable, match="delay"):
        away.delay("handle", delay_s=1.0)
