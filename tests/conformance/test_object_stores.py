"""Every ObjectStore keeps the same promises: in memory, and SeaweedFS over S3."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.memory import InMemoryObjectStore
from lakeveil.adapters.object_store import S3ObjectStore, StoreKey
from lakeveil.core.photos import ObjectRef
from lakeveil.errors import BadPhoto, Conflict, NotFound, Refused, Unavailable
from lakeveil.ports import ObjectInfo, ObjectStore
from tests.stack_fixture import Weed, free_ports
from tests.stores import object_store

LIMIT = 1 << 20
KEYS = ["a b+c%2F.jpg", "früh/ß.jpg", "100%/100%25.jpg", "a&b=c?d#e", "emoji/😀.png"]
# Good keys on S3; SeaweedFS keeps objects in directories and cannot tell these apart.
PATHLIKE_KEYS = ["a//b.jpg", "./x", "a/../b", "trailing/"]


@pytest.fixture(params=["memory", "seaweedfs"])
def store(request: pytest.FixtureRequest) -> tuple[ObjectStore, str]:
    """A store and the name of a bucket of it that is this test's own."""
    if request.param == "memory":
        return InMemoryObjectStore(SystemClock()), "bucket"
    weed = request.getfixturevalue("weed")
    return object_store(weed), weed.new_bucket()


def put(store: ObjectStore, bucket: str, key: str, data: bytes, **how: Any) -> ObjectInfo:
    return store.put(bucket, key, data, content_type="image/jpeg", metadata={}, **how)


@pytest.mark.parametrize("key", KEYS)
def test_keys_are_kept_exactly(store: tuple[ObjectStore, str], key: str) -> None:
    s3, bucket = store
    written = s3.put(bucket, key, b"x", content_type="image/png", metadata={"lakeveil-faces": "3"})
    found = s3.head(bucket, key)
    assert found is not None
    assert (found.etag, found.size, found.content_type) == (written.etag, 1, "image/png")
    assert found.metadata == {"lakeveil-faces": "3"}
    assert s3.get(ObjectRef(bucket, key), etag=written.etag, limit_bytes=LIMIT) == b"x"
    assert [info.key for info in s3.list(bucket)] == [key]
    s3.delete(bucket, key)
    assert s3.head(bucket, key) is None


def test_keys_that_look_like_paths_are_kept_exactly() -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        s3 = S3ObjectStore(
            f"http://{host}:{port}", key=StoreKey("a", "b"), region="us-east-1", timeout_s=10
        )
        boto3.client(
            "s3",
            endpoint_url=f"http://{host}:{port}",
            region_name="us-east-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
        ).create_bucket(Bucket="exact")
        for key in PATHLIKE_KEYS:
            put(s3, "exact", key, b"x")
        assert sorted(info.key for info in s3.list("exact")) == sorted(PATHLIKE_KEYS)
        assert all(s3.head("exact", key) for key in PATHLIKE_KEYS)
    finally:
        server.stop()


def test_what_is_absent_has_no_head_and_cannot_be_read(store: tuple[ObjectStore, str]) -> None:
    s3, bucket = store
    assert s3.head(bucket, "none") is None
    with pytest.raises(NotFound):
        s3.get(ObjectRef(bucket, "none"), limit_bytes=LIMIT)
    s3.delete(bucket, "none")


def test_put_if_absent_never_replaces(store: tuple[ObjectStore, str]) -> None:
    s3, bucket = store
    first = put(s3, bucket, "k", b"first", if_absent=True)
    with pytest.raises(Conflict):
        put(s3, bucket, "k", b"second", if_absent=True)
    assert s3.get(ObjectRef(bucket, "k"), etag=first.etag, limit_bytes=LIMIT) == b"first"


def test_put_if_etag_replaces_only_that_content(store: tuple[ObjectStore, str]) -> None:
    s3, bucket = store
    first = put(s3, bucket, "k", b"first")
    second = put(s3, bucket, "k", b"second", if_etag=first.etag)
    with pytest.raises(Conflict):
        put(s3, bucket, "k", b"third", if_etag=first.etag)
    with pytest.raises(Conflict):
        put(s3, bucket, "gone", b"third", if_etag=first.etag)
    assert s3.get(ObjectRef(bucket, "k"), etag=second.etag, limit_bytes=LIMIT) == b"second"


