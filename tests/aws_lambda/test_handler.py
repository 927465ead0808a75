"""What the function answers to a batch, and what lies in the release bucket afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lakeveil.adapters.object_store import S3ObjectStore, StoreKey
from lakeveil.aws_lambda import answer
from lakeveil.core.events import to_s3_notification
from lakeveil.core.object_event import Change, ObjectEvent
from lakeveil.errors import BadPhoto, DetectorFailed, Unavailable
from tests.aws_lambda.function_bench import REGION, FunctionBench, batch
from tests.flows.darkrooms import UppercaseDarkroom
from tests.stack_fixture import Weed, free_ports

TEST_EVENT = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "in"})


def _fail(error: Exception, on: bytes = b"") -> UppercaseDarkroom:
    def before(data: bytes) -> None:
        if data.startswith(on):
            raise error

    return UppercaseDarkroom(before)


def test_a_photo_is_released_under_its_key_with_where_it_came_from(bench: FunctionBench) -> None:
    event = bench.upload(b"hello ANNA", "in box/a+b ü.jpg")

    assert bench.invoke(event) == []

    release = bench.released("in box/a+b ü.jpg")
    assert release is not None
    assert bench.released_text("in box/a+b ü.jpg") == b"hello ****"
    assert release.metadata["lakeveil-source-etag"] == event.etag
    assert release.metadata["lakeveil-sequencer"] == event.sequencer
    assert release.metadata["lakeveil-policy"] == bench.collection.policy.version
    assert release.metadata["lakeveil-outcome"] == "released"
    assert release.metadata["lakeveil-faces"] == "1"


def test_a_photo_without_a_face_is_released_unchanged(bench: FunctionBench) -> None:
    assert bench.invoke(bench.upload(b"a tree")) == []
    release = bench.released()
    assert release is not None
    assert release.metadata["lakeveil-outcome"] == "unchanged"


def test_only_the_message_that_failed_comes_back(bench: FunctionBench) -> None:
    bench.darkroom = _fail(DetectorFailed("the detector is down"), on=b"x")
    events = [bench.upload(b"A", "1"), bench.upload(b"xB", "2"), bench.upload(b"C", "3")]

    assert bench.invoke(*events) == [1]

    assert bench.releases() == ["1", "3"]
    assert bench.dead() == []


def test_nothing_is_released_when_the_detector_cannot_run(bench: FunctionBench) -> None:
    bench.darkroom = _fail(DetectorFailed("the detector is down"))
    assert bench.invoke(bench.upload(b"ANNA")) == [0]
    assert bench.releases() == []


def test_a_detector_that_never_works_makes_a_dead_letter_with_the_reason(
    bench: FunctionBench,
) -> None:
    bench.darkroom = _fail(DetectorFailed("the detector is down", why="no weights"))
    event = bench.upload(b"ANNA")

    assert bench.invoke(event, receives=bench.max_receive_count) == []

    ((reason, body),) = bench.dead()
    assert "the detector is down: no weights" in reason
    assert body == to_s3_notification(event).decode()
    assert bench.releases() == []


def test_a_detector_that_fails_for_good_takes_the_release_of_an_older_original_with_it(
    bench: FunctionBench,
) -> None:
    bench.invoke(bench.upload(b"ANNA"))
    assert bench.releases() == ["a b.jpg"]
    bench.darkroom = _fail(DetectorFailed("the detector is down"))
    newer = bench.upload(b"BERT")

    assert bench.invoke(newer, receives=1) == [0]
    assert bench.releases() == ["a b.jpg"]
    assert bench.invoke(newer, receives=bench.max_receive_count) == []
    assert bench.releases() == []


def test_a_bad_photo_is_not_tried_in_vain_but_named_among_the_dead_letters(
    bench: FunctionBench,
) -> None:
    bench.darkroom = _fail(BadPhoto("it is no photo", why="bytes 0 to 3", code="unknown_format"))
    event = bench.upload(b"ANNA", "sub/ü.jpg")

    assert bench.invoke(event) == []

    ((reason, _),) = bench.dead()
    assert reason == "unknown_format: it is no photo: bytes 0 to 3"
    assert bench.releases() == []


def test_a_dead_letter_can_be_redriven_once_its_cause_is_gone(bench: FunctionBench) -> None:
    bench.darkroom = _fail(BadPhoto("too slow", code="timeout"))
    bench.invoke(bench.upload(b"ANNA"))
    bench.darkroom = UppercaseDarkroom()
    queue = bench.worker_queue()
    (letter,) = queue.dead()

    assert (letter.reason, letter.receive_count) == ("timeout: too slow", 1)
    assert queue.redrive([letter.id]) == 1
    (message,) = queue.receive(max_messages=10, wait_s=1)
    queue.close()

    assert bench.invoke(message.body.decode()) == []
    assert bench.released_text() == b"****"


def test_a_bad_photo_comes_back_when_no_dead_letter_can_be_written(bench: FunctionBench) -> None:
    bench.darkroom = _fail(BadPhoto("it is no photo"))
    bench.dead_letter_url = ""
    assert bench.invoke(bench.upload(b"ANNA")) == [0]
    assert bench.releases() == []


def test_a_second_delivery_writes_nothing(bench: FunctionBench) -> None:
    event = bench.upload(b"ANNA")
    bench.invoke(event)
    first = bench.released()

    assert bench.invoke(event, event) == []

    assert bench.released() == first
    assert len(bench.darkroom.seen) == 1


def test_an_event_of_an_overwritten_original_leaves_the_newest_released(
    bench: FunctionBench,
) -> None:
    older = bench.upload(b"old ANNA")
    newer = bench.upload(b"new BERT")

    assert bench.invoke(newer) == []
    assert bench.invoke(older) == []

    assert bench.released_text() == b"new ****"
    assert len(bench.darkroom.seen) == 1


def test_an_original_that_changes_during_the_work_is_released_as_it_is_then(
    bench: FunctionBench,
) -> None:
    event = bench.upload(b"old ANNA")

    def before(data: bytes) -> None:
        if data.startswith(b"old"):
            bench.upload(b"new BERT")

    bench.darkroom = UppercaseDarkroom(before)
    assert bench.invoke(event) == []
    assert bench.released_text() == b"new ****"


def test_a_rival_invocation_that_was_faster_is_not_overwritten_by_older_work(
    bench: FunctionBench,
) -> None:
    event = bench.upload(b"old ANNA")
    rival = FunctionBench(
        bench.store, bench.collection, bench.queue_url, bench.dead_letter_url, bench.sqs
    )

    def before(data: bytes) -> None:
        if data.startswith(b"old"):
            assert rival.invoke(bench.upload(b"new BERT")) == []

    bench.darkroom = UppercaseDarkroom(before)
    assert bench.invoke(event) == []
    assert bench.released_text() == b"new ****"


def test_an_original_that_goes_during_the_work_leaves_no_release(bench: FunctionBench) -> None:
    event = bench.upload(b"ANNA")
    rival = FunctionBench(
        bench.store, bench.collection, bench.queue_url, bench.dead_letter_url, bench.sqs
    )

    def before(_data: bytes) -> None:
        assert rival.invoke(bench.remove()) == []

    bench.darkroom = UppercaseDarkroom(before)
    assert bench.invoke(event) == []
    assert bench.releases() == []


def test_deleting_an_original_deletes_its_release(bench: FunctionBench) -> None:
    bench.invoke(bench.upload(b"ANNA"))
    gone = bench.remove()

    assert bench.invoke(gone, gone) == []

    assert bench.releases() == []


def test_a_late_deletion_does_not_touch_the_release_of_a_new_original(
    bench: FunctionBench,
) -> None:
    bench.upload(b"ANNA")
    gone = bench.remove()
    bench.invoke(bench.upload(b"BERT"))

    assert bench.invoke(gone) == []

    assert bench.released_text() == b"****"


def test_a_changed_policy_redoes_a_photo(bench: FunctionBench) -> None:
    event = bench.upload(b"ANNA")
    bench.invoke(event)
    changed = bench.under(margin=0.5)

    assert changed.invoke(event) == []

    release = bench.released()
    assert release is not None
    assert release.metadata["lakeveil-policy"] == changed.collection.policy.version


def test_the_test_event_of_a_new_notification_is_acknowledged(bench: FunctionBench) -> None:
    assert bench.invoke(TEST_EVENT) == []
    assert bench.dead() == []


@pytest.mark.parametrize("body", ["no json", "[]", '{"hello": "world"}'])
def test_a_message_that_nobody_understands_becomes_a_dead_letter(
    bench: FunctionBench, body: str
) -> None:
    assert bench.invoke(body) == []
    assert [letter for _, letter in bench.dead()] == [body]


def test_an_event_of_another_bucket_becomes_a_dead_letter(bench: FunctionBench) -> None:
    stray = ObjectEvent(change=Change.CREATED, bucket="elsewhere", key="a.jpg")
    assert bench.invoke(stray) == []
    ((reason, _),) = bench.dead()
    assert reason.startswith("not_ours")


def test_every_record_of_a_message_is_handled_and_a_bad_one_buried_alone(
    bench: FunctionBench,
) -> None:
    bench.darkroom = _fail(BadPhoto("it is no photo"), on=b"x")
    events = [bench.upload(b"A", "1"), bench.upload(b"xB", "2"), bench.upload(b"C", "3")]
    records = [json.loads(to_s3_notification(e))["Records"][0] for e in events]

    assert bench.invoke(json.dumps({"Records": records})) == []

    assert bench.releases() == ["1", "3"]
    ((_, body),) = bench.dead()
    (record,) = json.loads(body)["Records"]
    assert record["s3"]["object"]["key"] == bench.key("2")


def test_a_photo_is_not_begun_when_too_little_time_is_left(bench: FunctionBench) -> None:
    bench.time_left_s = 22.0
    assert bench.invoke(bench.upload(b"ANNA")) == [0]
    assert bench.darkroom.seen == []
    assert bench.releases() == []


def test_nothing_is_put_once_the_time_is_over(bench: FunctionBench) -> None:
    def before(_data: bytes) -> None:
        bench.time_left_s = 0.0

    bench.darkroom = UppercaseDarkroom(before)
    # The lease ends with the time that was left: a short one stands for a long wait.
    bench.time_left_s = 3.0
    function = bench.function
    body = to_s3_notification(bench.upload(b"ANNA")).decode()
    response = answer(
        batch([body]), function, remaining_s=lambda: bench.time_left_s, invocation="one"
    )
    assert response == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert bench.releases() == []


def test_a_bug_fails_one_message_and_not_its_neighbours(bench: FunctionBench) -> None:
    bench.darkroom = _fail(ZeroDivisionError("a bug"), on=b"x")
    events = [bench.upload(b"xA", "1"), bench.upload(b"B", "2")]
    assert bench.invoke(*events) == [0]
    assert bench.releases() == ["2"]


def test_a_store_that_refuses_fails_the_message(bench: FunctionBench, weed: Weed) -> None:
    event = bench.upload(b"ANNA")
    theirs, wrong = bench.store, StoreKey("nobody", "knows-this-key")
    bench.store = S3ObjectStore(weed.endpoint, key=wrong, region=REGION, timeout_s=5.0)
    assert bench.invoke(event) == [0]
    bench.store = theirs
    assert bench.releases() == []


def test_a_store_that_is_away_fails_the_message(bench: FunctionBench) -> None:
    event = bench.upload(b"ANNA")
    theirs, (port,) = bench.store, free_ports(1)
    key = StoreKey("any", "key-at-all")
    bench.store = S3ObjectStore(
        f"http://127.0.0.1:{port}", key=key, region=REGION, timeout_s=1.0, attempts=1
    )
    assert bench.invoke(event) == [0]
    bench.store = theirs
    assert bench.releases() == []


def test_a_batch_whose_messages_cannot_be_told_apart_fails_whole(bench: FunctionBench) -> None:
    event = batch([to_s3_notification(bench.upload(b"ANNA")).decode()])
    del event["Records"][0]["messageId"]
    with pytest.raises(KeyError):
        answer(event, bench.function, remaining_s=lambda: 60.0, invocation="one")
    assert bench.releases() == []


def test_an_event_without_a_queue_is_handled_too(bench: FunctionBench) -> None:
    event = json.loads(to_s3_notification(bench.upload(b"ANNA")))
    response = answer(event, bench.function, remaining_s=lambda: 60.0, invocation="one")
    assert response == {"batchItemFailures": []}
    assert bench.released_text() == b"****"


def test_an_event_without_a_queue_is_raised_when_it_has_to_come_back(
    bench: FunctionBench,
) -> None:
    bench.darkroom = _fail(DetectorFailed("the detector is down"))
    event = json.loads(to_s3_notification(bench.upload(b"ANNA")))
    with pytest.raises(Unavailable, match="not handled"):
        answer(event, bench.function, remaining_s=lambda: 60.0, invocation="one")
    assert bench.releases() == []


def test_a_failed_message_comes_back_before_its_lease_ends(bench: FunctionBench, sqs: Any) -> None:
    bench.darkroom = _fail(DetectorFailed("the detector is down"))
    body = to_s3_notification(bench.upload(b"ANNA")).decode()
    sqs.send_message(QueueUrl=bench.queue_url, MessageBody=body)
    (taken,) = sqs.receive_message(QueueUrl=bench.queue_url, VisibilityTimeout=600)["Messages"]

    response = answer(
        batch([body], handles=[taken["ReceiptHandle"]]),
        bench.function,
        remaining_s=lambda: 60.0,
        invocation="one",
    )

    assert response["batchItemFailures"]
    again = sqs.receive_message(QueueUrl=bench.queue_url, WaitTimeSeconds=5)
    assert [m["Body"] for m in again["Messages"]] == [body]


SAMPLES = sorted((Path(__file__).parents[2] / "deploy/aws/events").glob("*.json"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_each_sample_event_is_understood(bench: FunctionBench, path: Path) -> None:
    event = json.loads(path.read_text())
    response = answer(event, bench.function, remaining_s=lambda: 60.0, invocation="one")
    # They speak of buckets that are not this bench's.
    assert response == {"batchItemFailures": []}
    assert all(reason.startswith("not_ours") for reason, _ in bench.dead())
