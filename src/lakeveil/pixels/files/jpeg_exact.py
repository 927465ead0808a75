"""Whether a JPEG's entropy-coded data is its picture and nothing more; and its tables, pruned.

A decoder stops at the last block that the frame header announces, in the scan and in each restart
interval. Rows below that, or a file, can stand behind it, and nobody sees them. The test is to
change the last bytes of each interval: where the picture stays the same, nobody read them.
"""

from __future__ import annotations

import io
import re
import struct

import numpy as np
from numpy.typing import NDArray
from PIL import JpegImagePlugin

from lakeveil.pixels.files.jpeg_segments import DHT, DQT, DRI, SOS, JpegFile, Segment, read, segment

_LAST_BYTES = 2
"""The last byte may hold a single bit of the picture; two always hold nine. So at most one byte
an interval can be something else."""
_MAX_INTERVALS = 4096
_STEPS = (0, 8, 32)
"""Quantisation steps to look with (0: the file's own): a fine step can hide a change by rounding,
a coarse one by clipping. A change that shows with any of them is one of the data."""
_RING = 2
"""Pixels at the edge of a unit into which smooth chroma of its neighbour reaches."""
_BLOCK = 8
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_TABLE_IDS = 4


def trimmed(data: bytes) -> bytes | None:
    """The same baseline picture, bit for bit, with the tables that it uses.

    None where its data cannot be shown to be one picture alone: progressive files (earlier scans
    can be another picture that later ones replace), several scans, restart intervals that are too
    few or too many, bytes that no decoder reads, or tables that multiply by nothing.

    Raises:
        BadPhoto: the file is damaged.
    """
    jpeg = read(data, max_scans=len(data))
    scans = [s for s in jpeg.segments if s.marker == SOS]
    if jpeg.progressive or len(scans) != 1:
        return None
    scan = scans[0]
    pruned = _with_used_tables(data, jpeg, scan)
    if pruned is None or not _is_read_to_the_end(pruned):
        return None
    return pruned


def _with_used_tables(data: bytes, jpeg: JpegFile, scan: Segment) -> bytes | None:
    """The file with one definition of each table that its scan refers to."""
    header = data[scan.start : scan.end]
    count = header[0] if header else 0
    if len(header) != 4 + 2 * count or count != len(jpeg.components):
        return None
    huffman = {
        kind << 4 | b >> s & 15
        for b in header[2 : 1 + 2 * count : 2]
        for kind, s in ((0, 4), (1, 0))
    }
    quantisation = {c.table for c in jpeg.components}
    tables: dict[tuple[int, int], bytes] = {}
    interval = b""
    for s in jpeg.segments[: jpeg.segments.index(scan)]:
        payload = data[s.start : s.end]
        found = {DQT: _quantisation, DHT: _huffman}.get(s.marker)
        if found is not None:
            parsed = found(payload)
            if parsed is None:
                return None
            tables |= {(s.marker, i): table for i, table in parsed.items()}
        elif s.marker == DRI:
            interval = segment(DRI, payload[:2])
    wanted = [(DQT, i) for i in sorted(quantisation)] + [(DHT, i) for i in sorted(huffman)]
    if not tables.keys() >= set(wanted):
        return None
    parts = [b"\xff\xd8"]
    for s in jpeg.segments:
        whole = bytes((0xFF, s.marker)) + data[s.start - 2 : s.data_end]
        if s is scan:
            parts += [segment(marker, tables[marker, i]) for marker, i in wanted]
            parts += [interval, whole]
        elif s.marker not in {DQT, DHT, DRI, 0xD9}:
            parts.append(whole)
    return b"".join([*parts, b"\xff\xd9"])


def _quantisation(payload: bytes) -> dict[int, bytes] | None:
    """Each table by its number; None where one is cut short or has a zero, which hides detail."""
    found: dict[int, bytes] = {}
    while payload:
        deep = payload[0] >> 4
        size = 1 + 64 * (1 + deep)
        if deep > 1 or payload[0] & 15 >= _TABLE_IDS or len(payload) < size:
            return None
        numbers = np.frombuffer(payload, ">u2" if deep else "u1", 64, 1)
        if not numbers.all():
            return None
        found[payload[0] & 15] = payload[:size]
        payload = payload[size:]
    return found


def _huffman(payload: bytes) -> dict[int, bytes] | None:
    """Each table by its class and number; None where one is cut short."""
    found: dict[int, bytes] = {}
    while payload:
        size = 17 + sum(payload[1:17])
        if len(payload) < size:
            return None
        found[payload[0]] = payload[:size]
        payload = payload[size:]
    return found


