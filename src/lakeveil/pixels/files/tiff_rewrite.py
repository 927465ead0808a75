"""Writes a TIFF file anew around its coded picture data, with whitelisted fields only."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from lakeveil.pixels.files import colour_profile, exif, jpeg_segments, tiff_exact
from lakeveil.pixels.files.refusals import bad
from lakeveil.pixels.files.tiff_directories import (
    LONG,
    SHORT,
    UNDEFINED,
    Directory,
    Layout,
    Value,
    swapped,
    written,
)
from lakeveil.pixels.files.tiff_pages import (
    BITS,
    COMPRESSION,
    HEIGHT,
    ICC_PROFILE,
    JPEG_COMPRESSION,
    JPEG_TABLES,
    PHOTOMETRIC,
    PLANAR,
    PREDICTOR,
    ROWS_PER_STRIP,
    SAMPLE_FORMAT,
    SAMPLES,
    STRIP_BYTES,
    STRIP_OFFSETS,
    SUBFILE,
    TILE_BYTES,
    TILE_HEIGHT,
    TILE_OFFSETS,
    TILE_WIDTH,
    WIDTH,
    Page,
    TiffFile,
)

_FILL_ORDER, _COLOUR_MAP, _EXTRA_SAMPLES = 266, 320, 338
_PALETTE, _YCBCR, _REVERSED = 3, 6, 2
# tag -> the most values it may have. Numbers only: none of these can carry a text.
_PICTURE_FIELDS: Mapping[int, int] = {
    SUBFILE: 1, WIDTH: 1, HEIGHT: 1, BITS: 8, COMPRESSION: 1, PHOTOMETRIC: 1, _FILL_ORDER: 1,
    SAMPLES: 1, ROWS_PER_STRIP: 1, 282: 1, 283: 1, PLANAR: 1, 292: 1, 293: 1, 296: 1,
    PREDICTOR: 1, 318: 2, 319: 6, _COLOUR_MAP: 3 * 256, TILE_WIDTH: 1, TILE_HEIGHT: 1,
    _EXTRA_SAMPLES: 1, SAMPLE_FORMAT: 8, 529: 3, 530: 2, 531: 1, 532: 6,
}  # fmt: skip
_RAW = 1
# Codings whose data is the picture and nothing else; others are written anew from their pixels.
_COPYABLE = frozenset({_RAW, 2, 3, 4, 5, JPEG_COMPRESSION, 8, 32946, 32773, 50000})
_COLOURS: Mapping[int, int] = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3}
_EXIF_POINTER, _GPS_POINTER = 0x8769, 0x8825

Described = dict[str, dict[int, Value]]
"""Fields by directory: `image`, `exif`, `gps`."""


class TiffWriter:
    """A TIFF file in the making, page after page."""

    def __init__(self, how: Layout, *, exactly: bool = False) -> None:
        """`exactly`: strips and tiles are packed anew, as nothing but their pixels."""
        self._how = how
        self._exactly = exactly
        self._out = bytearray(header(how))
        self._link = 8 if how.big else 4

    def add(self, data: bytes, page: Page, described: Described | None = None) -> bool:
        """Add a page of another file of the same layout; False where it holds more than a picture.

        Raises:
            BadPhoto: `truncated`, `malformed` or `unsupported_jpeg`.
        """
        out, how = self._out, self._how
        fields = _page(data, page, how, out, exactly=self._exactly)
        if fields is None:
            return False
        for name, pointer in (("exif", _EXIF_POINTER), ("gps", _GPS_POINTER)):
            inner = (described or {}).get(name)
            if inner:
                _align(out)
                fields[pointer] = _longs([len(out)], how)
                out += written(inner, len(out), how)
        fields |= (described or {}).get("image", {})
        _align(out)
        at = len(out)
        out += written(fields, at, how)
        struct.pack_into(f"{how.order}{'Q' if how.big else 'I'}", out, self._link, at)
        self._link = at + (8 + 20 * len(fields) if how.big else 2 + 12 * len(fields))
        return True

    def finished(self) -> bytes:
        """The file with the pages added so far."""
        return bytes(self._out)


def rewritten(
    data: bytes,
    tiff: TiffFile,
    keep: Sequence[str],
    *,
    turned: int | None,
    exactly: bool = False,
) -> bytes | None:
    """The same pictures with whitelisted fields; None where a page holds more than those.

    The coded data is copied, or with `exactly` packed anew, so that nothing hides behind it.

    Raises:
        OSError: with `exactly`, a part cannot be unpacked.
        BadPhoto: `truncated`, `malformed` or `unsupported_jpeg`.
    """
    writer = TiffWriter(tiff.layout, exactly=exactly)
    for number, page in enumerate(tiff.pages):
        image = {}
        if turned is not None:
            tag = struct.pack(f"{tiff.layout.order}H", turned)
            image[exif.ORIENTATION] = Value(SHORT, 1, tag)
        described = description(data, keep, tiff.layout) if number == 0 else {}
        described["image"] = described.get("image", {}) | image
        if not writer.add(data, page, described):
            return None
    return writer.finished()


def description(block: bytes, keep: Sequence[str], how: Layout) -> Described:
    """The whitelisted descriptive fields of an EXIF block or TIFF file, orientation left out."""
    found = exif.whitelisted(block, keep)
    found.get("image", {}).pop(exif.ORIENTATION, None)
    if how.order == ">":
        return {
            name: {tag: swapped(v) for tag, v in fields.items()} for name, fields in found.items()
        }
    return found


def header(how: Layout) -> bytes:
    """The start of a file, its first directory yet to come."""
    mark = b"II" if how.order == "<" else b"MM"
    if how.big:
        return mark + struct.pack(f"{how.order}HHHQ", 43, 8, 0, 0)
    return mark + struct.pack(f"{how.order}HI", 42, 0)


def _page(
    data: bytes, page: Page, how: Layout, out: bytearray, *, exactly: bool
) -> dict[int, Value] | None:
    """A page's fields, its picture data appended to `out`."""
    fields = {
        tag: value
        for tag, most in _PICTURE_FIELDS.items()
        if (value := page.directory.fields.get(tag)) is not None and value.count <= most
    }
    if page.photometric != _PALETTE:
        fields.pop(_COLOUR_MAP, None)
    held = Directory(fields)
    samples = _number(held, how, SAMPLES, len(page.bits))
    extra = samples - _COLOURS.get(page.photometric, -1)
    unspecified = extra == 1 and _number(held, how, _EXTRA_SAMPLES, 0) not in {1, 2}
    if page.compression not in _COPYABLE or extra not in {0, 1} or unspecified:
        return None
    grid = _grid(page, held, how)
    parts = _parts(data, page, grid)
    if exactly:
        coded = page.compression != _RAW
        reversed_bits = coded and _number(held, how, _FILL_ORDER, 1) == _REVERSED
        if page.photometric == _YCBCR or reversed_bits or len({*page.bits}) > 1:
            return None
        anew = tiff_exact.packed_anew(
            parts,
            grid,
            compression=page.compression,
            predictor=_number(held, how, PREDICTOR, 1),
        )
        if anew is None:
            return None
        parts = anew
        if not page.tiled and _number(held, how, ROWS_PER_STRIP, -1) != grid.down:
            fields[ROWS_PER_STRIP] = _longs([grid.down], how)
    return fields | _placed(parts, page, how, out) | _shared(page)


