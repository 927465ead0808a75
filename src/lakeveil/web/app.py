"""The HTTP server's outermost layer: who is answered at all, health, readiness and metrics.

    GET /healthz   200 while the process lives
    GET /readyz    200 when everything it needs answers, else 503; says which does not
    GET /metrics   Prometheus
    POST /         the AWS doors, as is POST to the paths of their REST services, and
                   whatever is signed, by header or by query
    /v1/...        the Trino door, where there is one

Only hosts on the allow-list are answered: a web page that has its own name point at our address
(DNS rebinding) gets nothing.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from lakeveil.errors import LakeveilError, NotFound, UsageError
from lakeveil.web.readiness import Check, Readiness

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Span = Callable[[str, Mapping[str, str]], AbstractContextManager[None]]
"""Opens a trace's span: its name, and the request's headers."""

_SECURITY_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ADDRESSES = "see GET /healthz, /readyz and /metrics; the AWS API is POST /"


class Observer(Protocol):
    """Told of every answered request; where metrics come from."""

    def __call__(self, *, door: str, operation: str, code: str, seconds: float) -> None:
        """`operation` is the path, or `-` where there is nothing; `code` the HTTP status."""
        ...


def http_app(
    *,
    allowed_hosts: Sequence[str],
    checks: Mapping[str, Check],
    metrics: Callable[[Mapping[str, bool]], bytes],
    aws: App,
    observe: Observer,
    span: Span,
    check_timeout_s: float = 5.0,
    aws_paths: Collection[str] = (),
    trino: App | None = None,
    is_trino: Callable[[str], bool] = lambda _path: False,
) -> App:
    """Everything on the one port, as an ASGI app.

    `checks` are what `/readyz` asks; `metrics` renders the page for Prometheus, given what was
    found ready. `aws` is an ASGI app of its own, which counts its requests itself; `aws_paths` are
    its paths beside `/`. `trino` is another, for the paths of which `is_trino` says so. A check
    that takes longer than `check_timeout_s` counts as failed.
    """
    readiness = Readiness(checks, timeout_s=check_timeout_s)

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_request: Request) -> Response:
        found = await readiness.look()
        ready = all(state.ok for state in found.values())
        return JSONResponse(
            {
                "status": "ready" if ready else "unready",
                "checks": {name: state.as_dict() for name, state in found.items()},
            },
            status_code=200 if ready else 503,
        )

    async def metrics_page(_request: Request) -> Response:
        states = await readiness.look()
        found = {name: state.ok for name, state in states.items()}
        return PlainTextResponse(
            await readiness.in_thread(lambda: metrics(found)), media_type=_METRICS_TYPE
        )

    there = frozenset({"/", *aws_paths})
    routes = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics_page}
    pages = Starlette(
        routes=[Route(path, page, methods=["GET"]) for path, page in routes.items()],
        exception_handlers={HTTPException: _http_error, Exception: _our_fault},
    )

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        posted_there = scope["method"] == "POST" and scope["path"] in there
        if posted_there or _is_signed(scope):
            await aws(scope, receive, send)
            return
        if trino is not None and is_trino(scope["path"]):
            await trino(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def note_status(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await pages(scope, receive, note_status)
        finally:
            operation = scope["path"] if scope["path"] in routes else "-"
            seconds = time.perf_counter() - started
            observe(door="web", operation=operation, code=str(status), seconds=seconds)

    return _guarded(route, frozenset(host.lower() for host in allowed_hosts), observe, span)


def error_response(error: LakeveilError, *, status: int | None = None) -> JSONResponse:
    """An error as every HTTP answer of ours shows it: code, what, why, fix."""
    return JSONResponse(
        # AWS clients look for `message` at the top.
        {"error": error.as_dict(), "message": error.what},
        status_code=status or error.http_status,
    )


def _guarded(inner: App, allowed: frozenset[str], observe: Observer, span: Span) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_SECURITY_HEADERS]
            await send(message)

        headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]]
        hosts = [value for name, value in headers if name == "host"]
        if len(hosts) != 1 or _without_port(hosts[0]) not in allowed:
            await _wrong_host()(scope, receive, send_with_headers)
            observe(door="web", operation="-", code="421", seconds=0.0)
            return
        with span(f"{scope['method']} {scope['path']}"[:100], dict(headers)):
            await inner(scope, receive, send_with_headers)

    return app


def _is_signed(scope: Scope) -> bool:
    """Whether it says that it is, as AWS's clients do; whether it is the door finds out."""
    return b"X-Amz-Signature=" in scope["query_string"] or any(
        name == b"authorization" and value.startswith(b"AWS4-") for name, value in scope["headers"]
    )


def _without_port(host: str) -> str:
    """`[::1]:8190` -> `[::1]`, `LocalHost:8190` -> `localhost`."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdigit() else host.lower()


def _wrong_host() -> JSONResponse:
    return error_response(
        UsageError(
            "this server does not answer to that host name",
            why="its Host header is not on the list of names that are answered",
            fix="add the name to `http.allowed_hosts`, or use one that is there",
            code="wrong_host",
        ),
        status=421,
    )


async def _http_error(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:  # noqa: PLR2004 - method not allowed
        wrong = UsageError("that method is not for this address", fix=_ADDRESSES)
        return error_response(wrong, status=405)
    return error_response(NotFound("there is nothing at this address", fix=_ADDRESSES))


async def _our_fault(_request: Request, _error: Exception) -> Response:
    # Starlette raises it again after this answer, and the server logs it there.
    return error_response(
        LakeveilError(
            "the request could not be answered",
            why="a fault of ours; its details are in the log",
            fix="try again; report it if it goes on",
            code="internal_error",
        )
    )
