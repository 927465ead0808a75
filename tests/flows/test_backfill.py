"""Existing photos go through the pipeline once, however often the backfill is interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from lakeveil.adapters.backfill_log import SqlBackfillLog
from lakeveil.adapters.queue_memory import MemoryQueue
from lakeveil.core.events import normalise
from lakeveil.core.photos import Collection
from lakeveil.errors import UsageError
from lakeveil.flows.backfill import Backfill, backfill
from tests.flows.test_redact_photo import PHOTOS, Bench


class Filled:
    """A bench whose source has photos that no event told of."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.queue = MemoryQueue(now=bench.clock.now)
        self.work = Backfill(
            store=bench.store,
            ledger=bench.ledger,
            queue=self.queue,
            log=SqlBackfillLog(bench.engine, bench.clock),
        )

    def waiting(self) -> list[str]:
        """The keys in the queue, which is empty after."""
        found: list[str] = []
        while messages := self.queue.receive(max_messages=100, wait_s=0):
            for message in messages:
                found.extend(event.key for event in normalise(message.body))
                self.queue.ack(message)
        return found


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Filled]:
    bench = Bench(tmp_path)
    for i in range(450):
        bench.upload(b"Ann", f"2024/{i:04d}.jpg")
    yield Filled(bench)
    bench.engine.dispose()


def test_every_photo_is_enqueued_once(filled: Filled) -> None:
    steps = list(backfill("in", "2024/", [PHOTOS], filled.work))
    assert [s.listed for s in steps] == [200, 400, 450, 450]
    assert steps[-1].finished
    assert filled.waiting() == [f"2024/{i:04d}.jpg" for i in range(450)]


def test_an_interrupted_backfill_goes_on_where_it_stopped(filled: Filled) -> None:
    list(islice(backfill("in", "2024/", [PHOTOS], filled.work), 1))
    assert len(filled.waiting()) == 200
    steps = list(backfill("in", "2024/", [PHOTOS], filled.work))
    assert steps[-1].enqueued == 450
    assert filled.waiting() == [f"2024/{i:04d}.jpg" for i in range(200, 450)]


def test_photos_that_are_done_are_passed_over(filled: Filled) -> None:
    list(backfill("in", "", [PHOTOS], filled.work))
    messages = filled.queue.receive(max_messages=7, wait_s=0)
    for message in messages:
        filled.bench.handle(normalise(message.body)[0])
        filled.queue.ack(message)
    filled.waiting()
    again = list(backfill("in", "", [PHOTOS], filled.work))
    assert again[-1].enqueued == 443
    filled.waiting()
    under_another_policy = PHOTOS.with_policy(tint=False)
    assert list(backfill("in", "", [under_another_policy], filled.work))[-1].enqueued == 450


def test_only_what_a_collection_holds_is_enqueued(filled: Filled) -> None:
    part = Collection(
        name="part", source_bucket="in", source_prefix="2024/000", release_bucket="out"
    )
    list(backfill("in", "", [part], filled.work))
    assert len(filled.waiting()) == 10


@pytest.mark.parametrize(("bucket", "prefix"), [("other", ""), ("out", "")])
def test_a_bucket_of_no_collection_is_refused(filled: Filled, bucket: str, prefix: str) -> None:
    with pytest.raises(UsageError):
        next(backfill(bucket, prefix, [PHOTOS], filled.work))