def _number(found: Directory, how: Layout, tag: int, default: int) -> int:
    return (how.numbers(found, tag) or (default,))[0]


def _grid(page: Page, held: Directory, how: Layout) -> tiff_exact.Grid:
    samples = _number(held, how, SAMPLES, 1)
    planes = samples if _number(held, how, PLANAR, 1) == 2 else 1  # noqa: PLR2004 - apart
    if page.tiled:
        across, down = _number(held, how, TILE_WIDTH, 1), _number(held, how, TILE_HEIGHT, 1)
    else:
        rows = _number(held, how, ROWS_PER_STRIP, page.height)
        across, down = page.width, min(rows, page.height) or 1
    bits = sum(page.bits) if len(page.bits) > 1 else page.bits[0] * samples
    return tiff_exact.Grid(
        width=page.width,
        height=page.height,
        across=across,
        down=down,
        bits=bits // planes,
        planes=planes,
        tiled=page.tiled,
    )


def _parts(data: bytes, page: Page, grid: tiff_exact.Grid) -> list[bytes]:
    """The strips or tiles that the picture needs; raw ones without what stands behind them."""
    needed = -(-page.width // grid.across) * -(-page.height // grid.down) * grid.planes
    if len(page.parts) < needed:
        raise bad("truncated", f"a page has {len(page.parts)} of {needed} parts")
    most = grid.row_bytes * grid.down
    parts = [
        data[at : at + (min(size, most) if page.compression == _RAW else size)]
        for at, size in page.parts[:needed]
    ]
    if page.compression != JPEG_COMPRESSION:
        return parts
    return [_jpeg(part) for part in parts]


def _placed(parts: Sequence[bytes], page: Page, how: Layout, out: bytearray) -> dict[int, Value]:
    """Where the parts are now that they are appended to `out`."""
    offsets, sizes = [], []
    for part in parts:
        _align(out)
        offsets.append(len(out))
        sizes.append(len(part))
        out += part
    return {
        TILE_OFFSETS if page.tiled else STRIP_OFFSETS: _longs(offsets, how),
        TILE_BYTES if page.tiled else STRIP_BYTES: _longs(sizes, how),
    }


def _shared(page: Page) -> dict[int, Value]:
    """What all parts of a page share: JPEG tables, a colour profile."""
    fields: dict[int, Value] = {}
    tables = page.directory.fields.get(JPEG_TABLES)
    if tables is not None and page.compression == JPEG_COMPRESSION:
        cleaned = jpeg_segments.tables_only(bytes(tables.data))
        fields[JPEG_TABLES] = Value(UNDEFINED, len(cleaned), cleaned)
    profile = page.directory.fields.get(ICC_PROFILE)
    if profile is not None and (icc := colour_profile.rewritten(bytes(profile.data))):
        fields[ICC_PROFILE] = Value(UNDEFINED, len(icc), icc)
    return fields


def _jpeg(part: bytes) -> bytes:
    stream = jpeg_segments.read(part, max_scans=len(part))
    return jpeg_segments.rewritten(part, stream, exif=b"", icc=b"")


def _longs(numbers: Sequence[int], how: Layout) -> Value:
    return Value(LONG, len(numbers), struct.pack(f"{how.order}{len(numbers)}I", *numbers))


def _align(out: bytearray) -> None:
    out += b"\x00" * (-len(out) % 8)
