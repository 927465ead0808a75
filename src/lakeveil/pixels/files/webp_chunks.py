"""The RIFF chunks of a WebP file (RFC 9649), found without decoding pixels."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from lakeveil.pixels.files.refusals import bad

ALPHA, ANIMATION, FRAME, LOSSY, LOSSLESS, EXTENDED = (
    b"ALPH", b"ANIM", b"ANMF", b"VP8 ", b"VP8L", b"VP8X",
)  # fmt: skip
PICTURE = frozenset({ALPHA, LOSSY, LOSSLESS})
_MAX_CHUNKS = 20_000
# Flags of the extended header.
ANIMATED, HAS_EXIF, HAS_ALPHA, HAS_ICC = 2, 8, 16, 32


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: its name and where its payload is (without padding)."""

    kind: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WebpFile:
    """What a WebP file consists of.

    `lossless` is true when every picture in it is.
    """

    chunks: tuple[Chunk, ...]
    width: int
    height: int
    flags: int
    frames: int
    lossless: bool
    exif: bytes
    icc: bytes


def read(data: bytes) -> WebpFile:
    """Find and check the chunks.

    Raises:
        BadPhoto: `truncated`, `malformed` or `contradictory`.
    """
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise bad("truncated", f"it announces {end} bytes and has {len(data)}")
    chunks = walk(data, 12, end)
    if not chunks:
        raise bad("malformed", "it has no picture data")
    kinds = [c.kind for c in chunks]
    pictures, lossless = 0, True
    flags = 0
    if kinds[0] == EXTENDED:
        flags, width, height = _extended(data, chunks[0])
        frames = [c for c in chunks if c.kind == FRAME]
        for frame in frames:
            lossless &= _frame(data, frame, width, height)
        pictures = len(frames)
        stills = kinds.count(LOSSY) + kinds.count(LOSSLESS)
        if bool(flags & 2) != bool(frames) or (frames and (stills or ANIMATION not in kinds)):
            raise bad("contradictory", "it is an animation in one place and a still in another")
        if not frames:
            pictures, lossless = stills, LOSSLESS in kinds
            _agree(picture_size(data, chunks), (width, height))
    elif kinds[0] in {LOSSY, LOSSLESS}:
        width, height = picture_size(data, chunks[:1])
        pictures, lossless = 1, kinds[0] == LOSSLESS
        chunks = chunks[:1]
    else:
        raise bad("malformed", "its first chunk is no picture and no header")
    animations = [c.end - c.start for c in chunks if c.kind == ANIMATION]
    if animations and (len(animations) > 1 or animations[0] != 6):  # noqa: PLR2004 - colour, loops
        raise bad("malformed", "its animation header is damaged, or there are two")
    if not pictures or (pictures > 1 and FRAME not in kinds):
        raise bad("malformed", f"it has {pictures} pictures where it should have one")
    return WebpFile(
        chunks=tuple(chunks),
        width=width,
        height=height,
        flags=flags,
        frames=pictures,
        lossless=lossless,
        exif=_tiff(next((data[c.start : c.end] for c in chunks if c.kind == b"EXIF"), b"")),
        icc=next((data[c.start : c.end] for c in chunks if c.kind == b"ICCP"), b""),
    )


def walk(data: bytes, at: int, end: int) -> list[Chunk]:
    """The chunks between two offsets."""
    chunks: list[Chunk] = []
    while at + 8 <= end:
        kind, size = struct.unpack_from("<4sI", data, at)
        start, stop = at + 8, at + 8 + size
        if stop > end:
            raise bad("truncated", "the file ends within a chunk")
        chunks.append(Chunk(kind, start, stop))
        if len(chunks) > _MAX_CHUNKS:
            raise bad("malformed", f"it has more than {_MAX_CHUNKS} chunks")
        at = stop + size % 2
    return chunks


def chunk(kind: bytes, payload: bytes) -> bytes:
    """A chunk as it stands in a file, padded to an even length."""
    return kind + struct.pack("<I", len(payload)) + payload + b"\x00" * (len(payload) % 2)


