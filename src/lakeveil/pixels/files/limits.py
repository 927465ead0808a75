"""What a file says of itself, checked against limits before any decoder sees it.

Only structure is read here: no pixel is decoded and nothing the size of a picture is allocated,
so that a hostile file costs no more than a walk over its bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from lakeveil.pixels.files import (
    exif,
    gif_blocks,
    heif_boxes,
    jpeg_segments,
    png_chunks,
    tiff_pages,
    webp_chunks,
)
from lakeveil.pixels.files.refusals import bad
from lakeveil.pixels.files.sniff import Format, sniff


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The largest file that is looked at. A decoder's work grows with each of these."""

    max_bytes: int = 100 * 2**20
    max_frame_pixels: int = 100_000_000
    max_frames: int = 500
    max_total_pixels: int = 200_000_000
    """Frames times pixels."""
    max_jpeg_scans: int = 100
    max_jpeg_scan_pixels: int = 2_000_000_000
    """Scans times pixels: each scan of a progressive JPEG goes over the whole picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a file within its limits says of itself. `width` and `height` are upright.

    `orientation` is that of EXIF (1 to 8), of the container for AVIF and HEIC; None where the
    file says nothing, so that whoever looks for faces must find out which way is up.
    """

    format: Format
    width: int
    height: int
    frames: int = 1
    orientation: int | None = None

    @property
    def release_content_type(self) -> str:
        """The content type of a release made from it."""
        return self.format.release_content_type


def inspect(data: bytes, limits: Limits | None = None) -> Header:
    """Read a file's structure and refuse what is no photo, is damaged, or is too large.

    Raises:
        BadPhoto: with one of the codes of `refusals.REFUSALS`.
    """
    limits = limits or Limits()
    if len(data) > limits.max_bytes:
        raise bad("file_too_large", f"it has {len(data)} bytes; the limit is {limits.max_bytes}")
    match sniff(data):
        case Format.JPEG:
            return _jpeg(data, limits)
        case Format.PNG:
            png = png_chunks.read(data)
            turned = exif.orientation(png.exif)
            return _checked(Format.PNG, (png.width, png.height), png.frames, turned, limits)
        case Format.WEBP:
            webp = webp_chunks.read(data)
            turned = exif.orientation(webp.exif)
            return _checked(Format.WEBP, (webp.width, webp.height), webp.frames, turned, limits)
        case Format.GIF:
            gif = gif_blocks.read(data)
            return _checked(Format.GIF, (gif.width, gif.height), gif.frames, None, limits)
        case Format.TIFF:
            return _tiff(data, limits)
        case Format.AVIF | Format.HEIC as found:
            return _heif(found, data, limits)


def _jpeg(data: bytes, limits: Limits) -> Header:
    jpeg = jpeg_segments.read(data, max_scans=limits.max_jpeg_scans)
    turned = exif.orientation(jpeg.exif)
    header = _checked(Format.JPEG, (jpeg.width, jpeg.height), 1, turned, limits)
    if jpeg.scans * jpeg.width * jpeg.height > limits.max_jpeg_scan_pixels:
        raise bad("too_many_scans", f"{jpeg.scans} scans are too many for a photo of its size")
    jpeg_segments.check_scans(data, jpeg)
    return header


def _tiff(data: bytes, limits: Limits) -> Header:
    tiff = tiff_pages.read(data, max_scans=limits.max_jpeg_scans, max_pages=limits.max_frames)
    if any(page.part_pixels > limits.max_frame_pixels for page in tiff.pages):
        raise bad("too_many_pixels", "a tile of it is larger than a photo may be")
    for page in tiff.pages:
        _checked(Format.TIFF, (page.width, page.height), len(tiff.pages), None, limits, total=0)
    total = sum(page.width * page.height for page in tiff.pages)
    first = tiff.pages[0]
    return _checked(
        Format.TIFF,
        (first.width, first.height),
        len(tiff.pages),
        tiff.orientation,
        limits,
        total=total,
    )


def _heif(found: Format, data: bytes, limits: Limits) -> Header:
    heif = heif_boxes.read(data)
    if heif.largest_item_pixels > limits.max_frame_pixels:
        raise bad("too_many_pixels", f"the limit is {limits.max_frame_pixels}")
    if found is Format.HEIC and heif.sequence:
        raise bad("unsupported_heic", "it is a sequence; JPEG, which it would become, holds one")
    # Decoders of HEIC crop as told; those of AVIF give the whole picture, and that is looked at.
    size = heif.crop if found is Format.HEIC and heif.crop else (heif.width, heif.height)
    return _checked(found, size, heif.frames, heif.turned, limits)


def _checked(
    found: Format,
    size: tuple[int, int],
    frames: int,
    turned: int | None,
    limits: Limits,
    *,
    total: int | None = None,
) -> Header:
    pixels = size[0] * size[1]
    if pixels > limits.max_frame_pixels:
        raise bad("too_many_pixels", f"it has {pixels}; the limit is {limits.max_frame_pixels}")
    if frames > limits.max_frames:
        raise bad("too_many_frames", f"it has {frames}; the limit is {limits.max_frames}")
    total = pixels * frames if total is None else total
    if total > limits.max_total_pixels:
        raise bad(
            "too_many_total_pixels", f"it has {total}; the limit is {limits.max_total_pixels}"
        )
    width, height = exif.upright_size(*size, turned)
    return Header(format=found, width=width, height=height, frames=frames, orientation=turned)
