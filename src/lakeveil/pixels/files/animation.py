"""Animated GIF, PNG and WebP, put together from pictures that Pillow encodes one at a time.

Each frame replaces the part of the canvas that differs from the frame before, so playing them
gives exactly the redacted canvases; nothing of the original's partial frames is left.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

from PIL import Image, ImageChops

from lakeveil.pixels.files import colour_profile, gif_blocks, palette, png_chunks, webp_chunks
from lakeveil.pixels.files.decode import Decoded
from lakeveil.pixels.files.encode_still import PNG_LEVEL, Picture, webp_settings

_FOREVER = 0
_LONGEST_CENTISECONDS = 65_535
_LONGEST_WEBP_MS = 2**24 - 1
_GIF_KEEP, _GIF_CLEAR = 1, 2


def gif(decoded: Decoded, original: Image.Image, pictures: Iterator[Picture]) -> bytes:
    """A GIF, animated or not."""
    size = (decoded.header.width, decoded.header.height)
    parts = [b"GIF89a" + struct.pack("<HHBBB", *size, 0, 0, 0)]
    if decoded.header.frames > 1 and (loop := original.info.get("loop")) is not None:
        parts.append(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", int(loop), 0))
    shown: Image.Image | None = None
    upcoming = next(pictures, None)
    while upcoming is not None:
        picture, upcoming = upcoming, next(pictures, None)
        # Where something becomes transparent the canvas must be cleared first, all of it.
        clear = upcoming is not None and _is_transparent(upcoming.image)
        whole = clear or shown is None or _is_transparent(picture.image)
        box = (0, 0, *size) if whole or shown is None else _changed(shown, picture.image)
        delay = min(round(picture.duration_ms / 10), _LONGEST_CENTISECONDS)
        indexed, transparent = palette.indexed(picture.image, picture.regions)
        flags = (_GIF_CLEAR if clear else _GIF_KEEP) << 2 | (transparent is not None)
        parts.append(b"\x21\xf9\x04" + struct.pack("<BHBB", flags, delay, transparent or 0, 0))
        parts.append(_gif_image(indexed.crop(box), box[:2]))
        shown = picture.image.convert("RGB")
    return b"".join([*parts, b"\x3b"])


def _gif_image(image: Image.Image, at: tuple[int, ...]) -> bytes:
    """One image block with its own colour table."""
    out = io.BytesIO()
    image.save(out, "GIF", optimize=False, interlace=False)
    data = out.getvalue()
    found = gif_blocks.read(data)
    block = next(b for b in found.blocks if b.kind == "image")
    table_flags = data[10] & 0x87
    table = data[13 : found.header_end]
    local = 3 << ((data[block.start + 9] & 7) + 1) if data[block.start + 9] & 0x80 else 0
    if local:
        table_flags, table = data[block.start + 9] & 0x87, data[block.start + 10 :][:local]
    head = struct.pack("<BHHHHB", 0x2C, *at, *image.size, table_flags)
    return head + table + data[block.start + 10 + local : block.end]


def apng(
    decoded: Decoded, original: Image.Image, pictures: Iterator[Picture], block: bytes
) -> bytes:
    """An animated PNG."""
    found = png_chunks.read(decoded.data)
    mode = "RGBA" if original.has_transparency_data else "RGB"
    shown: Image.Image | None = None
    number = 0
    parts: list[bytes] = []
    for index, picture in enumerate(pictures):
        image = picture.image.convert(mode)
        out = io.BytesIO()
        apart = index == 0 and found.default_apart
        box = (0, 0, *image.size) if shown is None else _changed(shown, image)
        image.crop(box).save(out, "PNG", compress_level=PNG_LEVEL)
        data = out.getvalue()
        single = png_chunks.read(data)
        coded = b"".join(data[c.start : c.end] for c in single.chunks if c.kind == b"IDAT")
        if index == 0:
            parts += _apng_head(decoded, original, data, mode, block)
        if not apart:
            left, top, right, bottom = box
            delay = min(round(picture.duration_ms), 65_535)
            control = struct.pack(
                ">IIIIIHHBB", number, right - left, bottom - top, left, top, delay, 1000, 0, 0
            )
            parts.append(png_chunks.chunk(b"fcTL", control))
            number += 1
        if index == 0:
            parts.append(png_chunks.chunk(b"IDAT", coded))
        else:
            parts.append(png_chunks.chunk(b"fdAT", struct.pack(">I", number) + coded))
            number += 1
        # A default image apart from the animation is not on its canvas.
        shown = None if apart else image
    return b"".join([*parts, png_chunks.chunk(b"IEND", b"")])


def _apng_head(
    decoded: Decoded, original: Image.Image, first: bytes, mode: str, block: bytes
) -> list[bytes]:
    found = png_chunks.read(decoded.data)
    loops = int(original.info.get("loop", _FOREVER))
    head = [png_chunks.SIGNATURE, first[8:33]]
    if colour_profile.fits(decoded.icc, mode):
        head.append(png_chunks.profile(decoded.icc))
    if block:
        head.append(png_chunks.chunk(b"eXIf", block))
    frames = decoded.header.frames - found.default_apart
    return [*head, png_chunks.chunk(b"acTL", struct.pack(">II", frames, loops))]


def webp(
    decoded: Decoded, original: Image.Image, pictures: Iterator[Picture], block: bytes
) -> bytes:
    """An animated WebP, lossless if every frame of the original is."""
    size = (decoded.header.width, decoded.header.height)
    settings = webp_settings(decoded.data)
    loops = int(original.info.get("loop", _FOREVER))
    chunks = [webp_chunks.chunk(webp_chunks.ANIMATION, struct.pack("<IH", 0, loops))]
    shown: Image.Image | None = None
    alpha = False
    for picture in pictures:
        image = picture.image.convert("RGBA")
        left, top, right, bottom = (0, 0, *size) if shown is None else _changed(shown, image)
        left, top = left // 2 * 2, top // 2 * 2
        part = image.crop((left, top, right, bottom))
        alpha |= _is_transparent(part)
        out = io.BytesIO()
        (part if _is_transparent(part) else part.convert("RGB")).save(out, "WEBP", **settings)
        data = out.getvalue()
        coded = [
            webp_chunks.chunk(c.kind, data[c.start : c.end])
            for c in webp_chunks.read(data).chunks
            if c.kind in webp_chunks.PICTURE
        ]
        numbers = (left // 2, top // 2, right - left - 1, bottom - top - 1)
        duration = min(round(picture.duration_ms), _LONGEST_WEBP_MS)
        head = b"".join(n.to_bytes(3, "little") for n in (*numbers, duration)) + b"\x02"
        chunks.append(webp_chunks.chunk(webp_chunks.FRAME, head + b"".join(coded)))
        shown = image
    icc = decoded.icc if colour_profile.fits(decoded.icc, "RGB") else b""
    flags = webp_chunks.ANIMATED | (webp_chunks.HAS_ALPHA if alpha else 0)
    return webp_chunks.assembled(chunks, *size, flags=flags, exif=block, icc=icc)


def _changed(before: Image.Image, after: Image.Image) -> tuple[int, int, int, int]:
    """The box that holds every pixel that differs; one pixel where none does."""
    mode = "RGBA" if "A" in before.mode and "A" in after.mode else "RGB"
    difference = ImageChops.difference(before.convert(mode), after.convert(mode))
    # Alpha alone decides the box of RGBA pictures unless told otherwise.
    return difference.getbbox(alpha_only=False) or (0, 0, 1, 1)


def _is_transparent(image: Image.Image) -> bool:
    if "A" not in image.mode:
        return False
    low, _ = image.getchannel("A").getextrema()
    return low != 255  # noqa: PLR2004 - opaque
