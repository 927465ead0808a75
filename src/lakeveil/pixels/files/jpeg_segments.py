"""The marker segments of a JPEG file, found without decoding anything (ITU-T T.81, annex B).

Only 8-bit Huffman-coded baseline, extended and progressive files pass: no other kind is written
by cameras, and decoders disagree about the rest.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from lakeveil.pixels.files.refusals import bad

SOI, EOI, SOS, DQT, DHT, DRI, DNL = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD, 0xDC
APP0, APP1, APP2, APP14, COM = 0xE0, 0xE1, 0xE2, 0xEE, 0xFE
_SOF_HUFFMAN = frozenset({0xC0, 0xC1, 0xC2})
_SOF_OTHER = {
    0xC3: "lossless",
    0xC5: "hierarchical",
    0xC6: "hierarchical",
    0xC7: "hierarchical",
    0xC9: "arithmetic-coded",
    0xCA: "arithmetic-coded",
    0xCB: "arithmetic-coded",
    0xCC: "arithmetic-coded",
    0xCD: "arithmetic-coded",
    0xCE: "arithmetic-coded",
    0xCF: "arithmetic-coded",
    0xDE: "hierarchical",
    0xDF: "hierarchical",
}
# A marker with a segment, or the end: not a stuffed byte, a fill byte, TEM or a restart marker.
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
# In entropy-coded data, FF is followed by 00 (a stuffed byte) or belongs to a restart marker.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
# One for each 8 by 8 pixels of the largest photo by default.
_MAX_RESTARTS = 2_000_000
_MAX_SEGMENTS = 10_000
# What a decoder needs of a file; all else is metadata.
_PICTURE = frozenset({*_SOF_HUFFMAN, SOS, DQT, DHT, DRI})
_ICC_PIECE = 65_519
_ADOBE_BYTES = 12
_FILL = 0xFF
_MAX_COMPONENTS = 4
_COEFFICIENTS = 64
_FINISHED = 16


@dataclass(frozen=True, slots=True)
class Segment:
    """One marker with the payload behind its length field; `data_end` ends a scan's data."""

    marker: int
    start: int
    end: int
    data_end: int


@dataclass(frozen=True, slots=True)
class Component:
    """A colour component of the frame header: sampling factors and quantisation table."""

    identifier: int
    horizontal: int
    vertical: int
    table: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegFile:
    """What the first image of a JPEG file consists of; what follows its end is no part of it.

    `width` and `height` are as stored, before the EXIF orientation. `adobe_transform` is that of
    the Adobe segment, None without one: 0 means that components are RGB or CMYK as they stand.
    """

    segments: tuple[Segment, ...]
    width: int
    height: int
    components: tuple[Component, ...]
    progressive: bool
    scans: int
    adobe_transform: int | None
    exif: bytes
    icc: bytes


def read(data: bytes, *, max_scans: int) -> JpegFile:
    """Find the segments of the first image.

    Raises:
        BadPhoto: `truncated`, `malformed`, `unsupported_jpeg`, or `too_many_scans`.
    """
    segments = _walk(data, max_scans=max_scans)
    frames = [s for s in segments if s.marker in _SOF_HUFFMAN]
    if len(frames) != 1:
        raise bad("malformed", f"a JPEG photo has one frame header, this one has {len(frames)}")
    width, height, components = _frame_header(data, frames[0])
    return JpegFile(
        segments=tuple(segments),
        width=width,
        height=height,
        components=components,
        progressive=frames[0].marker == 0xC2,  # noqa: PLR2004 - SOF2
        scans=sum(s.marker == SOS for s in segments),
        adobe_transform=_adobe_transform(data, segments),
        exif=_exif(data, segments),
        icc=_icc(data, segments),
    )


def _walk(data: bytes, *, max_scans: int) -> list[Segment]:
    """All segments up to and with the end of the image."""
    segments: list[Segment] = []
    scans = restart_interval = 0
    framed = False
    at = 2
    while True:
        marker, at = _next_marker(data, at)
        if marker == EOI:
            if not scans:
                raise bad("malformed", "the JPEG ends before any picture data")
            return [*segments, Segment(EOI, at, at, at)]
        segment = _segment(data, marker, at)
        framed |= marker in _SOF_HUFFMAN
        if marker == DRI and segment.end - segment.start >= 2:  # noqa: PLR2004 - one number
            restart_interval = int.from_bytes(data[segment.start : segment.start + 2], "big")
        if marker == SOS:
            scans += 1
            if not framed:
                raise bad("malformed", "picture data stands before the frame header")
            if scans > max_scans:
                raise bad("too_many_scans", f"it has more than {max_scans}")
            segment = _scan(data, segment, restarts=restart_interval > 0)
        at = segment.data_end
        segments.append(segment)
        if len(segments) > _MAX_SEGMENTS:
            raise bad("malformed", f"it has more than {_MAX_SEGMENTS} segments")


