"""A GIF's pictures packed anew, index by index: nothing behind their last pixel, no idle colour.

A decoder stops at the last pixel; what the packed data or its blocks hold after that stays unseen.
Colours of a table that no pixel has, and a control block that another one overrides, are unseen
as well.
"""

from __future__ import annotations

import io
import struct

import numpy as np
from numpy.typing import NDArray
from PIL import GifImagePlugin, Image

from lakeveil.pixels.files import gif_blocks
from lakeveil.pixels.files.gif_blocks import Block, read

_TABLE, _TABLE_SIZE, _INTERLACED = 0x80, 0x07, 0x40
_HEADER_BYTES, _IMAGE_BYTES = 13, 10
# Grey, so that what Pillow decodes with it are the indices.
_RAMP = bytes(i for index in range(256) for i in (index, index, index))


def trimmed(data: bytes) -> bytes:
    """The same frames with the same timing; every index as it was.

    Raises:
        BadPhoto: `truncated` or `malformed`.
        OSError: a frame cannot be decoded.
    """
    gif = read(data)
    blocks = _shown(gif.blocks)
    used = np.zeros(256, np.bool_)
    body = []
    for block in blocks:
        if block.kind != "image":
            body.append(data[block.start : block.end])
            continue
        indices = _indices(data, block)
        present = np.bincount(indices.ravel(), minlength=256) > 0
        flags = data[block.start + 9]
        if not flags & _TABLE:
            used |= present
        body.append(_packed(data, block, indices, present))
    used[data[11]] = True
    head = data[:_HEADER_BYTES] + _colours(data[_HEADER_BYTES : gif.header_end], used)
    return b"".join([head, *body, b"\x3b"])


def _shown(blocks: tuple[Block, ...]) -> list[Block]:
    """The images, each with its own control block, and how often they repeat."""
    loops = [b for b in blocks if b.kind == "loop"][-1:]
    kept = list(loops)
    control: list[Block] = []
    for block in blocks:
        if block.kind == "control":
            control = [block]
        elif block.kind == "image":
            kept += [*control, block]
            control = []
    return kept


def _indices(data: bytes, block: Block) -> NDArray[np.uint8]:
    """(height, width) uint8: the places in the colour table, rows in order."""
    width, height, flags = struct.unpack_from("<HHB", data, block.start + 5)
    coded = data[block.start + _IMAGE_BYTES + _table_bytes(flags) : block.end]
    alone = b"".join(
        (
            b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF7, 0, 0) + _RAMP,
            struct.pack("<BHHHHB", 0x2C, 0, 0, width, height, flags & _INTERLACED),
            coded + b"\x3b",
        )
    )
    with GifImagePlugin.GifImageFile(io.BytesIO(alone)) as image:
        image.load()
        if image.mode != "L":
            raise OSError("a frame was decoded in an unexpected way")
        return np.asarray(image)


def _packed(
    data: bytes, block: Block, indices: NDArray[np.uint8], present: NDArray[np.bool_]
) -> bytes:
    out = io.BytesIO()
    Image.fromarray(indices).save(out, "GIF", optimize=False, interlace=False)
    made = out.getvalue()
    single = gif_blocks.read(made)
    written = next(b for b in single.blocks if b.kind == "image")
    coded = made[written.start + _IMAGE_BYTES + _table_bytes(made[written.start + 9]) : written.end]
    head = bytearray(data[block.start : block.start + _IMAGE_BYTES])
    flags = head[9]
    head[9] = flags & (_TABLE | _TABLE_SIZE)
    table = data[block.start + _IMAGE_BYTES :][: _table_bytes(flags)]
    return bytes(head) + _colours(table, present) + coded


def _colours(table: bytes, used: NDArray[np.bool_]) -> bytes:
    """The table with black for what no pixel has."""
    colours = np.frombuffer(table, np.uint8).reshape(-1, 3).copy()
    colours[~used[: len(colours)]] = 0
    return colours.tobytes()


def _table_bytes(flags: int) -> int:
    return 3 << ((flags & _TABLE_SIZE) + 1) if flags & _TABLE else 0
