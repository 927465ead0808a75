"""The pages of a TIFF file (TIFF 6.0, BigTIFF) and where their picture data is."""

from __future__ import annotations

from dataclasses import dataclass

from lakeveil.pixels.files import exif
from lakeveil.pixels.files.refusals import bad
from lakeveil.pixels.files.tiff_directories import (
    BadDirectory,
    Directory,
    Layout,
    directory,
    layout,
)

SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
STRIP_OFFSETS, SAMPLES, STRIP_BYTES, PLANAR, PREDICTOR = 273, 277, 279, 284, 317
ROWS_PER_STRIP = 278
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES = 322, 323, 324, 325
SUB_DIRECTORIES, SAMPLE_FORMAT, JPEG_TABLES, ICC_PROFILE, DNG_VERSION = 330, 339, 347, 34675, 50706
JPEG_COMPRESSION = 7
_OLD_JPEG = 6
_RAW_PHOTOMETRIC = frozenset({32803, 34892})
_MAX_PAGES = 10_000
_MAX_PARTS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page: its fields, its size as stored, and its strips or tiles as (offset, bytes)."""

    directory: Directory
    width: int
    height: int
    bits: tuple[int, ...]
    compression: int
    photometric: int
    tiled: bool
    parts: tuple[tuple[int, int], ...]
    part_pixels: int
    """Of one tile (0 for strips): a decoder makes room for a whole one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TiffFile:
    """A TIFF file's pages, in order."""

    layout: Layout
    pages: tuple[Page, ...]
    orientation: int | None


def read(data: bytes, *, max_scans: int, max_pages: int = _MAX_PAGES) -> TiffFile:
    """Find and check the pages.

    Raises:
        BadPhoto: `malformed`, `truncated`, `contradictory`, `raw_camera_file`,
            `unsupported_tiff`, `too_many_frames`, or `too_many_scans` (of a JPEG-compressed page).
    """
    if data[8:10] == b"CR":
        raise bad("raw_camera_file", "it is a Canon raw file")
    try:
        how = layout(data)
        directories = _chain(data, how)
    except BadDirectory as err:
        raise bad("malformed", str(err)) from err
    if len(directories) > max_pages:
        raise bad("too_many_frames", f"it has {len(directories)}; the limit is {max_pages}")
    pages: list[Page] = []
    parts = 0
    for found in directories:
        pages.append(_page(data, found, how, max_scans=max_scans))
        parts += len(pages[-1].parts)
        if parts > _MAX_PARTS:
            raise bad("malformed", f"it has more than {_MAX_PARTS} strips or tiles")
    turned = {exif.orientation_of(d, how) for d in directories}
    if len(turned) > 1:
        raise bad("contradictory", "its pages have different orientations")
    return TiffFile(layout=how, pages=tuple(pages), orientation=turned.pop())


def _chain(data: bytes, how: Layout) -> list[Directory]:
    found: list[Directory] = []
    seen: set[int] = set()
    at = how.first
    while at:
        if at in seen:
            raise BadDirectory("its directories lead back to themselves")
        seen.add(at)
        found.append(directory(data, at, how))
        if len(found) > _MAX_PAGES:
            raise BadDirectory(f"it has more than {_MAX_PAGES} pages")
        at = found[-1].next
    if not found:
        raise BadDirectory("it has no page")
    return found


def _page(data: bytes, found: Directory, how: Layout, *, max_scans: int) -> Page:
    def number(tag: int, default: int) -> int:
        return (how.numbers(found, tag) or (default,))[0]

    photometric, compression = number(PHOTOMETRIC, -1), number(COMPRESSION, 1)
    reduced = number(SUBFILE, 0) & 1 and SUB_DIRECTORIES in found.fields
    if DNG_VERSION in found.fields or photometric in _RAW_PHOTOMETRIC or reduced:
        raise bad("raw_camera_file", "its picture is a preview, or sensor data")
    width, height = number(WIDTH, 0), number(HEIGHT, 0)
    if width <= 0 or height <= 0:
        raise bad("malformed", f"a page has a size of {width} x {height}")
    if compression == _OLD_JPEG:
        raise bad("unsupported_tiff", "it uses the withdrawn JPEG compression (6)")
    tiled = TILE_OFFSETS in found.fields
    parts = _parts(data, found, how, tiled=tiled)
    if compression == JPEG_COMPRESSION and any(
        data.count(b"\xff\xda", at, at + size) > max_scans for at, size in parts
    ):
        raise bad("too_many_scans", f"a part of it has more than {max_scans}")
    part_pixels = number(TILE_WIDTH, 0) * number(TILE_HEIGHT, 0) if tiled else 0
    if tiled and part_pixels <= 0:
        raise bad("malformed", "a page does not say how large its tiles are")
    return Page(
        directory=found,
        width=width,
        height=height,
        bits=how.numbers(found, BITS) or (1,),
        compression=compression,
        photometric=photometric,
        tiled=tiled,
        parts=parts,
        part_pixels=part_pixels,
    )


def _parts(
    data: bytes, found: Directory, how: Layout, *, tiled: bool
) -> tuple[tuple[int, int], ...]:
    offsets = how.numbers(found, TILE_OFFSETS if tiled else STRIP_OFFSETS)
    sizes = how.numbers(found, TILE_BYTES if tiled else STRIP_BYTES)
    if not offsets or len(offsets) != len(sizes):
        raise bad("malformed", "a page does not say where its picture data is")
    parts = tuple(zip(offsets, sizes, strict=True))
    if any(at < 0 or size < 0 or at + size > len(data) for at, size in parts):
        raise bad("truncated", "picture data lies outside the file")
    return parts
