"""Several worker processes on one real broker: limits hold, and nothing is lost, whoever dies."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from lakeveil.adapters.database import open_database, transaction
from lakeveil.adapters.queue_jetstream import JetStreamQueue
from lakeveil.adapters.tables import photos as tables
from lakeveil.core.events import Change, ObjectEvent, to_s3_notification
from tests.sizes import tried
from tests.stack_fixture import Nats, running_nats
from tests.worker.worker_process import Entry, Job, described, entries

ROOT = Path(__file__).parent.parent.parent


class Crew:
    """Worker processes, their queue and their diary."""

    def __init__(self, nats: Nats, directory: Path) -> None:
        self.diary = directory / "diary"
        self.job = Job(
            url=nats.url,
            token=nats.token,
            stream=f"crew-{uuid.uuid4().hex[:8]}",
            database=f"sqlite:///{directory / 'state.db'}",
            diary=str(self.diary),
            owner="",
            limit=1,
        )
        self.queue = JetStreamQueue(
            nats.url, token=nats.token, name=self.job.stream, visibility_timeout_s=2.0
        )
        self.processes: list[subprocess.Popen[bytes]] = []
        self.killed_at: dict[str, float] = {}

    def start(self, **changes: float) -> None:
        """One more process, called w0, w1, ..."""
        job = replace(self.job, owner=f"w{len(self.processes)}", **changes)  # type: ignore[arg-type]
        with (self.diary.parent / f"{job.owner}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.worker.worker_process"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=dict(os.environ),
            )
        assert process.stdin is not None
        process.stdin.write(described(job))
        process.stdin.close()
        self.processes.append(process)

    def ready(self, *, slots: int) -> None:
        """Wait until so many slots are held."""
        engine = open_database(self.job.database)
        until = time.monotonic() + 30
        counted = sa.select(sa.func.count()).select_from(tables.slots)
        while True:
            with transaction(engine) as tx:
                held = tx.execute(counted).scalar_one()
            if held == slots:
                break
            assert time.monotonic() < until, f"{held} slots are held"
            time.sleep(0.1)
        engine.dispose()

    def put(self, count: int) -> set[str]:
        """So many events; returns their keys."""
        keys = [f"{n}.jpg" for n in range(count)]
        self.queue.put(
            [
                to_s3_notification(ObjectEvent(change=Change.CREATED, bucket="b", key=key))
                for key in keys
            ]
        )
        return set(keys)

    def kill(self, who: str) -> None:
        """SIGKILL."""
        process = self.processes[int(who.partition("-")[0][1:])]
        process.kill()
        process.wait()
        self.killed_at[who.partition("-")[0]] = time.monotonic()

    def diary_when(self, enough: Callable[[list[Entry]], bool], *, within_s: float) -> list[Entry]:
        """Wait until the diary says enough."""
        until = time.monotonic() + within_s
        while not enough(found := entries(self.diary)):
            assert time.monotonic() < until, f"{len(found)} entries, {self.queue.depth()} waiting"
            time.sleep(0.2)
        return found

    def drained(self, *, within_s: float) -> list[Entry]:
        """Wait until the queue is empty; returns the diary, read after that."""
        until = time.monotonic() + within_s
        while waiting := self.queue.depth():
            assert time.monotonic() < until, f"{waiting} waiting"
            time.sleep(0.1)
        return entries(self.diary)

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(20)
        self.queue.close()


@pytest.fixture
def crew(nats: Nats, tmp_path: Path) -> Iterator[Crew]:
    found = Crew(nats, tmp_path)
    yield found
    found.stop()


def test_reserved_concurrency_holds_over_several_processes(crew: Crew) -> None:
    for _ in range(3):
        crew.start(limit=2, threads=1, work_s=0.03)
    crew.ready(slots=2)
    keys = crew.put(120)
    diary = crew.drained(within_s=40)
    assert _finished(diary) == dict.fromkeys(keys, 1)
    assert _most_at_once(diary, crew.killed_at) == 2
    assert len({entry.who.partition("-")[0] for entry in diary}) >= 2


@pytest.mark.timeout(200)
def test_a_burst_is_worked_on_one_at_a_time_and_none_is_lost(crew: Crew) -> None:
    count = tried(3_000, every=10_000)
    keys = crew.put(count)
    for _ in range(3):
        crew.start(limit=1, threads=2, batch_size=10)
    diary = crew.diary_when(lambda found: len(found) > count * 0.4, within_s=60)
    # Whoever holds the only slot dies with it; another takes over when its lease has run out.
    holder = diary[-1].who
    crew.kill(holder)
    diary = crew.drained(within_s=100)
    finished = _finished(diary)
    assert finished.keys() == keys
    # Of the batch that died in mid-work, some had been finished and not yet acknowledged.
    assert sum(finished.values()) <= count + 10
    assert _most_at_once(diary, crew.killed_at) == 1
    assert len({entry.who.partition("-")[0] for entry in diary}) == 2
    assert crew.queue.dead() == []


def test_a_message_in_the_hands_of_a_killed_worker_comes_back(crew: Crew) -> None:
    crew.start(work_s=60.0)
    crew.put(1)
    (begun,) = crew.diary_when(lambda found: len(found) == 1, within_s=20)
    crew.kill(begun.who)
    crew.start()
    diary = crew.drained(within_s=20)
    assert _finished(diary) == {"0.jpg": 1}
    assert [entry.what for entry in diary] == ["begin", "begin", "end"]


def test_nothing_is_lost_when_the_broker_is_killed_in_mid_run(tmp_path: Path) -> None:
    with running_nats() as nats:
        crew = Crew(nats, tmp_path)
        try:
            keys = crew.put(300)
            for _ in range(2):
                crew.start(limit=2, threads=1, batch_size=5, work_s=0.005)
            crew.diary_when(lambda found: len(found) > 100, within_s=20)
            assert nats.child.process is not None
            nats.child.process.kill()
            nats.child.process.wait()
            time.sleep(1.0)
            nats.child.start()
            nats.child.wait_ready()
            diary = crew.drained(within_s=40)
            assert _finished(diary).keys() == keys
            assert crew.queue.dead() == []
        finally:
            crew.stop()


def test_the_detection_rate_is_shared_by_all_processes(crew: Crew) -> None:
    for _ in range(2):
        crew.start(limit=4, threads=2, detections_per_second=10.0)
    crew.ready(slots=4)
    crew.put(30)
    diary = crew.drained(within_s=40)
    begun = [entry for entry in diary if entry.what == "begin"]
    # 30 tokens at 10 a second: the last is given out 2.9 s after the first, however many share.
    assert begun[-1].at - begun[0].at >= 2.7
    assert len({entry.who.partition("-")[0] for entry in begun}) == 2


def _finished(diary: list[Entry]) -> dict[str, int]:
    return dict(Counter(entry.key for entry in diary if entry.what == "end"))


def _most_at_once(diary: list[Entry], killed_at: dict[str, float]) -> int:
    """The most events in work at one time; a killed process's work ends with it."""
    steps = [(entry.at, entry.what, entry.who, entry.key) for entry in diary]
    steps += [(at, "killed", who, "") for who, at in killed_at.items()]
    at_work: set[tuple[str, str]] = set()
    most = 0
    for _, what, who, key in sorted(steps):
        if what == "begin":
            at_work.add((who, key))
        elif what == "end":
            at_work.discard((who, key))
        else:
            at_work = {(one, its) for one, its in at_work if one.partition("-")[0] != who}
        most = max(most, len(at_work))
    return most
