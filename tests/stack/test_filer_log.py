"""What the real store's log says of real changes, through our own reading of it."""

from __future__ import annotations

import os
import threading
import time
from contextlib import closing
from typing import Any, cast

from lakeveil.adapters.filer_events import follow
from lakeveil.adapters.seaweedfs import client_environment
from lakeveil.core.events import Change, ObjectEvent, normalise
from tests.stack_fixture import Weed

LAST = "the-last-of-them"


def told(weed: Weed, bucket: str) -> list[ObjectEvent]:
    """Every event of a bucket so far."""
    weed.s3().put_object(Bucket=bucket, Key=LAST, Body=b"x")
    batches = follow(
        weed.ports.filer,
        weed.ports.filer_grpc,
        env=client_environment(weed.home, environ=os.environ),
        since_ns=time.time_ns(),
        now=time.time,
        stopping=threading.Event(),
    )
    found: list[ObjectEvent] = []
    with closing(cast("Any", batches)):
        for document in (document for batch in batches for document in batch):
            found += [event for event in normalise(document) if event.bucket == bucket]
            if found and found[-1].key == LAST:
                break
    return found[:-1]


def test_versions_and_delete_markers_are_told_under_the_objects_own_key(weed: Weed) -> None:
    bucket, s3 = weed.new_bucket(), weed.s3()
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first, second = (
        s3.put_object(Bucket=bucket, Key="d/k.jpg", Body=body)["VersionId"] for body in (b"1", b"2")
    )
    marker = s3.delete_object(Bucket=bucket, Key="d/k.jpg")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="d/k.jpg", VersionId=second)
    events = told(weed, bucket)
    assert {event.key for event in events} == {"d/k.jpg"}
    assert [(event.change, event.version) for event in events] == [
        (Change.CREATED, first),
        (Change.CREATED, second),
        (Change.DELETED, marker),
        (Change.DELETED, second),
    ]
    sequencers = [int(event.sequencer) for event in events]
    assert sequencers == sorted(sequencers)


def test_parts_tags_and_folders_are_no_events(weed: Weed) -> None:
    bucket, s3 = weed.new_bucket(), weed.s3()
    upload = s3.create_multipart_upload(Bucket=bucket, Key="a/large.jpg")["UploadId"]
    names = {"Bucket": bucket, "Key": "a/large.jpg", "UploadId": upload}
    part = s3.upload_part(**names, PartNumber=1, Body=b"x" * 6_000_000)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    etag = s3.complete_multipart_upload(**names, MultipartUpload=parts)["ETag"].strip('"')
    s3.put_object_tagging(
        Bucket=bucket, Key="a/large.jpg", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]}
    )
    (event,) = told(weed, bucket)
    assert (event.key, event.etag, event.size) == ("a/large.jpg", etag, 6_000_000)


def test_an_event_names_the_key_that_a_listing_names(weed: Weed) -> None:
    bucket, s3 = weed.new_bucket(), weed.s3()
    for key in (
        "a b+c%2F.jpg",
        "n\nl.jpg",
        "q?x=1&y#z.jpg",
        "ü/😀.jpg",
        "lead",
        "lead/child",
        "a//b",
    ):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    events = {event.key for event in told(weed, bucket)}
    listed = {found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    assert events == listed - {LAST}
    # SeaweedFS takes `a//b` for `a/b`: one object, under either name.
    assert "a/b" in events
    assert len(events) == 7
