"""The worker: takes messages, has each event handled, and answers for what became of it.

A message is acknowledged only once the outcome of all its events is recorded; whatever else
happens (an error, a crash, a lost lease) it comes back. What fails again and again is buried with
its reason.

Each lane works on one message at a time, and only while it holds one of the slots that all
workers of all processes share. Its slot and its messages are leased: keepers renew them, and when
a renewal is overdue the work in hand is called off before the lease ends.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from lakeveil.ports import Clock, Limiter, Queue
from lakeveil.worker.lane import Ending, Handle, Lane, Result, Settled
from lakeveil.worker.leases import Slot

__all__ = ["Ending", "Handle", "Result", "Settled", "run_worker"]


def run_worker(
    queue: Queue,
    limiter: Limiter,
    handle: Handle,
    *,
    owner: str,
    reserved_concurrent_executions: int,
    batch_size: int,
    detections_per_second: float,
    max_receive_count: int,
    slot_lease_s: float,
    stop: threading.Event,
    clock: Clock,
    on_outcome: Callable[[Settled], None] = lambda _settled: None,
    on_overrun: Callable[[], None] = lambda: None,
    threads: int | None = None,
    wait_s: float = 2.0,
) -> None:
    """Work on messages until `stop` is set; then finish what is in hand, give back the rest.

    `owner` names this process among all workers. `threads` lanes (default: one for each slot,
    at most one for each core) compete for the slots. `wait_s` is how long one question to an
    empty queue stands. `on_overrun` is called should work go on although its slot's lease has
    ended: then nothing but the end of the process keeps the limit, so end it.

    Raises:
        SetupError: the queue or the limiter cannot be used as configured.
    """
    halted = threading.Event()
    lanes = [
        Lane(
            queue=queue,
            limiter=limiter,
            handle=handle,
            slot=Slot(limiter, reserved_concurrent_executions, f"{owner}/{number}", slot_lease_s),
            batch_size=batch_size,
            detections_per_second=detections_per_second,
            max_receive_count=max_receive_count,
            stopping=lambda: stop.is_set() or halted.is_set(),
            clock=clock,
            on_outcome=on_outcome,
            wait_s=wait_s,
        )
        for number in range(threads or min(reserved_concurrent_executions, os.cpu_count() or 1))
    ]
    failures: list[BaseException] = []

    def run(lane: Lane) -> None:
        try:
            lane.run()
        except BaseException as error:  # noqa: BLE001 - raised again by the caller's thread
            failures.append(error)
            halted.set()
        finally:
            lane.finished = True

    done = threading.Event()
    keepers = [
        threading.Thread(target=keep, args=(done,), name="keeper", daemon=True)
        for lane in lanes
        for keep in (lane.slot.keep, lane.keep_leases)
    ]
    workers = [threading.Thread(target=run, args=(lane,), name="lane") for lane in lanes]
    for thread in (*keepers, *workers):
        thread.start()
    try:
        # Watching is all this thread does: no component that hangs can delay it.
        tick_s = min(0.25, slot_lease_s / 20, queue.visibility_timeout_s / 20)
        while not all(lane.finished for lane in lanes):
            for lane in lanes:
                lane.call_off_lost_work()
                if lane.overruns():
                    on_overrun()
            time.sleep(tick_s)
    finally:
        halted.set()
        for thread in workers:
            thread.join()
        done.set()
        for thread in keepers:
            thread.join()
    if failures:
        raise failures[0]
