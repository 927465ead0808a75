"""Every known payload says what changed, with the real key; what nobody knows is refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.core.events import Change, ObjectEvent, newer, normalise, to_s3_notification
from lakeveil.errors import UsageError

PAYLOADS = Path(__file__).parent.parent / "events"
KEY = "holiday 2026/a b+c%2F ü.jpg"
ETAG = "5eb63bbbe01eeed093cb22bb8f5acdc3"
VERSION = "kR7mN2pQ9sT4vW1xY6zA3bC8dE5fG0hJ"


def _created(**fields: Any) -> ObjectEvent:
    return ObjectEvent(
        **{
            "change": Change.CREATED,
            "bucket": "photos",
            "key": KEY,
            "version": VERSION,
            "etag": ETAG,
            "sequencer": "0068A1F3C2D9E07B41",
            "size": 20480,
            **fields,
        }
    )


def _deleted(**fields: Any) -> ObjectEvent:
    return ObjectEvent(**{"change": Change.DELETED, "bucket": "photos", "key": KEY, **fields})


EXPECTED: dict[str, list[ObjectEvent]] = {
    "s3_put": [_created()],
    "s3_multipart_then_delete_marker": [
        _created(etag="7d793037a0760186574b0282f2f435e7-4"),
        _deleted(
            version=VERSION, etag="d41d8cd98f00b204e9800998ecf8427e", sequencer="0068A1F3C2D9E07B52"
        ),
    ],
    "s3_delete": [_deleted(sequencer="0068A1F3C2D9E07B60")],
    "s3_test_event": [],
    "sqs_batch_for_lambda": [_created(key=f"{n}.jpg") for n in ("one", "two", "three")],
    "sns_in_sqs_body": [_created()],
    "sns_for_lambda": [_created()],
    "sns_in_sqs_for_lambda": [_created()],
    "eventbridge_created": [_created(sequencer="0068a1f3c2d9e07b41")],
    "eventbridge_deleted": [_deleted(version=VERSION, sequencer="0068a1f3c2d9e07b41")],
    "eventbridge_tags": [],
    "minio": [_created(version=None, sequencer="18A3F1C2D9E07B41")],
    "ceph": [_created(version=None, sequencer="4B21A168F3C2D9E0")],
    "r2_put": [_created(version=None, sequencer="1786959010123")],
    "r2_delete": [_deleted(sequencer="1787045410123")],
    "gcs_finalize": [_created(version="1786959010123456", sequencer="17869590101234560")],
    "gcs_delete": [
        _deleted(version="1786959010123456", etag=ETAG, sequencer="17869590101234561", size=20480)
    ],
    "gcs_overwritten": [],
    "seaweedfs_created": [_created(version=None, sequencer="1786959010123456789")],
    "seaweedfs_deleted": [_deleted(sequencer="1786959020123456789")],
    "seaweedfs_tagged": [],
    "seaweedfs_overwritten": [
        _created(
            version=None,
            etag="7d793037a0760186574b0282f2f435e7",
            sequencer="1786959040123456789",
        )
    ],
    "seaweedfs_renamed": [
        _deleted(sequencer="1786959050123456789"),
        _created(key="elsewhere/moved.jpg", version=None, sequencer="1786959050123456789"),
    ],
    "seaweedfs_upload_part": [],
    "seaweedfs_version": [_created(version="0000abcd", sequencer="1786959070123456789")],
    "seaweedfs_delete_marker": [_deleted(version="0000abce", sequencer="1786959080123456789")],
}
REFUSED = {"sns_subscription"}


def test_every_payload_that_lies_here_is_tried() -> None:
    assert {path.stem for path in PAYLOADS.glob("*.json")} == EXPECTED.keys() | REFUSED


@pytest.mark.parametrize("name", EXPECTED)
def test_a_known_payload_says_what_changed(name: str) -> None:
    payload = (PAYLOADS / f"{name}.json").read_bytes()
    assert normalise(payload) == EXPECTED[name]
    assert normalise(json.loads(payload)) == EXPECTED[name]
    assert normalise(payload.decode()) == EXPECTED[name]


def test_a_request_to_confirm_a_subscription_is_refused_with_the_way_out() -> None:
    with pytest.raises(UsageError) as caught:
        normalise((PAYLOADS / "sns_subscription.json").read_bytes())
    assert "subscription" in caught.value.why


@pytest.mark.parametrize(
    ("source", "written", "meant"),
    [
        ("aws:s3", "a+b%2Bc%252F.jpg", "a b+c%2F.jpg"),
        ("minio:s3", "in%2Fa+b%2Bc%252F.jpg", "in/a b+c%2F.jpg"),
        ("ceph:s3", "a b+c%2F.jpg", "a b+c%2F.jpg"),
        ("aws:s3", "%2B%2525", "+%25"),
    ],
)
def test_a_key_is_decoded_exactly_once(source: str, written: str, meant: str) -> None:
    (event,) = normalise(_record(source=source, key=written))
    assert event.key == meant


@pytest.mark.parametrize(
    "name",
    [
        "ObjectCreated:Put",
        "ObjectCreated:Post",
        "ObjectCreated:Copy",
        "ObjectCreated:CompleteMultipartUpload",
        "s3:ObjectCreated:Put",
    ],
)
def test_each_way_to_create_an_object_is_a_creation(name: str) -> None:
    (event,) = normalise(_record(name=name))
    assert event.change is Change.CREATED


@pytest.mark.parametrize(
    "name",
    [
        "ObjectRemoved:Delete",
        "ObjectRemoved:DeleteMarkerCreated",
        "LifecycleExpiration:Delete",
        "LifecycleExpiration:DeleteMarkerCreated",
        "ObjectLifecycle:Expiration:Current",
    ],
)
def test_each_way_to_remove_an_object_is_a_deletion(name: str) -> None:
    (event,) = normalise(_record(name=name))
    assert event.change is Change.DELETED


@pytest.mark.parametrize(
    "name",
    [
        "ObjectTagging:Put",
        "ObjectAcl:Put",
        "ObjectRestore:Completed",
        "s3:ObjectAccessed:Get",
        "s3:ObjectCreated:PutTagging",
        "ObjectLifecycle:Expiration:NonCurrent",
    ],
)
def test_events_that_leave_the_content_alone_are_acknowledged(name: str) -> None:
    assert normalise(_record(name=name)) == []


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"hello",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"{}",
        b"[" * 100_000,
        b'{"Type": []}',
        b'{"source": "aws.s3", "detail-type": {}}',
        b'{"message": {"attributes": {"eventType": []}}}',
        b'{"Records": [1]}',
        b'{"Records": [{"eventSource": "aws:ses"}]}',
        b'{"source": "aws.ec2", "detail-type": "EC2 Instance Launch"}',
        b'{"source": "aws.s3", "detail-type": "Object Eaten"}',
        b'{"action": "EatObject", "bucket": "b", "object": {"key": "k"}}',
        b'{"message": {"attributes": {"eventType": "OBJECT_EATEN"}}}',
        b'{"message": {"attributes": {"eventType": "OBJECT_FINALIZE"}, "data": "%"}}',
    ],
)
def test_what_nobody_knows_is_refused(payload: bytes) -> None:
    with pytest.raises(UsageError) as caught:
        normalise(payload)
    assert caught.value.code == "unknown_event"
    assert caught.value.why


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "ObjectEaten:Whole"},
        {"name": ""},
        {"key": ""},
        {"key": None},
        {"key": 7},
        {"key": "%FF%FE.jpg"},
        {"key": "\ud800.jpg", "source": "ceph:s3"},
        {"bucket": ""},
        {"bucket": None},
    ],
)
def test_a_record_that_does_not_name_its_object_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        normalise(_record(**changes))


def test_one_bad_record_spoils_the_message_so_that_nothing_is_passed_over() -> None:
    payload = {"Records": [*_record()["Records"], *_record(name="ObjectEaten")["Records"]]}
    with pytest.raises(UsageError):
        normalise(payload)


def test_envelopes_in_envelopes_come_to_an_end() -> None:
    payload = json.dumps(_record())
    for _ in range(5):
        payload = json.dumps({"Type": "Notification", "Message": payload})
    assert len(normalise(payload)) == 1
    with pytest.raises(UsageError):
        normalise({"Type": "Notification", "Message": payload})


def test_cloud_storage_without_its_payload_still_names_the_object() -> None:
    payload = json.loads((PAYLOADS / "gcs_finalize.json").read_bytes())
    del payload["message"]["data"]
    (event,) = normalise(payload)
    assert (event.key, event.version, event.etag, event.size) == (
        KEY,
        "1786959010123456",
        None,
        None,
    )


@pytest.mark.parametrize("size", [-1, "-1", 1.5, "many", "٣", None, "9" * 30])
def test_a_size_that_is_none_is_unknown_and_not_zero(size: object) -> None:
    (event,) = normalise(_record(size=size))
    assert event.size is None


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("0055AED6DCD90281F0", "0055AED6DCD90281E5", True),
        ("0055AED6DCD90281E5", "0055AED6DCD90281F0", False),
        ("0055aed6dcd90281e5", "0055AED6DCD90281E5", False),
        # Of different lengths: the longer is the later if it is so however it is padded.
        ("617f08299329d189", "0055AED6DCD90281E5", True),
        ("0055AED6DCD90281E5", "617f08299329d189", False),
        ("0055AED6DCD90281E500", "0055AED6DCD90281E5", None),
        ("9", "10", None),
        ("", "0055AED6DCD90281E5", None),
        ("zebra", "0055AED6DCD90281E5", None),
        ("17869590101234561", "17869590101234560", True),
    ],
)
def test_sequencers_say_which_event_is_later(one: str, other: str, expected: bool | None) -> None:
    assert newer(one, other) is expected


_sequencers = st.text("0123456789abcdefABCDEF", min_size=1, max_size=20)


@given(_sequencers, _sequencers)
def test_no_two_events_are_each_later_than_the_other(one: str, other: str) -> None:
    assert not (newer(one, other) and newer(other, one))
    assert newer(one, one) is False


@given(st.integers(min_value=0, max_value=2**63), st.integers(min_value=0, max_value=2**63))
def test_sequencers_of_one_length_order_as_their_numbers(one: int, other: int) -> None:
    assert newer(f"{one:018X}", f"{other:018x}") is (one > other)


_names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


@given(
    st.builds(
        ObjectEvent,
        change=st.sampled_from(Change),
        bucket=_names,
        key=_names,
        version=st.none() | _names,
        etag=st.none() | st.text("0123456789abcdef-", min_size=1, max_size=40),
        sequencer=st.just("") | _sequencers,
        size=st.none() | st.integers(min_value=0, max_value=2**63),
    )
)
def test_what_our_own_queue_carries_reads_back_as_it_was(event: ObjectEvent) -> None:
    assert normalise(to_s3_notification(event)) == [event]


@given(_names)
def test_any_key_survives_each_envelope(key: str) -> None:
    body = to_s3_notification(ObjectEvent(change=Change.CREATED, bucket="b", key=key)).decode()
    sns = json.dumps({"Type": "Notification", "Message": body})
    sqs = {"Records": [{"eventSource": "aws:sqs", "body": sns}]}
    assert [event.key for event in normalise(sqs)] == [key]


_FIELDS = [
    *("Records", "Type", "Message", "Sns", "Event", "body", "s3", "bucket", "object", "key"),
    *("name", "size", "eventSource", "eventName", "source", "detail", "detail-type", "action"),
    *("eventTime", "message", "attributes", "eventType", "data", "eventNotification"),
    *("newEntry", "oldEntry", "newParentPath", "directory", "tsNs", "extended"),
]
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_FIELDS), inner, max_size=5)
    ),
    max_leaves=30,
)


@given(_json)
def test_whatever_comes_is_events_or_refused(document: Any) -> None:
    try:
        found = normalise(json.dumps(document))
    except UsageError:
        return
    assert all(event.bucket and event.key for event in found)


def test_data_that_is_no_object_is_refused() -> None:
    payload = json.loads((PAYLOADS / "gcs_finalize.json").read_bytes())
    payload["message"]["data"] = base64.b64encode(b"[1]").decode()
    with pytest.raises(UsageError):
        normalise(payload)


def _record(
    *,
    source: str = "aws:s3",
    name: str = "ObjectCreated:Put",
    bucket: Any = "photos",
    key: Any = "a.jpg",
    size: Any = 1,
) -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventSource": source,
                "eventName": name,
                "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": size}},
            }
        ]
    }
