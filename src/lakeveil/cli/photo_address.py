"""How people name photos and boxes on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lakeveil.core.geometry import Box
from lakeveil.errors import NotFound, UsageError

if TYPE_CHECKING:
    from lakeveil.core.outcomes import PhotoRecord
    from lakeveil.core.photos import Collection
    from lakeveil.ports import PhotoLedger


def find_record(
    address: str, collections: Sequence[Collection], ledger: PhotoLedger
) -> PhotoRecord:
    """The record of `s3://bucket/key`, or of a bare key that one collection holds.

    Raises:
        NotFound: nothing is known of such a photo.
        UsageError: several collections hold a photo under that key.
    """
    if address.startswith("s3://"):
        bucket, _, key = address.removeprefix("s3://").partition("/")
        places = [(bucket, key)]
    else:
        places = sorted({(c.source_bucket, address) for c in collections})
    found = [record for place in places if (record := ledger.record(*place))]
    if not found:
        raise NotFound(
            f"nothing is known of `{address}`",
            why="it was never uploaded, or is still in the queue",
            fix="`lakeveil photo ls` lists what is known, `lakeveil queue show` what waits",
        )
    if len(found) > 1:
        every = ", ".join(f"s3://{r.bucket}/{r.key}" for r in found)
        raise UsageError(
            f"`{address}` names {len(found)} photos", why=every, fix="give the whole address"
        )
    return found[0]


def collection_of(record: PhotoRecord, collections: Sequence[Collection]) -> Collection:
    """The collection that a photo belongs to.

    Raises:
        NotFound: it is no longer in the settings.
    """
    for collection in collections:
        if collection.name == record.collection:
            return collection
    raise NotFound(
        f"there is no collection `{record.collection}` any more",
        why="the photo was worked on under it, but the settings do not have it",
        fix="put it back into lakeveil.toml",
    )


def parse_box(text: str) -> Box:
    """A box written `left,top,width,height` in pixels of the upright photo.

    Raises:
        UsageError: it is not four whole numbers, or empty.
    """
    try:
        left, top, width, height = (int(part) for part in text.split(","))
    except ValueError:
        left, top, width, height = 0, 0, 0, 0
    if width <= 0 or height <= 0:
        raise UsageError(
            f"`{text}` is not a box",
            why="a box is left,top,width,height in pixels, with a width and height above 0",
            fix="such as --box 120,80,64,64",
        )
    return Box(left, top, left + width, top + height)
