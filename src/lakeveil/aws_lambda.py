"""The photo path as an AWS Lambda function behind an SQS queue.

The same flow as everywhere, with no database: see `lakeveil.adapters.metadata_ledger`. Settings
come from the environment, as everywhere (`LAKEVEIL_...`); deploy/aws/template.yaml sets them.

What becomes of a message:

    released, unchanged, deleted, up to date    done: Lambda deletes it
    nobody can examine this file                a dead letter with the reason, then done
    store, detector or time in the way          reported as failed: it comes back, and after
                                                the last receive becomes a dead letter as well
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from lakeveil.core import events
from lakeveil.core.object_event import ObjectEvent
from lakeveil.core.outcomes import Outcome, PhotoRecord, Retry, Skipped
from lakeveil.core.photos import Instructions, RedactionPolicy
from lakeveil.core.retry import backoff_s
from lakeveil.errors import DetectorFailed, LakeveilError, Unavailable, UsageError
from lakeveil.flows.redact_photo import redact_photo
from lakeveil.pixels.rendition import Rendition
from lakeveil.ports import Darkroom
from lakeveil.settings import load_settings
from lakeveil.wiring.photo_function import PhotoFunction, open_function, start_logging

RESERVE_S = 3.0
"""Left at the end of an invocation to write one release and to answer the queue."""

log = structlog.get_logger(component="lambda")


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Lambda's entry point: an SQS batch in, the messages to be delivered again out.

    Any other event that `lakeveil.core.events` knows is taken as one message.

    Raises:
        SetupError: the function is misconfigured or its models are missing; all of the batch
            comes back.
        Unavailable: a single event could not be handled; Lambda tries it again.
    """
    return answer(
        event,
        _function(),
        remaining_s=lambda: context.get_remaining_time_in_millis() / 1000,
        invocation=str(context.aws_request_id),
    )