def _next_marker(data: bytes, at: int) -> tuple[int, int]:
    """The next marker that has a segment, or that of the end, and the place behind it."""
    # Decoders skip whatever stands between two segments, so it may, and it is dropped.
    found = _MARKER.search(data, at)
    if found is None:
        raise bad("truncated", "the end-of-image marker is missing")
    marker = data[found.end() - 1]
    if marker in _SOF_OTHER:
        raise bad("unsupported_jpeg", f"it is {_SOF_OTHER[marker]}")
    if marker == DNL:
        raise bad("unsupported_jpeg", "its height is only given after the picture (DNL)")
    if marker == SOI:
        raise bad("malformed", "a second image begins within the first")
    return marker, found.end()


def _segment(data: bytes, marker: int, at: int) -> Segment:
    length = int.from_bytes(data[at : at + 2], "big")
    if at + 2 > len(data) or at + length > len(data):
        raise bad("truncated", f"the file ends within the segment FF{marker:02X}")
    if length < 2:  # noqa: PLR2004 - the length counts its own two bytes
        raise bad("malformed", f"the segment FF{marker:02X} has a length of {length}")
    return Segment(marker, at + 2, at + length, at + length)


def _scan(data: bytes, header: Segment, *, restarts: bool) -> Segment:
    found = _NEXT_MARKER.search(data, header.end)
    if found is None:
        raise bad("truncated", "the picture data has no end")
    end = found.start()
    for number, restart in enumerate(_RESTART.finditer(data, header.end, end)):
        # Decoders guess differently where restart markers are out of order: what we look at
        # would not be what others show.
        if not restarts or data[restart.end() - 1] != 0xD0 + number % 8:
            raise bad("malformed", "its restart markers are out of order, or not announced")
        if number > _MAX_RESTARTS:
            raise bad("malformed", f"it has more than {_MAX_RESTARTS} restart markers")
    return Segment(SOS, header.start, header.end, end)


def _frame_header(data: bytes, segment: Segment) -> tuple[int, int, tuple[Component, ...]]:
    payload = data[segment.start : segment.end]
    if len(payload) < 6:  # noqa: PLR2004 - the fixed part of a frame header
        raise bad("malformed", "the frame header is too short")
    precision, height, width, count = struct.unpack_from(">BHHB", payload)
    if precision != 8:  # noqa: PLR2004 - bits
        raise bad("unsupported_jpeg", f"it has {precision} bits a channel instead of 8")
    if not height:
        raise bad("unsupported_jpeg", "its header gives no height")
    if not width:
        raise bad("malformed", "its header gives a width of 0")
    if count not in {1, 3, 4} or len(payload) < 6 + 3 * count:
        raise bad("unsupported_jpeg", f"it has {count} colour components")
    components = []
    for i in range(count):
        identifier, sampling, table = payload[6 + 3 * i : 9 + 3 * i]
        component = Component(identifier, sampling >> 4, sampling & 15, table)
        if not (1 <= component.horizontal <= 4 and 1 <= component.vertical <= 4 and table < 4):  # noqa: PLR2004 - the standard's bounds
            raise bad("malformed", "its frame header has impossible sampling factors")
        components.append(component)
    return width, height, tuple(components)


def check_scans(data: bytes, jpeg: JpegFile) -> None:
    """Refuse scans that code anew what another has coded (figure G.1): which one would count?

    A progressive scan codes a band of coefficients of some components, down to a bit; later ones
    add a bit each. A sequential scan codes all of its components.

    Raises:
        BadPhoto: `malformed` or `contradictory`.
    """
    lowest: dict[tuple[int, int], int] = {}
    for scan in (s for s in jpeg.segments if s.marker == SOS):
        header = data[scan.start : scan.end]
        count = header[0] if header else 0
        if len(header) != 4 + 2 * count:
            raise bad("malformed", "the header of a scan has an impossible length")
        first, last, bits = header[-3:] if jpeg.progressive else (0, 0, 0)
        if first > last or last >= _COEFFICIENTS:
            raise bad("malformed", "a scan codes coefficients that do not exist")
        for component in header[1:-3:2]:
            for place in range(first, last + 1):
                if lowest.get((component, place), 0) != bits >> 4:
                    raise bad("contradictory", "one scan codes again what another has coded")
                # A band that is finished, at bit 0, has no bit that could be added.
                lowest[component, place] = bits & 15 or _FINISHED


