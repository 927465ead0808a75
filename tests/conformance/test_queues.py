"""What every queue promises, asked of each of them: in memory, JetStream, SQS standard and FIFO."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import boto3
import pytest
from moto.server import ThreadedMotoServer

from lakeveil.adapters.queue_jetstream import JetStreamQueue
from lakeveil.adapters.queue_memory import MemoryQueue
from lakeveil.adapters.queue_sqs import SqsQueue
from lakeveil.errors import Conflict, SetupError, Unavailable
from lakeveil.ports import Message, Queue
from tests.stack_fixture import Nats, running_nats

# SQS counts in whole seconds.
LEASE_S = {"memory": 0.4, "jetstream": 0.5, "sqs": 1.0, "sqs-fifo": 1.0}
with_fifo = pytest.mark.parametrize("broker", LEASE_S, indirect=True)


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker with one empty queue; `connect` gives another client of that queue."""

    lease_s: float
    connect: Callable[[], Queue]

    @property
    def lease_is_over_s(self) -> float:
        """Long enough to see a message that comes back when its lease ends."""
        return self.lease_s * 1.5 + 0.1


@pytest.fixture(scope="session")
def sqs_server(free_port: int) -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=free_port, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{free_port}"
    server.stop()


@pytest.fixture(scope="session")
def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(autouse=True)
def _aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")


@pytest.fixture(params=["memory", "jetstream", "sqs"])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    lease_s = LEASE_S[request.param]
    opened: list[Queue] = []

    def keep(queue: Queue) -> Queue:
        opened.append(queue)
        return queue

    if request.param == "memory":
        only = MemoryQueue(visibility_timeout_s=lease_s)
        yield Broker(lease_s, lambda: only)
    elif request.param == "jetstream":
        nats = request.getfixturevalue("nats")
        name = f"test-{uuid.uuid4().hex[:8]}"
        yield Broker(lease_s, lambda: keep(_jetstream(nats, name)))
    else:
        urls = _new_sqs_queues(
            request.getfixturevalue("sqs_server"), fifo=request.param == "sqs-fifo"
        )
        yield Broker(lease_s, lambda: keep(_sqs(*urls)))
    for queue in opened:
        queue.close()


@pytest.fixture
def queue(broker: Broker) -> Queue:
    return broker.connect()


def test_a_message_arrives_once_while_it_is_leased(queue: Queue) -> None:
    queue.put([b'{"n": 1}'])
    (message,) = _receive(queue, 1)
    assert (message.body, message.receive_count) == (b'{"n": 1}', 1)
    assert queue.receive(max_messages=10, wait_s=0.2) == []
    assert queue.depth() == 1


def test_an_empty_queue_answers_with_nothing(queue: Queue) -> None:
    assert queue.receive(max_messages=10, wait_s=0) == []
    assert queue.receive(max_messages=10, wait_s=0.3) == []
    assert queue.depth() == 0


def test_receiving_waits_for_a_message_that_comes_later(broker: Broker, queue: Queue) -> None:
    sender = broker.connect()
    timer = threading.Timer(0.3, lambda: sender.put([b"late"]))
    timer.start()
    (message,) = _receive(queue, 1)
    timer.join()
    assert message.body == b"late"


@with_fifo
def test_many_messages_arrive_each_once_in_batches(queue: Queue) -> None:
    bodies = [b"%d" % n for n in range(25)]
    queue.put(bodies)
    assert queue.depth() == 25
    got: list[bytes] = []
    while len(got) < 25:
        batch = queue.receive(max_messages=10, wait_s=2.0)
        assert 1 <= len(batch) <= 10
        got += [message.body for message in batch]
        for message in batch:
            queue.ack(message)
    assert sorted(got) == sorted(bodies)
    assert queue.depth() == 0


def test_a_message_whose_lease_ran_out_comes_back_counted(broker: Broker, queue: Queue) -> None:
    queue.put([b"x"])
    (first,) = _receive(queue, 1)
    (again,) = _receive(broker.connect(), 1)
    assert (again.id, again.body, again.receive_count) == (first.id, b"x", 2)


def test_a_heartbeat_keeps_a_message_past_its_lease(broker: Broker, queue: Queue) -> None:
    queue.put([b"x"])
    (message,) = _receive(queue, 1)
    other = broker.connect()
    until = time.monotonic() + 2.2 * broker.lease_s
    while time.monotonic() < until:
        queue.extend(message)
        assert other.receive(max_messages=1, wait_s=0.1) == []
    queue.ack(message)
    assert queue.depth() == 0


