"""WebP: damage to its chunks."""

from __future__ import annotations

import struct

import pytest
from PIL import Image

from lakeveil.pixels.files import webp_chunks
from tests.pixels.good_files import HEIGHT, WIDTH, picture, saved
from tests.pixels.reading import Damage, check_refused


def webp_of(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def lossy_chunk(image: Image.Image | None = None) -> bytes:
    data = saved(image or picture(), "WEBP")
    (found,) = webp_chunks.read(data).chunks
    return webp_chunks.chunk(found.kind, data[found.start : found.end])


def extended(flags: int, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp_chunks.chunk(b"VP8X", bytes((flags, 0, 0, 0)) + size)


def frame_chunk(x: int = 0, width: int = WIDTH, inner: bytes | None = None) -> bytes:
    numbers = (x, 0, width - 1, HEIGHT - 1, 100)
    head = b"".join(n.to_bytes(3, "little") for n in numbers) + b"\x00"
    return webp_chunks.chunk(b"ANMF", head + (lossy_chunk() if inner is None else inner))


ANIM = webp_chunks.chunk(b"ANIM", bytes(6))
WEBP_DAMAGE: Damage = {
    "nothing": ("malformed", webp_of),
    "no picture": ("malformed", lambda: webp_of(extended(0))),
    "an unknown first chunk": ("malformed", lambda: webp_of(webp_chunks.chunk(b"XXXX", b"1234"))),
    "a short header": ("malformed", lambda: webp_of(webp_chunks.chunk(b"VP8X", b"12"))),
    "two pictures": ("malformed", lambda: webp_of(extended(0), lossy_chunk(), lossy_chunk())),
    "no key frame": ("malformed", lambda: webp_of(webp_chunks.chunk(b"VP8 ", b"\x01" * 20))),
    "an animation that is a still": ("contradictory", lambda: webp_of(extended(2), lossy_chunk())),
    "frames without a flag": ("contradictory", lambda: webp_of(extended(0), ANIM, frame_chunk())),
    "a frame outside": ("malformed", lambda: webp_of(extended(2), ANIM, frame_chunk(x=4))),
    "a short frame": (
        "malformed",
        lambda: webp_of(extended(2), ANIM, webp_chunks.chunk(b"ANMF", b"12")),
    ),
    "an empty frame": ("malformed", lambda: webp_of(extended(2), ANIM, frame_chunk(inner=b""))),
    "a frame of another size": (
        "contradictory",
        lambda: webp_of(extended(2), ANIM, frame_chunk(width=WIDTH - 2)),
    ),
    "a cut chunk": ("truncated", lambda: webp_of(lossy_chunk()[:60])),
}


@pytest.mark.parametrize("name", WEBP_DAMAGE)
def test_a_damaged_webp_is_refused(name: str) -> None:
    code, made = WEBP_DAMAGE[name]
    check_refused(made(), code)