def _adobe_transform(data: bytes, segments: list[Segment]) -> int | None:
    for s in segments:
        payload = data[s.start : s.end]
        if s.marker == APP14 and payload.startswith(b"Adobe") and len(payload) >= _ADOBE_BYTES:
            return payload[_ADOBE_BYTES - 1]
    return None


def _exif(data: bytes, segments: list[Segment]) -> bytes:
    """The first EXIF block, as every reader takes it; b"" without one."""
    for s in segments:
        if s.marker == APP1 and data[s.start : s.start + 6] == b"Exif\x00\x00":
            return data[s.start + 6 : s.end]
    return b""


def _icc(data: bytes, segments: list[Segment]) -> bytes:
    """The ICC profile put together from its numbered parts; b"" if one is missing."""
    parts: dict[int, bytes] = {}
    total = 0
    for s in segments:
        if s.marker == APP2 and data[s.start : s.start + 12] == b"ICC_PROFILE\x00":
            if s.end - s.start < 14:  # noqa: PLR2004 - the name and two numbers
                return b""
            number, total = data[s.start + 12], data[s.start + 13]
            parts.setdefault(number, data[s.start + 14 : s.end])
    if set(parts) != set(range(1, total + 1)):
        return b""
    return b"".join(parts[i] for i in sorted(parts))


def rewritten(data: bytes, jpeg: JpegFile, *, exif: bytes, icc: bytes) -> bytes:
    """The same coded picture with no other metadata than the blocks given (b"" for none).

    Application segments are written anew from what they say; of the file's own bytes only tables,
    frame and scan headers and entropy-coded data are copied.
    """
    parts = [b"\xff\xd8"]
    parts += [_jfif(data[s.start : s.end]) for s in jpeg.segments if _is_jfif(data, s)][:1]
    if exif:
        parts.append(segment(APP1, b"Exif\x00\x00" + exif))
    pieces = [icc[i : i + _ICC_PIECE] for i in range(0, len(icc), _ICC_PIECE)]
    for number, piece in enumerate(pieces, start=1):
        parts.append(segment(APP2, b"ICC_PROFILE\x00" + bytes((number, len(pieces))) + piece))
    if jpeg.adobe_transform is not None:
        # Version 100 and no flags, as every decoder expects it.
        parts.append(
            segment(APP14, b"Adobe\x00\x64\x00\x00\x00\x00" + bytes((jpeg.adobe_transform,)))
        )
    for s in jpeg.segments:
        if s.marker in _PICTURE:
            parts += [bytes((0xFF, s.marker)), data[s.start - 2 : s.data_end]]
    return b"".join([*parts, b"\xff\xd9"])


def segment(marker: int, payload: bytes) -> bytes:
    """A marker segment as it stands in a file. The payload has at most 65,533 bytes."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2) + payload


def _is_jfif(data: bytes, s: Segment) -> bool:
    return s.marker == APP0 and data[s.start : s.start + 5] == b"JFIF\x00" and s.end - s.start >= 14  # noqa: PLR2004 - its fixed part


def _jfif(payload: bytes) -> bytes:
    # Version, unit and density stay; the thumbnail behind them does not.
    return segment(APP0, payload[:12] + b"\x00\x00")


def tables_only(data: bytes) -> bytes:
    """An abbreviated stream of tables, as TIFF shares them between strips, with nothing else.

    Raises:
        BadPhoto: `malformed` or `truncated`.
    """
    parts = [b"\xff\xd8"]
    at = 2
    while data[at : at + 2] != b"\xff\xd9":
        if at + 2 > len(data) or data[at] != _FILL:
            raise bad("malformed", "its shared JPEG tables are damaged")
        table = _segment(data, data[at + 1], at + 2)
        if data[at + 1] in {DQT, DHT, DRI}:
            parts.append(data[at : table.end])
        at = table.end
    return b"".join([*parts, b"\xff\xd9"])