def picture_size(data: bytes, chunks: list[Chunk]) -> tuple[int, int]:
    """The size that the bitstream of a still or frame itself gives."""
    for c in chunks:
        head = data[c.start : min(c.end, c.start + 10)]
        if c.kind == LOSSY and len(head) == 10 and head[3:6] == b"\x9d\x01\x2a":  # noqa: PLR2004 - its header
            if head[0] & 1:
                break
            width, height = struct.unpack_from("<HH", head, 6)
            return width & 0x3FFF, height & 0x3FFF
        if c.kind == LOSSLESS and len(head) >= 5 and head[0] == 0x2F:  # noqa: PLR2004 - its header
            bits = int.from_bytes(head[1:5], "little")
            return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    raise bad("malformed", "a picture in it has no valid header")


def _agree(inner: tuple[int, int], outer: tuple[int, int]) -> None:
    if inner != outer:
        raise bad(
            "contradictory",
            f"a picture of {inner[0]} x {inner[1]} is said to be {outer[0]} x {outer[1]}",
        )


def _extended(data: bytes, header: Chunk) -> tuple[int, int, int]:
    if header.end - header.start < 10:  # noqa: PLR2004 - flags and size
        raise bad("malformed", "its header is too short")
    payload = data[header.start : header.start + 10]
    width = int.from_bytes(payload[4:7], "little") + 1
    height = int.from_bytes(payload[7:10], "little") + 1
    return payload[0], width, height


def _frame(data: bytes, frame: Chunk, width: int, height: int) -> bool:
    """Check one frame of an animation; whether it is lossless."""
    if frame.end - frame.start < 16:  # noqa: PLR2004 - position, size, duration, flags
        raise bad("malformed", "a frame is too short")
    head = data[frame.start : frame.start + 16]
    x, y, w, h = (int.from_bytes(head[i : i + 3], "little") for i in (0, 3, 6, 9))
    if 2 * x + w + 1 > width or 2 * y + h + 1 > height:
        raise bad("malformed", "a frame of the animation lies outside the picture")
    inner = walk(data, frame.start + 16, frame.end)
    pictures = [c for c in inner if c.kind in {LOSSY, LOSSLESS}]
    if len(pictures) != 1:
        raise bad("malformed", f"a frame holds {len(pictures)} pictures")
    _agree(picture_size(data, inner), (w + 1, h + 1))
    return pictures[0].kind == LOSSLESS


def kept_frame(data: bytes, frame: Chunk) -> bytes:
    """A frame's payload with its picture only: other chunks within it are left out."""
    inner = walk(data, frame.start + 16, frame.end)
    kept = [chunk(c.kind, data[c.start : c.end]) for c in inner if c.kind in PICTURE]
    return data[frame.start : frame.start + 16] + b"".join(kept)


def _tiff(block: bytes) -> bytes:
    # Some writers put JPEG's prefix before the block.
    return block.removeprefix(b"Exif\x00\x00")


def rewritten(data: bytes, webp: WebpFile, *, exif: bytes, icc: bytes) -> bytes:
    """The same picture data with no other metadata than the blocks given (b"" for none)."""
    kept = []
    for c in webp.chunks:
        if c.kind == FRAME:
            kept.append(chunk(FRAME, kept_frame(data, c)))
        elif c.kind in PICTURE or (c.kind == ANIMATION and webp.flags & ANIMATED):
            kept.append(chunk(c.kind, data[c.start : c.end]))
    flags = webp.flags & (HAS_ALPHA | ANIMATED)
    return assembled(kept, webp.width, webp.height, flags=flags, exif=exif, icc=icc)


def assembled(
    picture: list[bytes], width: int, height: int, *, flags: int, exif: bytes, icc: bytes
) -> bytes:
    """A WebP file of finished picture chunks; the simple format where that is enough."""
    if exif or icc or flags or len(picture) > 1:
        flags |= (HAS_EXIF if exif else 0) | (HAS_ICC if icc else 0)
        size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        header = chunk(EXTENDED, bytes((flags, 0, 0, 0)) + size)
        profile = [chunk(b"ICCP", icc)] if icc else []
        block = [chunk(b"EXIF", exif)] if exif else []
        picture = [header, *profile, *picture, *block]
    body = b"WEBP" + b"".join(picture)
    return b"RIFF" + struct.pack("<I", len(body)) + body
