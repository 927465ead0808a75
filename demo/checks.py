"""What the demo demands of each release: looked at again, from the outside, file by file."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, ImageSequence

Box = tuple[int, int, int, int]
"""left, top, right, bottom in pixels of the upright photo."""

PRIVATE = (b"SN-0042-PRIVATE", b"A. Photographer")
"""What the metadata of `thumbnail.jpg` holds and no release may."""

MAX_DRIFT = 6.0
"""Mean difference (0 to 255) outside the faces that re-encoding may make."""
MIN_CHANGE = 10.0
"""Mean difference (0 to 255) inside a face below which it cannot be called hidden."""
LIKELY, SAME_PLACE, MARGIN = 0.5, 0.7, 0.2
GPS = 0x8825


@dataclass(frozen=True, slots=True)
class Seen:
    """What the detector took for a face on one frame, and how sure it was (0 to 1)."""

    box: Box
    confidence: float


def problems_with_release(
    original: bytes,
    release: bytes,
    *,
    before: Sequence[Sequence[Seen]],
    after: Sequence[Sequence[Seen]],
) -> list[str]:
    """What is wrong with a release; empty when nothing is.

    `before` and `after` are what the detector saw on each frame of the original and of the
    release. A photo without a face must keep every pixel.
    """
    found = _what_hides_in(release)
    faces = [[seen.box for seen in frame] for frame in before]
    left = sum(faces_left(frame, hidden) for frame, hidden in zip(after, faces, strict=False))
    if left:
        found.append(f"{left} face(s) can still be seen")
    old, new = frames(original), frames(release)
    if len(old) != len(new):
        return [*found, f"it has {len(new)} frames, the original {len(old)}"]
    if old[0].shape != new[0].shape:
        return [*found, f"its upright size is {new[0].shape}, the original's {old[0].shape}"]
    if not any(faces):
        if not all(np.array_equal(o, n) for o, n in zip(old, new, strict=True)):
            found.append("it shows no face, and yet its pixels changed")
        return found
    for number, boxes in enumerate(faces):
        found.extend(_problems_with_frame(old[number], new[number], boxes, number))
    return found


def faces_left(seen: Sequence[Seen], hidden: Sequence[Box]) -> int:
    """How many faces a look at a release still finds.

    To a detector a veil looks a little like a face, and so does a veil on a pair of shoulders. So
    what lies in a hidden place, or has one in its middle, counts only if it is more likely a face
    than not. Anywhere else everything counts.
    """
    return sum(
        one.confidence >= LIKELY or not any(_is_of(one.box, place) for place in hidden)
        for one in seen
    )


def _is_of(box: Box, hidden: Box) -> bool:
    """Whether most of one lies in the other; the hidden box grown by the policy's margin."""
    dx, dy = (hidden[2] - hidden[0]) * MARGIN, (hidden[3] - hidden[1]) * MARGIN
    width = min(box[2], hidden[2] + dx) - max(box[0], hidden[0] - dx)
    height = min(box[3], hidden[3] + dy) - max(box[1], hidden[1] - dy)
    shared = max(0.0, width) * max(0.0, height)
    area, place = _area(box), (1 + 2 * MARGIN) ** 2 * _area(hidden)
    return shared >= SAME_PLACE * min(area, place)


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _problems_with_frame(
    before: NDArray[np.uint8], after: NDArray[np.uint8], boxes: Sequence[Box], number: int
) -> list[str]:
    found = []
    difference = np.abs(before.astype(np.int16) - after.astype(np.int16)).mean(axis=2)
    outside = np.ones(difference.shape, dtype=bool)
    for left, top, right, bottom in boxes:
        dx, dy = (right - left) * 3 // 4, (bottom - top) * 3 // 4
        outside[max(0, top - dy) : bottom + dy, max(0, left - dx) : right + dx] = False
        inside = difference[max(0, top) : bottom, max(0, left) : right]
        if inside.mean() < MIN_CHANGE:
            found.append(
                f"the face at {left}, {top} of frame {number} hardly changed "
                f"({inside.mean():.1f} of 255)"
            )
    drift = float(difference[outside].mean()) if outside.any() else 0.0
    if drift > MAX_DRIFT:
        found.append(f"the rest of frame {number} changed ({drift:.1f} of 255)")
    return found


def frames(data: bytes) -> list[NDArray[np.uint8]]:
    """Every frame, upright: (height, width, 3) uint8."""
    with Image.open(io.BytesIO(data)) as photo:
        return [
            np.asarray(ImageOps.exif_transpose(frame).convert("RGB"))
            for frame in ImageSequence.Iterator(photo)
        ]


def _what_hides_in(release: bytes) -> list[str]:
    found = []
    if release.startswith(b"\xff\xd8") and release.find(b"\xff\xd8\xff", 2) > 0:
        found.append("a second image hides in the file")
    with Image.open(io.BytesIO(release)) as photo:
        if _has_second_directory(photo.info.get("exif", b"")):
            found.append("it has an embedded thumbnail")
        if photo.getexif().get_ifd(GPS):
            found.append("it says where it was taken")
    found.extend(f"its metadata holds {word.decode()!r}" for word in PRIVATE if word in release)
    return found


def _has_second_directory(exif: bytes) -> bool:
    """Whether another directory follows IFD0: IFD1 is the thumbnail's (Exif 2.32, 4.5.2)."""
    tiff = exif.removeprefix(b"Exif\x00\x00")
    if not tiff:
        return False
    order = "<" if tiff[:2] == b"II" else ">"
    (ifd0,) = struct.unpack_from(order + "I", tiff, 4)
    (count,) = struct.unpack_from(order + "H", tiff, ifd0)
    (following,) = struct.unpack_from(order + "I", tiff, ifd0 + 2 + 12 * count)
    return bool(following)
