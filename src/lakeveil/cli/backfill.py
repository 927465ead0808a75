"""`lakeveil backfill`: send the photos that are already in a bucket through the pipeline."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Any

import click

from lakeveil.cli.session import Session, json_option
from lakeveil.errors import UsageError

if TYPE_CHECKING:
    from lakeveil.ports import Progress, Queue


@click.command()
@click.argument("address", metavar="s3://BUCKET/PREFIX")
@click.option("--wait", is_flag=True, help="Wait until the queue is empty.")
@json_option
@click.pass_obj
def command(session: Session, address: str, *, wait: bool) -> None:
    """Send the photos that are already in a bucket through the pipeline.

    Photos whose outcome is known are passed over. Interrupted, it goes on where it stopped.

    \b
    Examples:
      lakeveil backfill s3://photos/
      lakeveil backfill s3://photos/2024/ --wait
    """
    from lakeveil.adapters.backfill_log import SqlBackfillLog
    from lakeveil.adapters.clock import SystemClock
    from lakeveil.adapters.database import open_database
    from lakeveil.adapters.ledger import SqlLedger
    from lakeveil.flows.backfill import Backfill, backfill
    from lakeveil.wiring.queue import open_queue
    from lakeveil.wiring.state import open_store

    bucket, prefix = _split(address)
    settings, clock = session.settings, SystemClock()
    engine = open_database(settings.database_url)
    with closing(open_queue(settings)) as queue:
        work = Backfill(
            store=open_store(settings),
            ledger=SqlLedger(engine, clock),
            queue=queue,
            log=SqlBackfillLog(engine, clock),
        )
        steps = backfill(bucket, prefix, settings.photo_collections(), work)
        last = _show(session, steps, address)
        if wait:
            _wait(session, queue)
    engine.dispose()
    session.emit({"address": address, "listed": last.listed, "enqueued": last.enqueued})


def _split(address: str) -> tuple[str, str]:
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    if not address.startswith("s3://") or not bucket:
        raise UsageError(
            f"`{address}` is not an address",
            why="it must be s3://bucket or s3://bucket/prefix",
            fix="correct it",
        )
    return bucket, prefix


def _show(session: Session, steps: Iterable[Progress], address: str) -> Progress:
    last: Progress | None = None
    with _bar(session, f"listing {address}") as update:
        for last in steps:
            text = f"{last.listed:,} listed, {last.enqueued:,} to do"
            if update is None:
                session.say(text)
            else:
                update(text)
    assert last is not None  # noqa: S101 - the flow yields at least its end
    return last


def _wait(session: Session, queue: Queue) -> None:
    with _bar(session, "working") as update:
        shown = -1
        while depth := queue.depth():
            if update is not None:
                update(f"{depth:,} photos left")
            elif depth != shown:
                session.say(f"{depth:,} photos left")
            shown = depth
            time.sleep(1.0)


def _bar(session: Session, title: str) -> Any:
    """A context that gives an `update(text)`, or None where there is no terminal."""
    if not session.progress:
        session.say(title)
        return nullcontext(None)
    from contextlib import contextmanager

    from rich.console import Console

    @contextmanager
    def live() -> Any:
        with Console(stderr=True).status(title) as status:
            yield lambda text: status.update(f"{title}: {text}")

    return live()
