"""Queues that speak SQS's wire protocol, and a function over them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.aws_lambda.function_bench import REGION, FunctionBench, new_bench
from tests.stack_fixture import Weed


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def sqs(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    client = boto3.client("sqs", endpoint_url=moto_url, region_name=REGION)
    yield client
    client.close()


@pytest.fixture
def bench(weed: Weed, sqs: Any) -> FunctionBench:
    return new_bench(weed, sqs)
