"""Whether an AVIF is its picture and nothing more (AV1 specification, sections 5.3 and 5.9).

An item is a stream of units (OBU) that could hold several frames, of which one is shown, and
padding or metadata of any size.
"""

from __future__ import annotations

import io

from PIL import AvifImagePlugin, Image

from lakeveil.pixels.files.heif_boxes import HeifFile, payload, read
from lakeveil.pixels.files.unread import all_read

_SEQUENCE, _DELIMITER, _FRAME = 1, 2, 6
_LAST_BYTES = 4
_MAX_ITEMS = 16
_MOST_HIDDEN = 8
"""Pixels of its tiles that a grid may cut off at the right or at the bottom."""
_CODED, _GRID = b"av01", b"grid"
_REDUCED_HEADER = 0x08


def is_exact(data: bytes) -> bool:
    """Whether each coded item of a rewritten file is one whole shown frame, read to its end.

    Raises:
        BadPhoto: the file is damaged.
    """
    heif = read(data)
    coded = [n for n, item in heif.items.items() if item.kind == _CODED]
    grids = [n for n, item in heif.items.items() if item.kind == _GRID]
    if not 0 < len(coded) <= _MAX_ITEMS:
        return False
    if not all(_is_covered(data, heif, n) for n in grids) or not _alpha_fits(heif):
        return False
    pieces = []
    for number in coded:
        item = heif.items[number]
        if len(item.extents) != 1 or not _is_one_frame(payload(data, item)):
            return False
        at, size = item.extents[0]
        pieces.append((at, at + size))
    return all_read(data, pieces, _open, last=_LAST_BYTES)


def _open(stream: io.BytesIO) -> Image.Image:
    return AvifImagePlugin.AvifImageFile(stream)


def _is_one_frame(stream: bytes) -> bool:
    """A sequence header and one frame that is shown, perhaps after a delimiter; nothing else."""
    kinds: list[int] = []
    reduced = False
    at = 0
    while at < len(stream):
        header = stream[at]
        kind, extended, sized = header >> 3 & 15, header & 4, header & 2
        at += 2 if extended else 1
        size = len(stream) - at
        if sized:
            size, at = _leb128(stream, at)
        if extended or header & 0x81 or at + size > len(stream):
            return False
        if kind == _DELIMITER and size:
            return False
        if kind == _SEQUENCE and size:
            # seq_profile (3 bits), still_picture, reduced_still_picture_header.
            reduced = bool(stream[at] & _REDUCED_HEADER)
        # show_existing_frame, frame_type (2 bits, 0 is a key frame), show_frame.
        if kind == _FRAME and (not size or not (reduced or stream[at] >> 4 == 1)):
            return False
        kinds.append(kind)
        at += size
    return kinds in ([_SEQUENCE, _FRAME], [_DELIMITER, _SEQUENCE, _FRAME])


def _leb128(stream: bytes, at: int) -> tuple[int, int]:
    """A number and the place behind it."""
    value = 0
    for i in range(8):
        byte = stream[at + i] if at + i < len(stream) else 0
        value |= (byte & 0x7F) << 7 * i
        if not byte & 0x80:
            return value, at + i + 1
    return len(stream), at


def _is_covered(data: bytes, heif: HeifFile, grid: int) -> bool:
    """Whether a grid shows its tiles whole, but for a few pixels (ISO/IEC 23008-12, 6.6.2.3)."""
    found = payload(data, heif.items[grid])
    field = 4 if len(found) > 1 and found[1] & 1 else 2
    if len(found) != 4 + 2 * field:
        return False
    rows, columns = found[2] + 1, found[3] + 1
    width = int.from_bytes(found[4 : 4 + field], "big")
    height = int.from_bytes(found[4 + field :], "big")
    tiles = [
        t for kind, source, to in heif.references if kind == b"dimg" and source == grid for t in to
    ]
    sizes = {heif.sizes.get(t) for t in tiles}
    if len(tiles) != rows * columns or len(sizes) != 1 or None in sizes:
        return False
    across, down = heif.sizes[tiles[0]]
    cut = across * columns - width, down * rows - height
    return all(0 <= c <= _MOST_HIDDEN for c in cut)


def _alpha_fits(heif: HeifFile) -> bool:
    """Whether an alpha plane is as large as its picture: a decoder leaves another one out."""
    return all(
        heif.sizes.get(source) == heif.sizes.get(heif.primary)
        for kind, source, _ in heif.references
        if kind == b"auxl"
    )
