"""The bridge carries every change of an original into the queue, and forgets none."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lakeveil.adapters.queue_memory import MemoryQueue
from lakeveil.adapters.spool import EventSpool
from lakeveil.core.events import Change, ObjectEvent, normalise
from lakeveil.core.photos import Collection
from lakeveil.errors import Unavailable
from lakeveil.flows.bridge_events import Documents, bridge_events, keep, publish
from lakeveil.ports import Queue

PHOTOS = Collection(name="photos", source_bucket="photos", release_bucket="released")
NO_QUEUE = Unavailable("the queue did not answer")


def put(key: str, *, bucket: str = "photos", at_ns: int = 7, md5: bytes = b"x" * 16) -> Any:
    directory, _, name = f"/buckets/{bucket}/{key}".rpartition("/")
    return {
        "directory": directory,
        "eventNotification": {
            "oldEntry": None,
            "newEntry": {
                "name": name,
                "attributes": {"fileSize": "9", "md5": base64.b64encode(md5).decode()},
            },
            "newParentPath": directory,
        },
        "tsNs": str(at_ns),
    }


class FlakyQueue:
    """A real queue behind a broker that can be away. Counts what was put, repeats included."""

    def __init__(self) -> None:
        self.inner = MemoryQueue()
        self.away = False
        self.visibility_timeout_s = self.inner.visibility_timeout_s

    def put(self, bodies: Sequence[bytes], *, dedupe_ids: Sequence[str] | None = None) -> None:
        if self.away:
            raise NO_QUEUE
        self.inner.put(bodies, dedupe_ids=dedupe_ids)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def keys(queue: Queue) -> list[str]:
    found = queue.receive(max_messages=1000, wait_s=0)
    return [event.key for message in found for event in normalise(message.body)]


def test_only_changes_of_originals_are_kept(tmp_path: Path) -> None:
    with closing(EventSpool(tmp_path / "s")) as spool:
        documents = [put("a.jpg"), put("a.jpg", bucket="released"), put("b.jpg", bucket="other")]
        assert keep(documents, spool=spool, collections=[PHOTOS]) == 1
        assert len(spool.waiting(10)) == 1


def test_a_body_is_an_s3_notification_and_its_id_names_the_change(tmp_path: Path) -> None:
    with closing(EventSpool(tmp_path / "s")) as spool:
        keep([put("d/a b\n+ü.jpg", at_ns=42)], spool=spool, collections=[PHOTOS])
        (event,) = spool.waiting(10)
    assert event.id == "photos/d/a%20b%0A%2B%C3%BC.jpg:42"
    assert "Records" in json.loads(event.body)
    assert normalise(event.body) == [
        ObjectEvent(
            change=Change.CREATED,
            bucket="photos",
            key="d/a b\n+ü.jpg",
            etag=(b"x" * 16).hex(),
            sequencer="42",
            size=9,
        )
    ]


def test_events_stay_in_the_spool_while_the_queue_is_away(tmp_path: Path) -> None:
    queue = FlakyQueue()
    with closing(EventSpool(tmp_path / "s")) as spool:
        keep([put("a.jpg")], spool=spool, collections=[PHOTOS])
        queue.away = True
        with pytest.raises(Unavailable):
            publish(spool, queue)
        assert len(spool.waiting(10)) == 1
        queue.away = False
        assert publish(spool, queue) == 1
        assert publish(spool, queue) == 0
    assert keys(queue) == ["a.jpg"]


def test_a_crash_between_publishing_and_marking_makes_no_second_message(tmp_path: Path) -> None:
    queue = MemoryQueue()
    with closing(EventSpool(tmp_path / "s")) as spool:
        keep([put("a.jpg")], spool=spool, collections=[PHOTOS])
        (event,) = spool.waiting(10)
        queue.put([event.body], dedupe_ids=[event.id])
        # Here it died; the next one publishes all that is not marked.
        assert publish(spool, queue) == 1
    assert keys(queue) == ["a.jpg"]


def test_a_change_that_nobody_understands_stops_nothing(tmp_path: Path) -> None:
    with closing(EventSpool(tmp_path / "s")) as spool:
        strange: dict[str, Any] = {"tsNs": "1", "what": "is this"}
        assert keep([strange, put("a.jpg")], spool=spool, collections=[PHOTOS]) == 1


def test_it_follows_anew_from_what_it_saw_when_the_log_breaks_off(tmp_path: Path) -> None:
    queue, stopping = FlakyQueue(), threading.Event()
    queue.away = True
    asked: list[int | None] = []

    def follow(since_ns: int | None) -> Iterator[Documents]:
        asked.append(since_ns)
        if len(asked) == 1:
            yield [put("a.jpg", at_ns=10)]
            raise Unavailable("the filer went away")
        yield [put("a.jpg", at_ns=10), put("b.jpg", at_ns=20)]
        queue.away = False
        stopping.wait(20)

    with closing(EventSpool(tmp_path / "s")) as spool:
        worker = threading.Thread(
            target=bridge_events,
            args=(follow,),
            kwargs={
                "spool": spool,
                "queue": queue,
                "collections": [PHOTOS],
                "stopping": stopping,
            },
        )
        worker.start()
        deadline = time.monotonic() + 20
        while queue.depth() < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        stopping.set()
        worker.join()
    assert asked == [None, 10]
    assert sorted(keys(queue)) == ["a.jpg", "b.jpg"]
