"""`lakeveil lambda`: what the AWS Lambda function would do with an event, here."""

from __future__ import annotations

import json
import sys
import time
import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from lakeveil.cli.session import Session, json_option
from lakeveil.errors import UsageError

if TYPE_CHECKING:
    from lakeveil.settings import Settings


@click.group()
def command() -> None:
    """Run the AWS Lambda handler on a sample event."""


@command.command()
@click.option(
    "-e",
    "--event",
    "file",
    type=click.File("rb"),
    default="-",
    show_default="stdin",
    help="JSON file with the event; - is stdin.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=1),
    default=300.0,
    show_default=True,
    help="Seconds that the invocation may take.",
)
@json_option
@click.pass_obj
def invoke(session: Session, file: BinaryIO, timeout_s: float) -> None:
    """Handle one event as the function would: read, redact and release for real.

    Store, collections and policy are those of `lakeveil config show`; sample events are in
    deploy/aws/events. Prints the answer that Lambda would get, and on stderr what became of each
    photo; exits 1 when a message would be delivered again.

    \b
    Examples:
      lakeveil lambda invoke -e deploy/aws/events/put.json
      lakeveil lambda invoke --json < event.json
    """
    event = _read(file)
    answer = _invoke(session.settings, event, timeout_s)
    failures = answer["batchItemFailures"]
    if session.as_json:
        session.emit(answer)
    else:
        for failure in failures:
            session.emit(f"comes back: {failure['itemIdentifier']}")
        if not failures:
            session.emit("done: no message would come back")
    if failures:
        raise click.exceptions.Exit(1)


def _read(file: BinaryIO) -> dict[str, Any]:
    if file is sys.stdin.buffer and sys.stdin.isatty():
        raise click.UsageError("Give an event with -e FILE, or pipe one in.")
    try:
        event = json.load(file)
    except ValueError as error:
        raise UsageError(
            f"`{file.name}` is not an event", why=f"it is no JSON: {error}", fix="give a JSON file"
        ) from error
    if not isinstance(event, dict):
        raise UsageError(
            f"`{file.name}` is not an event",
            why="it is JSON, but no object",
            fix="see deploy/aws/events for samples",
        )
    return event


def _invoke(settings: Settings, event: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    from lakeveil.aws_lambda import answer
    from lakeveil.wiring.photo_function import open_function, start_logging

    start_logging(settings)
    deadline = time.monotonic() + timeout_s
    function = open_function(settings, function_memory_mib=None)
    with closing(function):
        return answer(
            event,
            function,
            remaining_s=lambda: deadline - time.monotonic(),
            invocation=str(uuid.uuid4()),
        )
