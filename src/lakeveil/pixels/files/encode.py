"""Writes redacted frames in the format they came in (HEIC: as JPEG), with whitelisted metadata.

What is written depends on the redacted pixels and on how the original was coded (its quantisation,
its compression), never on the original pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lakeveil.core.geometry import Box
from lakeveil.pixels.files import animation, encode_still, exif
from lakeveil.pixels.files.decode import Decoded, opened
from lakeveil.pixels.files.refusals import bad
from lakeveil.pixels.files.sniff import Format
from lakeveil.pixels.rendition import RedactedFrame


@dataclass(frozen=True, slots=True)
class Encoded:
    """A written file and its media type."""

    data: bytes
    content_type: str


def encode(
    decoded: Decoded, frames: Iterable[RedactedFrame], *, keep: Sequence[str] = ()
) -> Encoded:
    """Write the redacted frames, which must be all of `decoded`, in order.

    Frames are taken one at a time, so that both sides of a long animation need not fit in memory.
    A frame that has alpha must be redacted with it (`Frame.layers`). `keep` names the groups of
    metadata that survive, as in `RedactionPolicy.keep_metadata`.

    Raises:
        BadPhoto: `unencodable`, or a frame could not be decoded.
        ValueError: there are more or fewer frames than the file has.
    """
    return _written(decoded, ((f.pixels, f.regions) for f in frames), keep)


def copied(decoded: Decoded, *, keep: Sequence[str] = ()) -> Encoded:
    """Write the frames as they are: for a file without faces that cannot be cleaned in place."""
    return _written(decoded, ((f.layers, ()) for f in decoded.frames()), keep)


_Picture = tuple[NDArray[np.uint8], tuple[Box, ...]]


def _written(decoded: Decoded, pictures: Iterable[_Picture], keep: Sequence[str]) -> Encoded:
    header = decoded.header
    block = b"" if header.format is Format.GIF else exif.rebuilt(decoded.exif, keep)
    counted = _counted(decoded, pictures)
    try:
        with opened(decoded.data, header) as original:
            data = _in_format(decoded, original, counted, block, keep)
    except MemoryError as err:
        raise bad("out_of_memory", "there was not enough memory to write it") from err
    except (OSError, SyntaxError, RuntimeError) as err:
        raise bad("unencodable", f"the {header.format} encoder says: {err}") from err
    return Encoded(data, header.release_content_type)


def _counted(decoded: Decoded, pictures: Iterable[_Picture]) -> Iterator[encode_still.Picture]:
    count = 0
    for pixels, regions in pictures:
        shown = decoded.shown.get(count)
        if shown is None:
            raise ValueError("frames are written in the order in which they were decoded")
        image = Image.fromarray(pixels)
        if shown.grey:
            image = image.convert("LA" if image.mode in {"RGBA", "LA"} else "L")
        count += 1
        yield encode_still.Picture(image, shown.duration_ms, regions)
    if count != decoded.header.frames:
        raise ValueError(f"{count} of {decoded.header.frames} frames were redacted")


def _in_format(
    decoded: Decoded,
    original: Image.Image,
    pictures: Iterator[encode_still.Picture],
    block: bytes,
    keep: Sequence[str],
) -> bytes:
    found = decoded.header.format
    if found is Format.TIFF:
        return encode_still.tiff(decoded, pictures, keep)
    if found is Format.AVIF:
        return encode_still.avif(decoded, list(pictures), block)
    if found is Format.GIF:
        return animation.gif(decoded, original, pictures)
    if decoded.header.frames == 1:
        (picture,) = pictures
        return encode_still.still(decoded, original, picture.image, block)
    if found is Format.PNG:
        return animation.apng(decoded, original, pictures, block)
    return animation.webp(decoded, original, pictures, block)
