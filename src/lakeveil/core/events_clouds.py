"""Changes as Cloudflare R2 and Google Cloud Storage (through Pub/Sub) report them. Raw keys."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lakeveil.core.object_event import (
    Change,
    ObjectEvent,
    mapping,
    object_event,
    parsed,
    text,
    unknown,
)

_R2_ACTIONS = {
    "PutObject": Change.CREATED,
    "CopyObject": Change.CREATED,
    "CompleteMultipartUpload": Change.CREATED,
    "DeleteObject": Change.DELETED,
    "LifecycleDeletion": Change.DELETED,
}


def from_r2(document: Mapping[str, Any]) -> list[ObjectEvent]:
    """The change that one R2 message tells of."""
    change = _R2_ACTIONS.get(str(document.get("action")))
    if change is None:
        raise unknown(f"R2 action `{str(document.get('action'))[:80]}` is not known")
    described = mapping(document.get("object"))
    return [
        object_event(
            change=change,
            bucket=document.get("bucket"),
            key=described.get("key"),
            etag=described.get("eTag"),
            # R2 has no sequencer: its time, to the millisecond, is the best there is.
            sequencer=_milliseconds(document.get("eventTime")),
            size=described.get("size"),
        )
    ]


def from_pubsub(message: Mapping[str, Any]) -> list[ObjectEvent]:
    """The change that one Pub/Sub message tells of; none where only metadata changed."""
    attributes = mapping(message.get("attributes"))
    kind = str(attributes["eventType"])
    overwritten = "overwrittenByGeneration" in attributes
    if kind == "OBJECT_FINALIZE":
        change = Change.CREATED
    elif kind in {"OBJECT_DELETE", "OBJECT_ARCHIVE"}:
        # What took its place is reported by an OBJECT_FINALIZE of its own.
        if overwritten:
            return []
        change = Change.DELETED
    elif kind == "OBJECT_METADATA_UPDATE":
        return []
    else:
        raise unknown(f"Cloud Storage event `{kind[:80]}` is not known")
    resource = _resource(message.get("data"))
    generation = attributes.get("objectGeneration") or resource.get("generation")
    return [
        object_event(
            change=change,
            bucket=attributes.get("bucketId") or resource.get("bucket"),
            key=attributes.get("objectId") or resource.get("name"),
            version=generation,
            etag=_hex_of_base64(resource.get("md5Hash")),
            # A deletion carries the generation it deletes: one more digit puts it after it.
            sequencer=f"{generation}{int(change is Change.DELETED)}" if generation else "",
            size=resource.get("size"),
        )
    ]


def _resource(data: Any) -> Mapping[str, Any]:
    """The object's JSON; {} where the subscription sends attributes only."""
    if not data:
        return {}
    try:
        return parsed(base64.b64decode(text(data, "data"), validate=True))
    except binascii.Error as error:
        raise unknown("its `data` is not base64") from error


def _milliseconds(time: Any) -> str:
    try:
        moment = datetime.fromisoformat(str(time))
    except ValueError:
        return ""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return str(round(aware.timestamp() * 1000))


def _hex_of_base64(value: Any) -> str | None:
    try:
        return base64.b64decode(str(value or ""), validate=True).hex() or None
    except binascii.Error:
        return None
