"""Whether a lossy WebP is its pictures and nothing more (RFC 6386 for the layout of VP8).

A frame of VP8 is a first partition of modes and up to eight of coefficients, with their lengths in
the file; a decoder stops in each when it has all blocks.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from PIL import WebPImagePlugin

from lakeveil.pixels.files.unread import Piece, all_read
from lakeveil.pixels.files.webp_chunks import (
    ALPHA,
    FRAME,
    HAS_ALPHA,
    LOSSY,
    PICTURE,
    Chunk,
    assembled,
    chunk,
    picture_size,
    read,
    walk,
)

# An encoder's last bytes may be padding that changes nothing.
_LAST_BYTES = 8
_FRAME_TAG, _KEY_HEADER = 3, 10
_SEGMENTS, _PROBABILITIES, _DELTAS = 4, 3, 8


def is_exact(data: bytes) -> bool:
    """Whether every picture in it is lossy, alone, and read to its end.

    Raises:
        BadPhoto: the file is damaged.
    """
    webp = read(data)
    if webp.frames == 1 and not any(c.kind == FRAME for c in webp.chunks):
        return _is_exact(data, [c for c in webp.chunks if c.kind in PICTURE])
    frames = [walk(data, c.start + 16, c.end) for c in webp.chunks if c.kind == FRAME]
    return all(_is_exact(data, [c for c in inner if c.kind in PICTURE]) for inner in frames)


def _is_exact(data: bytes, chunks: Sequence[Chunk]) -> bool:
    kinds = [c.kind for c in chunks]
    if kinds not in ([LOSSY], [ALPHA, LOSSY]):
        return False
    width, height = picture_size(data, list(chunks))
    flags = HAS_ALPHA if ALPHA in kinds else 0
    alone = assembled(
        [chunk(c.kind, data[c.start : c.end]) for c in chunks],
        width,
        height,
        flags=flags,
        exif=b"",
        icc=b"",
    )
    found = {c.kind: c for c in read(alone).chunks}
    pieces = _partitions(alone, found[LOSSY])
    if pieces is None:
        return False
    if ALPHA in found:
        pieces.append((found[ALPHA].start + 1, found[ALPHA].end))
    return all_read(alone, pieces, WebPImagePlugin.WebPImageFile, last=_LAST_BYTES)


def _partitions(data: bytes, coded: Chunk) -> list[Piece] | None:
    """Where the partitions of a key frame are; None where their lengths do not fit."""
    tag = int.from_bytes(data[coded.start : coded.start + _FRAME_TAG], "little")
    first = coded.start + _KEY_HEADER
    table = first + (tag >> 5)
    if table > coded.end:
        return None
    count = _count(data[first:table])
    at = table + 3 * (count - 1)
    pieces = [(first, table)]
    for number in range(count):
        size = int.from_bytes(data[table + 3 * number : table + 3 * number + 3], "little")
        end = at + size if number < count - 1 else coded.end
        if not at < end <= coded.end:
            return None
        pieces.append((at, end))
        at = end
    return pieces


def _count(header: bytes) -> int:
    """How many partitions of coefficients there are (section 9.3 to 9.6, 19.2)."""
    bits = _BoolDecoder(header)
    bits.number(2)  # colour space, clamping
    if bits.number(1):  # segments
        with_map, with_data = bits.number(1), bits.number(1)
        if with_data:
            bits.number(1)
            bits.skip_optional(_SEGMENTS, 8)  # quantiser and sign
            bits.skip_optional(_SEGMENTS, 7)  # loop filter and sign
        if with_map:
            bits.skip_optional(_PROBABILITIES, 8)
    bits.number(10)  # loop filter: its kind, level and sharpness
    if bits.number(1) and bits.number(1):
        bits.skip_optional(_DELTAS, 7)
    return 1 << bits.number(2)


class _BoolDecoder:
    """VP8's arithmetic decoder at even odds (section 7.3)."""

    def __init__(self, data: bytes) -> None:
        self._data = data.ljust(2, b"\x00")
        self._value = struct.unpack_from(">H", self._data)[0]
        self._at, self._range, self._shifted = 2, 255, 0

    def number(self, bits: int) -> int:
        value = 0
        for _ in range(bits):
            value = value << 1 | self._bit()
        return value

    def skip_optional(self, count: int, bits: int) -> None:
        """Numbers of which each is there only if a bit before it says so."""
        for _ in range(count):
            if self.number(1):
                self.number(bits)

    def _bit(self) -> int:
        split = 1 + ((self._range - 1) * 128 >> 8)
        bit = self._value >= split << 8
        if bit:
            self._range -= split
            self._value -= split << 8
        else:
            self._range = split
        while self._range < 128:  # noqa: PLR2004 - half of its scale
            self._value <<= 1
            self._range <<= 1
            self._shifted += 1
            if self._shifted == 8:  # noqa: PLR2004 - bits of a byte
                self._shifted = 0
                self._value |= self._data[self._at] if self._at < len(self._data) else 0
                self._at += 1
        return int(bit)
