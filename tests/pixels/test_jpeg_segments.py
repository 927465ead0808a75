"""JPEG: damage to its segments, and EXIF blocks that lead nowhere."""

from __future__ import annotations

import struct

import pytest
from PIL import ImageChops

from lakeveil.pixels.files.limits import Limits, inspect
from lakeveil.pixels.files.metadata import clean
from tests.pixels.bad_files import patched
from tests.pixels.good_files import FILES, picture, saved
from tests.pixels.reading import Damage, check_refused


def test_two_joined_jpegs_are_the_first_one() -> None:
    first, second = FILES["jpeg"](), saved(ImageChops.invert(picture()), "JPEG")
    assert inspect(first + second, Limits()) == inspect(first, Limits())
    joined = first + second
    assert clean(joined, inspect(joined, Limits()), ()) == clean(
        first, inspect(first, Limits()), ()
    )


def test_exif_directories_that_loop_are_left_out_and_end() -> None:
    # IFD0 points to itself as its EXIF, GPS and next directory.
    entry = struct.pack("<HHI", 0x8769, 4, 1) + struct.pack("<I", 8)
    gps = struct.pack("<HHI", 0x8825, 4, 1) + struct.pack("<I", 8)
    block = b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", 2) + entry + gps + struct.pack("<I", 8)
    data = saved(picture(), "JPEG", exif=b"Exif\x00\x00" + block)
    header = inspect(data, Limits())
    assert header.orientation is None
    assert b"Exif" not in clean(data, header, ("camera", "dates", "exposure", "gps"))


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"II",
        b"XX*\x00\x08\x00\x00\x00",
        b"II*\x00\xff\xff\xff\xff",
        b"MM\x00*\x00\x00\x00\x08\xff\xff",
    ],
)
def test_exif_that_cannot_be_read_is_left_out_and_no_reason_to_refuse(block: bytes) -> None:
    data = saved(picture(), "JPEG")
    made = data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 8) + b"Exif\x00\x00" + block
    made += data[2:]
    header = inspect(made, Limits())
    assert header.orientation is None
    assert b"Exif" not in clean(made, header, ("camera",))


JPEG_DAMAGE: Damage = {
    "an end without a picture": ("malformed", lambda: b"\xff\xd8\xff\xdb\x00\x03\x00\xff\xd9"),
    "a second start": ("malformed", lambda: b"\xff\xd8\xff\xd8" + FILES["jpeg"]()),
    "an empty length": ("malformed", lambda: b"\xff\xd8\xff\xe0\x00\x00\xff\xd9"),
    "a picture before its header": (
        "malformed",
        lambda: b"\xff\xd8\xff\xda\x00\x03\x00\x12\xff\xd9",
    ),
    "a cut segment": ("truncated", lambda: b"\xff\xd8\xff\xe0\x00\x99abc"),
    "restarts unannounced": (
        "malformed",
        lambda: FILES["jpeg"]()[:-20] + b"\xff\xd0" + FILES["jpeg"]()[-20:],
    ),
    "no width": ("malformed", lambda: patched(FILES["jpeg"](), b"\xff\xc0", 7, b"\x00\x00")),
    "five components": (
        "unsupported_jpeg",
        lambda: patched(FILES["jpeg"](), b"\xff\xc0", 9, b"\x05"),
    ),
    "no sampling": ("malformed", lambda: patched(FILES["jpeg"](), b"\xff\xc0", 11, b"\x00")),
}


@pytest.mark.parametrize("name", JPEG_DAMAGE)
def test_a_damaged_jpeg_is_refused(name: str) -> None:
    code, made = JPEG_DAMAGE[name]
    check_refused(made(), code)
