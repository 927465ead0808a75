"""The encoders of single pictures and of TIFF pages, with settings taken from the original."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, JpegImagePlugin

from lakeveil.core.geometry import Box
from lakeveil.pixels.files import colour_profile, heif_boxes, jpeg_segments, tiff_pages, webp_chunks
from lakeveil.pixels.files.decode import Decoded
from lakeveil.pixels.files.exif import is_transposed
from lakeveil.pixels.files.sniff import Format
from lakeveil.pixels.files.tiff_directories import Layout
from lakeveil.pixels.files.tiff_rewrite import TiffWriter, description

PNG_LEVEL = 2
WEBP: dict[str, Any] = {"quality": 90, "method": 1}
WEBP_LOSSLESS: dict[str, Any] = {"lossless": True, "exact": True, "quality": 20, "method": 0}
_AVIF: dict[str, Any] = {"quality": 80, "speed": 9, "max_threads": 1}
_HEIC_AS_JPEG: dict[str, Any] = {"quality": 92, "subsampling": "4:2:0"}
# As Pillow numbers them.
_FULL_COLOUR, _HALF_ACROSS = 0, 1
_RGB, _CMYK = 3, 4

# How TIFF pages are written, by the original's compression; all of these lose nothing.
_TIFF_CODECS = {1: "raw", 5: "tiff_lzw", 32773: "packbits", 50000: "zstd"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame to write: 8 bits a channel, how long it is shown, and where it was redacted."""

    image: Image.Image
    duration_ms: float
    regions: tuple[Box, ...]


def still(decoded: Decoded, original: Image.Image, image: Image.Image, block: bytes) -> bytes:
    """A JPEG (of JPEG or HEIC), PNG or WebP of one picture, with an EXIF block (b"" for none)."""
    out = io.BytesIO()
    options: dict[str, Any] = {}
    if block:
        options["exif"] = b"Exif\x00\x00" + block
    if colour_profile.fits(decoded.icc, image.mode):
        options["icc_profile"] = decoded.icc
    if "dpi" in original.info and decoded.header.format in {Format.JPEG, Format.PNG}:
        options["dpi"] = original.info["dpi"]
    if isinstance(original, JpegImagePlugin.JpegImageFile):
        image.save(out, "JPEG", **_as_quantised(decoded, original, image), **options)
    elif decoded.header.format is Format.PNG:
        image.save(out, "PNG", compress_level=PNG_LEVEL, **options)
    elif decoded.header.format is Format.WEBP:
        image.save(out, "WEBP", **webp_settings(decoded.data), **options)
    else:
        image.convert("L" if image.mode in {"L", "LA"} else "RGB").save(
            out, "JPEG", **_HEIC_AS_JPEG, **options
        )
    return out.getvalue()


def webp_settings(original: bytes) -> dict[str, Any]:
    """Lossless if every picture of the original is."""
    return WEBP_LOSSLESS if webp_chunks.read(original).lossless else WEBP


def _as_quantised(
    decoded: Decoded, original: JpegImagePlugin.JpegImageFile, image: Image.Image
) -> dict[str, Any]:
    """The original's quantisation tables, subsampling and kind."""
    found = jpeg_segments.read(decoded.data, max_scans=len(decoded.data))
    options: dict[str, Any] = {"progressive": found.progressive}
    tables = [original.quantization[c.table] for c in found.components]
    sampling = JpegImagePlugin.get_sampling(original)
    if is_transposed(decoded.header.orientation):
        # Rows have become columns, for the tables and for the chroma alike.
        tables = [np.reshape(t, (8, 8)).T.ravel().tolist() for t in tables]
        sampling = _FULL_COLOUR if sampling == _HALF_ACROSS else sampling
    if len(tables) == _CMYK:
        # Its colours became RGB; only YCCK quantised something alike.
        tables = tables[:3] if found.adobe_transform else tables[:1]
        sampling = _FULL_COLOUR
    elif len(tables) == _RGB and found.adobe_transform == 0:
        options["keep_rgb"] = True
        sampling = _FULL_COLOUR
    if image.mode != "L":
        options["subsampling"] = max(sampling, _FULL_COLOUR)
    return {**options, "qtables": tables[: len(image.getbands())]}


def avif(decoded: Decoded, pictures: Sequence[Picture], block: bytes) -> bytes:
    """Write an AVIF, of one picture or a sequence."""
    options: dict[str, Any] = dict(_AVIF)
    first = pictures[0].image
    if block:
        options["exif"] = block
    if colour_profile.fits(decoded.icc, first.mode):
        options["icc_profile"] = decoded.icc
    options["subsampling"] = heif_boxes.subsampling(decoded.data)
    images = [p.image for p in pictures]
    modes = {i.mode for i in images}
    if len(modes) > 1:
        images = [i.convert("RGBA") for i in images]
    if len(images) > 1:
        options |= {
            "save_all": True,
            "append_images": images[1:],
            "duration": [round(p.duration_ms) for p in pictures],
        }
    out = io.BytesIO()
    images[0].save(out, "AVIF", **options)
    return out.getvalue()


def tiff(decoded: Decoded, pictures: Iterable[Picture], keep: Sequence[str]) -> bytes:
    """Write a TIFF, each page with its own compression, or deflate where that would lose."""
    found = tiff_pages.read(decoded.data, max_scans=len(decoded.data))
    how = Layout(order="<", big=False, first=8)
    writer = TiffWriter(how)
    for number, (page, picture) in enumerate(zip(found.pages, pictures, strict=True)):
        out = io.BytesIO()
        options: dict[str, Any] = {}
        if colour_profile.fits(decoded.icc, picture.image.mode):
            options["icc_profile"] = decoded.icc
        codec = _TIFF_CODECS.get(page.compression, "tiff_adobe_deflate")
        picture.image.save(out, "TIFF", compression=codec, **options)
        single = out.getvalue()
        written = tiff_pages.read(single, max_scans=1)
        described = description(decoded.exif, keep, how) if number == 0 else None
        if written.layout.order != "<" or not writer.add(single, written.pages[0], described):
            raise OSError("a page was written in an unexpected way")
    return writer.finished()
