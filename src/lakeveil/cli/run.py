"""`lakeveil run`: one part of the stack in this process. `lakeveil up` starts these."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from lakeveil.cli.session import Session


@click.group(hidden=True)
def command() -> None:
    """Run one part of the stack (what `up` starts)."""


_ready_file = click.option(
    "--ready-file",
    type=click.Path(path_type=Path),
    help="Made once this part is ready.",
)


@command.command()
@_ready_file
@click.pass_obj
def bridge(session: Session, ready_file: Path | None) -> None:
    """Carry the embedded store's events into the queue."""
    from lakeveil.wiring.bridge import run_bridge

    _configure_logging(session)
    run_bridge(
        session.settings,
        environ=os.environ,
        stopping=_stopping(),
        ready=_announce(ready_file),
    )


@command.command()
@_ready_file
@click.pass_obj
def keys(session: Session, ready_file: Path | None) -> None:
    """Let issued keys into the embedded store, and close it to those that were revoked."""
    from lakeveil.wiring.store_keys import run_store_keys

    _configure_logging(session)
    run_store_keys(
        session.settings,
        environ=os.environ,
        stopping=_stopping(),
        ready=_announce(ready_file),
    )


@command.command()
@_ready_file
@click.pass_obj
def reconcile(session: Session, ready_file: Path | None) -> None:
    """Compare sources, ledger and releases; enqueue what is out of line."""
    from lakeveil.wiring.reconciler import run_reconciler

    _configure_logging(session)
    run_reconciler(session.settings, stopping=_stopping(), ready=_announce(ready_file))


@command.command()
@_ready_file
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.pass_obj
def worker(session: Session, ready_file: Path | None, threads: int) -> None:
    """Take photos from the queue and release them without faces."""
    from lakeveil.wiring.photo_worker import run_photo_worker

    _configure_logging(session)
    run_photo_worker(
        session.settings,
        environ=os.environ,
        threads=threads,
        stopping=_stopping(),
        ready=_announce(ready_file),
    )


def _stopping() -> threading.Event:
    """Set by SIGTERM and Ctrl-C: what is being done is finished first."""
    stopping = threading.Event()

    def stop(*_: Any) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopping


def _announce(ready_file: Path | None) -> Callable[[], None]:
    def announce() -> None:
        if ready_file is not None:
            ready_file.touch(mode=0o600)

    return announce


def _configure_logging(session: Session) -> None:
    from lakeveil.adapters.credentials import FILE_NAME, load_credentials
    from lakeveil.adapters.telemetry import configure_logging

    settings = session.settings
    # With a store and a queue of others there are none.
    ours = (settings.home_path / FILE_NAME).exists()
    configure_logging(
        level=settings.log.level,
        form=settings.log.format,
        hide=load_credentials(settings.home_path).secrets() if ours else (),
    )
