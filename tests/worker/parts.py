"""A worker for the time of a block, and the components that fail it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.queue_memory import MemoryQueue
from lakeveil.core.events import Change, ObjectEvent, to_s3_notification
from lakeveil.core.outcomes import Skipped
from lakeveil.errors import SetupError, Unavailable
from lakeveil.ports import Limiter, Message, Queue, Work
from lakeveil.worker import Ending, Handle, Result, Settled, run_worker

DONE = Skipped("a test")


@dataclass(slots=True)
class Running:
    """A worker that runs in a thread of this process."""

    stop: threading.Event = field(default_factory=threading.Event)
    settled: list[Settled] = field(default_factory=list)
    overruns: list[float] = field(default_factory=list)
    failure: list[BaseException] = field(default_factory=list)

    def endings(self) -> list[Ending]:
        return [settled.ending for settled in self.settled]


@contextmanager
def working(queue: Queue, limiter: Limiter, handle: Handle, **changes: Any) -> Iterator[Running]:
    """A worker for the time of the block; it is then stopped, and must stop."""
    running = Running()
    options: dict[str, Any] = {
        "owner": "w",
        "reserved_concurrent_executions": 1,
        "batch_size": 1,
        "detections_per_second": 0.0,
        "max_receive_count": 3,
        "slot_lease_s": 2.0,
        "stop": running.stop,
        "clock": SystemClock(),
        "on_outcome": running.settled.append,
        "on_overrun": lambda: running.overruns.append(time.monotonic()),
        "wait_s": 0.1,
        **changes,
    }

    def run() -> None:
        try:
            run_worker(queue, limiter, handle, **options)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            running.failure.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield running
    finally:
        running.stop.set()
        thread.join(20)
        assert not thread.is_alive()


class Impatient(MemoryQueue):
    """Notes delays instead of waiting for them."""

    def __init__(self) -> None:
        super().__init__(visibility_timeout_s=5.0)
        self.delays_s: list[float] = []

    def nack(self, message: Message, *, delay_s: float = 0.0) -> None:
        self.delays_s.append(delay_s)
        super().nack(message)


class Deaf(MemoryQueue):
    """Heartbeats do not arrive."""

    def extend(self, message: Message) -> None:
        del message
        raise Unavailable("the queue did not answer")


class Flaky(MemoryQueue):
    """Away for the first two questions."""

    refusals = 2

    def receive(self, *, max_messages: int, wait_s: float) -> list[Message]:
        if self.refusals:
            self.refusals -= 1
            raise Unavailable("the queue did not answer")
        return super().receive(max_messages=max_messages, wait_s=wait_s)


class Mumbling(MemoryQueue):
    """Takes an acknowledgement at the third try."""

    asked = 0

    def ack(self, message: Message) -> None:
        self.asked += 1
        if self.asked < 3:
            raise Unavailable("the queue did not answer")
        super().ack(message)


class Locked(MemoryQueue):
    """Refuses us."""

    def receive(self, *, max_messages: int, wait_s: float) -> list[Message]:
        del max_messages, wait_s
        raise SetupError("the queue's server refuses our token")


class Away:
    """A limiter that can be made unreachable."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self.is_away = False

    def acquire_slot(self, name: str, *, limit: int, owner: str, lease_s: float) -> bool:
        self._reach()
        return self._limiter.acquire_slot(name, limit=limit, owner=owner, lease_s=lease_s)

    def release_slot(self, name: str, *, owner: str) -> None:
        self._reach()
        self._limiter.release_slot(name, owner=owner)

    def take(self, name: str, *, per_second: float) -> float:
        self._reach()
        return self._limiter.take(name, per_second=per_second)

    def _reach(self) -> None:
        if self.is_away:
            raise Unavailable("the state database did not answer")


class HastyClock(SystemClock):
    """Runs a hundred times as fast."""

    def now(self) -> float:
        return super().now() * 100

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds / 100)


def always(_event: ObjectEvent, _work: Work) -> Result:
    return DONE


def never(event: ObjectEvent, _work: Work) -> Result:
    raise AssertionError(f"{event.key} was handled")


def event(key: str) -> bytes:
    return to_s3_notification(ObjectEvent(change=Change.CREATED, bucket="b", key=key))


def events(*keys: str) -> bytes:
    records = [record for key in keys for record in json.loads(event(key))["Records"]]
    return json.dumps({"Records": records}).encode()


def until(condition: Callable[[], object], *, within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
