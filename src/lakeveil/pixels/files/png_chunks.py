"""The chunks of a PNG or APNG file (PNG third edition, section 5), found without decoding."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from lakeveil.pixels.files.refusals import bad

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# What a picture needs to look as it does. All else (text, EXIF, private chunks) is left out.
PICTURE_CHUNKS = frozenset(
    {
        b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS",
        b"cHRM", b"gAMA", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"sBIT", b"bKGD", b"pHYs",
        b"acTL", b"fcTL", b"fdAT",
    }
)  # fmt: skip
# Fixed sizes, so that a chunk of a harmless name cannot carry something else.
_EXACT_BYTES = {
    b"IHDR": 13, b"IEND": 0, b"cHRM": 32, b"gAMA": 4, b"sRGB": 1, b"cICP": 4, b"mDCV": 24,
    b"cLLI": 8, b"pHYs": 9, b"acTL": 8, b"fcTL": 26,
}  # fmt: skip
# Of these a decoder uses the first, or the last, or none.
_ONCE = frozenset(
    {
        b"PLTE", b"tRNS", b"cHRM", b"gAMA", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"sBIT", b"bKGD",
        b"pHYs", b"iCCP", b"eXIf",
    }
)  # fmt: skip
_MOST_BYTES = {b"sBIT": 4, b"bKGD": 6, b"tRNS": 256, b"PLTE": 768}
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
_PACKED = frozenset({b"zTXt", b"iTXt", b"iCCP"})
_MAX_CHUNKS = 200_000
_MAX_UNPACKED_BYTES = 8 * 2**20
_CHUNK_OVERHEAD = 12


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: its name and where its payload is."""

    kind: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PngFile:
    """What a PNG file consists of.

    `frames` counts the pictures a viewer may show: those of the animation, and the default
    image if it is not one of them (`default_apart`).
    """

    chunks: tuple[Chunk, ...]
    width: int
    height: int
    frames: int
    default_apart: bool
    exif: bytes
    icc: bytes


def read(data: bytes) -> PngFile:
    """Find and check the chunks.

    Raises:
        BadPhoto: `truncated`, `malformed`, `contradictory` or `metadata_bomb`.
    """
    chunks = _walk(data)
    if not chunks or chunks[0].kind != b"IHDR":
        raise bad("malformed", "the first chunk is not the header")
    if sum(c.kind == b"IHDR" for c in chunks) != 1:
        raise bad("malformed", "it has more than one header")
    if not any(c.kind == b"IDAT" for c in chunks):
        raise bad("malformed", "it has no picture data")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack_from(
        ">IIBBBBB", data, chunks[0].start
    )
    if not (0 < width < 2**31 and 0 < height < 2**31):
        raise bad("malformed", f"its size is {width} x {height}")
    if depth not in _DEPTHS.get(colour, set()) or compression or filtering or interlace > 1:
        raise bad("malformed", "its header holds values that do not exist")
    _in_order(chunks)
    frames, default_apart = _frames(data, chunks, width, height)
    return PngFile(
        chunks=tuple(chunks),
        width=width,
        height=height,
        frames=frames,
        default_apart=default_apart,
        exif=next((data[c.start : c.end] for c in chunks if c.kind == b"eXIf"), b""),
        icc=_icc(data, chunks),
    )


def chunk(kind: bytes, payload: bytes) -> bytes:
    """A chunk as it stands in a file, with its checksum."""
    checksum = zlib.crc32(payload, zlib.crc32(kind))
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", checksum)


def profile(icc: bytes) -> bytes:
    """The chunk of a colour profile."""
    return chunk(b"iCCP", b"icc\x00\x00" + zlib.compress(icc))


def _walk(data: bytes) -> list[Chunk]:
    chunks: list[Chunk] = []
    at, unpacked = len(SIGNATURE), 0
    while True:
        if at + _CHUNK_OVERHEAD > len(data):
            raise bad("truncated", "the final chunk is missing")
        length, kind = struct.unpack_from(">I4s", data, at)
        start, end = at + 8, at + 8 + length
        if end + 4 > len(data):
            raise bad("truncated", f"the file ends within the chunk `{_name(kind)}`")
        chunks.append(_checked(data, Chunk(kind, start, end)))
        if kind in _PACKED:
            unpacked += len(_unpacked(_packed(kind, data[start:end])) or b"")
            if unpacked > _MAX_UNPACKED_BYTES:
                raise bad(
                    "metadata_bomb",
                    f"its texts and profiles unpack to over {_MAX_UNPACKED_BYTES} bytes",
                )
        if kind == b"IEND":
            return chunks
        if len(chunks) > _MAX_CHUNKS:
            raise bad("malformed", f"it has more than {_MAX_CHUNKS} chunks")
        at = end + 4