def test_of_many_writers_at_once_exactly_one_wins(store: tuple[ObjectStore, str]) -> None:
    s3, bucket = store
    outcomes: list[str] = []
    start = threading.Barrier(8)

    def write(body: bytes) -> None:
        start.wait()
        try:
            put(s3, bucket, "race", body, if_absent=True)
            outcomes.append("won")
        except Conflict:
            outcomes.append("lost")

    threads = [threading.Thread(target=write, args=(b"%d" % i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["lost"] * 7 + ["won"]


def test_delete_if_etag_spares_other_content(store: tuple[ObjectStore, str]) -> None:
    s3, bucket = store
    first = put(s3, bucket, "k", b"first")
    second = put(s3, bucket, "k", b"second")
    with pytest.raises(Conflict):
        s3.delete(bucket, "k", if_etag=first.etag)
    s3.delete(bucket, "k", if_etag=second.etag)
    assert s3.head(bucket, "k") is None


def test_reading_changed_content_is_a_conflict(store: tuple[ObjectStore, str]) -> None:
    s3, bucket = store
    first = put(s3, bucket, "k", b"first")
    put(s3, bucket, "k", b"second")
    with pytest.raises(Conflict):
        s3.get(ObjectRef(bucket, "k"), etag=first.etag, limit_bytes=LIMIT)


def test_too_large_an_object_is_refused_unread(store: tuple[ObjectStore, str]) -> None:
    s3, bucket = store
    put(s3, bucket, "k", b"12345")
    with pytest.raises(BadPhoto) as refusal:
        s3.get(ObjectRef(bucket, "k"), limit_bytes=4)
    assert refusal.value.code == "file_too_large"


def test_listing_is_in_order_and_resumes_after_a_key(store: tuple[ObjectStore, str]) -> None:
    s3, bucket = store
    for key in ["b/2", "a/1", "b/10", "b/1", "c"]:
        put(s3, bucket, key, b"x")
    assert [i.key for i in s3.list(bucket)] == ["a/1", "b/1", "b/10", "b/2", "c"]
    assert [i.key for i in s3.list(bucket, "b/")] == ["b/1", "b/10", "b/2"]
    assert [i.key for i in s3.list(bucket, "b/", after="b/1")] == ["b/10", "b/2"]


@pytest.fixture(params=["memory", "seaweedfs"])
def versioned(request: pytest.FixtureRequest) -> tuple[ObjectStore, str, Callable[[str], int]]:
    """A store, a bucket that keeps versions, and a count of a key's versions."""
    if request.param == "memory":
        memory = InMemoryObjectStore(SystemClock(), versioned=frozenset({"bucket"}))
        return memory, "bucket", lambda key: memory.versions("bucket", key)
    weed = request.getfixturevalue("weed")
    bucket = weed.new_bucket()
    client = weed.s3()
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    def count(key: str) -> int:
        listing = client.list_object_versions(Bucket=bucket, Prefix=key)
        return sum(one["Key"] == key for one in listing.get("Versions", []))

    return object_store(weed), bucket, count


def test_every_version_can_be_read_until_it_is_purged(
    versioned: tuple[ObjectStore, str, Callable[[str], int]],
) -> None:
    s3, bucket, count = versioned
    first = put(s3, bucket, "k", b"first")
    second = put(s3, bucket, "k", b"second")
    put(s3, bucket, "k2", b"other")
    assert first.version
    assert second.version
    assert first.version != second.version
    found = s3.head(bucket, "k")
    assert found is not None
    assert found.version == second.version
    assert s3.get(ObjectRef(bucket, "k", first.version), limit_bytes=LIMIT) == b"first"
    assert count("k") == 2
    s3.purge(bucket, "k")
    assert count("k") == 1
    with pytest.raises(NotFound):
        s3.get(ObjectRef(bucket, "k", first.version), limit_bytes=LIMIT)
    s3.delete(bucket, "k", if_etag=second.etag)
    s3.purge(bucket, "k")
    assert s3.head(bucket, "k") is None
    assert (count("k"), count("k2")) == (0, 1)


def test_a_key_without_rights_is_refused(weed: Weed) -> None:
    bucket = weed.new_bucket()
    put(object_store(weed), bucket, "k", b"secret")
    stranger = object_store(weed, "reader")
    with pytest.raises(Refused) as refusal:
        stranger.get(ObjectRef(bucket, "k"), limit_bytes=LIMIT)
    assert refusal.value.code == "store_refused"


def test_a_store_that_is_away_is_unavailable() -> None:
    away = S3ObjectStore(
        f"http://127.0.0.1:{free_ports(1)[0]}",
        key=StoreKey("a", "b"),
        region="us-east-1",
        timeout_s=1,
        attempts=1,
    )
    with pytest.raises(Unavailable):
        away.head("bucket", "key")


def test_a_missing_bucket_is_no_empty_listing(weed: Weed) -> None:
    with pytest.raises(NotFound) as refusal:
        list(object_store(weed).list("no-such-bucket"))
    assert refusal.value.code == "no_such_bucket"
