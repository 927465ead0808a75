"""Why a file is refused before or while it is read: every code, its meaning, and what to do.

The codes are stable: records, metrics and the documentation name them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lakeveil.errors import BadPhoto

_SAVE_AGAIN = "open it in a photo editor, save it again as JPEG, and upload that"

REFUSALS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "empty_file": ("the file is empty", "upload it again; the first upload did not finish"),
        "unknown_format": (
            "the file is no photo that we know",
            "upload JPEG, PNG, WebP, AVIF, TIFF, GIF or HEIC; the name's ending does not matter",
        ),
        "unsupported_format": (
            "the file's format is not accepted",
            "convert it to JPEG, PNG, WebP, AVIF, TIFF or GIF and upload that",
        ),
        "heic_support_missing": (
            "HEIC photos cannot be read by this installation",
            "install the extra with `pip install 'lakeveil[heic]'`, then retry the photo",
        ),
        "file_too_large": ("the file is too large", "upload a smaller file, or raise the limit"),
        "too_many_pixels": (
            "the photo has too many pixels",
            "scale it down, or raise the limit on pixels per frame",
        ),
        "too_many_frames": (
            "the file has too many frames",
            "split it into shorter ones, or raise the limit on frames",
        ),
        "too_many_total_pixels": (
            "all frames together have too many pixels",
            "split it or scale it down, or raise the limit on pixels per file",
        ),
        "too_many_scans": (
            "the JPEG has too many scans",
            "save it again as a baseline JPEG; no camera or editor writes this many scans",
        ),
        "metadata_bomb": (
            "the file's metadata unpacks to an absurd size",
            "remove the metadata with a photo editor, and upload it again",
        ),
        "truncated": (
            "the file ends before the photo does",
            "upload it again from the original; the copy was cut short",
        ),
        "malformed": ("the file is damaged", _SAVE_AGAIN),
        "contradictory": (
            "the file describes itself in two ways that cannot both be true",
            _SAVE_AGAIN,
        ),
        "unsupported_jpeg": ("this variant of JPEG is not read", _SAVE_AGAIN),
        "unsupported_tiff": ("this variant of TIFF is not read", _SAVE_AGAIN),
        "unsupported_avif": ("this variant of AVIF is not read", _SAVE_AGAIN),
        "unsupported_heic": ("this variant of HEIC is not read", _SAVE_AGAIN),
        "unsupported_pixels": (
            "the photo's pixels are of a kind that is not read",
            "convert it to 8 or 16 bits a channel, grey or RGB",
        ),
        "unsupported_colour": (
            "the photo's colours cannot be kept true in a release",
            "convert it to sRGB, Display P3 or another colour space with an ICC profile",
        ),
        "raw_camera_file": (
            "the file is a camera's raw file",
            "develop it to JPEG or TIFF, and upload that",
        ),
        "undecodable": ("the photo cannot be decoded", _SAVE_AGAIN),
        "unencodable": ("the redacted photo cannot be written in its format", _SAVE_AGAIN),
        "out_of_memory": (
            "the photo needs more memory than a photo may take",
            "scale it down, or raise the memory limit of the workers",
        ),
    }
)
"""code -> (what happened, what to do)."""


def bad(code: str, why: str) -> BadPhoto:
    """The error for one of the codes above; `why` names the limit, the marker, or the figures."""
    what, fix = REFUSALS[code]
    return BadPhoto(what, why=why, fix=fix, code=code)
