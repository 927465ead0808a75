"""The queue in the memory of one process, with the semantics of the durable ones. For tests."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lakeveil.errors import Conflict
from lakeveil.ports import DeadLetter, Message


@dataclass(slots=True)
class _Entry:
    id: str
    body: bytes
    visible_at: float
    receive_count: int = 0
    leased: bool = False


class MemoryQueue:
    """A queue that is gone with its process. Thread-safe. `now` is any clock in seconds."""

    def __init__(
        self,
        *,
        visibility_timeout_s: float = 60.0,
        dedupe_window_s: float = 120.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.visibility_timeout_s = visibility_timeout_s
        self._dedupe_window_s = dedupe_window_s
        self._now = now
        self._changed = threading.Condition()
        self._numbers = itertools.count(1)
        self._entries: dict[str, _Entry] = {}
        self._seen: dict[str, float] = {}
        self._dead: dict[str, DeadLetter] = {}

    def put(self, bodies: Sequence[bytes], *, dedupe_ids: Sequence[str] | None = None) -> None:
        """Store messages before returning; a `dedupe_id` seen lately is dropped."""
        ids: Sequence[str | None] = dedupe_ids or [None] * len(bodies)
        with self._changed:
            now = self._now()
            self._seen = {
                dedupe: at for dedupe, at in self._seen.items() if at + self._dedupe_window_s > now
            }
            for body, dedupe in zip(bodies, ids, strict=True):
                if dedupe is not None:
                    if dedupe in self._seen:
                        continue
                    self._seen[dedupe] = now
                self._add(body)
            self._changed.notify_all()

    def receive(self, *, max_messages: int, wait_s: float) -> list[Message]:
        """Lease up to `max_messages`, waiting at most `wait_s` for the first."""
        until = time.monotonic() + wait_s
        with self._changed:
            while not (due := self._due(max_messages)):
                left = until - time.monotonic()
                if left <= 0:
                    return []
                # Short waits: a message may become visible by time alone.
                self._changed.wait(min(left, 0.02))
            for entry in due:
                # The count also tells one lease from the next: a receipt names it.
                entry.receive_count += 1
                entry.leased = True
                entry.visible_at = self._now() + self.visibility_timeout_s
            return [
                Message(
                    id=entry.id,
                    body=entry.body,
                    receive_count=entry.receive_count,
                    receipt=(entry.id, entry.receive_count),
                )
                for entry in due
            ]

    def extend(self, message: Message) -> None:
        """Heartbeat: the lease starts anew.

        Raises:
            Conflict: the lease is lost; somebody else may be working on it.
        """
        with self._changed:
            self._held(message).visible_at = self._now() + self.visibility_timeout_s

    def ack(self, message: Message) -> None:
        """Done: it never comes back."""
        with self._changed:
            del self._entries[self._held(message).id]

    def nack(self, message: Message, *, delay_s: float = 0.0) -> None:
        """Not done: it comes back after `delay_s`, with its receive count one higher."""
        with self._changed:
            entry = self._held(message)
            entry.leased, entry.visible_at = False, self._now() + delay_s
            self._changed.notify_all()

    def bury(self, message: Message, *, reason: str) -> None:
        """Move it to the dead letters with its reason, exactly once."""
        with self._changed:
            entry = self._held(message)
            del self._entries[entry.id]
            self._dead[entry.id] = DeadLetter(
                id=entry.id,
                body=entry.body,
                reason=reason,
                receive_count=entry.receive_count,
                died_at=time.time(),
            )

    def depth(self) -> int:
        """Messages waiting or leased."""
        with self._changed:
            return len(self._entries)

    def dead(self) -> list[DeadLetter]:
        """The dead letters, oldest first."""
        with self._changed:
            return list(self._dead.values())

    def redrive(self, ids: Sequence[str] | None = None) -> int:
        """Put dead letters (all, or those named) back as new messages; returns how many."""
        with self._changed:
            chosen = [i for i in self._dead if ids is None or i in ids]
            for letter in chosen:
                self._add(self._dead.pop(letter).body)
            self._changed.notify_all()
            return len(chosen)

    def close(self) -> None:
        """Nothing to leave."""

    def _add(self, body: bytes) -> None:
        entry = _Entry(str(next(self._numbers)), body, self._now())
        self._entries[entry.id] = entry

    def _due(self, limit: int) -> list[_Entry]:
        now = self._now()
        visible = (entry for entry in self._entries.values() if entry.visible_at <= now)
        return list(itertools.islice(visible, limit))

    def _held(self, message: Message) -> _Entry:
        entry = self._entries.get(message.id)
        if (
            entry is None
            or not entry.leased
            or message.receipt != (entry.id, entry.receive_count)
            or entry.visible_at <= self._now()
        ):
            raise Conflict(
                f"the lease of message {message.id} ran out",
                why="it was not extended in time, and somebody else may be working on it",
                fix="drop the result: the message comes back",
                code="lease_lost",
            )
        return entry
