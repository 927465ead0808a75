"""ICC profiles by whitelist (ICC.1:2022): what maps colours stays, what describes a device goes.

A display's profile names its serial number (`mmod`), its owner's settings (`vcgt`, `meta`) and
whatever else its maker thought of; none of that changes a colour.
"""

from __future__ import annotations

import struct

_HEADER_BYTES = 128
_MAX_BYTES = 4 * 2**20
_MAX_TAGS = 100
_COLOUR_TAGS = frozenset(
    {
        b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC", b"wtpt", b"bkpt", b"chad",
        b"A2B0", b"A2B1", b"A2B2", b"A2B3", b"B2A0", b"B2A1", b"B2A2", b"B2A3",
        b"D2B0", b"D2B1", b"D2B2", b"D2B3", b"B2D0", b"B2D1", b"B2D2", b"B2D3",
        b"gamt", b"chrm", b"lumi", b"cicp",
    }
)  # fmt: skip
# Both must be there (section 9.2), so they say nothing.
_DESCRIPTION, _COPYRIGHT = b"desc", b"cprt"
SPACES = {"GRAY": "L", "RGB ": "RGB", "CMYK": "CMYK"}


def space(icc: bytes) -> str:
    """The colour space of a profile as Pillow's mode; "" for none that photos use."""
    return SPACES.get(icc[16:20].decode("latin-1"), "") if len(icc) >= _HEADER_BYTES else ""


def rewritten(icc: bytes) -> bytes:
    """The profile with the tags that map colours and no text; b"" where it is damaged.

    >>> rewritten(b"no profile")
    b''
    """
    if not _HEADER_BYTES + 4 <= len(icc) <= _MAX_BYTES or icc[36:40] != b"acsp":
        return b""
    count = struct.unpack_from(">I", icc, _HEADER_BYTES)[0]
    if count > _MAX_TAGS or _HEADER_BYTES + 4 + 12 * count > len(icc):
        return b""
    tags: dict[bytes, bytes] = {}
    for i in range(count):
        name, at, size = struct.unpack_from(">4sII", icc, _HEADER_BYTES + 4 + 12 * i)
        if name in _COLOUR_TAGS:
            if at + size > len(icc):
                return b""
            tags.setdefault(name, icc[at : at + size])
    if not tags:
        return b""
    four = icc[8] >= 4  # noqa: PLR2004 - the version that changed texts
    tags[_DESCRIPTION] = _unicode("Colour profile") if four else _plain_description()
    tags[_COPYRIGHT] = _unicode("None") if four else b"text\x00\x00\x00\x00None\x00"
    return _assembled(icc, tags)


def _assembled(icc: bytes, tags: dict[bytes, bytes]) -> bytes:
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
    # Version, class, space and connection space; then the signature; then intent and illuminant.
    header[8:24] = icc[8:24]
    header[36:40] = b"acsp"
    header[64:80] = icc[64:80]
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
