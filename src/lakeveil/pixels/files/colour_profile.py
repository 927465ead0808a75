"""ICC profiles by whitelist (ICC.1:2022): what maps colours is written anew, all else is left out.

A display's profile names its serial number (`mmod`), its owner's settings (`vcgt`, `meta`) and
whatever else its maker thought of; and a tag of any name can hold a file. So each tag that stays
is parsed by its type and exact length, and only its numbers are written.
"""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import ImageCms

from lakeveil.pixels.files.refusals import bad

_HEADER_BYTES = 128
_MAX_BYTES = 4 * 2**20
_MAX_TABLE_BYTES = 2**20
_MAX_TAGS = 100
_MAX_CURVE = 4096
_CLASSES = frozenset({b"mntr", b"scnr", b"prtr", b"spac"})
_MATRIX = (b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC")
_GREY = (b"kTRC",)
_POINTS = (b"wtpt", b"bkpt", b"chad")
_TABLES = (b"A2B0", b"A2B1", b"A2B2")
_READ = frozenset({*_MATRIX, *_GREY, *_POINTS, *_TABLES})
# Parameters of each parametric function (section 10.18).
_PARAMETERS = (1, 3, 4, 5, 7)
_D50 = struct.pack(">3i", 63190, 65536, 54061)
# Both must be there (section 9.2), so they say nothing.
_DESCRIPTION, _COPYRIGHT = b"desc", b"cprt"
_PERCEPTUAL = 0
SPACES = {"GRAY": "L", "RGB ": "RGB", "CMYK": "CMYK"}


def space(icc: bytes) -> str:
    """The colour space of a profile as Pillow's mode; "" for none that photos use."""
    return SPACES.get(icc[16:20].decode("latin-1"), "") if len(icc) >= _HEADER_BYTES else ""


def rewritten(icc: bytes) -> bytes:
    """The numbers that map colours, in a new profile; b"" where it is damaged or of no use.

    RGB and grey profiles keep their curves and matrix, and a table only where they have none of
    those; CMYK keeps the one table that says how its inks look. Curves are made to rise: a real
    one does, and a file in the place of a curve does not.

    Raises:
        BadPhoto: `unsupported_colour`: without its profile nobody knows what CMYK looks like.

    >>> rewritten(b"no profile")
    b''
    """
    tags = _tags(icc)
    made = _assembled(icc, tags) if tags else b""
    if made and _applies(made):
        return made
    if space(icc) == "CMYK":
        raise bad("unsupported_colour", "its CMYK profile cannot be used")
    return b""


def to_srgb(mode: str, icc: bytes) -> ImageCms.ImageCmsTransform:
    """What turns pixels of `mode` (`L`, `RGB` or `CMYK`) in a profile's space into sRGB.

    Raises:
        PyCMSError: the profile cannot be used.
    """
    return ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(icc)),
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        ImageCms.Intent.PERCEPTUAL,
    )


def _applies(icc: bytes) -> bool:
    try:
        to_srgb(space(icc), icc)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return False
    return True


def _tags(icc: bytes) -> dict[bytes, bytes]:
    """The tags that are needed, parsed and written anew; none where that is not possible."""
    if not _HEADER_BYTES + 4 <= len(icc) <= _MAX_BYTES or icc[36:40] != b"acsp":
        return {}
    count = struct.unpack_from(">I", icc, _HEADER_BYTES)[0]
    if count > _MAX_TAGS or _HEADER_BYTES + 4 + 12 * count > len(icc):
        return {}
    if icc[12:16] not in _CLASSES or icc[20:24] not in {b"XYZ ", b"Lab "}:
        return {}
    found: dict[bytes, bytes] = {}
    for i in range(count):
        name, at, size = struct.unpack_from(">4sII", icc, _HEADER_BYTES + 4 + 12 * i)
        if name in _READ:
            if at + size > len(icc):
                return {}
            found.setdefault(name, icc[at : at + size])
    by_curves = {"RGB": _MATRIX, "L": _GREY}.get(space(icc))
    if by_curves and found.keys() >= set(by_curves):
        kept = {n: _parsed(found[n]) for n in (*by_curves, *_POINTS) if n in found}
        return {n: p for n, p in kept.items() if p} if all(kept[n] for n in by_curves) else {}
    table = next((found[n] for n in _TABLES if n in found), b"")
    channels = {"RGB": 3, "CMYK": 4}.get(space(icc), 0)
    exact = _table(table, channels) if channels else b""
    points = {n: p for n in _POINTS if n in found and (p := _parsed(found[n]))}
    return {b"A2B0": exact, **points} if exact else {}


