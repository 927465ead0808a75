"""A TIFF page's strips or tiles, unpacked to exactly their rows and packed anew.

Decoders stop at the last row of a strip and do not show what a tile holds beyond the edges of the
picture; either can be another picture. What is packed here are the rows as bytes, before any
predictor, so that all depths and kinds of pixels stay exactly as they were.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from lakeveil.pixels.files import tiff_pages
from lakeveil.pixels.files.tiff_directories import LONG, Layout, Value, written

_RAW = 1
_CODECS = {
    5: "tiff_lzw", 8: "tiff_adobe_deflate", 32946: "tiff_deflate", 32773: "packbits", 50000: "zstd",
}  # fmt: skip
_HORIZONTAL = 2
_MOST_PADDING = 4
_SOME_BYTES = 2**24


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """How a page is cut into parts of `across` by `down` pixels, a plane after another.

    `bits` are those of a pixel within one plane. Strips are as wide as the page.
    """

    width: int
    height: int
    across: int
    down: int
    bits: int
    planes: int
    tiled: bool

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of a part."""
        return -(-self.across * self.bits // 8)


def packed_anew(
    parts: Sequence[bytes], grid: Grid, *, compression: int, predictor: int
) -> list[bytes] | None:
    """The same parts with nothing but their pixels; None where that cannot be done.

    Raises:
        OSError: a part cannot be unpacked.
    """
    if compression != _RAW and compression not in _CODECS:
        return None
    if predictor > _HORIZONTAL:
        return None
    shown = grid.width * grid.height * grid.bits * grid.planes // 8
    each = len(parts) // grid.planes
    if len(parts) * grid.down * grid.row_bytes > _MOST_PADDING * shown + _SOME_BYTES:
        return None
    result: list[bytes] = []
    for plane in range(grid.planes):
        rows = each * grid.down if grid.tiled else grid.height
        found = _rows(parts[plane * each : (plane + 1) * each], grid, rows, compression)
        if found is None:
            return None
        if grid.tiled:
            _blank_edges(found, grid)
        result += _packed(found, grid, compression)
    return result


def _rows(
    parts: Sequence[bytes], grid: Grid, rows: int, compression: int
) -> NDArray[np.uint8] | None:
    """(rows, bytes of a row) uint8."""
    if compression == _RAW:
        sizes = [min(grid.down, rows - i * grid.down) * grid.row_bytes for i in range(len(parts))]
        if any(len(part) < size for part, size in zip(parts, sizes, strict=True)):
            return None
        joined = b"".join(part[:size] for part, size in zip(parts, sizes, strict=True))
        return np.frombuffer(joined, np.uint8).reshape(rows, grid.row_bytes).copy()
    with TiffImagePlugin.TiffImageFile(io.BytesIO(_alone(parts, grid, rows, compression))) as image:
        image.load()
        pixels = np.array(image)
    return pixels if pixels.shape == (rows, grid.row_bytes) else None


def _alone(parts: Sequence[bytes], grid: Grid, rows: int, compression: int) -> bytes:
    """The parts as a grey picture of 8 bits: what is decoded from it are bytes."""
    how = Layout(order="<", big=False, first=8)
    places = list(np.cumsum([8, *(len(p) for p in parts)]))
    fields = {
        tag: Value(LONG, len(values), struct.pack(f"<{len(values)}I", *values))
        for tag, values in {
            tiff_pages.WIDTH: [grid.row_bytes],
            tiff_pages.HEIGHT: [rows],
            tiff_pages.BITS: [8],
            tiff_pages.COMPRESSION: [compression],
            tiff_pages.PHOTOMETRIC: [1],
            tiff_pages.STRIP_OFFSETS: places[:-1],
            tiff_pages.SAMPLES: [1],
            tiff_pages.ROWS_PER_STRIP: [grid.down],
            tiff_pages.STRIP_BYTES: [len(p) for p in parts],
        }.items()
    }
    at = int(places[-1])
    return b"II*\x00" + struct.pack("<I", at) + b"".join(parts) + written(fields, at, how)


def _blank_edges(rows: NDArray[np.uint8], grid: Grid) -> None:
    """Zero what tiles hold beyond the right and the lower edge of the picture."""
    columns = -(-grid.width // grid.across)
    for number, top in enumerate(range(0, len(rows), grid.down)):
        x, y = number % columns * grid.across, number // columns * grid.down
        tile = rows[top : top + grid.down]
        tile[max(grid.height - y, 0) :] = 0
        tile[:, -(-max(grid.width - x, 0) * grid.bits // 8) :] = 0


def _packed(rows: NDArray[np.uint8], grid: Grid, compression: int) -> list[bytes]:
    if compression == _RAW:
        return [rows[top : top + grid.down].tobytes() for top in range(0, len(rows), grid.down)]
    out = io.BytesIO()
    Image.fromarray(rows).save(
        out,
        "TIFF",
        compression=_CODECS[compression],
        tiffinfo={tiff_pages.ROWS_PER_STRIP: min(grid.down, len(rows))},
    )
    made = out.getvalue()
    (page,) = tiff_pages.read(made, max_scans=1).pages
    return [made[at : at + size] for at, size in page.parts]
