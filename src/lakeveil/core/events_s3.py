"""Changes as Amazon S3 reports them, and the stores that speak as it does: MinIO, Ceph, RustFS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from lakeveil.core.object_event import Change, ObjectEvent, mapping, object_event, text, unknown

# Longest prefix first. None: known, and no change of content.
_S3_NAMES: tuple[tuple[str, Change | None], ...] = (
    # MinIO files metadata changes under the creations.
    ("ObjectCreated:PutRetention", None),
    ("ObjectCreated:PutLegalHold", None),
    ("ObjectCreated:PutTagging", None),
    ("ObjectCreated:DeleteTagging", None),
    ("ObjectCreated", Change.CREATED),
    ("ObjectRemoved", Change.DELETED),
    ("LifecycleExpiration", Change.DELETED),
    # Ceph's own: only the current version matters to a release.
    ("ObjectLifecycle:Expiration:Current", Change.DELETED),
    ("ObjectLifecycle", None),
    ("ObjectSynced:Delet", Change.DELETED),
    ("ObjectSynced", Change.CREATED),
    ("LifecycleTransition", None),
    ("LifecycleDelMarkerExpiration", None),
    ("IntelligentTiering", None),
    ("ObjectAccessed", None),
    ("ObjectAcl", None),
    ("ObjectAnnotation", None),
    ("ObjectRestore", None),
    ("ObjectTagging", None),
    ("ObjectTransition", None),
    ("ObjectManyVersions", None),
    ("ObjectLargeVersions", None),
    ("PrefixManyFolders", None),
    ("BucketCreated", None),
    ("BucketRemoved", None),
    ("ReducedRedundancyLostObject", None),
    ("Replication", None),
    ("Scanner", None),
    ("TestEvent", None),
)


def _change(name: str) -> Change | None:
    for prefix, change in _S3_NAMES:
        if name.startswith(prefix):
            return change
    raise unknown(f"S3 event `{name[:80]}` is not known")


def from_record(record: Mapping[str, Any]) -> list[ObjectEvent]:
    """The change that one of a notification's `Records` tells of; none where content stays."""
    change = _change(str(record.get("eventName", "")).removeprefix("s3:"))
    if change is None:
        return []
    s3 = mapping(record["s3"])
    described = mapping(s3.get("object"))
    key = text(described.get("key"), "key")
    # Ceph writes the key as it is; everybody else encodes it as an HTML form does.
    if record.get("eventSource") != "ceph:s3":
        key = _form_decoded(key)
    return [
        object_event(
            change=change,
            bucket=mapping(s3.get("bucket")).get("name"),
            key=key,
            version=described.get("versionId"),
            etag=described.get("eTag") or described.get("etag"),
            sequencer=described.get("sequencer"),
            size=described.get("size"),
        )
    ]


_EVENTBRIDGE_TYPES: dict[str, Change | None] = {
    "Object Created": Change.CREATED,
    "Object Deleted": Change.DELETED,
    "Object ACL Updated": None,
    "Object Access Tier Changed": None,
    "Object Annotation Created": None,
    "Object Annotation Deleted": None,
    "Object Restore Completed": None,
    "Object Restore Expired": None,
    "Object Restore Initiated": None,
    "Object Storage Class Changed": None,
    "Object Tags Added": None,
    "Object Tags Deleted": None,
}


def from_eventbridge(document: Mapping[str, Any]) -> list[ObjectEvent]:
    """The change that an EventBridge event tells of; none where content stays."""
    kind = str(document.get("detail-type"))
    if kind not in _EVENTBRIDGE_TYPES:
        raise unknown(f"EventBridge type `{kind[:80]}` is not known")
    change = _EVENTBRIDGE_TYPES[kind]
    if change is None:
        return []
    detail = mapping(document.get("detail"))
    described = mapping(detail.get("object"))
    return [
        object_event(
            change=change,
            bucket=mapping(detail.get("bucket")).get("name"),
            # Not URL-encoded here, unlike in every other event of S3.
            key=described.get("key"),
            version=described.get("version-id"),
            etag=described.get("etag"),
            sequencer=described.get("sequencer"),
            size=described.get("size"),
        )
    ]


def _form_decoded(key: str) -> str:
    try:
        return unquote_plus(key, errors="strict")
    except UnicodeDecodeError as error:
        raise unknown("its `key` does not decode to UTF-8") from error
