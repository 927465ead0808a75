"""The queue on Amazon SQS, or anything that speaks its protocol: one queue, one for dead letters.

Dead letters are written here, with their reason, rather than by a redrive policy, which has none;
those that a redrive policy moved (of a Lambda function, say) are shown as such.

A FIFO queue drops duplicates for all senders for five minutes. A standard queue cannot, so each
sender remembers what it sent; another sender's duplicates arrive, as SQS may deliver twice anyway.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from lakeveil.errors import Conflict, SetupError, Unavailable, UsageError
from lakeveil.ports import DeadLetter, Message

MAX_BATCH = 10
MAX_WAIT_S = 20
MAX_VISIBILITY_S = 12 * 3600
_MAX_BATCH_BYTES = 256 * 1024
# While dead letters are read they are hidden from other readers for this long.
_READING_S = 30
# An answer may take this long on its way, and the lease runs meanwhile.
_ANSWER_S = 0.25
_LOST = {"ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"}
_OURS = {
    "AccessDenied",
    "AccessDeniedException",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
}


@dataclass(slots=True)
class _Receipt:
    handle: str
    held_until: float


class SqsQueue:
    """A queue at an SQS queue URL. Thread-safe. Credentials are boto3's own business."""

    def __init__(
        self,
        url: str,
        *,
        dead_letter_url: str,
        region: str,
        visibility_timeout_s: float = 60.0,
        dedupe_window_s: float = 120.0,
        timeout_s: float = 5.0,
    ) -> None:
        self.visibility_timeout_s = visibility_timeout_s
        self._url = url
        self._dead_url = dead_letter_url
        self._dedupe_window_s = dedupe_window_s
        self._sent: dict[str, float] = {}
        self._sent_lock = threading.Lock()
        host = urlsplit(url)
        self._host = host.hostname or url
        self._client = boto3.client(
            "sqs",
            region_name=_region(self._host) or region,
            endpoint_url=f"{host.scheme}://{host.netloc}",
            config=Config(
                connect_timeout=timeout_s,
                read_timeout=timeout_s + MAX_WAIT_S,
                retries={"mode": "standard", "total_max_attempts": 2},
                max_pool_connections=32,
            ),
        )

    def close(self) -> None:
        """Close connections; leases that are held run out by themselves."""
        self._client.close()

    def put(self, bodies: Sequence[bytes], *, dedupe_ids: Sequence[str] | None = None) -> None:
        """Store messages durably before returning; a `dedupe_id` seen lately is dropped."""
        ids: Sequence[str | None] = dedupe_ids or [None] * len(bodies)
        pairs = list(zip(bodies, ids, strict=True))
        if not _is_fifo(self._url):
            pairs = self._not_sent_lately(pairs)
        for batch in _batches(pairs):
            entries = [
                {
                    "Id": str(i),
                    "MessageBody": _text(body),
                    **_fifo_fields(self._url, dedupe or str(uuid.uuid4())),
                }
                for i, (body, dedupe) in enumerate(batch)
            ]
            with self._errors():
                answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            failed = {int(failure["Id"]) for failure in answer.get("Failed", [])}
            self._remember(d for i, (_, d) in enumerate(batch) if d and i not in failed)
            if failed:
                raise _unavailable(self._host, answer["Failed"][0].get("Code", "a partial failure"))

    def receive(self, *, max_messages: int, wait_s: float) -> list[Message]:
        """Lease up to `max_messages` (10 at most), waiting at most `wait_s` for the first.

        SQS waits whole seconds, 20 at most.
        """
        asked_at = time.monotonic()
        until = asked_at + wait_s
        while True:
            wait = min(math.floor(until - time.monotonic()), MAX_WAIT_S)
            found = self._receive(
                self._url, max_messages, max(wait, 0), _seconds(self.visibility_timeout_s)
            )
            left = until - time.monotonic()
            if found or left <= 0:
                break
            if wait <= 0:
                time.sleep(min(left, 0.1))
        # A lease begins when SQS answers: not before the last question's wait began.
        held_until = time.monotonic() + self.visibility_timeout_s - _ANSWER_S
        return [_message(raw, held_until) for raw in found]

    def extend(self, message: Message) -> None:
        """Heartbeat: the lease starts anew.

        Raises:
            Conflict: the lease is lost; somebody else may be working on it.
        """
        receipt = _held(message)
        asked_at = time.monotonic()
        self._change_visibility(message, receipt, _seconds(self.visibility_timeout_s))
        receipt.held_until = asked_at + self.visibility_timeout_s

    def ack(self, message: Message) -> None:
        """Done: it never comes back."""
        self._delete(message, _held(message))

    def nack(self, message: Message, *, delay_s: float = 0.0) -> None:
        """Not done: it comes back after `delay_s` (12 hours at most, whole seconds)."""
        receipt = _held(message)
        self._change_visibility(message, receipt, min(_seconds(delay_s), MAX_VISIBILITY_S))
        receipt.held_until = 0.0

    def bury(self, message: Message, *, reason: str) -> None:
        """Move it to the dead letters with its reason, then acknowledge it.

        SQS has no transaction over two queues: a second burial of the same message leaves a
        second copy there, and `dead` and `redrive` take copies as one.
        """
        receipt = _held(message)
        if not self._dead_url:
            raise SetupError(
                "there is no queue for dead letters",
                why="`queue.dead_letter_url` is not set",
                fix="make an SQS queue for them and set its URL",
            )
        with self._errors():
            self._client.send_message(
                QueueUrl=self._dead_url,
                MessageBody=_text(message.body),
                MessageAttributes={
                    "LakeveilReason": _attribute(reason[:2000] or "unknown"),
                    "LakeveilReceiveCount": _attribute(str(message.receive_count)),
                    "LakeveilDiedAt": _attribute(f"{time.time():.3f}"),
                    "LakeveilOrigin": _attribute(message.id),
                },
                **_fifo_fields(self._dead_url, message.id),
            )
        self._delete(message, receipt)

    def depth(self) -> int:
        """Messages waiting, delayed or leased (approximate: SQS counts loosely)."""
        names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ]
        with self._errors():
            answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)
        return sum(int(answer["Attributes"].get(name, 0)) for name in names)

    def dead(self) -> list[DeadLetter]:
        """The dead letters, oldest first."""
        with self._reading_dead() as letters:
            once = {letter.id: letter for letter, _ in reversed(letters)}
            return sorted(once.values(), key=lambda letter: letter.died_at)

    def redrive(self, ids: Sequence[str] | None = None) -> int:
        """Put dead letters (all, or those named) back as new messages; returns how many."""
        done: set[str] = set()
        with self._reading_dead() as letters:
            for letter, handle in list(letters):
                if ids is not None and letter.id not in ids:
                    continue
                if letter.id not in done:
                    # Sent first, then deleted: a crash in between leaves it in both.
                    self.put([letter.body])
                    done.add(letter.id)
                with self._errors():
                    self._client.delete_message(QueueUrl=self._dead_url, ReceiptHandle=handle)
                letters.remove((letter, handle))
        return len(done)

    # --- parts -----------------------------------------------------------------------------------

    @contextmanager
    def _reading_dead(self) -> Iterator[list[tuple[DeadLetter, str]]]:
        """Every dead letter with its receipt; what is still in the list is shown again after."""
        letters: list[tuple[DeadLetter, str]] = []
        try:
            while self._dead_url and (raw := self._receive(self._dead_url, 10, 1, _READING_S)):
                letters += [(_letter(message), message["ReceiptHandle"]) for message in raw]
            yield letters
        finally:
            for start in range(0, len(letters), MAX_BATCH):
                with self._errors():
                    self._client.change_message_visibility_batch(
                        QueueUrl=self._dead_url,
                        Entries=[
                            {"Id": str(i), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                            for i, (_, handle) in enumerate(letters[start : start + MAX_BATCH])
                        ],
                    )

    def _receive(self, url: str, limit: int, wait_s: int, visibility_s: int) -> list[Any]:
        with self._errors():
            answer = self._client.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=min(limit, MAX_BATCH),
                WaitTimeSeconds=wait_s,
                VisibilityTimeout=visibility_s,
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
                MessageAttributeNames=["All"],
            )
        found: list[Any] = answer.get("Messages", [])
        return found

    def _change_visibility(self, message: Message, receipt: _Receipt, seconds: int) -> None:
        with self._errors(message):
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=receipt.handle, VisibilityTimeout=seconds
            )

    def _delete(self, message: Message, receipt: _Receipt) -> None:
        with self._errors(message):
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=receipt.handle)
        receipt.held_until = 0.0

    def _not_sent_lately(
        self, pairs: list[tuple[bytes, str | None]]
    ) -> list[tuple[bytes, str | None]]:
        with self._sent_lock:
            edge = time.monotonic() - self._dedupe_window_s
            self._sent = {dedupe: at for dedupe, at in self._sent.items() if at > edge}
            seen = set(self._sent)
        fresh = []
        for body, dedupe in pairs:
            if dedupe is None or dedupe not in seen:
                fresh.append((body, dedupe))
            if dedupe is not None:
                seen.add(dedupe)
        return fresh

    def _remember(self, ids: Iterator[str]) -> None:
        # Once SQS has them, not before: a failed send must be repeatable.
        with self._sent_lock:
            self._sent.update(dict.fromkeys(ids, time.monotonic()))

    @contextmanager
    def _errors(self, message: Message | None = None) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if message is not None and code in _LOST:
                raise _lost(message) from error
            if code in _OURS:
                raise SetupError(
                    "the queue refuses us",
                    why=f"`{self._host}` says {code}",
                    fix="check `queue.url`, `queue.dead_letter_url` and the AWS credentials",
                ) from error
            raise _unavailable(self._host, code) from error
        except NoCredentialsError as error:
            raise SetupError(
                "there are no AWS credentials for the queue",
                why="boto3 found none in the environment, profiles or instance role",
                fix="set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            ) from error
        except BotoCoreError as error:
            raise _unavailable(self._host, type(error).__name__) from error


def _message(raw: dict[str, Any], held_until: float) -> Message:
    return Message(
        id=raw["MessageId"],
        body=raw["Body"].encode(),
        receive_count=int(raw["Attributes"]["ApproximateReceiveCount"]),
        receipt=_Receipt(raw["ReceiptHandle"], held_until),
    )


def _letter(raw: dict[str, Any]) -> DeadLetter:
    attributes = {
        name: value.get("StringValue", "")
        for name, value in raw.get("MessageAttributes", {}).items()
    }
    return DeadLetter(
        id=attributes.get("LakeveilOrigin") or raw["MessageId"],
        body=raw["Body"].encode(),
        reason=attributes.get("LakeveilReason")
        or "received too often: moved here by the queue's redrive policy",
        receive_count=int(attributes.get("LakeveilReceiveCount", 0)),
        died_at=float(
            attributes.get("LakeveilDiedAt") or int(raw["Attributes"]["SentTimestamp"]) / 1000
        ),
    )


def _held(message: Message) -> _Receipt:
    receipt = message.receipt
    if not isinstance(receipt, _Receipt):
        raise TypeError("the message is of another queue")
    if time.monotonic() >= receipt.held_until:
        raise _lost(message)
    return receipt


def _lost(message: Message) -> Conflict:
    return Conflict(
        f"the lease of message {message.id} ran out",
        why="it was not extended in time, and somebody else may be working on it",
        fix="drop the result: the message comes back",
        code="lease_lost",
    )


def _unavailable(host: str, why: str) -> Unavailable:
    return Unavailable(
        "the queue did not answer",
        why=f"`{host}`: {why}",
        fix="it is tried again by itself; see `lakeveil doctor` if it goes on",
    )


def _batches(
    pairs: Sequence[tuple[bytes, str | None]],
) -> Iterator[list[tuple[bytes, str | None]]]:
    batch: list[tuple[bytes, str | None]] = []
    size = 0
    for pair in pairs:
        if batch and (len(batch) == MAX_BATCH or size + len(pair[0]) > _MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(pair)
        size += len(pair[0])
    if batch:
        yield batch


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise UsageError(
            "this message cannot go through SQS", why="it is no text", fix="send JSON"
        ) from error


def _attribute(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def _is_fifo(url: str) -> bool:
    return url.endswith(".fifo")


def _fifo_fields(url: str, dedupe: str) -> dict[str, str]:
    if not _is_fifo(url):
        return {}
    # Keys are longer than an id may be, and hold other characters.
    token = hashlib.sha256(dedupe.encode()).hexdigest()
    # A group of its own for each message: groups are worked on one message at a time.
    return {"MessageGroupId": token, "MessageDeduplicationId": token}


def _seconds(value: float) -> int:
    return max(0, math.ceil(value))


def _region(host: str) -> str | None:
    parts = host.split(".")
    return parts[1] if parts[0] == "sqs" and "amazonaws" in parts else None
