"""What the worker makes of each message: done, tried again, given up, or left to somebody else."""

from __future__ import annotations

import threading
import time

import pytest

from lakeveil.adapters.queue_memory import MemoryQueue
from lakeveil.core.events import ObjectEvent
from lakeveil.core.outcomes import Retry
from lakeveil.errors import BadPhoto, SetupError, Unavailable
from lakeveil.ports import Limiter, Work
from lakeveil.worker import Ending, Result
from tests.worker.parts import (
    DONE,
    Flaky,
    HastyClock,
    Impatient,
    Locked,
    Mumbling,
    always,
    event,
    events,
    never,
    until,
    working,
)


def test_a_handled_message_is_acknowledged_and_told(queue: MemoryQueue, limiter: Limiter) -> None:
    seen: list[tuple[ObjectEvent, int]] = []

    def handle(event: ObjectEvent, work: Work) -> Result:
        assert work.still_ours()
        assert queue.depth() == 1, "acknowledged before it was handled"
        seen.append((event, work.receive_count))
        return DONE

    queue.put([event("a b+c%2F.jpg")])
    with working(queue, limiter, handle) as running:
        until(lambda: running.settled)
    assert [(event.key, count) for event, count in seen] == [("a b+c%2F.jpg", 1)]
    assert queue.depth() == 0
    (settled,) = running.settled
    assert (settled.ending, settled.results, settled.reason) == (Ending.ACKED, (DONE,), "")


def test_a_test_event_is_acknowledged_and_handled_by_nobody(
    queue: MemoryQueue, limiter: Limiter
) -> None:
    queue.put([b'{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}'])
    with working(queue, limiter, never) as running:
        until(lambda: running.settled)
    assert running.endings() == [Ending.ACKED]
    assert queue.dead() == []


def test_an_unknown_message_is_buried_with_its_reason_at_once(
    queue: MemoryQueue, limiter: Limiter
) -> None:
    queue.put([b"hello"])
    with working(queue, limiter, never):
        until(queue.dead)
    (letter,) = queue.dead()
    assert letter.receive_count == 1
    assert "not JSON" in letter.reason


def test_every_event_of_a_message_is_handled(queue: MemoryQueue, limiter: Limiter) -> None:
    seen: list[str] = []

    def handle(event: ObjectEvent, _work: Work) -> Result:
        seen.append(event.key)
        return DONE

    queue.put([events("a", "b", "c")])
    with working(queue, limiter, handle) as running:
        until(lambda: running.settled)
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

    queue.put([events("a", "b", "c")])
    with working(queue, limiter, handle) as running:
        until(lambda: len(running.settled) == 2)
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

    queue.put([event(str(n)) for n in range(10)])
    with working(queue, limiter, handle, batch_size=10) as running:
        until(lambda: len(running.settled) == 10)
    assert running.endings().count(Ending.ACKED) == 8
    assert queue.depth() == 2
    assert queue.dead() == []


def test_a_retry_waits_as_long_as_it_asks(queue: MemoryQueue, limiter: Limiter) -> None:
    times: list[float] = []

    def handle(_event: ObjectEvent, work: Work) -> Result:
        times.append(time.monotonic())
        return Retry("claimed by another", 1.5) if work.receive_count == 1 else DONE

    queue.put([event("a")])
    with working(queue, limiter, handle) as running:
        until(lambda: len(running.settled) == 2)
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

    queue.put([event("a")])
    with working(queue, limiter, handle, max_receive_count=3) as running:
        until(queue.dead)
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

    queue.put([event("a")])
    # Pauses of a worker that finds everything away grow, too: not waited for here.
    with working(queue, limiter, handle, max_receive_count=3, clock=HastyClock()) as running:
        until(lambda: Ending.ACKED in running.endings())
    assert running.endings() == [Ending.RETRIED] * 5 + [Ending.ACKED]
    assert queue.dead() == []


@pytest.mark.parametrize("trouble", ["retry", "away"])
def test_also_patience_comes_to_an_end(limiter: Limiter, trouble: str) -> None:
    queue = Impatient()

    def handle(_event: ObjectEvent, _work: Work) -> Result:
        if trouble == "away":
            raise Unavailable("the store did not answer", why="it is away")
        return Retry("claimed by another", 2.0)

    queue.put([event("a")])
    with working(queue, limiter, handle, max_receive_count=2, clock=HastyClock()):
        until(queue.dead)
    (letter,) = queue.dead()
    assert letter.receive_count == 10
    assert ("claimed by another" if trouble == "retry" else "it is away") in letter.reason
    if trouble == "retry":
        assert queue.delays_s[:3] == [2.0, 4.0, 6.0]


def test_a_message_that_nobody_ever_finishes_is_given_up(limiter: Limiter) -> None:
    queue = Impatient()
    queue.put([event("a")])
    for _ in range(15):
        # Each of these receivers dies with it.
        (message,) = queue.receive(max_messages=1, wait_s=1.0)
        queue.nack(message)
    with working(queue, limiter, never, max_receive_count=3):
        until(queue.dead)
    (letter,) = queue.dead()
    assert "received 16 times" in letter.reason


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
    queue.put([event(key) for key in keys])
    with working(queue, limiter, handle, threads=3, batch_size=10, slot_lease_s=10.0) as running:
        until(lambda: queue.depth() == 0, within_s=60)
    assert seen == keys
    assert set(running.endings()) == {Ending.ACKED}


def test_a_broker_that_goes_and_comes_back_is_waited_for(limiter: Limiter) -> None:
    queue = Flaky()
    queue.put([event("a")])
    with working(queue, limiter, always) as running:
        until(lambda: running.settled)
    assert queue.refusals == 0
    assert running.endings() == [Ending.ACKED]


def test_an_answer_that_does_not_arrive_is_repeated(limiter: Limiter) -> None:
    queue = Mumbling(visibility_timeout_s=5.0)
    queue.put([event("a")])
    with working(queue, limiter, always) as running:
        until(lambda: running.settled)
    assert queue.asked == 3
    assert running.endings() == [Ending.ACKED]
    assert queue.depth() == 0


def test_a_queue_that_refuses_us_ends_the_worker(limiter: Limiter) -> None:
    with working(Locked(), limiter, never) as running:
        until(lambda: running.failure)
    (failure,) = running.failure
    assert isinstance(failure, SetupError)
    assert limiter.acquire_slot("photos", limit=1, owner="other", lease_s=1.0)
