"""`lakeveil serve`: health, metrics and the doors on one port, over HTTP or HTTPS."""

from __future__ import annotations

import gc
import os
import signal
import socket
import ssl
from functools import partial
from typing import TYPE_CHECKING

import click

from lakeveil.cli.session import Session, json_option
from lakeveil.core.photos import RedactionPolicy
from lakeveil.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    import uvicorn

    from lakeveil.adapters.darkroom import IsolatedDarkroom
    from lakeveil.pixels.examination import Examination
    from lakeveil.settings import Settings
    from lakeveil.web.app import App
    from lakeveil.wiring.http import HttpParts

GRACE_S = 10
"""What is being answered when we are told to stop may take this long."""
MOST_CONNECTIONS = 256


@click.command()
@json_option
@click.pass_obj
def command(session: Session) -> None:
    """Run the HTTP server alone: /healthz, /readyz, /metrics and the AWS doors.

    It listens on `http.host` and `ports.http` until SIGTERM or Ctrl-C. `lakeveil up` starts it too.

    \b
    Examples:
      lakeveil serve
      LAKEVEIL_PORTS__HTTP=9000 lakeveil serve
    """
    from lakeveil.wiring.darkroom import open_darkroom
    from lakeveil.wiring.http import open_http_parts

    settings = session.settings
    listener = listen(settings.http.host, settings.ports.http)
    with listener, open_http_parts(settings, os.environ) as parts, open_darkroom(settings) as room:
        app = compose(settings, parts, room)
        host, port = settings.http.host, listener.getsockname()[1]
        scheme = "https" if settings.http.certificate else "http"
        url = f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
        certificate = checked_certificate(settings)
        session.emit_line({"url": url}, f"listening on {url}")
        serve(app, listener, certificate)


def compose(settings: Settings, parts: HttpParts, room: IsolatedDarkroom) -> App:
    """Every door of the one port as an ASGI app."""
    from lakeveil.aws.door import aws_door
    from lakeveil.aws.protocol import Access
    from lakeveil.aws.rest_json import rest_paths
    from lakeveil.cli.doors import (
        athena_service,
        lake_services,
        photo_service,
        secret_of,
        trino,
    )
    from lakeveil.trino_rest.door import is_trino
    from lakeveil.web.app import http_app

    def look(data: bytes) -> Examination:
        with parts.traces.span("examine"):
            found = room.examine(data, policy=RedactionPolicy())
        for detections in found.detections:
            parts.meter.looked(detections)
        return found

    services = (
        photo_service(parts.callers, look, parts.lake, settings),
        *lake_services(parts.lake, settings),
        athena_service(parts.queries, parts.lake),
    )
    aws = aws_door(
        services,
        Access(secret_of=secret_of(parts.callers, parts.lake)),
        observe=partial(parts.meter.request, door="aws"),
    )

    def span(name: str, headers: Mapping[str, str]) -> AbstractContextManager[None]:
        return parts.traces.span(name, headers)

    return http_app(
        allowed_hosts=settings.http.allowed_hosts,
        checks=parts.checks,
        metrics=parts.metrics,
        aws=aws,
        aws_paths=rest_paths(services),
        trino=trino(parts.lake, parts.queries, settings, parts.meter),
        is_trino=is_trino,
        observe=parts.meter.request,
        span=span,
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket for `serve`.

    Raises:
        SetupError: the port is taken, or the host is none of this machine's.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=MOST_CONNECTIONS)
    except OSError as error:
        raise SetupError(
            f"the HTTP server cannot listen on {host}:{port}",
            why=error.strerror or str(error),
            fix="stop what listens there, or set another `ports.http`",
            code="port_taken",
        ) from error
    # Connections inherit it. asyncio sets it only where a socket names its protocol, and without
    # it the second part of each answer waits 40 ms for the client to confirm the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def checked_certificate(settings: Settings) -> tuple[str, str] | None:
    """Paths of the certificate and its key, or None where the server speaks plain HTTP.

    Raises:
        SetupError: one of both is missing, cannot be read, or they do not belong together.
    """
    certificate, key = settings.http.certificate, settings.http.key
    if not certificate and not key:
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        raise SetupError(
            "the HTTP server has no certificate that it can use",
            why=getattr(error, "strerror", None) or "the files are no certificate with its key",
            fix="set `http.certificate` and `http.key` to PEM files that belong together",
            code="bad_certificate",
        ) from error
    return certificate, key


def serve(app: App, listener: socket.socket, certificate: tuple[str, str] | None = None) -> None:
    """Answer requests on a listening socket until SIGTERM or Ctrl-C; then finish what runs."""
    import uvicorn

    # The server raises the signal again once it has stopped: after SIGTERM we end with 0.
    signal.signal(signal.SIGTERM, _already_stopped)
    # What is loaded by now stays: a full collection over it would hold one request up for 0.2 s.
    gc.collect()
    gc.freeze()
    uvicorn.Server(server_config(app, certificate)).run(sockets=[listener])


def server_config(app: App, certificate: tuple[str, str] | None = None) -> uvicorn.Config:
    """How the server runs an app: no log for each request, and bounds on all it holds.

    With a certificate and its key it speaks TLS 1.2 or newer, and nothing else.
    """
    import uvicorn

    from lakeveil.web.impatience import ImpatientHttp

    return uvicorn.Config(
        app,
        http=ImpatientHttp,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        # Its default believes X-Forwarded-For of whoever comes over loopback: on record is who
        # really came.
        proxy_headers=False,
        lifespan="off",
        ws="none",
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=certificate[0] if certificate else None,
        ssl_keyfile=certificate[1] if certificate else None,
    )


def _already_stopped(_signal: int, _frame: object) -> None:
    pass