def test_what_was_acknowledged_never_comes_back(broker: Broker, queue: Queue) -> None:
    queue.put([b"x"])
    (message,) = _receive(queue, 1)
    queue.ack(message)
    assert queue.receive(max_messages=1, wait_s=broker.lease_is_over_s) == []
    assert queue.depth() == 0


def test_a_nacked_message_comes_back_at_once(queue: Queue) -> None:
    queue.put([b"x"])
    (message,) = _receive(queue, 1)
    queue.nack(message)
    (again,) = queue.receive(max_messages=1, wait_s=0.5)
    assert (again.id, again.receive_count) == (message.id, 2)


@with_fifo
def test_a_delayed_message_does_not_keep_others_waiting(queue: Queue) -> None:
    queue.put([b"slow"])
    (slow,) = _receive(queue, 1)
    delayed_at = time.monotonic()
    queue.nack(slow, delay_s=1.0)
    queue.put([b"a", b"b", b"c"])
    seen: dict[bytes, float] = {}
    while len(seen) < 4:
        for message in _receive(queue, 10):
            seen[message.body] = time.monotonic() - delayed_at
            queue.ack(message)
    assert list(seen)[-1] == b"slow"
    assert seen[b"slow"] > 0.9


def test_only_the_failed_part_of_a_batch_comes_back(queue: Queue) -> None:
    queue.put([b"%d" % n for n in range(10)])
    batch: list[Message] = []
    while len(batch) < 10:
        batch += _receive(queue, 10 - len(batch))
    for message in batch:
        if message.body in {b"0", b"3"}:
            queue.nack(message)
        else:
            queue.ack(message)
    back: list[Message] = []
    while len(back) < 2:
        back += _receive(queue, 10)
    assert {message.body for message in back} == {b"0", b"3"}
    assert {message.receive_count for message in back} == {2}
    assert queue.depth() == 2


def test_whoever_lost_the_lease_may_not_answer(broker: Broker, queue: Queue) -> None:
    queue.put([b"x"])
    (lost,) = _receive(queue, 1)
    other = broker.connect()
    (held,) = _receive(other, 1)
    other.extend(held)
    for answer in ("extend", "ack", "nack", "bury"):
        with pytest.raises(Conflict) as caught:
            _answer(queue, answer, lost)
        assert caught.value.code == "lease_lost"
    other.ack(held)
    assert queue.dead() == []
    assert queue.depth() == 0


@pytest.mark.parametrize("answer", ["ack", "nack", "bury"])
def test_a_message_is_answered_once(queue: Queue, answer: str) -> None:
    queue.put([b"x"])
    (message,) = _receive(queue, 1)
    _answer(queue, answer, message)
    with pytest.raises(Conflict):
        queue.ack(message)


@with_fifo
def test_a_buried_message_lies_with_its_reason(broker: Broker, queue: Queue) -> None:
    reason = "détecteur: could not look\n100% broken “x”"
    queue.put([b"x", b"y"])
    for message in [*_receive(queue, 1), *_receive(queue, 1)]:
        if message.body == b"x":
            queue.bury(message, reason=reason)
        else:
            queue.ack(message)
    (letter,) = queue.dead()
    assert (letter.body, letter.reason, letter.receive_count) == (b"x", reason, 1)
    assert abs(letter.died_at - time.time()) < 60
    assert queue.receive(max_messages=1, wait_s=broker.lease_is_over_s) == []
    assert queue.depth() == 0


def test_dead_letters_are_listed_oldest_first_and_again(queue: Queue) -> None:
    for n in range(12):
        queue.put([b"%d" % n])
        (message,) = _receive(queue, 1)
        queue.bury(message, reason=f"reason {n}")
    for _ in range(2):
        assert [letter.body for letter in queue.dead()] == [b"%d" % n for n in range(12)]


@with_fifo
def test_redriven_messages_are_new_ones(queue: Queue) -> None:
    queue.put([b"a", b"b"])
    for message in [*_receive(queue, 1), *_receive(queue, 1)]:
        queue.bury(message, reason="why not")
    chosen = queue.dead()[1]
    assert queue.redrive(["no such id"]) == 0
    assert queue.redrive([chosen.id]) == 1
    (message,) = _receive(queue, 10)
    assert (message.body, message.receive_count) == (chosen.body, 1)
    queue.ack(message)
    assert queue.redrive() == 1
    assert queue.dead() == []
    (message,) = _receive(queue, 10)
    assert message.body != chosen.body
    queue.bury(message, reason="again")
    assert [letter.reason for letter in queue.dead()] == ["again"]


