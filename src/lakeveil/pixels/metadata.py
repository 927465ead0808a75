"""A photo in which no face was found: its picture untouched, its metadata by whitelist."""

from __future__ import annotations

from collections.abc import Sequence

from lakeveil.pixels import decode, encode, rewrite, tiff_pages
from lakeveil.pixels.limits import Header
from lakeveil.pixels.sniff import Format


def clean(data: bytes, header: Header, keep: Sequence[str]) -> bytes:
    """The file with nothing but its picture, colour profile, orientation, and the groups in `keep`.

    The coded picture is copied bit for bit. HEIC (which becomes JPEG), AVIF sequences and TIFF
    files with undeclared channels or with JPEG inside cannot be copied so, and are encoded anew
    (TIFF without loss). The result has the type `header.release_content_type`.

    Raises:
        BadPhoto: the file is damaged.
    """
    rewritten = rewrite.rewritten(data, header, keep, turned=header.orientation)
    if rewritten is not None and not _holds_jpegs(rewritten, header):
        return rewritten
    return encode.copied(decode.decode(data, header), keep=keep).data


def _holds_jpegs(rewritten: bytes, header: Header) -> bool:
    """Whether strips of a TIFF are JPEGs of their own: tools extract them as second images."""
    if header.format is not Format.TIFF:
        return False
    pages = tiff_pages.read(rewritten, max_scans=len(rewritten)).pages
    return any(page.compression == tiff_pages.JPEG_COMPRESSION for page in pages)
