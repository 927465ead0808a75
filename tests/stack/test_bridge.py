"""What is put into the store reaches the queue, whoever is killed on the way."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest

from lakeveil.adapters.child import Child
from lakeveil.adapters.queue_jetstream import JetStreamQueue
from lakeveil.core.events import Change, normalise
from lakeveil.ports import Message
from lakeveil.wiring.queue import open_queue
from tests.stack.installation import Installation, new_installation, running

KEYS = ["plain.jpg", "a b+c%2F.jpg", "ü/😀.jpg", "deep/er/and/deeper.jpg"]


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """A home in which only store and queue run."""
    with new_installation("[reconcile]\ngrace_s = 1.0\n") as one:
        yield one


@pytest.fixture(scope="module")
def servers(installation: Installation) -> Iterator[dict[str, Child]]:
    """Store and queue."""
    with running(installation, "weed", "nats") as children:
        yield children


@pytest.fixture
def queue(installation: Installation, servers: dict[str, Child]) -> Iterator[JetStreamQueue]:
    """The stack's own queue, emptied."""
    assert servers
    found = open_queue(installation.settings)
    assert isinstance(found, JetStreamQueue)
    with closing(found):
        take(found, seconds=0.2)
        yield found


def take(queue: JetStreamQueue, *, seconds: float, enough: int = 10**9) -> Counter[str]:
    """How often each key is created, by the messages of so many seconds."""
    found: Counter[str] = Counter()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and len(found) < enough:
        for message in queue.receive(max_messages=100, wait_s=0.2):
            events = normalise(message.body)
            found.update(event.key for event in events if event.change is Change.CREATED)
            queue.ack(message)
    return found


def test_each_change_of_an_original_is_one_message(
    installation: Installation, queue: JetStreamQueue
) -> None:
    uploader, admin = installation.s3("uploader"), installation.s3("admin")
    with running(installation, "bridge"):
        for key in KEYS:
            uploader.put_object(Bucket="photos", Key=key, Body=key.encode())
            admin.put_object(Bucket="photos-released", Key=key, Body=b"not news")
        uploader.delete_object(Bucket="photos", Key=KEYS[0])
        messages: list[Message] = []
        while len(messages) < len(KEYS) + 1:
            messages += queue.receive(max_messages=10, wait_s=5)
        for message in messages:
            queue.ack(message)
        assert take(queue, seconds=0.5) == Counter()
    events = [event for message in messages for event in normalise(message.body)]
    assert {event.bucket for event in events} == {"photos"}
    assert [event.key for event in events if event.change is Change.DELETED] == [KEYS[0]]
    created = {e.key: e for e in events if e.change is Change.CREATED}
    assert set(created) == set(KEYS)
    listed = {o["Key"]: o for o in uploader.list_objects_v2(Bucket="photos")["Contents"]}
    for key in KEYS[1:]:
        assert created[key].etag == listed[key]["ETag"].strip('"')
        assert created[key].size == listed[key]["Size"]


def test_no_event_is_lost_when_the_bridge_is_killed_again_and_again(
    installation: Installation, queue: JetStreamQueue
) -> None:
    uploader = installation.s3("uploader")
    put: list[str] = []
    with running(installation, "bridge") as children:
        bridge = children["bridge"]
        for round_ in range(3):
            for number in range(40):
                key = f"killed/{round_}-{number}.jpg"
                uploader.put_object(Bucket="photos", Key=key, Body=b"x" * 5000)
                put.append(key)
                if number == 20:
                    assert bridge.pid is not None
                    os.kill(bridge.pid, signal.SIGKILL)
            bridge.stop()
            bridge.start()
        found = take(queue, seconds=30, enough=len(put))
        # All but nothing comes twice: the spool and the queue know what they have seen.
        found += take(queue, seconds=1.0)
    assert set(found) == set(put)
    assert max(found.values()) == 1


def test_events_wait_in_the_spool_while_the_queue_is_down(
    installation: Installation, servers: dict[str, Child], queue: JetStreamQueue
) -> None:
    uploader = installation.s3("uploader")
    with running(installation, "bridge") as children:
        servers["nats"].kill()
        servers["nats"].stop()
        for number in range(20):
            uploader.put_object(Bucket="photos", Key=f"waits/{number}.jpg", Body=b"x")
        # Not even the death of the bridge loses what it spooled.
        children["bridge"].kill()
        children["bridge"].stop()
        children["bridge"].start()
        servers["nats"].start()
        servers["nats"].wait_ready()
        found = take(queue, seconds=30, enough=20)
    assert set(found) == {f"waits/{number}.jpg" for number in range(20)}


def test_the_reconciler_finds_soon_what_a_killed_store_forgot_to_tell(
    installation: Installation, servers: dict[str, Child], queue: JetStreamQueue
) -> None:
    uploader = installation.s3("uploader")
    keys = {f"forgotten/{number}.jpg" for number in range(20)}
    log = installation.home / "logs" / "reconcile.log"
    with running(installation, "reconcile"):
        while "reconciled photos" not in log.read_text():
            time.sleep(0.05)
        # Its next round by the clock is minutes away.
        assert installation.settings.reconcile.every_s >= 300
        take(queue, seconds=0.5)
        for key in keys:
            uploader.put_object(Bucket="photos", Key=key, Body=b"x")
        # No bridge is there to listen, and the newest part of the log is in memory only.
        servers["weed"].kill()
        servers["weed"].stop()
        servers["weed"].start()
        servers["weed"].wait_ready()
        found = take(queue, seconds=30, enough=len(keys))
    assert set(found) == keys
