"""Health, readiness, metrics, and who is answered at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import nullcontext
from itertools import pairwise

import httpx
import pytest

from lakeveil.adapters.metrics import Meter
from lakeveil.errors import Unavailable
from lakeveil.web.app import Receive, Scope, Send, http_app
from tests.doors.running import Door, doors, serving


def test_healthz_answers_while_the_process_lives() -> None:
    with serving(doors(checks={"store": _away})) as door:
        assert httpx.get(f"{door.url}/healthz").status_code == 200


def test_readyz_names_what_does_not_answer() -> None:
    with serving(doors(checks={"store": _away, "queue": _answers})) as door:
        answer = httpx.get(f"{door.url}/readyz")

    assert answer.status_code == 503
    assert answer.json()["status"] == "unready"
    assert answer.json()["checks"]["queue"]["ok"] is True
    store = answer.json()["checks"]["store"]
    assert (store["ok"], store["code"]) == (False, "store_unavailable")
    assert store["what"] == "the object store did not answer"


def test_readyz_is_200_when_everything_answers() -> None:
    with serving(doors(checks={"store": _answers, "queue": _answers})) as door:
        answer = httpx.get(f"{door.url}/readyz")

    assert (answer.status_code, answer.json()["status"]) == (200, "ready")


def test_readyz_tells_nothing_of_an_unexpected_error() -> None:
    def leaky() -> None:
        raise RuntimeError("postgresql://lake:hunter2@db refused")

    with serving(doors(checks={"database": leaky})) as door:
        answer = httpx.get(f"{door.url}/readyz")

    assert answer.status_code == 503
    assert "hunter2" not in answer.text


def test_a_component_that_hangs_does_not_hang_readyz() -> None:
    released = threading.Event()
    try:
        checks = {"store": lambda: _wait(released), "queue": _answers}
        with serving(doors(checks=checks, check_timeout_s=0.3)) as door:
            answer = httpx.get(f"{door.url}/readyz", timeout=20)
            assert answer.json()["checks"]["store"]["code"] == "timeout"
            assert answer.json()["checks"]["queue"]["ok"] is True
            assert httpx.get(f"{door.url}/healthz").status_code == 200
    finally:
        released.set()


def test_components_are_asked_at_most_once_a_second() -> None:
    asked: list[float] = []
    checks = {"store": lambda: asked.append(time.monotonic())}
    with serving(doors(checks=checks)) as door, httpx.Client() as client:
        for _ in range(20):
            client.get(f"{door.url}/readyz")

    assert asked
    assert all(later - earlier > 1.0 for earlier, later in pairwise(asked))


def test_metrics_are_prometheus_text_with_the_requests_counted() -> None:
    with serving(doors(checks={"store": _away, "queue": _answers})) as door:
        httpx.get(f"{door.url}/healthz")
        httpx.get(f"{door.url}/no/such/page")
        answer = httpx.get(f"{door.url}/metrics")

    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    assert 'lakeveil_http_requests_total{code="200",door="web",operation="/healthz"} 1.0' in lines
    assert 'lakeveil_http_requests_total{code="404",door="web",operation="-"} 1.0' in lines
    assert 'lakeveil_ready{check="store"} 0.0' in lines
    assert 'lakeveil_ready{check="queue"} 1.0' in lines


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/", "/nothing"])
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8190", "127.0.0.1.evil.example", ""]
)
def test_a_host_that_is_not_on_the_list_gets_nothing(door: Door, host: str, path: str) -> None:
    answer = httpx.get(f"{door.url}{path}", headers={"Host": host})

    assert answer.status_code == 421
    assert answer.json()["error"]["code"] == "wrong_host"
    assert "allowed_hosts" in answer.json()["error"]["fix"]


def test_a_signed_call_under_another_host_name_is_not_answered(door: Door) -> None:
    answer = door.call(b"{}", headers={"Host": "rekognition.evil.example"})

    assert answer.status_code == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8190", "127.0.0.1", "[::1]:8190"])
def test_hosts_on_the_list_are_answered_with_any_port(door: Door, host: str) -> None:
    assert httpx.get(f"{door.url}/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/nothing", 404), ("DELETE", "/metrics", 405), ("PUT", "/", 404)],
)
def test_errors_have_our_shape(door: Door, method: str, path: str, status: int) -> None:
    answer = httpx.request(method, f"{door.url}{path}")

    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "what", "why", "fix"}


@pytest.mark.parametrize("path", ["/healthz", "/nothing"])
def test_answers_carry_security_headers(door: Door, path: str) -> None:
    headers = httpx.get(f"{door.url}{path}").headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "uvicorn" not in headers.get("server", "")


def _answers() -> None:
    pass


def _away() -> None:
    raise Unavailable("the object store did not answer", code="store_unavailable")


def _wait(released: threading.Event) -> None:
    released.wait(60)


def test_a_fault_of_ours_has_our_shape_and_no_details() -> None:
    def broken(_ready: Mapping[str, bool]) -> bytes:
        raise RuntimeError("hunter2")

    app = http_app(
        allowed_hosts=["127.0.0.1"],
        checks={},
        metrics=broken,
        aws=_nothing,
        observe=Meter().request,
        span=lambda _name, _headers: nullcontext(),
    )
    with serving(app) as door:
        answer = httpx.get(f"{door.url}/metrics")

    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "hunter2" not in answer.text


async def _nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise AssertionError("nobody calls it")
