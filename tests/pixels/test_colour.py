"""Pixels that are neither RGB nor grey of 8 bits."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from lakeveil.errors import BadPhoto
from tests.pixels.good_files import saved
from tests.pixels.reading import frames
from tests.pixels.test_tiff_pages import tiff


def cmyk_profile() -> bytes:
    """The smallest CMYK profile: each ink darkens, by a table of two steps an ink (ICC.1, lut8)."""
    corners = bytearray()
    for inks in range(16):
        lightness = 255 * (4 - inks.bit_count()) // 4
        corners += bytes((lightness, 128, 128))
    ramp = bytes(range(256))
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + matrix + ramp * 4 + bytes(corners) + ramp * 3
    header = bytearray(128)
    struct.pack_into(">I", header, 0, 128 + 4 + 12 + len(table))
    header[8:12] = b"\x02\x40\x00\x00"
    header[12:24] = b"prtrCMYKLab "
    header[36:40] = b"acsp"
    header[68:80] = struct.pack(">3i", 63190, 65536, 54061)
    return bytes(header) + struct.pack(">I4sII", 1, b"A2B0", 144, len(table)) + table


def test_cmyk_becomes_srgb_by_its_profile() -> None:
    inks = np.zeros((8, 8, 4), np.uint8)
    inks[:, 4:] = (255, 255, 0, 0)
    image = Image.frombytes("CMYK", (8, 8), inks.tobytes())
    (plain,) = frames(saved(image, "TIFF"))
    (managed,) = frames(saved(image, "TIFF", icc_profile=cmyk_profile()))
    # Cyan and magenta are blue; by this profile, half as light as white and without a hue.
    assert plain.pixels[0, 7].tolist() == [0, 0, 255]
    assert np.ptp(managed.pixels[0, 7].astype(int)) < 12
    assert 90 < managed.pixels[0, 7].mean() < 150
    assert managed.pixels[0, 0].min() > 240


def test_a_cmyk_profile_that_cannot_be_used_is_a_reason_to_refuse() -> None:
    broken = bytearray(cmyk_profile())
    broken[144 + 8] = 9
    image = Image.new("CMYK", (8, 8))
    with pytest.raises(BadPhoto) as caught:
        frames(saved(image, "TIFF", icc_profile=bytes(broken)))
    assert caught.value.code == "unsupported_colour"


def test_premultiplied_alpha_is_read() -> None:
    grey = np.dstack((np.full((8, 8), 64, np.uint8), np.full((8, 8), 128, np.uint8)))
    fields: dict[int, tuple[int, ...]] = {
        256: (8,), 257: (8,), 258: (8, 8), 259: (1,), 262: (1,), 277: (2,), 278: (8,), 338: (1,),
    }  # fmt: skip
    (frame,) = frames(tiff(fields, [grey.tobytes()]))
    assert frame.alpha is not None
    assert frame.alpha[0, 0] == 128
    assert abs(int(frame.pixels[0, 0, 0]) - 128) < 3