def _parsed(payload: bytes) -> bytes:
    """A curve, a point or a matrix from its numbers; b"" where it is none."""
    kind = payload[:4]
    if kind == b"XYZ " and len(payload) >= 20:  # noqa: PLR2004 - one triple
        return b"XYZ \x00\x00\x00\x00" + payload[8:20]
    if kind == b"sf32" and len(payload) >= 44:  # noqa: PLR2004 - three by three
        return b"sf32\x00\x00\x00\x00" + payload[8:44]
    if kind == b"para" and len(payload) >= 12:  # noqa: PLR2004 - its fixed part
        function = struct.unpack_from(">H", payload, 8)[0]
        end = 12 + 4 * (_PARAMETERS[function] if function < len(_PARAMETERS) else 0)
        if 12 < end <= len(payload):  # noqa: PLR2004 - its fixed part
            return b"para\x00\x00\x00\x00" + struct.pack(">HH", function, 0) + payload[12:end]
    if kind == b"curv" and len(payload) >= 12:  # noqa: PLR2004 - its fixed part
        count = struct.unpack_from(">I", payload, 8)[0]
        if count <= _MAX_CURVE and 12 + 2 * count <= len(payload):
            values = np.frombuffer(payload, ">u2", count, 12)
            rising = np.maximum.accumulate(values).astype(">u2")
            return b"curv\x00\x00\x00\x00" + struct.pack(">I", count) + rising.tobytes()
    return b""


def _table(payload: bytes, channels: int) -> bytes:
    """A table of 8 or 16 bits (lut8Type, lut16Type) without what stands behind it."""
    if len(payload) < 52 or payload[8] != channels or payload[9] != 3:  # noqa: PLR2004 - fixed part; XYZ or Lab
        return b""
    cells = payload[10] ** channels * 3
    if payload[:4] == b"mft1":
        size = 48 + 256 * channels + cells + 256 * 3
    elif payload[:4] == b"mft2":
        before, after = struct.unpack_from(">HH", payload, 48)
        size = 52 + 2 * (before * channels + cells + after * 3)
    else:
        return b""
    if not size <= min(len(payload), _MAX_TABLE_BYTES):
        return b""
    return payload[:4] + bytes(4) + payload[8:11] + b"\x00" + payload[12:size]


def _assembled(icc: bytes, tags: dict[bytes, bytes]) -> bytes:
    four = icc[8] >= 4  # noqa: PLR2004 - the version that changed texts
    tags = dict(tags)
    tags[_DESCRIPTION] = _unicode("Colour profile") if four else _plain_description()
    tags[_COPYRIGHT] = _unicode("None") if four else b"text\x00\x00\x00\x00None\x00"
    table = bytearray(struct.pack(">I", len(tags)))
    body = bytearray()
    start = _HEADER_BYTES + 4 + 12 * len(tags)
    placed: dict[bytes, int] = {}
    for name, payload in tags.items():
        # Channels often share one curve.
        if payload not in placed:
            placed[payload] = start + len(body)
            body += payload + b"\x00" * (-len(payload) % 4)
        table += struct.pack(">4sII", name, placed[payload], len(payload))
    header = bytearray(_HEADER_BYTES)
    struct.pack_into(">I", header, 0, start + len(body))
    header[8] = 4 if four else 2
    header[9] = icc[9] & 0xF0
    # A profile of one table for reading is one of an input device (section 8.3).
    header[12:16] = b"scnr" if b"A2B0" in tags else icc[12:16]
    header[16:24] = icc[16:24]
    header[36:40] = b"acsp"
    header[64:68] = struct.pack(">I", _PERCEPTUAL)
    header[68:80] = _D50
    return bytes(header + table + body)


def _unicode(text: str) -> bytes:
    coded = text.encode("utf-16-be")
    return struct.pack(">4sIII2s2sII", b"mluc", 0, 1, 12, b"en", b"US", len(coded), 28) + coded


def _plain_description() -> bytes:
    text = b"Colour profile\x00"
    return struct.pack(">4sII", b"desc", 0, len(text)) + text + bytes(8 + 3 + 67)


def fits(icc: bytes, mode: str) -> bool:
    """Whether a profile describes pixels of a Pillow mode (`L`, `LA`, `RGB`, `RGBA`)."""
    return bool(icc) and space(icc) == mode.removesuffix("A")
