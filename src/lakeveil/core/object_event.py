"""One change of one object, and how its fields are read from payloads that nobody vouches for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lakeveil.errors import UsageError


class Change(StrEnum):
    """What happened to an object."""

    CREATED = "created"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectEvent:
    """One object changed. `key` is the real key, decoded exactly once.

    `sequencer` orders events of one key of one source (compare with `newer`); it is "" where
    the source gives none. `size` is in bytes, None where unknown. A DELETED event with a
    `version` may speak of an old version: whether the key still exists, the store says.
    """

    change: Change
    bucket: str
    key: str
    version: str | None = None
    etag: str | None = None
    sequencer: str = ""
    size: int | None = None


def parsed(payload: Any) -> dict[str, Any]:
    """A JSON object out of text, bytes, or one that was parsed already.

    Raises:
        UsageError: it is something else.
    """
    document = payload
    if isinstance(payload, bytes | str):
        try:
            document = json.loads(payload)
        except (ValueError, RecursionError) as error:
            raise unknown("it is not JSON") from error
    if not isinstance(document, Mapping):
        raise unknown("it is JSON, but no object")
    return dict(document)


def object_event(
    *,
    change: Change,
    bucket: Any,
    key: Any,
    version: Any = None,
    etag: Any = None,
    sequencer: Any = "",
    size: Any = None,
) -> ObjectEvent:
    """An event from fields as a payload has them.

    Raises:
        UsageError: `bucket` or `key` is missing or no text.
    """
    return ObjectEvent(
        change=change,
        bucket=text(bucket, "bucket"),
        key=text(key, "key"),
        # Ceph writes "" for an object without versions.
        version=str(version) if version else None,
        etag=str(etag).strip('"') or None if etag else None,
        sequencer=str(sequencer) if sequencer else "",
        size=_size(size),
    )


def text(value: Any, field: str) -> str:
    """A value that must be non-empty Unicode text; `UsageError` names the `field` otherwise."""
    if not isinstance(value, str) or not value:
        raise unknown(f"it has no `{field}`")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise unknown(f"its `{field}` is not Unicode text") from error
    return value


def _size(value: Any) -> int | None:
    # Ceph, Cloud Storage and protobuf write numbers as strings.
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else None  # noqa: PLR2004 - 64 bits


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def unknown(why: str) -> UsageError:
    """The error of a payload that nobody here understands."""
    return UsageError(
        "this message reports no change that Lakeveil knows",
        why=why,
        fix="point the store's notifications at this queue, and nothing else",
        code="unknown_event",
    )