@with_fifo
def test_a_dedupe_id_seen_lately_is_dropped(queue: Queue) -> None:
    queue.put([b"1", b"2"], dedupe_ids=["photos/a b.jpg:1", "photos/ü.jpg:2"])
    queue.put([b"1", b"3"], dedupe_ids=["photos/a b.jpg:1", "photos/ü.jpg:3"])
    got: list[bytes] = []
    while batch := queue.receive(max_messages=10, wait_s=0.5):
        got += [message.body for message in batch]
        for message in batch:
            queue.ack(message)
    assert sorted(got) == [b"1", b"2", b"3"]


# --- what only some of them can be asked -----------------------------------------------------


def test_a_burial_that_was_cut_short_leaves_one_dead_letter(nats: Nats) -> None:
    with closing(_jetstream(nats, f"test-{uuid.uuid4().hex[:8]}")) as queue:
        queue.put([b"x"])
        (message,) = _receive(queue, 1)
        # A process that dies after the letter was written and before the message is answered.
        queue._connection.run(queue._bury(message, message.receipt, "first"))  # type: ignore[arg-type]
        (again,) = _receive(queue, 1)
        queue.bury(again, reason="second")
        assert [letter.reason for letter in queue.dead()] == ["first"]
        assert queue.depth() == 0


def test_a_burial_that_was_cut_short_counts_once_on_sqs(sqs_server: str) -> None:
    with closing(_sqs(*_new_sqs_queues(sqs_server, fifo=False))) as queue:
        queue.put([b"x"])
        (message,) = _receive(queue, 1)
        damaged = replace(message.receipt, handle="gone")  # type: ignore[type-var]
        with pytest.raises(Conflict):
            queue.bury(replace(message, receipt=damaged), reason="first")
        (again,) = _receive(queue, 1)
        queue.bury(again, reason="second")
        assert len(queue.dead()) == 1
        assert queue.redrive() == 1
        assert queue.dead() == []
        assert queue.depth() == 1


def test_more_delayed_messages_than_a_consumer_may_have_pending_hold_nobody_up(nats: Nats) -> None:
    with closing(_jetstream(nats, f"test-{uuid.uuid4().hex[:8]}")) as queue:
        queue.put([b"slow"] * 1_100)
        delayed = 0
        while delayed < 1_100:
            for message in _receive(queue, 10):
                queue.nack(message, delay_s=600)
                delayed += 1
        queue.put([b"quick"])
        (message,) = queue.receive(max_messages=1, wait_s=1.0)
        assert message.body == b"quick"


def test_confirmed_messages_survive_a_killed_broker() -> None:
    with running_nats() as nats, closing(_jetstream(nats, "durable")) as queue:
        queue.put([b"%d" % n for n in range(50)], dedupe_ids=[f"id-{n}" for n in range(50)])
        leased = _receive(queue, 3)
        queue.bury(leased[0], reason="before the crash")
        queue.ack(leased[1])
        _kill(nats)
        _start(nats)
        queue.put([b"0"], dedupe_ids=["id-49"])
        got: list[bytes] = []
        while len(got) < 48:
            for message in _receive(queue, 10):
                got.append(message.body)
                queue.ack(message)
        gone = {leased[0].body, leased[1].body}
        assert sorted(got) == sorted({b"%d" % n for n in range(50)} - gone)
        assert [letter.reason for letter in queue.dead()] == ["before the crash"]
        assert queue.depth() == 0


def test_a_broker_that_is_away_is_unavailable_until_it_returns() -> None:
    with running_nats() as nats, closing(_jetstream(nats, "away", timeout_s=0.5)) as queue:
        queue.put([b"x"])
        (message,) = _receive(queue, 1)
        _kill(nats)
        calls: list[Callable[[], object]] = [
            lambda: queue.receive(max_messages=1, wait_s=0.1),
            queue.depth,
            queue.dead,
        ]
        for call in calls:
            with pytest.raises(Unavailable):
                call()
        # Its lease runs on meanwhile: whichever of the two is noticed first, it is an error.
        with pytest.raises((Unavailable, Conflict)):
            queue.ack(message)
        with closing(_jetstream(nats, "away", timeout_s=0.5)) as stranger:
            with pytest.raises(Unavailable):
                stranger.depth()
            _start(nats)
            assert stranger.depth() == 1
        queue.put([b"y"])
        got: set[bytes] = set()
        while len(got) < 2:
            for back in _receive(queue, 1):
                got.add(back.body)
                queue.ack(back)
        assert got == {b"x", b"y"}


