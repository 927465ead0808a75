"""Writes a still AVIF file anew around its coded picture: the primary item, its tiles, its alpha.

Thumbnails, depth and gain maps, other pictures, XMP and whatever else the container holds have no
place in what is written.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from lakeveil.pixels.files import colour_profile, exif
from lakeveil.pixels.files.heif_boxes import HeifFile, payload

_CODED, _GRID, _EXIF = b"av01", b"grid", b"Exif"
_ALPHA_NAMES = (
    b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\x00",
    b"urn:mpeg:hevc:2015:auxid:1\x00",
)
# Properties that say how a picture is decoded and shown, with the most bytes each may have.
_PROPERTY_BYTES = {
    b"ispe": 12, b"pixi": 8, b"av1C": 256, b"colr": 11, b"auxC": 64, b"irot": 1, b"imir": 1,
    b"clap": 32, b"pasp": 8, b"clli": 4, b"mdcv": 24, b"a1op": 1, b"a1lx": 13, b"lsel": 2,
}  # fmt: skip
_BRANDS = b"avif\x00\x00\x00\x00avifmif1miaf"
_PICTURE_HANDLER = bytes(8) + b"pict" + bytes(13)
_EMPTY_DATA_REFERENCE = 0
_AV1_CONFIGURATION_BYTES = 4


def rewritten(data: bytes, heif: HeifFile, keep: Sequence[str]) -> bytes | None:
    """The same coded picture with nothing else but the kept metadata.

    None for sequences, and for pictures that are put together in other ways than by a grid.
    """
    if heif.sequence:
        return None
    chosen = _chosen(data, heif)
    if chosen is None:
        return None
    numbers = {old: new for new, old in enumerate(chosen, start=1)}
    properties: list[bytes] = []
    links: list[bytes] = []
    for old in chosen:
        linked = _properties(data, heif, old, properties)
        if linked is None:
            return None
        links.append(struct.pack(">HB", numbers[old], len(linked)) + b"".join(linked))
    references = [
        _box(
            kind, struct.pack(f">HH{len(to)}H", numbers[source], len(to), *(numbers[t] for t in to))
        )
        for kind, source, to in heif.references
        if kind in {b"dimg", b"auxl", b"prem"} and {source, *to} <= numbers.keys()
    ]
    kinds = [heif.items[old].kind for old in chosen]
    payloads = [payload(data, heif.items[old]) for old in chosen]
    hidden = [old != heif.primary for old in chosen]
    block = exif.rebuilt(heif.exif, keep)
    if block:
        number = len(chosen) + 1
        kinds.append(_EXIF)
        payloads.append(bytes(4) + block)
        hidden.append(True)
        references.append(_box(b"cdsc", struct.pack(">HHH", number, 1, numbers[heif.primary])))
    return _assembled(
        primary=numbers[heif.primary],
        entries=[
            _entry(i, kind, hide=h)
            for i, (kind, h) in enumerate(zip(kinds, hidden, strict=True), 1)
        ],
        references=references,
        properties=_box(b"ipco", b"".join(properties))
        + _box(b"ipma", struct.pack(">II", 0, len(links)) + b"".join(links)),
        payloads=payloads,
    )


def _chosen(data: bytes, heif: HeifFile) -> list[int] | None:
    """The items of the picture: itself, its alpha, and the tiles of both."""
    alphas = [
        source
        for kind, source, to in heif.references
        if kind == b"auxl" and heif.primary in to and _is_alpha(data, heif, source)
    ]
    chosen = [heif.primary, *alphas[:1]]
    for number in tuple(chosen):
        for kind, source, to in heif.references:
            if kind == b"dimg" and source == number:
                chosen += [t for t in to if t not in chosen]
    for number in chosen:
        item = heif.items.get(number)
        if item is None or item.kind not in {_CODED, _GRID} or not item.extents:
            return None
    if any(heif.items[n].kind == _GRID for n in chosen[1 + len(alphas[:1]) :]):
        return None
    return chosen


def _is_alpha(data: bytes, heif: HeifFile, number: int) -> bool:
    item = heif.items.get(number)
    boxes = [heif.properties[i] for i, _ in item.properties] if item else []
    return any(
        box.kind == b"auxC" and data[box.start + 4 : box.end].startswith(_ALPHA_NAMES)
        for box in boxes
    )


def _properties(data: bytes, heif: HeifFile, item: int, written: list[bytes]) -> list[bytes] | None:
    """Links to the item's properties, added to `written`; None where one cannot be left out."""
    linked = []
    for index, essential in heif.items[item].properties:
        box = heif.properties[index]
        content = data[box.start : box.end]
        if box.kind == b"colr" and content.startswith((b"prof", b"rICC")):
            profile = colour_profile.rewritten(content[4:])
            content = b"prof" + profile if profile else b""
        elif len(content) > _PROPERTY_BYTES.get(box.kind, -1):
            content = b""
        elif box.kind == b"av1C":
            # Units may follow its four bytes; those of the item itself say all that is needed.
            content = content[:_AV1_CONFIGURATION_BYTES]
        elif box.kind == b"auxC":
            content = bytes(4) + next((n for n in _ALPHA_NAMES if content[4:].startswith(n)), b"")
        if not content:
            if essential:
                return None
            continue
        whole = _box(box.kind, content)
        if whole not in written:
            written.append(whole)
        place = written.index(whole) + 1
        if place > 127:  # noqa: PLR2004 - seven bits for the index
            return None
        linked.append(bytes((place | (0x80 if essential else 0),)))
    return linked


def _assembled(
    *,
    primary: int,
    entries: list[bytes],
    references: list[bytes],
    properties: bytes,
    payloads: list[bytes],
) -> bytes:
    def meta(first: int) -> bytes:
        places, at = [], first
        for number, content in enumerate(payloads, start=1):
            places.append(struct.pack(">HHHII", number, _EMPTY_DATA_REFERENCE, 1, at, len(content)))
            at += len(content)
        return _box(
            b"meta",
            bytes(4)
            + _box(b"hdlr", _PICTURE_HANDLER)
            + _box(b"pitm", struct.pack(">IH", 0, primary))
            + _box(b"iloc", struct.pack(">IBBH", 0, 0x44, 0, len(places)) + b"".join(places))
            + _box(b"iinf", struct.pack(">IH", 0, len(entries)) + b"".join(entries))
            + (_box(b"iref", bytes(4) + b"".join(references)) if references else b"")
            + _box(b"iprp", properties),
        )

    head = _box(b"ftyp", _BRANDS)
    # Its length does not depend on the offsets it holds.
    first = len(head) + len(meta(0)) + 8
    return head + meta(first) + _box(b"mdat", b"".join(payloads))


def _entry(number: int, kind: bytes, *, hide: bool) -> bytes:
    return _box(b"infe", struct.pack(">IHH4s", (2 << 24) | hide, number, 0, kind) + b"\x00")


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content
