"""GIF: damage to its blocks, and more colours than it can hold."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from lakeveil.pixels.files.decode import decode
from lakeveil.pixels.files.encode import copied
from lakeveil.pixels.files.limits import Limits, inspect
from tests.pixels.reading import Damage, check_refused, frames


def gif_of(body: bytes, width: int = 4, height: int = 4) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + body


GIF_DAMAGE: Damage = {
    "a header alone": ("truncated", lambda: b"GIF89a\x01\x00"),
    "no size": ("malformed", lambda: gif_of(b"\x3b", width=0)),
    "no picture": ("malformed", lambda: gif_of(b"\x3b")),
    "an unknown block": ("malformed", lambda: gif_of(b"\x99")),
    "half an image": ("truncated", lambda: gif_of(b"\x2c\x00\x00")),
    "half an extension": ("truncated", lambda: gif_of(b"\x21")),
    "half a block": ("truncated", lambda: gif_of(b"\x21\xfe\x40abc")),
    "an odd control block": ("malformed", lambda: gif_of(b"\x21\xf9\x02\x00\x00\x00\x3b")),
}


@pytest.mark.parametrize("name", GIF_DAMAGE)
def test_a_damaged_gif_is_refused(name: str) -> None:
    code, made = GIF_DAMAGE[name]
    check_refused(made(), code)


def test_a_gif_of_many_colours_over_the_whole_picture_is_still_written() -> None:
    """256 colours cannot hold it: the nearest are taken."""
    frames_of_noise = [
        Image.fromarray(np.random.default_rng(s).integers(0, 256, (40, 40, 3), np.uint8))
        for s in range(2)
    ]
    out = io.BytesIO()
    frames_of_noise[0].quantize(256).save(
        out, "GIF", save_all=True, append_images=[frames_of_noise[1].quantize(256)], duration=100
    )
    data = out.getvalue()
    decoded = decode(data, inspect(data, Limits()))
    result = frames(copied(decoded).data)
    for one, other in zip(frames(data), result, strict=True):
        assert np.abs(one.pixels.astype(int) - other.pixels).mean() < 20
