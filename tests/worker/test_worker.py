"""What the worker makes of each message: done, tried again, given up, or left to somebody else."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.database import open_database
from lakeveil.adapters.limiter import SqlLimiter
from lakeveil.adapters.queue_memory import MemoryQueue
from lakeveil.core.events import Change, ObjectEvent, to_s3_notification
from lakeveil.core.outcomes import Retry, Skipped
from lakeveil.errors import BadPhoto, SetupError, Unavailable
from lakeveil.ports import Limiter, Message, Queue, Work
from lakeveil.worker import Ending, Handle, Result, Settled, run_worker

DONE = Skipped("a test")


@pytest.fixture
def limiter(tmp_path: Path) -> Iterator[Limiter]:
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    yield SqlLimiter(engine, SystemClock())
    engine.dispose()


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue(visibility_timeout_s=0.6)


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


def test_a_handled_message_is_acknowledged_and_told(queue: MemoryQueue, limiter: Limiter) -> None:
    seen: list[tuple[ObjectEvent, int]] = []

    def handle(event: ObjectEvent, work: Work) -> Result:
        assert work.still_ours()
        assert queue.depth() == 1, "acknowledged before it was handled"
        seen.append((event, work.receive_count))
        return DONE

    queue.put([_event("a b+c%2F.jpg")])
    with working(queue, limiter, handle) as running:
        _until(lambda: running.settled)
    assert [(event.key, count) for event, count in seen] == [("a b+c%2F.jpg", 1)]
    assert queue.depth() == 0
    (settled,) = running.settled
    assert (settled.ending, settled.results, settled.reason) == (Ending.ACKED, (DONE,), "")


def test_a_test_event_is_acknowledged_and_handled_by_nobody(
    queue: MemoryQueue, limiter: Limiter
) -> None:
    queue.put([b'{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}'])
    with working(queue, limiter, _never) as running:
        _until(lambda: running.settled)
    assert running.endings() == [Ending.ACKED]
    assert queue.dead() == []


def test_an_unknown_message_is_buried_with_its_reason_at_once(
    queue: MemoryQueue, limiter: Limiter
) -> None:
    queue.put([b"hello"])
    with working(queue, limiter, _never):
        _until(queue.dead)
    (letter,) = queue.dead()
    assert letter.receive_count == 1
    assert "not JSON" in letter.reason


def test_every_event_of_a_message_is_handled(queue: MemoryQueue, limiter: Limiter) -> None:
    seen: list[str] = []

    def handle(event: ObjectEvent, _work: Work) -> Result:
        seen.append(event.key)
        return DONE

    queue.put([_events("a", "b", "c")])
    with working(queue, limiter, handle) as running:
        _until(lambda: running.settled)
    assert seen == ["a", "b", "c"]
    assert running.endings() == [Ending.ACKED]


def test_one_event_that_fails_brings_the_message_back_and_spares_the_others(
    queue: MemoryQueue, limiter: Limiter
) -> None:
    seen: list[str] = []

    def handle(event: ObjectEvent, work: Work) -> Result:
        seen.append(event.key)
        if event.key == "b" and work.receive_count == 1:
            raise RuntimeError("once")
        return DONE

    queue.put([_events("a", "b", "c")])
    with working(queue, limiter, handle) as running:
        _until(lambda: len(running.settled) == 2)
    assert seen == ["a", "b", "c"] * 2
    assert running.endings() == [Ending.RETRIED, Ending.ACKED]
    assert running.settled[0].results == (DONE, DONE)


def test_only_the_good_messages_of_a_batch_are_acknowledged(
    queue: MemoryQueue, limiter: Limiter
) -> None:
    def handle(event: ObjectEvent, _work: Work) -> Result:
        if event.key in {"0", "3"}:
            return Retry("not yet", 60.0)
        return DONE

    queue.put([_event(str(n)) for n in range(10)])
    with working(queue, limiter, handle, batch_size=10) as running:
        _until(lambda: len(running.settled) == 10)
    assert running.endings().count(Ending.ACKED) == 8
    assert queue.depth() == 2
    assert queue.dead() == []


def test_a_retry_waits_as_long_as_it_asks(queue: MemoryQueue, limiter: Limiter) -> None:
    times: list[float] = []

    def handle(_event: ObjectEvent, work: Work) -> Result:
        times.append(time.monotonic())
        return Retry("claimed by another", 1.5) if work.receive_count == 1 else DONE

    queue.put([_event("a")])
    with working(queue, limiter, handle) as running:
        _until(lambda: len(running.settled) == 2)
    assert times[1] - times[0] >= 1.5
    assert running.settled[0].reason == "claimed by another"


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (RuntimeError("the roof is on fire"), "RuntimeError: the roof is on fire"),
        (MemoryError(), "MemoryError"),
        (BadPhoto("could not look", why="it is torn"), "could not look: it is torn"),
    ],
)
def test_what_fails_again_and_again_is_buried_with_its_reason(
    limiter: Limiter, trouble: Exception, reason: str
) -> None:
    queue = Impatient()
    tries: list[int] = []

    def handle(_event: ObjectEvent, work: Work) -> Result:
        tries.append(work.receive_count)
        raise trouble

    queue.put([_event("a")])
    with working(queue, limiter, handle, max_receive_count=3) as running:
        _until(queue.dead)
    (letter,) = queue.dead()
    assert tries == [1, 2, 3]
    assert reason in letter.reason
    assert running.endings() == [Ending.RETRIED, Ending.RETRIED, Ending.BURIED]
    # Longer each time: 1, 4 seconds, less half at random.
    assert 0.5 <= queue.delays_s[0] <= 1.0
    assert 2.0 <= queue.delays_s[1] <= 4.0


@pytest.mark.parametrize(
    "trouble", [Unavailable("the store did not answer"), SetupError("there are no models")]
)
def test_a_component_that_is_away_is_not_the_messages_fault(
    limiter: Limiter, trouble: Exception
) -> None:
    queue = Impatient()

    def handle(_event: ObjectEvent, work: Work) -> Result:
        if work.receive_count < 6:
            raise trouble
        return DONE

    queue.put([_event("a")])
    # Pauses of a worker that finds everything away grow, too: not waited for here.
    with working(queue, limiter, handle, max_receive_count=3, clock=HastyClock()) as running:
        _until(lambda: Ending.ACKED in running.endings())
    assert running.endings() == [Ending.RETRIED] * 5 + [Ending.ACKED]
    assert queue.dead() == []


@pytest.mark.parametrize("trouble", ["retry", "away"])
def test_also_patience_comes_to_an_end(limiter: Limiter, trouble: str) -> None:
    queue = Impatient()

    def handle(_event: ObjectEvent, _work: Work) -> Result:
        if trouble == "away":
            raise Unavailable("the store did not answer", why="it is away")
        return Retry("claimed by another", 2.0)

    queue.put([_event("a")])
    with working(queue, limiter, handle, max_receive_count=2, clock=HastyClock()):
        _until(queue.dead)
    (letter,) = queue.dead()
    assert letter.receive_count == 10
    assert ("claimed by another" if trouble == "retry" else "it is away") in letter.reason
    if trouble == "retry":
        assert queue.delays_s[:3] == [2.0, 4.0, 6.0]


def test_a_message_that_nobody_ever_finishes_is_given_up(limiter: Limiter) -> None:
    queue = Impatient()
    queue.put([_event("a")])
    for _ in range(15):
        # Each of these receivers dies with it.
        (message,) = queue.receive(max_messages=1, wait_s=1.0)
        queue.nack(message)
    with working(queue, limiter, _never, max_receive_count=3):
        _until(queue.dead)
    (letter,) = queue.dead()
    assert "received 16 times" in letter.reason


def test_heartbeats_keep_a_message_through_long_work(queue: MemoryQueue, limiter: Limiter) -> None:
    counts: list[int] = []

    def handle(_event: ObjectEvent, work: Work) -> Result:
        counts.append(work.receive_count)
        time.sleep(queue.visibility_timeout_s * 3)
        assert work.still_ours()
        return DONE

    queue.put([_event("a"), _event("b")])
    # The second waits in the batch meanwhile: its lease is kept, too.
    with working(queue, limiter, handle, batch_size=2) as running:
        _until(lambda: len(running.settled) == 2)
    assert counts == [1, 1]
    assert running.endings() == [Ending.ACKED, Ending.ACKED]


def test_a_lost_lease_calls_the_work_off_and_its_result_is_dropped(limiter: Limiter) -> None:
    queue = Deaf(visibility_timeout_s=0.4)
    called_off = threading.Event()
    late: list[bool] = []

    def handle(_event: ObjectEvent, work: Work) -> Result:
        if work.receive_count > 1:
            return DONE
        work.on_lost(called_off.set)
        assert called_off.wait(5)
        assert not work.still_ours()
        work.on_lost(lambda: late.append(True))
        return DONE

    queue.put([_event("a")])
    with working(queue, limiter, handle) as running:
        _until(lambda: len(running.settled) == 2)
    assert late == [True]
    assert running.endings() == [Ending.ABANDONED, Ending.ACKED]
    assert queue.depth() == 0


def test_work_is_called_off_before_a_slot_that_cannot_be_renewed_is_free(
    queue: MemoryQueue, limiter: Limiter
) -> None:
    away = Away(limiter)
    called_off_at: list[float] = []
    ended = threading.Event()

    def note() -> None:
        called_off_at.append(time.monotonic())
        ended.set()

    def handle(_event: ObjectEvent, work: Work) -> Result:
        if work.receive_count > 1:
            return DONE
        away.is_away = True
        work.on_lost(note)
        assert ended.wait(5)
        away.is_away = False
        # The slot is still this worker's: nobody else can have begun.
        assert not limiter.acquire_slot("photos", limit=1, owner="other", lease_s=1.0)
        return DONE

    queue.put([_event("a")])
    with working(queue, away, handle, slot_lease_s=2.0) as running:
        _until(lambda: running.settled)
    assert len(called_off_at) == 1
    assert running.overruns == []
    # It was recorded before anything was lost for good: the outcome stands.
    assert running.endings() == [Ending.ACKED]


def test_work_that_cannot_be_called_off_is_reported_when_its_slot_is_free(
    queue: MemoryQueue, limiter: Limiter
) -> None:
    away = Away(limiter)
    may_end = threading.Event()

    def handle(_event: ObjectEvent, _work: Work) -> Result:
        away.is_away = True
        assert may_end.wait(10)
        away.is_away = False
        return DONE

    queue.put([_event("a")])
    with working(queue, away, handle, slot_lease_s=0.8) as running:
        _until(lambda: running.overruns)
        assert limiter.acquire_slot("photos", limit=1, owner="other", lease_s=1.0)
        may_end.set()
        _until(lambda: running.settled)


def test_stopping_finishes_the_message_in_hand_and_gives_back_the_rest(
    queue: MemoryQueue, limiter: Limiter
) -> None:
    begun = threading.Event()

    def handle(_event: ObjectEvent, _work: Work) -> Result:
        begun.set()
        time.sleep(0.3)
        return DONE

    queue.put([_event(str(n)) for n in range(5)])
    with working(queue, limiter, handle, batch_size=5) as running:
        assert begun.wait(5)
        running.stop.set()
        _until(lambda: queue.depth() == 4)
    assert running.endings() == [Ending.ACKED]
    # Given back at once, and the slot with them: nobody waits for a lease to run out.
    assert len(queue.receive(max_messages=10, wait_s=0)) == 4
    assert limiter.acquire_slot("photos", limit=1, owner="other", lease_s=1.0)


def test_stopping_does_not_wait_for_a_turn(queue: MemoryQueue, limiter: Limiter) -> None:
    limiter.take("detections", per_second=0.01)
    queue.put([_event("a")])
    with working(queue, limiter, _never, detections_per_second=0.01) as running:
        _until(lambda: queue.receive(max_messages=1, wait_s=0) == [] and queue.depth() == 1)
        time.sleep(0.2)
        running.stop.set()
    assert queue.depth() == 1
    assert queue.dead() == []


def test_a_deletion_needs_no_turn(queue: MemoryQueue, limiter: Limiter) -> None:
    limiter.take("detections", per_second=0.01)
    gone = ObjectEvent(change=Change.DELETED, bucket="b", key="a")
    queue.put([to_s3_notification(gone)])
    with working(queue, limiter, _always, detections_per_second=0.01) as running:
        _until(lambda: running.settled)
    assert running.endings() == [Ending.ACKED]


def test_a_worker_waits_while_others_hold_every_slot(queue: MemoryQueue, limiter: Limiter) -> None:
    assert limiter.acquire_slot("photos", limit=1, owner="other", lease_s=60.0)
    queue.put([_event("a")])
    with working(queue, limiter, _always) as running:
        time.sleep(0.5)
        # It does not even lease a message that it may not work on.
        assert queue.receive(max_messages=1, wait_s=0)[0].receive_count == 1
        limiter.release_slot("photos", owner="other")
        _until(lambda: running.settled)
    assert running.endings() == [Ending.ACKED]


def test_lanes_work_side_by_side_up_to_the_limit(queue: MemoryQueue, limiter: Limiter) -> None:
    lock = threading.Lock()
    at_work, most = 0, 0

    def handle(_event: ObjectEvent, _work: Work) -> Result:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.05)
        with lock:
            at_work -= 1
        return DONE

    queue.put([_event(str(n)) for n in range(30)])
    with working(
        queue, limiter, handle, reserved_concurrent_executions=3, threads=6, slot_lease_s=5.0
    ) as running:
        _until(lambda: len(running.settled) == 30)
    assert most == 3


def test_a_burst_of_ten_thousand_is_worked_on_one_at_a_time(limiter: Limiter) -> None:
    queue = MemoryQueue(visibility_timeout_s=30.0)
    lock = threading.Lock()
    seen: list[str] = []

    def handle(event: ObjectEvent, _work: Work) -> Result:
        assert lock.acquire(blocking=False), "two at once"
        seen.append(event.key)
        lock.release()
        return DONE

    keys = [f"{n}.jpg" for n in range(10_000)]
    queue.put([_event(key) for key in keys])
    with working(queue, limiter, handle, threads=3, batch_size=10, slot_lease_s=10.0) as running:
        _until(lambda: queue.depth() == 0, within_s=60)
    assert seen == keys
    assert set(running.endings()) == {Ending.ACKED}


def test_a_broker_that_goes_and_comes_back_is_waited_for(limiter: Limiter) -> None:
    queue = Flaky()
    queue.put([_event("a")])
    with working(queue, limiter, _always) as running:
        _until(lambda: running.settled)
    assert queue.refusals == 0
    assert running.endings() == [Ending.ACKED]


def test_an_answer_that_does_not_arrive_is_repeated(limiter: Limiter) -> None:
    queue = Mumbling(visibility_timeout_s=5.0)
    queue.put([_event("a")])
    with working(queue, limiter, _always) as running:
        _until(lambda: running.settled)
    assert queue.asked == 3
    assert running.endings() == [Ending.ACKED]
    assert queue.depth() == 0


def test_a_queue_that_refuses_us_ends_the_worker(limiter: Limiter) -> None:
    with working(Locked(), limiter, _never) as running:
        _until(lambda: running.failure)
    (failure,) = running.failure
    assert isinstance(failure, SetupError)
    assert limiter.acquire_slot("photos", limit=1, owner="other", lease_s=1.0)


# --- parts -----------------------------------------------------------------------------------


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


def _always(_event: ObjectEvent, _work: Work) -> Result:
    return DONE


def _never(event: ObjectEvent, _work: Work) -> Result:
    raise AssertionError(f"{event.key} was handled")


def _event(key: str) -> bytes:
    return to_s3_notification(ObjectEvent(change=Change.CREATED, bucket="b", key=key))


def _events(*keys: str) -> bytes:
    records = [record for key in keys for record in json.loads(_event(key))["Records"]]
    return json.dumps({"Records": records}).encode()


def _until(condition: Callable[[], object], *, within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
