"""The blocks of a GIF file (GIF89a specification), found without decoding pixels."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from lakeveil.pixels.files.refusals import bad

_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_CONTROL, _TEXT, _APPLICATION = 0xF9, 0x01, 0xFF
_TABLE, _TABLE_SIZE = 0x80, 0x07
_HEADER_BYTES = 13
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_MAX_BLOCKS = 20_000


@dataclass(frozen=True, slots=True)
class Block:
    """A block that the picture needs: `image`, `control` (of the next image), or `loop`."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GifFile:
    """What a GIF file consists of, without what a viewer would leave out."""

    blocks: tuple[Block, ...]
    header_end: int
    width: int
    height: int
    frames: int


def read(data: bytes) -> GifFile:
    """Find and check the blocks.

    Raises:
        BadPhoto: `truncated`, `malformed` or `contradictory`.
    """
    if len(data) < _HEADER_BYTES:
        raise bad("truncated", "the header is cut short")
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    if not (width and height):
        raise bad("malformed", f"its size is {width} x {height}")
    header_end = _HEADER_BYTES + _table_bytes(flags)
    blocks = _walk(data, header_end, width, height)
    frames = sum(b.kind == "image" for b in blocks)
    if not frames:
        raise bad("malformed", "it has no picture data")
    return GifFile(
        blocks=tuple(blocks), header_end=header_end, width=width, height=height, frames=frames
    )


def _walk(data: bytes, at: int, width: int, height: int) -> list[Block]:
    blocks: list[Block] = []
    while at < len(data):
        kind, start = data[at], at
        if kind == _TRAILER:
            return blocks
        if kind == _IMAGE:
            at = _image(data, at, width, height)
            blocks.append(Block("image", start, at))
        elif kind == _EXTENSION:
            at, name = _extension(data, at)
            if name == "control" and blocks and blocks[-1].kind == "control":
                raise bad("contradictory", "one image has two graphic control extensions")
            if name in {"control", "loop"}:
                blocks.append(Block(name, start, at))
            elif name == "text" and blocks and blocks[-1].kind == "control":
                # It was the control block of this text, not of the next image.
                blocks.pop()
        else:
            raise bad("malformed", f"it has an unknown block {kind:02X}")
        if len(blocks) > _MAX_BLOCKS:
            raise bad("malformed", f"it has more than {_MAX_BLOCKS} blocks")
    raise bad("truncated", "the trailer is missing")


def _table_bytes(flags: int) -> int:
    return 3 << ((flags & _TABLE_SIZE) + 1) if flags & _TABLE else 0


def _image(data: bytes, at: int, width: int, height: int) -> int:
    """Check one image; where it ends."""
    if at + 10 > len(data):
        raise bad("truncated", "the file ends within an image's header")
    x, y, w, h, flags = struct.unpack_from("<HHHHB", data, at + 1)
    if not (w and h) or x + w > width or y + h > height:
        # Viewers differ here: some enlarge the canvas, some clip.
        raise bad("malformed", "a frame lies outside the picture")
    at += 10 + _table_bytes(flags) + 1
    return _after_sub_blocks(data, at)


def _extension(data: bytes, at: int) -> tuple[int, str]:
    """Where an extension ends, and what it is to the picture ("" for nothing)."""
    if at + 3 > len(data):
        raise bad("truncated", "the file ends within an extension")
    label, size = data[at + 1], data[at + 2]
    end = _after_sub_blocks(data, at + 2)
    if label == _CONTROL:
        if size != 4 or end != at + 8:  # noqa: PLR2004 - the control block's fixed size
            raise bad("malformed", "a graphic control extension has an impossible length")
        return end, "control"
    if label == _TEXT:
        return end, "text"
    loops = label == _APPLICATION and data[at + 3 : at + 14] in _LOOPS
    # One block of three bytes: how often to repeat.
    return end, "loop" if loops and end == at + 19 and data[at + 15] == 1 else ""


def _after_sub_blocks(data: bytes, at: int) -> int:
    while True:
        if at >= len(data):
            raise bad("truncated", "the file ends within a block")
        size = data[at]
        at += 1 + size
        if not size:
            return at


def rewritten(data: bytes, gif: GifFile) -> bytes:
    """The same picture data without comments, texts and application data."""
    kept = b"".join(data[b.start : b.end] for b in gif.blocks)
    return data[: gif.header_end] + kept + bytes((_TRAILER,))