def test_a_put_that_was_not_confirmed_may_be_repeated_with_its_id() -> None:
    with running_nats() as nats, closing(_jetstream(nats, "repeat", timeout_s=0.5)) as queue:
        assert queue.depth() == 0
        _kill(nats)
        # Nobody knows whether it will arrive: the client may send it once it is back.
        with pytest.raises(Unavailable):
            queue.put([b"x"], dedupe_ids=["photos/x.jpg:1"])
        _start(nats)
        queue.put([b"x"], dedupe_ids=["photos/x.jpg:1"])
        assert queue.depth() == 1


def test_a_wrong_token_is_a_matter_of_setup(nats: Nats) -> None:
    secret = "not-the-token"
    with (
        closing(JetStreamQueue(nats.url, token=secret, name="x", timeout_s=0.5)) as queue,
        pytest.raises(SetupError) as caught,
    ):
        queue.depth()
    assert secret not in str(caught.value.as_dict())


def test_an_sqs_server_that_is_away_is_unavailable(unused_port: int) -> None:
    url = f"http://127.0.0.1:{unused_port}/123456789012/none"
    with closing(_sqs(url, url)) as queue, pytest.raises(Unavailable):
        queue.put([b"x"])


def test_an_sqs_queue_that_does_not_exist_is_a_matter_of_setup(sqs_server: str) -> None:
    url = f"{sqs_server}/123456789012/none"
    with closing(_sqs(url, url)) as queue, pytest.raises(SetupError):
        queue.receive(max_messages=1, wait_s=0)


def test_nothing_is_buried_on_sqs_without_a_place_for_it(sqs_server: str) -> None:
    url, _ = _new_sqs_queues(sqs_server, fifo=False)
    with closing(_sqs(url, "")) as queue:
        queue.put([b"x"])
        (message,) = _receive(queue, 1)
        with pytest.raises(SetupError):
            queue.bury(message, reason="no")
        assert queue.dead() == []
        queue.ack(message)


def test_letters_that_a_redrive_policy_moved_say_so(sqs_server: str) -> None:
    url, dead_url = _new_sqs_queues(sqs_server, fifo=False)
    client = boto3.client("sqs", region_name="us-east-1", endpoint_url=sqs_server)
    client.send_message(QueueUrl=dead_url, MessageBody="moved")
    client.close()
    with closing(_sqs(url, dead_url)) as queue:
        (letter,) = queue.dead()
        assert letter.body == b"moved"
        assert "redrive policy" in letter.reason


@pytest.fixture
def unused_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# --- parts -----------------------------------------------------------------------------------


def _receive(queue: Queue, limit: int) -> list[Message]:
    """Receive something, which must come within a few seconds."""
    found = queue.receive(max_messages=limit, wait_s=5.0)
    assert found
    return found


def _answer(queue: Queue, answer: str, message: Message) -> None:
    if answer == "bury":
        queue.bury(message, reason="no")
    else:
        getattr(queue, answer)(message)


def _jetstream(nats: Nats, name: str, *, timeout_s: float = 5.0) -> JetStreamQueue:
    return JetStreamQueue(
        nats.url,
        token=nats.token,
        name=name,
        visibility_timeout_s=LEASE_S["jetstream"],
        timeout_s=timeout_s,
    )


def _sqs(url: str, dead_letter_url: str) -> SqsQueue:
    return SqsQueue(
        url,
        dead_letter_url=dead_letter_url,
        region="us-east-1",
        visibility_timeout_s=LEASE_S["sqs"],
    )


def _new_sqs_queues(server: str, *, fifo: bool) -> tuple[str, str]:
    client = boto3.client("sqs", region_name="us-east-1", endpoint_url=server)
    name, suffix = f"q-{uuid.uuid4().hex[:8]}", ".fifo" if fifo else ""
    attributes = {"FifoQueue": "true"} if fifo else {}
    urls = [
        client.create_queue(QueueName=f"{name}{part}{suffix}", Attributes=attributes)["QueueUrl"]
        for part in ("", "-dead")
    ]
    client.close()
    return urls[0].replace("localhost", "127.0.0.1"), urls[1].replace("localhost", "127.0.0.1")


def _kill(nats: Nats) -> None:
    assert nats.child.process is not None
    nats.child.process.kill()
    nats.child.process.wait()


def _start(nats: Nats) -> None:
    nats.child.start()
    nats.child.wait_ready()
