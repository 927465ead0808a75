"""What a worker holds for a time: its messages, its slot, and how it gives them back."""

from __future__ import annotations

import threading
import time

from lakeveil.adapters.queue_memory import MemoryQueue
from lakeveil.core.events import Change, ObjectEvent, to_s3_notification
from lakeveil.ports import Limiter, Work
from lakeveil.worker import Ending, Result
from tests.worker.parts import (
    DONE,
    Away,
    Deaf,
    always,
    event,
    never,
    until,
    working,
)


def test_heartbeats_keep_a_message_through_long_work(queue: MemoryQueue, limiter: Limiter) -> None:
    counts: list[int] = []

    def handle(_event: ObjectEvent, work: Work) -> Result:
        counts.append(work.receive_count)
        time.sleep(queue.visibility_timeout_s * 3)
        assert work.still_ours()
        return DONE

    queue.put([event("a"), event("b")])
    # The second waits in the batch meanwhile: its lease is kept, too.
    with working(queue, limiter, handle, batch_size=2) as running:
        until(lambda: len(running.settled) == 2)
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

    queue.put([event("a")])
    with working(queue, limiter, handle) as running:
        until(lambda: len(running.settled) == 2)
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

    queue.put([event("a")])
    with working(queue, away, handle, slot_lease_s=2.0) as running:
        until(lambda: running.settled)
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

    queue.put([event("a")])
    with working(queue, away, handle, slot_lease_s=0.8) as running:
        until(lambda: running.overruns)
        assert limiter.acquire_slot("photos", limit=1, owner="other", lease_s=1.0)
        may_end.set()
        until(lambda: running.settled)


def test_stopping_finishes_the_message_in_hand_and_gives_back_the_rest(
    queue: MemoryQueue, limiter: Limiter
) -> None:
    begun = threading.Event()

    def handle(_event: ObjectEvent, _work: Work) -> Result:
        begun.set()
        time.sleep(0.3)
        return DONE

    queue.put([event(str(n)) for n in range(5)])
    with working(queue, limiter, handle, batch_size=5) as running:
        assert begun.wait(5)
        running.stop.set()
        until(lambda: queue.depth() == 4)
    assert running.endings() == [Ending.ACKED]
    # Given back at once, and the slot with them: nobody waits for a lease to run out.
    assert len(queue.receive(max_messages=10, wait_s=0)) == 4
    assert limiter.acquire_slot("photos", limit=1, owner="other", lease_s=1.0)


def test_stopping_does_not_wait_for_a_turn(queue: MemoryQueue, limiter: Limiter) -> None:
    limiter.take("detections", per_second=0.01)
    queue.put([event("a")])
    with working(queue, limiter, never, detections_per_second=0.01) as running:
        until(lambda: queue.receive(max_messages=1, wait_s=0) == [] and queue.depth() == 1)
        time.sleep(0.2)
        running.stop.set()
    assert queue.depth() == 1
    assert queue.dead() == []


def test_a_deletion_needs_no_turn(queue: MemoryQueue, limiter: Limiter) -> None:
    limiter.take("detections", per_second=0.01)
    gone = ObjectEvent(change=Change.DELETED, bucket="b", key="a")
    queue.put([to_s3_notification(gone)])
    with working(queue, limiter, always, detections_per_second=0.01) as running:
        until(lambda: running.settled)
    assert running.endings() == [Ending.ACKED]


def test_a_worker_waits_while_others_hold_every_slot(queue: MemoryQueue, limiter: Limiter) -> None:
    assert limiter.acquire_slot("photos", limit=1, owner="other", lease_s=60.0)
    queue.put([event("a")])
    with working(queue, limiter, always) as running:
        time.sleep(0.5)
        # It does not even lease a message that it may not work on.
        assert queue.receive(max_messages=1, wait_s=0)[0].receive_count == 1
        limiter.release_slot("photos", owner="other")
        until(lambda: running.settled)
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

    queue.put([event(str(n)) for n in range(30)])
    with working(
        queue, limiter, handle, reserved_concurrent_executions=3, threads=6, slot_lease_s=5.0
    ) as running:
        until(lambda: len(running.settled) == 30)
    assert most == 3
