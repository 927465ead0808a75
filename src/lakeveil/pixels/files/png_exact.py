"""A PNG's picture data and nothing behind it: as many bytes as its rows need, in new chunks.

Decoders stop when they have all rows. What a deflate stream holds after them, and what the chunks
hold after its end, nobody sees and everybody can find.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence

from lakeveil.pixels.files.png_chunks import Chunk, chunk, read
from lakeveil.pixels.files.refusals import bad

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Left, top, step across, step down of each pass of Adam7 (section 8).
_PASSES = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
    (0, 1, 1, 2),
)  # fmt: skip
# One value for each channel; a palette has up to as many as colours.
_TRANSPARENT_BYTES = {0: 2, 2: 6}
_PIECE = 2**20
_LEVEL = 6
_DATA = frozenset({b"IDAT", b"fdAT"})


def trimmed(data: bytes) -> bytes:
    """The same pictures, coded as they were, or deflated anew where more than they was in there.

    Raises:
        BadPhoto: `truncated`, `malformed`, `contradictory` or `metadata_bomb`.
    """
    png = read(data)
    head = struct.unpack_from(">IIBBBBB", data, png.chunks[0].start)
    parts = [data[:8]]
    number = 0
    size = head[:2]
    pending: list[Chunk] = []
    animated = any(c.kind == b"acTL" for c in png.chunks)

    def finished() -> Iterator[bytes]:
        nonlocal number
        if not pending:
            return
        kind = pending[0].kind
        skip = 4 if kind == b"fdAT" else 0
        whole = size if skip else head[:2]
        packed = _exactly(b"".join(data[c.start + skip : c.end] for c in pending), whole, head[2:])
        if kind == b"fdAT":
            packed = struct.pack(">I", number) + packed
            number += 1
        pending.clear()
        yield chunk(kind, packed)

    for c in png.chunks:
        if c.kind in _DATA:
            pending.append(c)
            continue
        parts += finished()
        payload = data[c.start : c.end]
        if c.kind == b"fcTL":
            if not animated:
                continue
            size = struct.unpack_from(">II", payload, 4)
            payload = struct.pack(">I", number) + payload[4:]
            number += 1
        if c.kind == b"tRNS" and len(payload) != _TRANSPARENT_BYTES.get(head[3], len(payload)):
            raise bad("malformed", "the chunk `tRNS` has an impossible length")
        if c.kind not in _IGNORED.get(head[3], ()):
            parts.append(chunk(c.kind, payload))
    return b"".join(parts)


# A palette that colours the picture is shown; one that only suggests colours is not.
_IGNORED = {0: (b"PLTE",), 2: (b"PLTE",), 4: (b"PLTE", b"tRNS"), 6: (b"PLTE", b"tRNS")}


def _exactly(packed: bytes, size: tuple[int, ...], kind: Sequence[int]) -> bytes:
    """The stream as it is where it ends with the last row, else the rows deflated anew."""
    expected = _row_bytes(size[0], size[1], kind)
    unpacking = zlib.decompressobj()
    packing = zlib.compressobj(_LEVEL)
    try:
        if _inflates_to(expected, packed, unpacking):
            return packed
        out, left = [], expected
        unpacking = zlib.decompressobj()
        rest = packed
        while left:
            piece = unpacking.decompress(rest, min(left, _PIECE))
            rest = unpacking.unconsumed_tail
            if not piece:
                raise bad("truncated", "its picture data ends before the picture does")
            left -= len(piece)
            out.append(packing.compress(piece))
    except zlib.error as err:
        raise bad("malformed", "its picture data is damaged") from err
    return b"".join([*out, packing.flush()])


def _inflates_to(expected: int, packed: bytes, unpacking: zlib._Decompress) -> bool:
    left, rest = expected, packed
    while not unpacking.eof:
        piece = unpacking.decompress(rest, _PIECE)
        rest = unpacking.unconsumed_tail
        left -= len(piece)
        if left < 0 or (not piece and not rest and not unpacking.eof):
            return False
    return not (left or unpacking.unused_data or rest)


def _row_bytes(width: int, height: int, kind: Sequence[int]) -> int:
    """Bytes of all rows with their filter bytes (sections 7.2 and 8)."""
    depth, colour, interlaced = kind[0], kind[1], kind[4]
    bits = depth * _CHANNELS[colour]
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    total = 0
    for left, top, across, down in passes:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * bits // 8))
    return total
