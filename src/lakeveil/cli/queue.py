"""`lakeveil queue`: how much waits, what was given up and why, and putting it back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from lakeveil.cli.session import Session, json_option
from lakeveil.core.events import normalise
from lakeveil.errors import LakeveilError, NotFound, UsageError

if TYPE_CHECKING:
    from lakeveil.ports import DeadLetter, Queue


@click.group()
def command() -> None:
    """Show the queue and its dead letters; redrive them."""


@command.command()
@json_option
@click.pass_obj
def show(session: Session) -> None:
    """Show how many messages wait or are in work, and how many were given up."""
    with _queue(session) as queue:
        session.emit(
            {
                "kind": session.settings.queue.kind,
                "messages": queue.depth(),
                "dead": len(queue.dead()),
            }
        )


@command.group()
def dead() -> None:
    """Messages that were given up: list, show, and redrive them."""


@dead.command(name="ls")
@json_option
@click.pass_obj
def list_dead(session: Session) -> None:
    """List the dead letters, oldest first, each with its reason."""
    with _queue(session) as queue:
        rows = [_row(letter) for letter in queue.dead()]
    session.emit_rows(
        rows,
        ["id", "died_at", "receive_count", "objects", "reason"],
        empty="no dead letters: every message was worked on or is still in the queue",
    )


@dead.command(name="show")
@click.argument("letter_id", metavar="ID")
@json_option
@click.pass_obj
def show_dead(session: Session, letter_id: str) -> None:
    """Show one dead letter with its whole body."""
    with _queue(session) as queue:
        letter = _find(queue, letter_id)
    session.emit({**_row(letter), "body": letter.body.decode("utf-8", "replace")})


@dead.command()
@click.argument("letter_ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every dead letter.")
@json_option
@click.pass_obj
def redrive(session: Session, letter_ids: tuple[str, ...], *, every: bool) -> None:
    """Put dead letters back into the queue, as new messages.

    \b
    Examples:
      lakeveil queue dead redrive 17 18
      lakeveil queue dead redrive --all
    """
    if every == bool(letter_ids):
        raise UsageError(
            "name the dead letters to redrive, or pass --all",
            why="both were given" if every else "neither was given",
            fix="lakeveil queue dead ls",
        )
    with _queue(session) as queue:
        known = {letter.id for letter in queue.dead()}
        missing = [letter_id for letter_id in letter_ids if letter_id not in known]
        if missing:
            raise _no_such(missing[0])
        count = queue.redrive(None if every else letter_ids)
    session.emit({"redriven": count})


@contextmanager
def _queue(session: Session) -> Iterator[Queue]:
    from lakeveil.wiring.queue import open_queue

    with closing(open_queue(session.settings)) as queue:
        yield queue


def _find(queue: Queue, letter_id: str) -> DeadLetter:
    for letter in queue.dead():
        if letter.id == letter_id:
            return letter
    raise _no_such(letter_id)


def _no_such(letter_id: str) -> NotFound:
    return NotFound(
        f"there is no dead letter `{letter_id}`",
        why="it was redriven, or never given up",
        fix="lakeveil queue dead ls",
    )


def _row(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "died_at": datetime.fromtimestamp(letter.died_at, UTC).isoformat(timespec="seconds"),
        "receive_count": letter.receive_count,
        "objects": _objects(letter.body),
        "reason": letter.reason,
    }


def _objects(body: bytes) -> str:
    """What the message is about, as far as anybody can tell."""
    try:
        return ", ".join(f"s3://{event.bucket}/{event.key}" for event in normalise(body))
    except LakeveilError:
        return ""
