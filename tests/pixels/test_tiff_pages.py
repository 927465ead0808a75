"""TIFF: byte orders, strips, tiles, planes, channels, and damage."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from lakeveil.errors import BadPhoto
from lakeveil.pixels.files.limits import Limits, inspect
from lakeveil.pixels.files.metadata import clean
from lakeveil.pixels.files.tiff_directories import LONG, SHORT, Layout, Value, written
from tests.pixels.bad_files import patched
from tests.pixels.good_files import HEIGHT, WIDTH, animated, picture
from tests.pixels.reading import Damage, check_refused, frames, same_after_cleaning_and_copying

MOTOROLA = Layout(order=">", big=False, first=8)


def tiff(fields: dict[int, tuple[int, ...]], parts: list[bytes], *, tiled: bool = False) -> bytes:
    """A big-endian TIFF with its data first; `fields` are SHORTs."""
    body = b"".join(parts)
    offsets = [8 + sum(len(p) for p in parts[:i]) for i in range(len(parts))]
    made = {tag: Value(SHORT, len(v), struct.pack(f">{len(v)}H", *v)) for tag, v in fields.items()}
    for tag, numbers in (
        (324 if tiled else 273, offsets),
        (325 if tiled else 279, map(len, parts)),
    ):
        values = tuple(numbers)
        made[tag] = Value(LONG, len(values), struct.pack(f">{len(values)}I", *values))
    at = 8 + len(body)
    return b"MM\x00*" + struct.pack(">I", at) + body + written(made, at, MOTOROLA)


def rgb_fields(width: int = WIDTH, height: int = HEIGHT) -> dict[int, tuple[int, ...]]:
    return {256: (width,), 257: (height,), 258: (8, 8, 8), 259: (1,), 262: (2,), 277: (3,)}


def test_a_big_endian_tiff_in_strips_is_read_and_cleaned() -> None:
    pixels = np.asarray(picture())
    parts = [pixels[y : y + 8].tobytes() for y in range(0, HEIGHT, 8)]
    data = tiff({**rgb_fields(), 278: (8,)}, parts)
    assert np.array_equal(same_after_cleaning_and_copying(data)[0].pixels, pixels)


def test_a_tiff_in_tiles_is_read_and_cleaned() -> None:
    pixels = np.asarray(picture())
    tiles = [pixels[y : y + 16, x : x + 16] for y in (0, 16) for x in (0, 16, 32)]
    data = tiff({**rgb_fields(), 322: (16,), 323: (16,)}, [t.tobytes() for t in tiles], tiled=True)
    assert np.array_equal(same_after_cleaning_and_copying(data)[0].pixels, pixels)


def test_a_tiff_with_planes_apart_is_read_and_cleaned() -> None:
    pixels = np.asarray(picture())
    planes = [np.ascontiguousarray(pixels[:, :, i]).tobytes() for i in range(3)]
    data = tiff({**rgb_fields(), 278: (HEIGHT,), 284: (2,)}, planes)
    assert np.array_equal(same_after_cleaning_and_copying(data)[0].pixels, pixels)


def test_a_channel_that_is_neither_colour_nor_alpha_is_left_out_of_a_tiff() -> None:
    pixels = np.asarray(picture())
    hidden = np.asarray(picture().convert("L").rotate(180))
    four = np.dstack((pixels, hidden))
    fields = {**rgb_fields(), 258: (8,) * 4, 277: (4,), 278: (HEIGHT,), 338: (0,)}
    data = tiff(fields, [four.tobytes()])
    header = inspect(data, Limits())
    result = clean(data, header, ())
    assert np.array_equal(frames(result)[0].pixels, pixels)
    with Image.open(io.BytesIO(result)) as image:
        assert image.mode == "RGB"
    assert four[0].tobytes() not in result


def test_a_turned_tiff_with_such_a_channel_is_upright_all_the_same() -> None:
    pixels = np.asarray(picture())
    four = np.dstack((pixels, pixels[:, :, 0]))
    fields = {**rgb_fields(), 258: (8,) * 4, 277: (4,), 278: (HEIGHT,), 338: (0,), 274: (6,)}
    (frame,) = frames(tiff(fields, [four.tobytes()]))
    assert np.array_equal(frame.pixels, np.rot90(pixels, -1))


def test_bytes_behind_the_rows_of_a_raw_strip_do_not_survive() -> None:
    pixels = np.asarray(picture())
    data = tiff({**rgb_fields(), 278: (HEIGHT,)}, [pixels.tobytes() + b"SECRET" * 40])
    assert b"SECRET" not in clean(data, inspect(data, Limits()), ())


def test_strips_beyond_the_last_row_do_not_survive() -> None:
    pixels = np.asarray(picture())
    parts = [pixels[:16].tobytes(), pixels[16:].tobytes(), b"SECRET" * 400]
    data = tiff({**rgb_fields(), 278: (16,)}, parts)
    assert b"SECRET" not in clean(data, inspect(data, Limits()), ())


TIFF_DAMAGE: Damage = {
    "no size": ("malformed", lambda: tiff({**rgb_fields(), 256: (0,)}, [b"x" * 100])),
    "old jpeg": ("unsupported_tiff", lambda: tiff({**rgb_fields(), 259: (6,)}, [b"x" * 100])),
    "tiles without a size": ("malformed", lambda: tiff(rgb_fields(), [b"x" * 100], tiled=True)),
    "huge tiles": (
        "too_many_pixels",
        lambda: tiff({**rgb_fields(), 322: (60_000,), 323: (60_000,)}, [b"x" * 100], tiled=True),
    ),
    "dng": ("raw_camera_file", lambda: tiff({**rgb_fields(), 50706: (1, 4)}, [b"x" * 100])),
    "canon raw": ("raw_camera_file", lambda: b"II*\x00\x10\x00\x00\x00CR\x02\x00" + bytes(50)),
    "no directory": ("malformed", lambda: b"II*\x00\x00\x00\x00\x00"),
    "directory outside": ("malformed", lambda: b"II*\x00\xff\xff\x00\x00" + bytes(50)),
    "bad big header": ("malformed", lambda: b"II+\x00\x04\x00\x00\x00" + bytes(50)),
    "jpeg of many scans": (
        "too_many_scans",
        lambda: tiff({**rgb_fields(), 259: (7,)}, [b"\xff\xd8" + b"\xff\xda" * 200]),
    ),
}


@pytest.mark.parametrize("name", TIFF_DAMAGE)
def test_a_damaged_tiff_is_refused(name: str) -> None:
    code, made = TIFF_DAMAGE[name]
    check_refused(made(), code)


def test_a_tiff_that_lacks_strips_is_refused() -> None:
    pixels = np.asarray(picture())
    data = tiff({**rgb_fields(), 278: (8,)}, [pixels[:8].tobytes()])
    with pytest.raises(BadPhoto) as caught:
        frames(data)
    assert caught.value.code == "truncated"


def test_pages_of_different_orientation_are_refused() -> None:
    # The tag is written to one page or to both: either way the first is changed alone.
    turned = animated("TIFF", [picture(), picture(1)], tiffinfo={0x0112: 3})
    entry = struct.pack("<HHI", 0x0112, 3, 1)
    check_refused(patched(turned, entry, len(entry), b"\x06"), "contradictory")
