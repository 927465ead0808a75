"""A worker process for tests: real queue, real limits, and a handler that only keeps a diary.

Each event is written down when its work begins and when it ends: `begin KEY WHO TIME`, on one
monotonic clock for all processes of the machine.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.database import open_database
from lakeveil.adapters.limiter import SqlLimiter
from lakeveil.adapters.queue_jetstream import JetStreamQueue
from lakeveil.core.events import ObjectEvent
from lakeveil.core.outcomes import Skipped
from lakeveil.ports import Work
from lakeveil.worker import run_worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a process shall do; `token` is of a throwaway server on loopback."""

    url: str
    token: str
    stream: str
    database: str
    diary: str
    owner: str
    limit: int
    threads: int = 1
    batch_size: int = 1
    work_s: float = 0.0
    detections_per_second: float = 0.0
    lease_s: float = 2.0
    slot_lease_s: float = 2.0


def main() -> None:
    """Work until SIGTERM."""
    job = Job(**json.loads(sys.stdin.readline()))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    diary = os.open(job.diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(what: str, key: str) -> None:
        # One write, appended: lines of several processes never mix, and survive a SIGKILL.
        line = f"{what} {key} {job.owner}-{threading.get_ident()} {time.monotonic_ns()}\n"
        os.write(diary, line.encode())

    def handle(event: ObjectEvent, _work: Work) -> Skipped:
        write("begin", event.key)
        if job.work_s:
            time.sleep(job.work_s)
        write("end", event.key)
        return Skipped("a test")

    queue = JetStreamQueue(
        job.url, token=job.token, name=job.stream, visibility_timeout_s=job.lease_s, timeout_s=1.0
    )
    with closing(queue):
        run_worker(
            queue,
            SqlLimiter(open_database(job.database), SystemClock()),
            handle,
            owner=job.owner,
            reserved_concurrent_executions=job.limit,
            batch_size=job.batch_size,
            detections_per_second=job.detections_per_second,
            max_receive_count=5,
            slot_lease_s=job.slot_lease_s,
            stop=stop,
            clock=SystemClock(),
            on_overrun=lambda: os._exit(70),
            threads=job.threads,
            wait_s=0.5,
        )


def described(job: Job) -> bytes:
    """A job as the process reads it."""
    return json.dumps(asdict(job)).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the diary."""

    what: str
    key: str
    who: str
    at: float


def entries(diary: Path) -> list[Entry]:
    """The diary so far, in order of time."""
    if not diary.exists():
        return []
    found = []
    for line in diary.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            what, key, who, at = line.split()
            found.append(Entry(what, key, who, int(at) / 1e9))
    return sorted(found, key=lambda entry: entry.at)


if __name__ == "__main__":
    main()