def _is_read_to_the_end(data: bytes) -> bool:
    """Whether the picture changes, in each interval, with the last bytes of that interval."""
    jpeg = read(data, max_scans=1)
    (scan,) = (s for s in jpeg.segments if s.marker == SOS)
    across, down = _unit(jpeg)
    units = -(-jpeg.width // across), -(-jpeg.height // down)
    restarts = [m.start() for m in _RESTART.finditer(data, scan.end, scan.data_end)]
    length = next(
        (
            int.from_bytes(data[s.start : s.start + 2], "big")
            for s in jpeg.segments
            if s.marker == DRI
        ),
        0,
    )
    length = length or units[0] * units[1]
    intervals = -(-units[0] * units[1] // length)
    if len(restarts) + 1 != intervals or intervals > _MAX_INTERVALS:
        return False
    head = _of_whole_units(data[: scan.end], units[0] * across, units[1] * down)
    if head is None:
        return False
    starts, ends = [scan.end, *(r + 2 for r in restarts)], [*restarts, scan.data_end]
    pieces = []
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        inverted = _inverted(data[start:end])
        if inverted is None:
            return False
        pieces.append(inverted)
        if number < len(restarts):
            pieces.append(data[end : end + 2])
    own, other = data[scan.end : scan.data_end] + b"\xff\xd9", b"".join([*pieces, b"\xff\xd9"])
    firsts = np.arange(0, units[0] * units[1], length)
    read_there = np.zeros(intervals, np.bool_)
    weights = _weights()
    for step in _STEPS:
        stepped = _with_steps(head, step)
        before, after = (_sums(stepped + d, across, down, weights) for d in (own, other))
        if before is None or after is None or before.size != units[0] * units[1]:
            return False
        read_there |= np.logical_or.reduceat((before != after).ravel(), firsts)
        if read_there.all():
            return True
    return False


def _unit(jpeg: JpegFile) -> tuple[int, int]:
    """Pixels of the smallest coded unit: a block of a single component, else one of all."""
    if len(jpeg.components) == 1:
        return _BLOCK, _BLOCK
    return (
        _BLOCK * max(c.horizontal for c in jpeg.components),
        _BLOCK * max(c.vertical for c in jpeg.components),
    )


def _of_whole_units(head: bytes, width: int, height: int) -> bytes | None:
    """The head with a frame that shows the padding of the last units too."""
    for found in re.finditer(rb"\xff[\xc0\xc1]\x00[\x0b\x11\x14]\x08", head):
        if max(width, height) > 65_500:  # noqa: PLR2004 - what libjpeg decodes
            return None
        at = found.end()
        return head[:at] + struct.pack(">HH", height, width) + head[at + 4 :]
    return None


def _with_steps(head: bytes, step: int) -> bytes:
    """The head with one quantisation step for all frequencies; as it is for 0."""
    if not step:
        return head
    parts, at = [head[:2]], 2
    while at < len(head):
        marker, end = head[at + 1], at + 2 + int.from_bytes(head[at + 2 : at + 4], "big")
        coarse = bytes((head[at + 4] & 15, *[step] * 64))
        parts.append(segment(DQT, coarse) if marker == DQT else head[at:end])
        at = end
    return b"".join(parts)


def _inverted(interval: bytes) -> bytes | None:
    """The interval with each bit of its last bytes turned over, and no other.

    None where it is stuffed in another way than by one zero behind each FF: to write that anew
    would change more than the last bytes.
    """
    plain = interval.replace(b"\xff\x00", b"\xff")
    if plain.replace(b"\xff", b"\xff\x00") != interval:
        return None
    last = bytes(b ^ 0xFF for b in plain[-_LAST_BYTES:])
    return (plain[:-_LAST_BYTES] + last).replace(b"\xff", b"\xff\x00")


def _sums(
    data: bytes, across: int, down: int, weights: NDArray[np.uint64]
) -> NDArray[np.uint64] | None:
    """(rows, columns) of units: a checksum of the inner part of each; None if it is refused.

    Sums instead of pixels: two pictures of the largest size would not fit side by side.
    """
    try:
        with JpegImagePlugin.JpegImageFile(io.BytesIO(data)) as image:
            image.load()
            strips = (
                np.asarray(image.crop((0, top, image.width, top + down)))
                for top in range(0, image.height, down)
            )
            return np.stack([_of_row(strip, across, weights) for strip in strips])
    except (OSError, SyntaxError, ValueError):
        return None


def _of_row(
    strip: NDArray[np.uint8], across: int, weights: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """The checksum of each unit of one row of units."""
    down, width = strip.shape[:2]
    units = strip.reshape(down, width // across, across, -1)
    x = _RING if across > _BLOCK else 0
    y = _RING if down > _BLOCK else 0
    inner = units[y : down - y, :, x : across - x].astype(np.uint64)
    used = weights[y : down - y, None, x : across - x, : units.shape[3]]
    total: NDArray[np.uint64] = (inner * used).sum(axis=(0, 2, 3), dtype=np.uint64)
    return total


def _weights() -> NDArray[np.uint64]:
    """Odd numbers that nobody can know beforehand, for units of up to 32 by 32 pixels."""
    drawn = np.random.default_rng().integers(0, 2**63, (32, 32, 4), np.uint64)
    return drawn * np.uint64(2) + np.uint64(1)
