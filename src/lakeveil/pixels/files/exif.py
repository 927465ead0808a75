"""EXIF by whitelist: a block is read for the tags we know and written anew with nothing else.

MakerNote, thumbnails (IFD1), previews (SubIFDs), serial numbers, names and free text are never
copied, whatever is kept: only the tags below are, each with its own type and a small size
(Exif 2.32, section 4.6).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lakeveil.pixels.files.tiff_directories import (
    ASCII,
    LONG,
    RATIONAL,
    SHORT,
    UNDEFINED,
    BadDirectory,
    Directory,
    Layout,
    Value,
    directory,
    layout,
    swapped,
    written,
)

ORIENTATION = 0x0112
_EXIF_IFD, _GPS_IFD, _INTEROP_IFD = 0x8769, 0x8825, 0xA005
_BYTE, _SRATIONAL = 1, 10

_DATE = re.compile(rb"[0-9: ]{19}\x00")
_OFFSET = re.compile(rb"[+-][0-9]{2}:[0-9]{2}\x00")
_DIGITS = re.compile(rb"[0-9]{1,9} *\x00?")
_MODEL = re.compile(rb"[\x20-\x7e]{1,63}\x00{0,8}")
_REFERENCE = re.compile(rb"[A-Z]\x00")
_DAY = re.compile(rb"[0-9]{4}:[0-9]{2}:[0-9]{2}\x00")
_DATUM = re.compile(rb"[A-Z0-9 -]{1,15}\x00")
_R98 = re.compile(rb"R[09][38]\x00")
_VERSION = re.compile(rb"[0-9]{4}")

_Rule = re.Pattern[bytes] | tuple[frozenset[int], int]
"""What a value must match: its text, or its types with the largest count."""

_NUMBER: _Rule = (frozenset({SHORT, LONG, RATIONAL, _SRATIONAL}), 1)
_NUMBERS: _Rule = (frozenset({SHORT, LONG, RATIONAL, _SRATIONAL}), 4)
_CODE: _Rule = (frozenset({_BYTE, UNDEFINED}), 1)

# (directory, group) -> tag -> rule; the group "" is always kept.
_WHITELIST: Mapping[tuple[str, str], Mapping[int, _Rule]] = {
    ("image", ""): {ORIENTATION: _NUMBER},
    ("image", "dates"): {0x0132: _DATE},
    ("image", "camera"): {0x010F: _MODEL, 0x0110: _MODEL},
    ("exif", ""): {0x9000: _VERSION, 0xA001: _NUMBER, 0xA500: _NUMBER},
    ("exif", "dates"): {
        0x9003: _DATE, 0x9004: _DATE,
        0x9010: _OFFSET, 0x9011: _OFFSET, 0x9012: _OFFSET,
        0x9290: _DIGITS, 0x9291: _DIGITS, 0x9292: _DIGITS,
    },
    ("exif", "camera"): {0xA432: _NUMBERS, 0xA433: _MODEL, 0xA434: _MODEL},
    ("exif", "exposure"): {
        **dict.fromkeys((0x829A, 0x829D, 0x8822, 0x8827, 0x8830, 0x8831, 0x8832), _NUMBER),
        **dict.fromkeys(range(0x9201, 0x920B), _NUMBER),
        0xA300: _CODE, 0xA301: _CODE, 0xA217: _NUMBER,
        **dict.fromkeys(range(0xA401, 0xA40B), _NUMBER),
        0xA40C: _NUMBER,
    },
    ("interop", ""): {0x0001: _R98},
    # Without GPSProcessingMethod (27) and GPSAreaInformation (28): those are free text.
    ("gps", "gps"): {
        0: (frozenset({_BYTE}), 4), 1: _REFERENCE, 2: _NUMBERS, 3: _REFERENCE, 4: _NUMBERS,
        5: _CODE, 6: _NUMBER, 7: _NUMBERS, 9: _REFERENCE, 10: _REFERENCE, 11: _NUMBER,
        12: _REFERENCE, 13: _NUMBER, 14: _REFERENCE, 15: _NUMBER, 16: _REFERENCE, 17: _NUMBER,
        18: _DATUM, 29: _DAY, 30: _NUMBER, 31: _NUMBER,
    },
}  # fmt: skip


def orientation(block: bytes) -> int | None:
    """The orientation 1 to 8 of an EXIF block (or TIFF file), None where it has none."""
    try:
        how = layout(block)
        return orientation_of(directory(block, how.first, how, lenient=True), how)
    except BadDirectory:
        return None


def orientation_of(found: Directory, how: Layout) -> int | None:
    """The orientation 1 to 8 that a directory gives, None where it gives none."""
    value = found.fields.get(ORIENTATION)
    numbers = how.integers(value) if value else ()
    return numbers[0] if numbers and 1 <= numbers[0] <= 8 else None  # noqa: PLR2004 - the standard's


def is_transposed(turned: int | None) -> bool:
    """Whether an orientation swaps width and height."""
    return turned is not None and turned >= 5  # noqa: PLR2004 - 5 to 8 turn by a quarter


def upright_size(width: int, height: int, turned: int | None) -> tuple[int, int]:
    """A photo's size once its orientation is applied.

    >>> upright_size(40, 30, 6)
    (30, 40)
    """
    return (height, width) if is_transposed(turned) else (width, height)


def rebuilt(block: bytes, keep: Sequence[str], *, turned: int | None = None) -> bytes:
    """A new EXIF block with only the whitelisted tags of the groups in `keep`.

    The result is little-endian and begins with its TIFF header (no `Exif` prefix); it is b""
    where nothing is left. `turned` is the orientation to write; None writes none. A block that
    cannot be read gives no tags, never an error: losing metadata is not losing the photo.
    """
    found = whitelisted(block, keep)
    image = dict(found.get("image", {}))
    image.pop(ORIENTATION, None)
    if turned is not None:
        image[ORIENTATION] = Value(SHORT, 1, turned.to_bytes(2, "little"))
    exif_fields = dict(found.get("exif", {}))
    if not exif_fields.keys() - {0x9000} and "interop" not in found:
        exif_fields = {}
    interop, gps = found.get("interop", {}), found.get("gps", {})
    if not (image or exif_fields or gps):
        return b""
    how = Layout(order="<", big=False, first=8)
    return _written(how, image, exif_fields, interop, gps)


def whitelisted(block: bytes, keep: Sequence[str]) -> dict[str, dict[int, Value]]:
    """The whitelisted fields by directory (`image`, `exif`, `interop`, `gps`), little-endian."""
    found: dict[str, dict[int, Value]] = {}
    for name, fields, how in _directories(block):
        kept: dict[int, Value] = {}
        for (where, group), rules in _WHITELIST.items():
            if where != name or (group and group not in keep):
                continue
            for tag, rule in rules.items():
                value = fields.fields.get(tag)
                if value is not None and _fits(value, rule):
                    kept[tag] = value if how.order == "<" else swapped(value)
        if kept:
            found[name] = kept
    return found


def _directories(block: bytes) -> list[tuple[str, Directory, Layout]]:
    """The directories that may hold whitelisted tags; each is read at most once."""
    try:
        how = layout(block)
        image = directory(block, how.first, how, lenient=True)
    except BadDirectory:
        return []
    found = [("image", image, how)]
    for name, tag, parent in (
        ("exif", _EXIF_IFD, "image"),
        ("gps", _GPS_IFD, "image"),
        ("interop", _INTEROP_IFD, "exif"),
    ):
        holder = next((d for n, d, _ in found if n == parent), None)
        value = holder.fields.get(tag) if holder else None
        where = how.integers(value) if value else ()
        if len(where) == 1:
            try:
                found.append((name, directory(block, where[0], how, lenient=True), how))
            except BadDirectory:
                continue
    return found


def _fits(value: Value, rule: _Rule) -> bool:
    if isinstance(rule, re.Pattern):
        return value.type in {ASCII, UNDEFINED} and rule.fullmatch(value.data) is not None
    types, most = rule
    return value.type in types and value.count <= most


def _written(
    how: Layout,
    image: dict[int, Value],
    exif_fields: dict[int, Value],
    interop: Mapping[int, Value],
    gps: Mapping[int, Value],
) -> bytes:
    header = b"II*\x00" + (8).to_bytes(4, "little")

    def pointer(at: int) -> Value:
        return Value(LONG, 1, at.to_bytes(4, "little"))

    # The size of a directory does not depend on what its pointers say.
    if interop:
        exif_fields = {**exif_fields, _INTEROP_IFD: pointer(0)}
    if exif_fields:
        image = {**image, _EXIF_IFD: pointer(0)}
    if gps:
        image = {**image, _GPS_IFD: pointer(0)}
    exif_at = 8 + len(written(image, 8, how))
    interop_at = exif_at + (len(written(exif_fields, 0, how)) if exif_fields else 0)
    gps_at = interop_at + (len(written(interop, 0, how)) if interop else 0)
    if interop:
        exif_fields[_INTEROP_IFD] = pointer(interop_at)
    if exif_fields:
        image[_EXIF_IFD] = pointer(exif_at)
    if gps:
        image[_GPS_IFD] = pointer(gps_at)
    return (
        header
        + written(image, 8, how)
        + (written(exif_fields, exif_at, how) if exif_fields else b"")
        + (written(interop, interop_at, how) if interop else b"")
        + (written(gps, gps_at, how) if gps else b"")
    )
