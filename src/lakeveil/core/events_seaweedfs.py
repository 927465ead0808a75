"""What the SeaweedFS filer's metadata log says of S3 objects (protobuf-JSON, raw keys).

Each entry has a directory and the file's state before (`oldEntry`) and after (`newEntry`).
Buckets are the directories below `/buckets`. The log also tells of directories, of the parts of
unfinished uploads and of tags: none of these changes an object's content.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from lakeveil.core.object_event import Change, ObjectEvent, mapping, object_event

BUCKETS = "/buckets/"
UPLOADS = ".uploads"
VERSIONS = ".versions"

_ETAG = "Seaweed-X-Amz-ETag"
_VERSION_ID = "Seaweed-X-Amz-Version-Id"
_DELETE_MARKER = "Seaweed-X-Amz-Delete-Marker"


def from_filer(document: Mapping[str, Any]) -> list[ObjectEvent]:
    """The objects whose content one log entry changed: none, one, or two for a rename."""
    notification = document["eventNotification"]
    directory = str(document.get("directory") or "")
    old, new = _entry(notification, "oldEntry"), _entry(notification, "newEntry")
    old_place = _place(directory, old)
    new_place = _place(str(notification.get("newParentPath") or directory), new)
    sequencer = document.get("tsNs")
    if old_place and old_place == new_place and _same_content(old, new):
        # Tags, metadata, or the same bytes again: what was released stays right.
        return []
    found = []
    if old_place and old_place != new_place:
        found.append(_described(*old_place, old, sequencer, deleted=True))
    if new_place:
        found.append(_described(*new_place, new, sequencer, deleted=False))
    return found


def _described(
    bucket: str, path: str, entry: Mapping[str, Any], sequencer: Any, *, deleted: bool
) -> ObjectEvent:
    version = _extended(entry, _VERSION_ID) or None
    parent, _, name = path.rpartition("/")
    if version and parent.endswith(VERSIONS) and name == f"v_{version}":
        # A versioned bucket keeps each version of KEY as KEY.versions/v_ID. Deleting one says
        # nothing of the key's newest version: the event names both, and the store decides.
        path = parent.removesuffix(VERSIONS)
        deleted = deleted or _extended(entry, _DELETE_MARKER) == "true"
    return object_event(
        change=Change.DELETED if deleted else Change.CREATED,
        bucket=bucket,
        key=path,
        version=version,
        etag=None if deleted else _etag(entry),
        sequencer=sequencer,
        size=None if deleted else mapping(entry.get("attributes")).get("fileSize"),
    )


def _place(directory: str, entry: Mapping[str, Any]) -> tuple[str, str] | None:
    """(bucket, key) of an object's entry; None for what is no object."""
    name = str(entry.get("name") or "")
    if not name or entry.get("isDirectory") or not f"{directory}/".startswith(BUCKETS):
        return None
    bucket, _, path = f"{directory}/{name}".removeprefix(BUCKETS).partition("/")
    if not bucket or not path or path.split("/", 1)[0] == UPLOADS:
        return None
    return bucket, path


def _entry(notification: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    return mapping(notification.get(field))


def _same_content(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    etag = _etag(old)
    return etag is not None and etag == _etag(new)


def _etag(entry: Mapping[str, Any]) -> str | None:
    """What S3 clients see: the stored ETag, else the MD5 of the content."""
    stored = _extended(entry, _ETAG)
    if stored:
        return stored.strip('"')
    md5 = _decoded(mapping(entry.get("attributes")).get("md5"))
    return md5.hex() if md5 else None


def _extended(entry: Mapping[str, Any], name: str) -> str:
    return _decoded(mapping(entry.get("extended")).get(name)).decode("utf-8", "replace")


def _decoded(value: Any) -> bytes:
    try:
        return base64.b64decode(str(value or ""), validate=True)
    except binascii.Error:
        return b""
