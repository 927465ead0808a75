"""A function over real stores and real queues, and the events that reach it."""

from __future__ import annotations

import uuid
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.function_queue import FunctionQueue
from lakeveil.adapters.metadata_ledger import MetadataLedger
from lakeveil.adapters.object_store import S3ObjectStore
from lakeveil.adapters.queue_sqs import SqsQueue
from lakeveil.aws_lambda import answer
from lakeveil.core.events import to_s3_notification
from lakeveil.core.object_event import Change, ObjectEvent
from lakeveil.core.photos import Collection, ObjectRef, RedactionPolicy
from lakeveil.flows.redact_photo import PhotoPath
from lakeveil.ports import ObjectInfo
from lakeveil.wiring.photo_function import PhotoFunction
from tests.flows.darkrooms import UppercaseDarkroom
from tests.stack_fixture import Weed
from tests.stores import object_store

REGION = "eu-central-1"


@dataclass(slots=True)
class FunctionBench:
    """A prefix and queues of one's own; the darkroom hides upper-case letters.

    Keys are without the prefix.
    """

    store: S3ObjectStore
    collection: Collection
    queue_url: str
    dead_letter_url: str
    sqs: Any
    darkroom: UppercaseDarkroom = field(default_factory=UppercaseDarkroom)
    time_left_s: float = 60.0
    max_receive_count: int = 3

    @property
    def function(self) -> PhotoFunction:
        clock = SystemClock()
        return PhotoFunction(
            collections=(self.collection,),
            path=PhotoPath(
                store=self.store,
                darkroom=self.darkroom,
                ledger=MetadataLedger(self.store, (self.collection,), clock=clock),
                clock=clock,
                owner="test",
                lease_s=60.0,
                hold=lambda _claim: nullcontext(),
                max_bytes=1000,
                draw=lambda: 1.0,
            ),
            queue=FunctionQueue(
                self.queue_url, dead_letter_url=self.dead_letter_url, region=REGION
            ),
            photo_s=20.0,
            max_receive_count=self.max_receive_count,
        )

    def key(self, name: str) -> str:
        return f"{self.collection.source_prefix}{name}"

    def upload(self, text: bytes, name: str = "a b.jpg") -> ObjectEvent:
        """Put an original; returns the event of it."""
        bucket, key = self.collection.source_bucket, self.key(name)
        written = self.store.put(bucket, key, text, content_type="image/jpeg", metadata={})
        return ObjectEvent(
            change=Change.CREATED,
            bucket=bucket,
            key=key,
            etag=written.etag,
            version=written.version,
            sequencer=uuid.uuid4().hex[:16],
        )

    def remove(self, name: str = "a b.jpg") -> ObjectEvent:
        """Delete an original; returns the event of it."""
        bucket, key = self.collection.source_bucket, self.key(name)
        self.store.delete(bucket, key)
        return ObjectEvent(change=Change.DELETED, bucket=bucket, key=key)

    def invoke(self, *events: ObjectEvent | str, receives: int = 1) -> list[int]:
        """Invoke the function with one batch; returns the places of the messages that failed."""
        bodies = [e if isinstance(e, str) else to_s3_notification(e).decode() for e in events]
        response = answer(
            batch(bodies, receives=receives),
            self.function,
            remaining_s=lambda: self.time_left_s,
            invocation=str(uuid.uuid4()),
        )
        return [int(item["itemIdentifier"]) for item in response["batchItemFailures"]]

    def released(self, name: str = "a b.jpg") -> ObjectInfo | None:
        return self.store.head(self.collection.release_bucket, self.key(name))

    def released_text(self, name: str = "a b.jpg") -> bytes:
        ref = ObjectRef(self.collection.release_bucket, self.key(name))
        return self.store.get(ref, limit_bytes=1000)

    def releases(self) -> list[str]:
        prefix = self.collection.source_prefix
        listed = self.store.list(self.collection.release_bucket, prefix)
        return [found.key.removeprefix(prefix) for found in listed]

    def dead(self) -> list[tuple[str, str]]:
        """Reason and body of each dead letter."""
        found = self.sqs.receive_message(
            QueueUrl=self.dead_letter_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return [
            (m["MessageAttributes"]["LakeveilReason"]["StringValue"], m["Body"])
            for m in found.get("Messages", [])
        ]

    def worker_queue(self) -> SqsQueue:
        return SqsQueue(self.queue_url, dead_letter_url=self.dead_letter_url, region=REGION)

    def under(self, **policy: Any) -> FunctionBench:
        """The same with another policy."""
        return replace(self, collection=replace(self.collection, policy=RedactionPolicy(**policy)))


def new_bench(weed: Weed, sqs: Any) -> FunctionBench:
    """A fresh prefix and fresh queues."""
    name = f"photos-{uuid.uuid4().hex[:8]}"
    return FunctionBench(
        store=object_store(weed),
        collection=Collection(
            name="photos",
            source_bucket="photos",
            release_bucket="photos-released",
            source_prefix=f"{name}/",
        ),
        queue_url=sqs.create_queue(QueueName=name)["QueueUrl"],
        dead_letter_url=sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"],
        sqs=sqs,
    )


def batch(bodies: list[str], *, receives: int = 1, handles: list[str] | None = None) -> Any:
    """What Lambda makes of messages it took from SQS; ids are their places."""
    return {
        "Records": [
            {
                "messageId": str(place),
                "receiptHandle": handles[place] if handles else "",
                "body": body,
                "attributes": {"ApproximateReceiveCount": str(receives)},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:photos",
                "awsRegion": REGION,
            }
            for place, body in enumerate(bodies)
        ]
    }