def _checked(data: bytes, found: Chunk) -> Chunk:
    kind, length = found.kind, found.end - found.start
    if kind in PICTURE_CHUNKS:
        if length != _EXACT_BYTES.get(kind, length) or length > _MOST_BYTES.get(kind, length):
            raise bad("malformed", f"the chunk `{_name(kind)}` has an impossible length")
        with memoryview(data) as view:
            checksum = zlib.crc32(view[found.start : found.end], zlib.crc32(kind))
        if checksum != int.from_bytes(data[found.end : found.end + 4], "big"):
            raise bad("malformed", f"the checksum of a chunk `{_name(kind)}` is wrong")
    elif kind not in _PACKED and not kind[0] & 0x20:
        raise bad("malformed", f"it needs the unknown chunk `{_name(kind)}` to be shown")
    return found


def _in_order(chunks: list[Chunk]) -> None:
    """Refuse what decoders would read in different ways (section 5.6)."""
    kinds = [c.kind for c in chunks]
    for kind in _ONCE & set(kinds):
        if kinds.count(kind) > 1:
            raise bad("contradictory", f"it has more than one chunk `{_name(kind)}`")
    first = kinds.index(b"IDAT")
    last = len(kinds) - 1 - kinds[::-1].index(b"IDAT")
    if last - first + 1 != kinds.count(b"IDAT"):
        raise bad("contradictory", "other chunks stand within its picture data")
    if {b"PLTE", b"tRNS"} & set(kinds[first:]):
        raise bad("contradictory", "its colours come after its picture data")


def _name(kind: bytes) -> str:
    return kind.decode("ascii", "replace")


def _packed(kind: bytes, payload: bytes) -> bytes:
    """The deflated part of a text or profile chunk; b"" where there is none."""
    _, _, rest = payload.partition(b"\x00")
    if kind != b"iTXt":
        return rest[1:]
    if not rest.startswith(b"\x01"):
        return b""
    return rest[2:].split(b"\x00", 2)[-1]


def _unpacked(packed: bytes) -> bytes | None:
    """What a deflated payload holds, None where it is damaged; bounded in size."""
    try:
        stream = zlib.decompressobj()
        unpacked = stream.decompress(packed, _MAX_UNPACKED_BYTES + 1)
    except zlib.error:
        return None
    return unpacked


def _icc(data: bytes, chunks: list[Chunk]) -> bytes:
    for c in chunks:
        if c.kind == b"iCCP":
            return _unpacked(_packed(b"iCCP", data[c.start : c.end])) or b""
    return b""


def _frames(data: bytes, chunks: list[Chunk], width: int, height: int) -> tuple[int, bool]:
    """How many pictures there are, and whether the default image is apart from the animation."""
    kinds = [c.kind for c in chunks]
    controls = [c for c in chunks if c.kind == b"fcTL"]
    for c in controls:
        w, h, x, y = struct.unpack_from(">IIII", data, c.start + 4)
        if not (w and h) or x + w > width or y + h > height:
            raise bad("malformed", "a frame of the animation lies outside the picture")
    if b"acTL" not in kinds or kinds.index(b"acTL") > kinds.index(b"IDAT"):
        if controls:
            # Viewers disagree on whether this is an animation.
            raise bad("contradictory", "it has frames of an animation but no animation")
        return 1, False
    announced = struct.unpack_from(">I", data, chunks[kinds.index(b"acTL")].start)[0]
    if kinds.count(b"acTL") != 1 or announced != len(controls) or not controls:
        raise bad("contradictory", f"it announces {announced} frames and has {len(controls)}")
    apart = kinds.index(b"fcTL") > kinds.index(b"IDAT")
    if not apart and struct.unpack_from(">II", data, controls[0].start + 4) != (width, height):
        raise bad("contradictory", "the first frame of the animation is not the whole picture")
    return len(controls) + apart, apart


def rewritten(data: bytes, png: PngFile, *, exif: bytes, icc: bytes) -> bytes:
    """The same picture data with no other metadata than the blocks given (b"" for none)."""
    animated = any(c.kind == b"acTL" for c in png.chunks)
    parts = [SIGNATURE]
    for c in png.chunks:
        if c.kind in PICTURE_CHUNKS and (animated or c.kind != b"fdAT"):
            parts.append(data[c.start - 8 : c.end + 4])
        if c.kind == b"IHDR":
            if icc:
                parts.append(profile(icc))
            if exif:
                parts.append(chunk(b"eXIf", exif))
    return b"".join(parts)
