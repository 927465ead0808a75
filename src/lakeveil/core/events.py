"""What happened to an object, whoever reported it: every known payload becomes `ObjectEvent`s.

An event is a hint, at least once and in no order: whoever acts on it looks at the store again.
Three answers are kept apart: events; none, because the payload is known and changes no content
(tags, restores, test messages); and `UsageError`, because nobody here knows what it says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from lakeveil.core import events_clouds, events_s3, events_seaweedfs
from lakeveil.core.object_event import Change, ObjectEvent, mapping, parsed, unknown

__all__ = ["Change", "ObjectEvent", "newer", "normalise", "to_s3_notification"]

_SEQUENCER = re.compile(r"[0-9a-fA-F]+")
# A queue in a topic in a bus, and one to spare: deeper nesting is an attack or a loop.
_MAX_WRAPPERS = 5


def normalise(payload: bytes | str | Mapping[str, Any]) -> list[ObjectEvent]:
    """Every change that a payload reports, in its order.

    Accepts S3 notifications (AWS, MinIO, Ceph, RustFS) directly, in SQS bodies, in SNS messages,
    or both; EventBridge; Cloudflare R2; Cloud Storage through Pub/Sub; the SeaweedFS filer.

    Raises:
        UsageError: not JSON, or of no known shape; it belongs with the dead letters.
    """
    return _unwrap(payload, _MAX_WRAPPERS)


def newer(one: str, other: str) -> bool | None:
    """Whether sequencer `one` is of a later event than `other`; None where nobody can tell.

    Both must be of one key of one source. Sequencers are hexadecimal (S3, MinIO, Ceph) or
    decimal (the rest) and may differ in length. Editions of the S3 user guide disagree on
    whether to pad the shorter one left or right, so a comparison that depends on it is None.

    >>> newer("0055AED6DCD90281F0", "0055AED6DCD90281E5")
    True
    >>> newer("617f08299329d189", "0055AED6DCD90281E5")
    True
    >>> newer("9", "10"), newer("", "10")
    (None, None)
    """
    if not (_SEQUENCER.fullmatch(one) and _SEQUENCER.fullmatch(other)):
        return None
    one, other = one.lower(), other.lower()
    width = max(len(one), len(other))
    left = _sign(one.rjust(width, "0"), other.rjust(width, "0"))
    right = _sign(one.ljust(width, "0"), other.ljust(width, "0"))
    return left > 0 if left == right else None


def to_s3_notification(event: ObjectEvent) -> bytes:
    """The one shape that our own queue carries: an S3 notification with a single record.

    `normalise` gives the event back, whatever its key.
    """
    described: dict[str, Any] = {"key": quote_plus(event.key, safe="/")}
    if event.size is not None:
        described["size"] = event.size
    if event.etag:
        described["eTag"] = event.etag
    if event.version:
        described["versionId"] = event.version
    if event.sequencer:
        described["sequencer"] = event.sequencer
    name = "ObjectCreated:Put" if event.change is Change.CREATED else "ObjectRemoved:Delete"
    record = {
        "eventVersion": "2.1",
        "eventSource": "lakeveil:s3",
        "eventName": name,
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": event.bucket},
            "object": described,
        },
    }
    return json.dumps({"Records": [record]}, separators=(",", ":")).encode()


# --- envelopes -------------------------------------------------------------------------------


def _unwrap(payload: Any, wrappers_left: int) -> list[ObjectEvent]:
    if wrappers_left < 0:
        raise unknown("it is wrapped in too many envelopes")
    document = parsed(payload)
    records = document.get("Records")
    if isinstance(records, list):
        return [event for record in records for event in _record(record, wrappers_left)]
    if document.get("Event") == "s3:TestEvent":
        return []
    if document.get("Type") == "Notification" and "Message" in document:
        return _unwrap(document["Message"], wrappers_left - 1)
    if str(document.get("Type")) in {"SubscriptionConfirmation", "UnsubscribeConfirmation"}:
        raise unknown("SNS asks to confirm a subscription: confirm it where it was made")
    return _one(document)


def _one(document: Mapping[str, Any]) -> list[ObjectEvent]:
    if document.get("source") == "aws.s3":
        return events_s3.from_eventbridge(document)
    if "action" in document and "object" in document:
        return events_clouds.from_r2(document)
    if isinstance(document.get("eventNotification"), dict):
        return events_seaweedfs.from_filer(document)
    message = document.get("message", document)
    if isinstance(message, dict) and "eventType" in mapping(message.get("attributes")):
        return events_clouds.from_pubsub(message)
    raise unknown(f"its fields are {', '.join(sorted(map(str, document))[:8]) or 'none'}")


def _record(record: Any, wrappers_left: int) -> list[ObjectEvent]:
    if not isinstance(record, Mapping):
        raise unknown("one of its records is no object")
    if record.get("eventSource") == "aws:sqs" and "body" in record:
        return _unwrap(record["body"], wrappers_left - 1)
    if "Sns" in record:
        return _unwrap(mapping(record["Sns"]).get("Message"), wrappers_left - 1)
    if "s3" in record:
        return events_s3.from_record(record)
    raise unknown("one of its records is neither of S3 nor of SQS nor of SNS")


def _sign(one: str, other: str) -> int:
    return (one > other) - (one < other)
