"""A file's coded picture, bit for bit, in a new file without the rest: metadata by whitelist.

The same rewriting comes before decoding, so a decoder sees nothing that a release would not hold:
no EXIF, no text, no packed profile, no second image.
"""

from __future__ import annotations

from collections.abc import Sequence

from lakeveil.pixels.files import (
    colour_profile,
    exif,
    gif_blocks,
    heif_boxes,
    heif_rewrite,
    jpeg_segments,
    png_chunks,
    tiff_pages,
    tiff_rewrite,
    webp_chunks,
)
from lakeveil.pixels.files.limits import Header
from lakeveil.pixels.files.sniff import Format

_MOST_SCANS = 10_000


def rewritten(
    data: bytes, header: Header, keep: Sequence[str] = (), *, turned: int | None = None
) -> bytes | None:
    """The file with the metadata groups of `keep`, an orientation tag, and its colour profile.

    `turned` is what the orientation tag says (None: there is none). What AVIF says of its
    orientation stays, as it is no tag but a part of the picture.

    None where its picture cannot be lifted out of it: HEIC (which is released as JPEG), AVIF
    sequences, and TIFF pages that hold more than colours and alpha.

    Raises:
        BadPhoto: the file is damaged.
    """
    result: bytes | None = None
    match header.format:
        case Format.JPEG:
            jpeg = jpeg_segments.read(data, max_scans=_MOST_SCANS)
            block = exif.rebuilt(jpeg.exif, keep, turned=turned)
            icc = colour_profile.rewritten(jpeg.icc)
            result = jpeg_segments.rewritten(data, jpeg, exif=block, icc=icc)
        case Format.PNG:
            png = png_chunks.read(data)
            block = exif.rebuilt(png.exif, keep, turned=turned)
            icc = colour_profile.rewritten(png.icc)
            result = png_chunks.rewritten(data, png, exif=block, icc=icc)
        case Format.WEBP:
            webp = webp_chunks.read(data)
            block = exif.rebuilt(webp.exif, keep, turned=turned)
            icc = colour_profile.rewritten(webp.icc)
            result = webp_chunks.rewritten(data, webp, exif=block, icc=icc)
        case Format.GIF:
            result = gif_blocks.rewritten(data, gif_blocks.read(data))
        case Format.TIFF:
            tiff = tiff_pages.read(data, max_scans=_MOST_SCANS)
            result = tiff_rewrite.rewritten(data, tiff, keep, turned=turned)
        case Format.AVIF:
            result = heif_rewrite.rewritten(data, heif_boxes.read(data), keep)
        case Format.HEIC:
            pass
    return result


def exif_block(data: bytes, header: Header) -> bytes:
    """The file's EXIF block (for TIFF: the file itself), b"" where it has none."""
    match header.format:
        case Format.JPEG:
            return jpeg_segments.read(data, max_scans=_MOST_SCANS).exif
        case Format.PNG:
            return png_chunks.read(data).exif
        case Format.WEBP:
            return webp_chunks.read(data).exif
        case Format.AVIF | Format.HEIC:
            return heif_boxes.read(data).exif
        case Format.TIFF:
            return data
        case Format.GIF:
            return b""
