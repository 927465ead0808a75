"""The object store as flows see it, over the session's SeaweedFS."""

from __future__ import annotations

from lakeveil.adapters.object_store import S3ObjectStore, StoreKey
from tests.stack_fixture import Weed


def object_store(weed: Weed, identity: str = "admin", **how: float) -> S3ObjectStore:
    """An ObjectStore with the key of `admin`, `service`, `uploader` or `reader`."""
    key = weed.credentials.s3[identity]
    return S3ObjectStore(
        weed.endpoint,
        key=StoreKey(key.access_key_id, key.secret_access_key),
        region="us-east-1",
        timeout_s=how.get("timeout_s", 20.0),
        attempts=int(how.get("attempts", 3)),
    )
