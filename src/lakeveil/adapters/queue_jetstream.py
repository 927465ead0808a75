"""The queue on NATS JetStream: a work-queue stream, one durable pull consumer, a dead stream.

Why not the broker's own limits: `max_ack_pending` would bound concurrency, but a message that
was put back with a delay counts as pending too, so one photo waiting for its retry would hold
up all others; `max_deliver` gives messages up without a reason and without their body. The
consumer has neither: slots bound concurrency, and the worker buries what it gives up.

Leases are watched here as well: the server accepts answers of whoever held a message last, so
only the holder's own clock can tell that its lease ran out.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import BadRequestError, NotFoundError

from lakeveil.adapters.jetstream_connection import JetStreamConnection
from lakeveil.errors import Conflict, Unavailable
from lakeveil.ports import DeadLetter, Message

CONSUMER = "workers"
# Publications in flight at once: 4,400/s against 950/s one by one, measured on two cores.
_IN_FLIGHT = 256
_MAX_LEASE_SPENT_WAITING = 0.25
# "Wrong last sequence": the subject that would hold this dead letter holds one already.
_ALREADY_THERE = 10071
_HEADER_SAFE = " !\"#$&'()*+,-./:;<=>?@[]^_`{|}~"


@dataclass(slots=True)
class _Receipt:
    reply: str
    sequence: int
    stored_at_ns: int
    held_until: float


class JetStreamQueue:
    """A queue on a JetStream server. Thread-safe; connects on first use and reconnects.

    `name` names the stream and the subjects. One server may hold several queues. Streams that
    exist are used as they are (an operator may have given them replicas); missing ones are made.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        name: str = "lakeveil",
        visibility_timeout_s: float = 60.0,
        dedupe_window_s: float = 120.0,
        timeout_s: float = 5.0,
    ) -> None:
        self.visibility_timeout_s = visibility_timeout_s
        self._stream, self._dead_stream = name, f"{name}-dead"
        self._subject, self._dead_subject = f"{name}.events", f"{name}.dead"
        self._dedupe_window_s = dedupe_window_s
        self._timeout_s = timeout_s
        self._connection = JetStreamConnection(
            url, token=token, timeout_s=timeout_s, prepare=self._make_streams
        )
        self._in_time = self._connection.in_time

    def close(self) -> None:
        """Leave the server; leases that are held run out by themselves."""
        self._connection.close()

    def put(self, bodies: Sequence[bytes], *, dedupe_ids: Sequence[str] | None = None) -> None:
        """Store messages durably before returning; a `dedupe_id` seen lately is dropped.

        After `Unavailable` some may have been stored, or may be yet: repeat it with the same ids.
        """
        self._connection.run(self._put(bodies, dedupe_ids))

    def receive(self, *, max_messages: int, wait_s: float) -> list[Message]:
        """Lease up to `max_messages`, waiting at most `wait_s` for the first."""
        return self._connection.run(self._receive(max_messages, wait_s))

    def extend(self, message: Message) -> None:
        """Heartbeat: the lease starts anew.

        Raises:
            Conflict: the lease is lost; somebody else may be working on it.
        """
        receipt = _held(message)
        asked_at = time.monotonic()
        self._answer(receipt, b"+WPI")
        receipt.held_until = asked_at + self.visibility_timeout_s

    def ack(self, message: Message) -> None:
        """Done: it never comes back."""
        self._last_answer(_held(message), b"+ACK")

    def nack(self, message: Message, *, delay_s: float = 0.0) -> None:
        """Not done: it comes back after `delay_s`, with its receive count one higher."""
        delay = f' {{"delay": {int(delay_s * 1e9)}}}' if delay_s > 0 else ""
        self._last_answer(_held(message), f"-NAK{delay}".encode())

    def bury(self, message: Message, *, reason: str) -> None:
        """Move it to the dead letters with its reason, exactly once, then acknowledge it."""
        receipt = _held(message)
        self._connection.run(self._bury(message, receipt, reason))
        self._last_answer(receipt, b"+ACK")

    def depth(self) -> int:
        """Messages waiting or leased."""
        return self._connection.run(self._depth())

    def dead(self) -> list[DeadLetter]:
        """The dead letters, oldest first."""
        return [letter for _, letter in self._connection.run(self._dead())]

    def redrive(self, ids: Sequence[str] | None = None) -> int:
        """Put dead letters (all, or those named) back as new messages; returns how many."""
        return self._connection.run(self._redrive(None if ids is None else set(ids)))

    # --- on the loop's thread ------------------------------------------------------------------

    async def _put(self, bodies: Sequence[bytes], dedupe_ids: Sequence[str] | None) -> None:
        js = (await self._connection.client()).jetstream(timeout=self._timeout_s)
        ids: Sequence[str | None] = dedupe_ids or [None] * len(bodies)
        pairs = list(zip(bodies, ids, strict=True))
        for start in range(0, len(pairs), _IN_FLIGHT):
            published = asyncio.gather(
                *(
                    js.publish(
                        self._subject, body, headers={"Nats-Msg-Id": dedupe} if dedupe else None
                    )
                    for body, dedupe in pairs[start : start + _IN_FLIGHT]
                )
            )
            await self._in_time(published)

    async def _receive(self, max_messages: int, wait_s: float) -> list[Message]:
        client = await self._connection.client()
        until = time.monotonic() + wait_s
        asked_at = time.monotonic()
        found = await self._pull(client, self._stream, CONSUMER, max_messages, expires_s=0)
        # A lease begins when the server sends, which is not seen from here: it is counted from
        # the question, so no question may stand for long.
        longest = self.visibility_timeout_s * _MAX_LEASE_SPENT_WAITING
        while not found and (left := until - time.monotonic()) > 0:
            asked_at = time.monotonic()
            # One only: a question for several would hold the first until the last has come.
            found = await self._pull(
                client, self._stream, CONSUMER, 1, expires_s=min(left, longest)
            )
            if found and max_messages > 1:
                found += await self._pull(
                    client, self._stream, CONSUMER, max_messages - 1, expires_s=0
                )
        return [self._message(msg, asked_at) for msg in found]

    async def _pull(
        self, client: Client, stream: str, consumer: str, batch: int, *, expires_s: float
    ) -> list[Msg]:
        """Ask once; returns what came before the server said that this is all.

        Written out because the client library's `fetch(n)` keeps the messages it has while it
        waits for n, and their leases run meanwhile.
        """
        inbox = client.new_inbox()
        subscription = await self._in_time(client.subscribe(inbox))
        try:
            question: dict[str, Any] = {"batch": batch}
            if expires_s > 0:
                question["expires"] = int(expires_s * 1e9)
            else:
                question["no_wait"] = True
            subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
            await self._in_time(client.publish(subject, json.dumps(question).encode(), reply=inbox))
            patience_s = expires_s + self._timeout_s
            found: list[Msg] = []
            while len(found) < batch:
                try:
                    msg = await subscription.next_msg(timeout=patience_s)
                except nats.errors.TimeoutError:
                    if found:
                        break
                    raise
                status = (msg.headers or {}).get("Status")
                if status is None:
                    found.append(msg)
                elif status in {"404", "408"}:
                    break
                elif status != "100":
                    # The consumer or its server went away; what came before is leased to us.
                    self._connection.unprepared()
                    if found:
                        break
                    raise Unavailable(
                        "the queue did not answer",
                        why=f"JetStream says {status} {msg.headers.get('Description', '')}",  # type: ignore[union-attr]
                        fix="it is tried again by itself; see `lakeveil doctor` if it goes on",
                    )
            return found
        finally:
            with suppress(TimeoutError, nats.errors.Error):
                await self._in_time(subscription.unsubscribe())

    def _message(self, msg: Msg, asked_at: float) -> Message:
        # $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<stored at>.<pending>
        delivered, sequence, _, stored_at = msg.reply.split(".")[-5:-1]
        return Message(
            id=sequence,
            body=msg.data,
            receive_count=int(delivered),
            receipt=_Receipt(
                reply=msg.reply,
                sequence=int(sequence),
                stored_at_ns=int(stored_at),
                held_until=asked_at + self.visibility_timeout_s,
            ),
        )

    def _answer(self, receipt: _Receipt, answer: bytes) -> None:
        timeout_s = min(self._timeout_s, max(receipt.held_until - time.monotonic(), 0.05))
        self._connection.run(self._ask(receipt.reply, answer, timeout_s))

    def _last_answer(self, receipt: _Receipt, answer: bytes) -> None:
        self._answer(receipt, answer)
        # Only once it has arrived: until then it may be repeated.
        receipt.held_until = 0.0

    async def _ask(self, subject: str, body: bytes, timeout_s: float) -> None:
        # Asked as a question, so that it is known to have arrived.
        client = await self._connection.client()
        await self._in_time(client.request(subject, body, timeout=timeout_s))

    async def _bury(self, message: Message, receipt: _Receipt, reason: str) -> None:
        js = (await self._connection.client()).jetstream(timeout=self._timeout_s)
        # The time tells apart the numbers of a stream that was made anew.
        origin = f"{receipt.sequence}-{receipt.stored_at_ns}"
        headers = {
            "Nats-Msg-Id": origin,
            # A subject of its own that must be empty: exactly once, however late it is repeated.
            "Nats-Expected-Last-Subject-Sequence": "0",
            "Lakeveil-Reason": quote(reason, safe=_HEADER_SAFE),
            "Lakeveil-Receive-Count": str(message.receive_count),
            "Lakeveil-Died-At": f"{time.time():.3f}",
        }
        try:
            await self._in_time(
                js.publish(f"{self._dead_subject}.{origin}", message.body, headers=headers)
            )
        except BadRequestError as error:
            if error.err_code != _ALREADY_THERE:
                raise

    async def _depth(self) -> int:
        js = (await self._connection.client()).jetstream(timeout=self._timeout_s)
        return int((await self._in_time(js.stream_info(self._stream))).state.messages)

    async def _dead(self) -> list[tuple[int, DeadLetter]]:
        client = await self._connection.client()
        js = client.jetstream(timeout=self._timeout_s)
        reading = ConsumerConfig(
            ack_policy=AckPolicy.NONE, deliver_policy=DeliverPolicy.ALL, inactive_threshold=30.0
        )
        consumer = await self._in_time(js.add_consumer(self._dead_stream, reading))
        letters: list[tuple[int, DeadLetter]] = []
        try:
            while found := await self._pull(
                client, self._dead_stream, consumer.name, _IN_FLIGHT, expires_s=0
            ):
                letters += [_letter(msg) for msg in found]
        finally:
            await self._in_time(js.delete_consumer(self._dead_stream, consumer.name))
        return letters

    async def _redrive(self, ids: set[str] | None) -> int:
        js = (await self._connection.client()).jetstream(timeout=self._timeout_s)
        count = 0
        for sequence, letter in await self._dead():
            if ids is not None and letter.id not in ids:
                continue
            # Published first, then deleted; the id drops the copy if we die in between.
            dedupe = f"redrive-{sequence}-{letter.died_at}"
            await self._in_time(
                js.publish(self._subject, letter.body, headers={"Nats-Msg-Id": dedupe})
            )
            await self._in_time(js.delete_msg(self._dead_stream, sequence))
            count += 1
        return count

    async def _make_streams(self, client: Client) -> None:
        js = client.jetstream(timeout=self._timeout_s)
        for name, subject, retention in (
            (self._stream, self._subject, RetentionPolicy.WORK_QUEUE),
            (self._dead_stream, f"{self._dead_subject}.*", RetentionPolicy.LIMITS),
        ):
            try:
                await js.stream_info(name)
            except NotFoundError:
                await js.add_stream(
                    StreamConfig(
                        name=name,
                        subjects=[subject],
                        retention=retention,
                        storage=StorageType.FILE,
                        duplicate_window=self._dedupe_window_s,
                    )
                )
        wanted = ConsumerConfig(
            durable_name=CONSUMER,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=self.visibility_timeout_s,
            max_deliver=-1,
            max_ack_pending=-1,
        )
        try:
            known = (await js.consumer_info(self._stream, CONSUMER)).config
        except NotFoundError:
            known = None
        if known is None or known.ack_wait != wanted.ack_wait or known.max_ack_pending != -1:
            await js.add_consumer(self._stream, wanted)


def _held(message: Message) -> _Receipt:
    receipt = message.receipt
    if not isinstance(receipt, _Receipt):
        raise TypeError("the message is of another queue")
    if time.monotonic() >= receipt.held_until:
        raise Conflict(
            f"the lease of message {message.id} ran out",
            why="it was not extended in time, and somebody else may be working on it",
            fix="drop the result: the message comes back",
            code="lease_lost",
        )
    return receipt


def _letter(msg: Msg) -> tuple[int, DeadLetter]:
    sequence = int(msg.reply.split(".")[-4])
    headers = msg.headers or {}
    return sequence, DeadLetter(
        id=str(sequence),
        body=msg.data,
        reason=unquote(headers.get("Lakeveil-Reason", "")),
        receive_count=int(headers.get("Lakeveil-Receive-Count", "0")),
        died_at=float(headers.get("Lakeveil-Died-At", "0")),
    )
