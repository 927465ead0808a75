"""`lakeveil up`: the whole stack in one command, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lakeveil.cli.session import Session, json_option

if TYPE_CHECKING:
    from lakeveil.adapters.supervisor import Supervisor
    from lakeveil.settings import Settings
    from lakeveil.wiring.stack import Prepared

_NAMES = {
    "weed": "object store",
    "nats": "queue",
    "bridge": "event bridge",
    "keys": "key keeper",
    "reconcile": "reconciler",
    "http": "HTTP server",
}


@click.command()
@click.option(
    "--workers",
    type=click.IntRange(0, 256),
    help="Worker processes; default: one for each photo that may be in work, or core. 0: none.",
)
@json_option
@click.pass_obj
def command(session: Session, workers: int | None) -> None:
    """Run the whole stack on this machine until Ctrl-C.

    Object store, queue, event bridge, reconciler, workers and HTTP server, all on loopback, with
    credentials of their own. Everything it keeps is in `home` (.lakeveil). When all parts are
    ready it prints where they are; with --json that is one line on stdout.

    \b
    Examples:
      lakeveil up
      LAKEVEIL_PORTS__S3=9000 lakeveil up --workers 1
    """
    from lakeveil.adapters.supervisor import Supervisor
    from lakeveil.wiring.stack import children, default_workers, prepared

    settings, started = session.settings, time.monotonic()
    # Whatever the children write is for their owner only.
    os.umask(0o077)
    say = _undisturbed(session)
    with prepared(settings, say) as home:
        supervisor = Supervisor(
            children(
                settings,
                home.credentials,
                workers=default_workers(settings) if workers is None else workers,
                config_file=session.config_file.absolute() if session.config_file else None,
                environ=os.environ,
            ),
            say=lambda name, text: say(f"  {_NAMES.get(name, name)}: {text}"),
        )
        stopping = _stopping(supervisor)
        say(f"starting {len(supervisor.children)} processes; Ctrl-C stops them")
        try:
            if supervisor.start(stopping):
                _announce(session, supervisor, home, time.monotonic() - started)
                supervisor.watch(stopping)
        finally:
            supervisor.stop()
    say("everything is stopped")


def _undisturbed(session: Session) -> Callable[[str], None]:
    def say(text: str) -> None:
        # Whoever read it may be gone, and his terminal: no reason to leave children unwatched.
        with suppress(OSError):
            session.say(text)

    return say


def _stopping(supervisor: Supervisor) -> threading.Event:
    """Set by Ctrl-C, SIGTERM and a terminal that closes; a second Ctrl-C kills."""
    stopping = threading.Event()

    def stop(number: int, _frame: Any) -> None:
        if stopping.is_set() and number == signal.SIGINT:
            supervisor.kill()
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    return stopping


def _announce(session: Session, supervisor: Supervisor, home: Prepared, took_s: float) -> None:
    from lakeveil.wiring.profiles import http_url

    settings = session.settings
    sources = sorted({c.source_bucket for c in settings.photo_collections()})
    releases = sorted({c.release_bucket for c in settings.photo_collections()})
    document = {
        "event": "ready",
        "pid": os.getpid(),
        "seconds": round(took_s, 1),
        "home": str(settings.home_path),
        "endpoints": {"s3": settings.s3_endpoint, "http": http_url(settings)},
        "account": home.account,
        "sources": sources,
        "releases": releases,
        "aws_env": str(home.aws_env),
        "children": [
            {"name": name, "pid": child.pid, "log": str(child.spec.log)}
            for name, child in supervisor.children.items()
        ],
    }
    with suppress(OSError):
        session.emit_line(document, _welcome(settings, http_url(settings), home, took_s))


def _welcome(settings: Settings, http: str, home: Prepared, took_s: float) -> str:
    one = settings.photo_collections()[0]
    source = f"s3://{one.source_bucket}/{one.source_prefix}"
    release = f"s3://{one.release_bucket}/{one.source_prefix}"
    lines = [
        f"Lakeveil runs ({took_s:.1f} s).",
        "",
        f"  S3 endpoint  {settings.s3_endpoint or 'Amazon S3'}",
        f"  HTTP         {http}   the AWS doors, /readyz, /metrics",
        f"  account      {home.account}",
        f"  logs         {_near(settings.home_path / 'logs')}",
        "",
        "In another terminal:",
        "",
        f"  . {_near(home.aws_env)}",
        "  aws lakeformation list-lf-tags --profile lake-admin",
    ]
    if settings.embedded_store:
        lines += [
            "",
            "Put a photo in, and take it out without faces:",
            "",
            f"  aws s3 cp photo.jpg {source}",
            f"  aws s3 cp {release}photo.jpg released.jpg --profile reader",
        ]
    else:
        lines += ["", f"Put a photo into {source}"]
    return "\n".join(lines)


def _near(path: Path) -> str:
    """The path as one would type it here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
