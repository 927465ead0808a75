"""What a lane holds for a time: its slot, its messages, the work in hand.

Deadlines are on this machine's monotonic clock. A slot's is counted from before the question that
began it, so that it ends here before it ends for others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from lakeveil.errors import Conflict, Unavailable
from lakeveil.ports import Limiter, Message, Queue

SLOTS = "photos"
ANSWER_PATIENCE_S = 10.0

_log = structlog.get_logger(__name__)


class Slot:
    """One lane's share of the reserved concurrency. Times are this machine's monotonic clock."""

    def __init__(self, limiter: Limiter, limit: int, owner: str, lease_s: float) -> None:
        self.owner = owner
        self._limiter = limiter
        self._limit = limit
        self._lease_s = lease_s
        self._until = 0.0
        self._wanted = False
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Hold the slot from now on, if one is free; renewed until `give_back`."""
        with self._lock:
            self._wanted = self._acquire()
            return self._wanted

    def held(self) -> bool:
        """Whether work may go on: a quarter of the lease is left to call it off."""
        return time.monotonic() < self._until - self._lease_s / 4

    def ended(self) -> bool:
        """Whether somebody else may hold the slot."""
        return time.monotonic() >= self._until

    def give_back(self) -> None:
        """Free the slot; where the limiter is away, its lease runs out by itself."""
        with self._lock:
            self._wanted, self._until = False, 0.0
            try:
                self._limiter.release_slot(SLOTS, owner=self.owner)
            except Unavailable:
                _log.warning("a slot could not be given back: its lease runs out", slot=self.owner)

    def keep(self, done: threading.Event) -> None:
        """Renew the slot while it is wanted."""
        while not done.wait(self._lease_s / 8):
            with self._lock:
                # One that was given up for lost is not taken again behind the lane's back.
                if not self._wanted or not self.held():
                    continue
                try:
                    self._wanted = self._acquire()
                except Unavailable as error:
                    _log.warning("a slot could not be renewed", slot=self.owner, why=error.why)

    def _acquire(self) -> bool:
        asked_at = time.monotonic()
        held = self._limiter.acquire_slot(
            SLOTS, limit=self._limit, owner=self.owner, lease_s=self._lease_s
        )
        # The lease began at some moment after the question: count from the question.
        self._until = asked_at + self._lease_s if held else 0.0
        return held


class Lease:
    """One received message, until it is answered."""

    def __init__(self, queue: Queue, message: Message) -> None:
        self.message = message
        self.lock = threading.Lock()
        self._queue = queue
        self._since = time.monotonic()
        self._open = True
        self._answering = False

    def held(self) -> bool:
        """Whether the message is still ours and not answered yet."""
        return self._open and time.monotonic() < self._since + self._queue.visibility_timeout_s

    def extend_if_due(self) -> None:
        """Heartbeat."""
        with self.lock:
            now = time.monotonic()
            if (
                self._answering
                or not self.held()
                or now < self._since + self._queue.visibility_timeout_s / 4
            ):
                return
            try:
                self._queue.extend(self.message)
            except Conflict:
                self._open = False
            except Unavailable as error:
                _log.warning("a lease was not extended", message=self.message.id, why=error.why)
            else:
                self._since = now

    def answer(self, say: Callable[[Message], None]) -> bool:
        """Answer for the message; False where it is not known to have arrived.

        A broker that died after it took an answer and before it said so stays silent when it is
        repeated: an answer is not repeated for ever, and no heartbeat prolongs that.
        """
        self._answering = True
        until = time.monotonic() + ANSWER_PATIENCE_S
        while self.held() and time.monotonic() < until:
            try:
                # Not while a heartbeat is on its way: it could arrive after the answer.
                with self.lock:
                    say(self.message)
                    self._open = False
            except Conflict:
                break
            except Unavailable:
                time.sleep(0.2)
            else:
                return True
        self._open = False
        return False


class WorkInHand:
    """The Work port: one event in hand."""

    def __init__(self, slot: Slot, lease: Lease) -> None:
        self.receive_count = lease.message.receive_count
        self._slot = slot
        self._lease = lease
        self._lock = threading.Lock()
        self._stops: list[Callable[[], None]] = []
        self._called_off = False

    def still_ours(self) -> bool:
        """False once the lease or the slot is lost."""
        return not self._called_off and self._slot.held() and self._lease.held()

    def on_lost(self, stop: Callable[[], None]) -> None:
        """Have `stop` called, once, as soon as it is lost; at once if it is already."""
        with self._lock:
            if not self._called_off:
                self._stops.append(stop)
                return
        stop()

    def call_off_if_lost(self) -> None:
        """Asked again and again by whoever watches."""
        with self._lock:
            if self._called_off or self.still_ours():
                return
            self._called_off = True
        for stop in self._stops:
            try:
                stop()
            except Exception:  # noqa: BLE001 - the others must be called off all the same
                _log.exception("work could not be called off", message=self._lease.message.id)
