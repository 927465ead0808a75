"""A photo in which no face was found: its picture untouched, its metadata by whitelist.

Untouched is what decoders show of it. Rows below the announced height, bytes behind the last
block, earlier scans and idle tables are in coded data too, and nobody looked for faces there.
"""

from __future__ import annotations

from collections.abc import Sequence

from lakeveil.pixels.files import (
    avif_exact,
    decode,
    encode,
    gif_exact,
    jpeg_exact,
    png_exact,
    rewrite,
    tiff_pages,
    tiff_rewrite,
    views,
    webp_exact,
)
from lakeveil.pixels.files.limits import Header
from lakeveil.pixels.files.sniff import Format

_PNG_DEPTH = 24
_EIGHT = 8


def clean(data: bytes, header: Header, keep: Sequence[str]) -> bytes:
    """The file with nothing but its picture, colour profile, orientation, and the groups in `keep`.

    The pixels stay exactly as they are in PNG, GIF, TIFF, lossless WebP and baseline JPEG; in lossy
    WebP and AVIF too, where all of the coded data can be shown to be the picture. What cannot is
    encoded anew: see ADR 0005. The result has the type `header.release_content_type`.

    Raises:
        BadPhoto: the file is damaged.
    """
    with decode.refusing(header):
        kept = None if _is_deep_and_dim(data, header) else _kept(data, header, keep)
    if kept is not None:
        return kept
    return encode.copied(decode.decode(data, header), keep=keep).data


def _is_deep_and_dim(data: bytes, header: Header) -> bool:
    """Whether its colours have 16 bits and only the lower ones, which decoders drop, say much.

    Grey of 16 bits is looked at in full.
    """
    if header.format is Format.PNG:
        depth, colour = data[_PNG_DEPTH], data[_PNG_DEPTH + 1]
        deep = depth > _EIGHT and colour != 0
    elif header.format is Format.TIFF:
        pages = tiff_pages.read(data, max_scans=len(data)).pages
        deep = any(len(page.bits) > 1 and max(page.bits) > _EIGHT for page in pages)
    else:
        return False
    return deep and any(views.is_dim(f.pixels) for f in decode.decode(data, header).frames())


def _kept(data: bytes, header: Header, keep: Sequence[str]) -> bytes | None:
    """The rewritten file without what no decoder reads; None where that cannot be shown."""
    if header.format is Format.TIFF:
        pages = tiff_pages.read(data, max_scans=len(data))
        try:
            turned = header.orientation
            return tiff_rewrite.rewritten(data, pages, keep, turned=turned, exactly=True)
        except OSError:
            # Whether the page can be decoded at all will show when it is encoded anew.
            return None
    lifted = rewrite.rewritten(data, header, keep, turned=header.orientation)
    trim = {
        Format.JPEG: jpeg_exact.trimmed,
        Format.PNG: png_exact.trimmed,
        Format.GIF: gif_exact.trimmed,
    }.get(header.format)
    if lifted is None or trim is not None:
        return trim(lifted) if trim and lifted else None
    exact = webp_exact.is_exact if header.format is Format.WEBP else avif_exact.is_exact
    return lifted if exact(lifted) else None