@functools.cache
def _function() -> PhotoFunction:
    """Opened by the first invocation and kept for those that follow."""
    settings, _ = load_settings(environ=os.environ)
    start_logging(settings)
    memory = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
    return open_function(settings, function_memory_mib=int(memory) if memory else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """One message of a batch. `id` is "" for an event that came without a queue."""

    id: str
    body: str
    receive_count: int
    receipt_handle: str


def answer(
    event: Mapping[str, Any],
    function: PhotoFunction,
    *,
    remaining_s: Callable[[], float],
    invocation: str,
) -> dict[str, Any]:
    """Handle one batch; returns Lambda's partial batch response.

    Raises:
        Unavailable: an event that came without a queue has to be tried again.
    """
    failed = []
    for message in _messages(event):
        reason = _undone(message, function, remaining_s, invocation)
        if reason and not message.id:
            raise Unavailable("the event was not handled", why=reason, fix="it is tried again")
        if reason:
            failed.append({"itemIdentifier": message.id})
    return {"batchItemFailures": failed}


def _messages(event: Mapping[str, Any]) -> list[_Message]:
    records = event.get("Records")
    if not (isinstance(records, list) and _all_from_sqs(records)):
        return [_Message(id="", body=json.dumps(event), receive_count=1, receipt_handle="")]
    return [
        _Message(
            # Without it nobody could say which one failed: KeyError, and all of them come back.
            id=record["messageId"],
            body=record["body"],
            receive_count=int(record.get("attributes", {}).get("ApproximateReceiveCount", 1)),
            receipt_handle=record.get("receiptHandle", ""),
        )
        for record in records
    ]


def _all_from_sqs(records: Sequence[Any]) -> bool:
    return bool(records) and all(
        isinstance(r, Mapping) and r.get("eventSource") == "aws:sqs" for r in records
    )


def _undone(
    message: _Message,
    function: PhotoFunction,
    remaining_s: Callable[[], float],
    invocation: str,
) -> str:
    """Handle one message; "" when it is done, else why it has to come back."""
    said = log.bind(message=message.id, receive_count=message.receive_count)
    try:
        changes = events.normalise(message.body)
    except UsageError as error:
        return _bury(message, function, message.body, f"{error.what}: {error.why}", said)
    pending: list[str] = []
    for number, change in enumerate(changes):
        described = said.bind(bucket=change.bucket, key=change.key)
        outcome = _outcome(change, message, function, remaining_s, invocation)
        if isinstance(outcome, Retry):
            described.warning("photo not done", reason=outcome.reason)
            pending.append(outcome.reason)
        elif isinstance(outcome, Skipped):
            described.info("photo skipped", reason=outcome.reason)
        elif isinstance(outcome, PhotoRecord):
            described.info("photo done", **_summary(outcome))
        if why := _hopeless(outcome):
            part = number if len(changes) > 1 else None
            if _bury(message, function, _as_body(change), why, described, part=part):
                pending.append(why)
    if not pending:
        return ""
    reason = "; ".join(sorted(set(pending)))
    if message.receive_count >= function.max_receive_count:
        return _bury(message, function, message.body, f"given up: {reason}", said)
    _delay(message, function, said)
    return reason


def _outcome(
    change: ObjectEvent,
    message: _Message,
    function: PhotoFunction,
    remaining_s: Callable[[], float],
    invocation: str,
) -> PhotoRecord | Retry | Skipped | None:
    """What the flow made of it; None for an object of no collection of this function."""
    collection = next((c for c in function.collections if c.holds(change.bucket, change.key)), None)
    if collection is None:
        return None
    darkroom = _PunctualDarkroom(
        darkroom=function.path.darkroom,
        remaining_s=remaining_s,
        photo_s=function.photo_s,
        is_last=message.receive_count >= function.max_receive_count,
    )
    path = replace(
        function.path,
        darkroom=darkroom,
        owner=invocation,
        # After it nothing is put any more: whatever still runs then is cut off by Lambda.
        lease_s=remaining_s() - RESERVE_S,
    )
    try:
        return redact_photo(change, collection, path)
    except LakeveilError as error:
        return Retry(f"{error.what}: {error.why}", 0.0)
    except Exception as error:
        # One photo's trouble is not its neighbours' in the batch.
        log.exception("a photo failed", bucket=change.bucket, key=change.key)
        return Retry(f"the function failed: {type(error).__name__}", 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _PunctualDarkroom:
    """A darkroom that begins nothing which the invocation's time may cut off.

    A detector that fails may work at the next delivery: only at the last one (`is_last`) is that
    a reason to give a photo up, with its older release.
    """

    darkroom: Darkroom
    remaining_s: Callable[[], float]
    photo_s: float
    is_last: bool

    def develop(
        self, data: bytes, *, policy: RedactionPolicy, instructions: Instructions
    ) -> Rendition:
        if self.remaining_s() < self.photo_s + RESERVE_S:
            raise Unavailable(
                "too little time is left in this invocation",
                why=f"a photo may take {self.photo_s:g} s",
                fix="it is delivered again; smaller batches or a longer timeout avoid it",
                code="no_time_left",
            )
        try:
            return self.darkroom.develop(data, policy=policy, instructions=instructions)
        except DetectorFailed as error:
            if self.is_last:
                raise
            raise Unavailable(error.what, why=error.why, fix=error.fix, code=error.code) from error


def _bury(
    message: _Message,
    function: PhotoFunction,
    body: str,
    reason: str,
    said: structlog.typing.FilteringBoundLogger,
    *,
    part: int | None = None,
) -> str:
    """Write a dead letter; returns "" when it is written, else why the message has to come back."""
    said.warning("photo given up", reason=reason)
    try:
        function.queue.bury(
            body,
            origin=message.id if part is None else f"{message.id}/{part}",
            reason=reason,
            receive_count=message.receive_count,
        )
    except LakeveilError as error:
        # The redrive policy moves it after its last receive, without the reason.
        said.warning("no dead letter written", why=error.why or error.what)
        return reason
    return ""


def _delay(
    message: _Message, function: PhotoFunction, said: structlog.typing.FilteringBoundLogger
) -> None:
    try:
        function.queue.delay(
            message.receipt_handle, delay_s=backoff_s(message.receive_count, jitter=0.0)
        )
    except LakeveilError as error:
        said.info("the message waits until its lease ends", why=error.why)


def _hopeless(outcome: PhotoRecord | Retry | Skipped | None) -> str:
    """Why no other delivery can help; "" where one may, or where none is needed."""
    if outcome is None:
        return "not_ours: it is no original of this function's collection"
    if isinstance(outcome, PhotoRecord) and outcome.outcome is Outcome.QUARANTINED:
        return f"{outcome.reason_code}: {outcome.reason}"
    return ""


def _as_body(change: ObjectEvent) -> str:
    return events.to_s3_notification(change).decode()


def _summary(record: PhotoRecord) -> dict[str, Any]:
    return {
        "outcome": record.outcome.value,
        "faces": len(record.faces),
        "reason": record.reason_code,
        "timings_ms": record.timings_ms,
    }
