"""PNG: damage to its chunks, and what is no reason to refuse it."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from lakeveil.pixels.files import png_chunks
from lakeveil.pixels.files.limits import Limits, inspect
from lakeveil.pixels.files.metadata import clean
from tests.pixels.good_files import picture, saved
from tests.pixels.reading import Damage, check_refused, same_after_cleaning_and_copying


def png_of(*chunks: tuple[bytes, bytes]) -> bytes:
    return png_chunks.SIGNATURE + b"".join(png_chunks.chunk(k, p) for k, p in chunks)


def ihdr(width: int = 8, height: int = 8, depth: int = 8, colour: int = 2) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)


END = (b"IEND", b"")
PNG_DAMAGE: Damage = {
    "no header": ("malformed", lambda: png_of((b"IDAT", b""), END)),
    "two headers": ("malformed", lambda: png_of(ihdr(), ihdr(), (b"IDAT", b""), END)),
    "no data": ("malformed", lambda: png_of(ihdr(), END)),
    "no size": ("malformed", lambda: png_of(ihdr(width=0), (b"IDAT", b""), END)),
    "an unknown depth": ("malformed", lambda: png_of(ihdr(depth=3), (b"IDAT", b""), END)),
    "a short header": ("malformed", lambda: png_of((b"IHDR", b"123"), END)),
    "an announcement of no frames": (
        "contradictory",
        lambda: png_of(ihdr(), (b"acTL", struct.pack(">II", 3, 0)), (b"IDAT", b""), END),
    ),
}


@pytest.mark.parametrize("name", PNG_DAMAGE)
def test_a_damaged_png_is_refused(name: str) -> None:
    code, made = PNG_DAMAGE[name]
    check_refused(made(), code)


def test_a_colour_that_means_transparent_is_alpha() -> None:
    image = picture()
    data = saved(image, "PNG", transparency=(255, 0, 0))
    (frame,) = same_after_cleaning_and_copying(data)
    assert frame.alpha is not None
    assert np.array_equal(frame.alpha == 0, (np.asarray(image) == (255, 0, 0)).all(-1))


def test_damaged_packed_text_is_left_out_and_no_reason_to_refuse() -> None:
    data = saved(picture(), "PNG")
    made = data[:33] + png_chunks.chunk(b"zTXt", b"Comment\x00\x00no zlib stream") + data[33:]
    made = made[:33] + png_chunks.chunk(b"iCCP", b"icc\x00\x00no zlib stream") + made[33:]
    assert clean(made, inspect(made, Limits()), ()) == clean(data, inspect(data, Limits()), ())
