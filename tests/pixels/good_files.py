"""Small valid files of every format and kind that is read, made fresh with Pillow."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms

WIDTH, HEIGHT = 48, 32


def picture(seed: int = 0) -> Image.Image:
    """A picture of smooth colours with a corner of its own on each side, so that turns show."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    pixels = np.stack((x * 5, y * 7, (x + y) * 2 + seed * 20), -1).astype(np.uint8)
    pixels[:8, :8] = (255, 0, 0)
    pixels[:8, -8:] = (0, 255, 0)
    pixels[-8:, :8] = (0, 0, 255)
    return Image.fromarray(pixels)


def with_alpha(seed: int = 0) -> Image.Image:
    """The same picture with a hole in it, at another place for each seed."""
    image = picture(seed).convert("RGBA")
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[10:20, 4 + 6 * seed : 14 + 6 * seed] = 0
    image.putalpha(Image.fromarray(alpha))
    return image


def sixteen_bits() -> Image.Image:
    """A grey ramp of 16 bits."""
    ramp = np.arange(WIDTH * HEIGHT, dtype=np.uint16).reshape(HEIGHT, WIDTH) * 40
    return Image.fromarray(ramp)


@cache
def icc() -> bytes:
    """A small sRGB profile."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """A file of one picture."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def animated(kind: str, frames: list[Image.Image], **options: Any) -> bytes:
    """A file of several pictures."""
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)


def heic(image: Image.Image | None = None) -> bytes:
    """An HEIC photo (needs the extra `heic`)."""
    from pillow_heif import from_pillow

    out = io.BytesIO()
    from_pillow(image or picture()).save(out, quality=80, enc_params={"preset": "ultrafast"})
    return out.getvalue()


def _opaque(count: int = 3) -> list[Image.Image]:
    return [picture(i) for i in range(count)]


def _holed(count: int = 3) -> list[Image.Image]:
    return [with_alpha(i) for i in range(count)]


FILES: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: saved(picture(), "JPEG", quality=85, icc_profile=icc()),
    "jpeg 4:4:4": lambda: saved(picture(), "JPEG", quality=95, subsampling=0),
    "jpeg 4:2:2": lambda: saved(picture(), "JPEG", subsampling=1),
    "jpeg grey": lambda: saved(picture().convert("L"), "JPEG"),
    "jpeg progressive": lambda: saved(picture(), "JPEG", progressive=True),
    "jpeg restarts": lambda: saved(picture(), "JPEG", restart_marker_rows=1),
    "jpeg cmyk": lambda: saved(picture().convert("CMYK"), "JPEG"),
    "jpeg rgb": lambda: saved(picture(), "JPEG", keep_rgb=True),
    "png": lambda: saved(picture(), "PNG", icc_profile=icc()),
    "png grey": lambda: saved(picture().convert("L"), "PNG"),
    "png 1 bit": lambda: saved(picture().convert("1"), "PNG"),
    "png 16 bits": lambda: saved(sixteen_bits(), "PNG"),
    "png palette": lambda: saved(picture().convert("P"), "PNG"),
    "png palette alpha": lambda: saved(
        picture().convert("P"), "PNG", transparency=bytes(range(0, 256, 2))
    ),
    "png alpha": lambda: saved(with_alpha(), "PNG"),
    "png grey alpha": lambda: saved(with_alpha().convert("LA"), "PNG"),
    "apng": lambda: animated("PNG", _opaque(), duration=70, loop=2),
    "apng alpha": lambda: animated("PNG", _holed(), duration=70),
    "apng default image": lambda: animated("PNG", _holed(), duration=70, default_image=True),
    "webp": lambda: saved(picture(), "WEBP", icc_profile=icc()),
    "webp lossless": lambda: saved(picture(), "WEBP", lossless=True),
    "webp alpha": lambda: saved(with_alpha(), "WEBP"),
    "webp animated": lambda: animated("WEBP", _opaque(), duration=90, icc_profile=icc()),
    "webp animated alpha": lambda: animated("WEBP", _holed(), duration=90, lossless=True, loop=3),
    "gif": lambda: saved(picture(), "GIF"),
    "gif animated": lambda: animated("GIF", _opaque(), duration=100, loop=0),
    "gif animated alpha": lambda: animated("GIF", _holed(), duration=[50, 100, 150], disposal=2),
    "avif": lambda: saved(picture(), "AVIF", icc_profile=icc(), speed=9),
    "avif alpha": lambda: saved(with_alpha(), "AVIF", speed=9),
    "avif grey": lambda: saved(picture().convert("L"), "AVIF", speed=9),
    "avif 4:4:4": lambda: saved(picture(), "AVIF", speed=9, subsampling="4:4:4"),
    "avif sequence": lambda: animated("AVIF", _opaque(), duration=100, speed=9),
    "tiff": lambda: saved(picture(), "TIFF", icc_profile=icc()),
    "tiff big": lambda: saved(picture(), "TIFF", big_tiff=True),
    "tiff lzw": lambda: saved(picture(), "TIFF", compression="tiff_lzw"),
    "tiff packbits": lambda: saved(picture(), "TIFF", compression="packbits"),
    "tiff zstd": lambda: saved(picture(), "TIFF", compression="zstd"),
    "tiff lzma": lambda: saved(picture(), "TIFF", compression="lzma"),
    "tiff jpeg": lambda: saved(picture(), "TIFF", compression="jpeg"),
    "tiff fax": lambda: saved(picture().convert("1"), "TIFF", compression="group4"),
    "tiff 16 bits": lambda: saved(sixteen_bits(), "TIFF"),
    "tiff palette": lambda: saved(picture().convert("P"), "TIFF"),
    "tiff alpha": lambda: saved(with_alpha(), "TIFF", compression="tiff_adobe_deflate"),
    "tiff cmyk": lambda: saved(picture().convert("CMYK"), "TIFF"),
    "tiff pages": lambda: animated(
        "TIFF",
        [picture(), picture(1).resize((20, 30)).convert("L"), with_alpha()],
        compression="tiff_lzw",
    ),
    "heic": heic,
}

RECODED = frozenset({"avif sequence", "heic", "jpeg progressive"})
"""Kinds that a clean file cannot hold as they are coded: encoded anew, and so a little changed."""

PACKED_ANEW = frozenset(
    {
        "tiff jpeg", "tiff lzma", "tiff fax", "webp lossless", "webp animated alpha",
        "gif", "gif animated", "gif animated alpha",
    }
)  # fmt: skip
"""Kinds whose every pixel stays, in other bytes."""

TAKES_EXIF = ("jpeg", "png", "webp", "avif", "tiff")


def turned(kind: str, orientation: int) -> bytes:
    """The picture tagged with an EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"lossless": True} if kind == "webp" else {}
    if kind == "tiff":
        return saved(picture(), "TIFF", tiffinfo={0x0112: orientation})
    return saved(picture(), kind.upper(), exif=exif, **options)
