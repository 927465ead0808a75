"""AVIF and HEIC: grids, orientation, and damage."""

from __future__ import annotations

import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageChops

from lakeveil.errors import BadPhoto
from lakeveil.pixels.files import heif_boxes, heif_rewrite
from lakeveil.pixels.files.limits import Limits, inspect
from lakeveil.pixels.files.metadata import clean
from tests.pixels.bad_files import patched
from tests.pixels.good_files import FILES, heic, picture, saved, with_alpha
from tests.pixels.reading import Damage, check_refused, same_after_cleaning_and_copying


def avif_grid() -> bytes:
    """Two tiles side by side, as phones write large pictures."""
    sides = [picture().resize((64, 64)), ImageChops.invert(picture()).resize((64, 64))]
    tiles = [saved(s, "AVIF", speed=9) for s in sides]
    box = heif_rewrite._box
    properties, payloads = [], []
    for data in tiles:
        found = heif_boxes.read(data)
        payloads.append(heif_boxes.payload(data, found.items[found.primary]))
    found = heif_boxes.read(tiles[0])
    properties = [
        box(found.properties[i].kind, tiles[0][found.properties[i].start : found.properties[i].end])
        for i, _ in found.items[found.primary].properties
    ]
    properties.append(box(b"ispe", struct.pack(">III", 0, 128, 64)))
    tile_links = bytes((n + 1) | 0x80 for n in range(len(properties) - 1))
    links = [
        struct.pack(">HB", 1, 2) + bytes((len(properties) | 0x80, 2)),
        struct.pack(">HB", 2, len(tile_links)) + tile_links,
        struct.pack(">HB", 3, len(tile_links)) + tile_links,
    ]
    return heif_rewrite._assembled(
        primary=1,
        entries=[
            heif_rewrite._entry(1, b"grid", hide=False),
            heif_rewrite._entry(2, b"av01", hide=True),
            heif_rewrite._entry(3, b"av01", hide=True),
        ],
        references=[box(b"dimg", struct.pack(">HHHH", 1, 2, 2, 3))],
        properties=box(b"ipco", b"".join(properties))
        + box(b"ipma", struct.pack(">II", 0, len(links)) + b"".join(links)),
        payloads=[b"\x00\x00\x00\x01" + struct.pack(">HH", 128, 64), *payloads],
    )


def test_an_avif_of_tiles_is_read_and_cleaned() -> None:
    (frame,) = same_after_cleaning_and_copying(avif_grid())
    assert frame.pixels.shape == (64, 128, 3)
    left, right = frame.pixels[:, :64].astype(int), frame.pixels[:, 64:].astype(int)
    assert np.abs(255 - left - right).mean() < 12


def test_a_turned_avif_says_so_after_cleaning_as_before() -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    data = saved(picture(), "AVIF", speed=9, exif=exif)
    header = inspect(data, Limits())
    assert header.orientation == 8
    assert inspect(clean(data, header, ()), Limits()) == header


def avif() -> bytes:
    return FILES["avif"]()


AVIF_DAMAGE: Damage = {
    "no meta": ("malformed", lambda: patched(avif(), b"meta", 0, b"free")),
    "no primary": ("malformed", lambda: patched(avif(), b"pitm", 0, b"free")),
    "no properties": ("malformed", lambda: patched(avif(), b"ipco", 0, b"free")),
    "another primary": ("malformed", lambda: patched(avif(), b"pitm", 8, b"\x00\x63")),
    "no size": ("malformed", lambda: patched(avif(), b"ispe", 8, bytes(4))),
    "a property that is not there": ("malformed", lambda: patched(avif(), b"ipma", 15, b"\x7f")),
    "data outside": ("truncated", lambda: patched(avif(), b"iloc", 22, b"\x7f\xff\xff\xff")),
    "an impossible box": ("malformed", lambda: patched(avif(), b"mdat", -4, b"\x00\x00\x00\x03")),
    "many items": ("malformed", lambda: patched(avif(), b"iinf", 8, b"\xff\xff")),
}


@pytest.mark.parametrize("name", AVIF_DAMAGE)
def test_a_damaged_avif_is_refused(name: str) -> None:
    code, made = AVIF_DAMAGE[name]
    check_refused(made(), code)


def test_heic_is_refused_with_advice_where_the_extra_is_not_installed() -> None:
    program = """
import sys
sys.modules["pillow_heif"] = None
from lakeveil.errors import BadPhoto
from lakeveil.pixels.files.decode import decode
from lakeveil.pixels.files.limits import inspect
data = sys.stdin.buffer.read()
try:
    list(decode(data, inspect(data)).frames())
except BadPhoto as error:
    print(error.code, error.fix)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], input=heic(), capture_output=True, check=True, timeout=60
    )
    assert done.stdout.startswith(b"heic_support_missing")
    assert b"lakeveil[heic]" in done.stdout


def test_a_heic_sequence_is_refused() -> None:
    data = FILES["avif sequence"]()
    made = data.replace(b"avis", b"hevc").replace(b"avif", b"heic")
    with pytest.raises(BadPhoto) as caught:
        inspect(made, Limits())
    assert caught.value.code == "unsupported_heic"


def test_a_picture_with_a_hole_keeps_it_in_every_format_that_can() -> None:
    for kind in ("PNG", "WEBP", "TIFF"):
        (frame,) = same_after_cleaning_and_copying(saved(with_alpha(), kind))
        assert frame.alpha is not None, kind
        assert np.array_equal(frame.alpha, np.asarray(with_alpha())[:, :, 3]), kind
