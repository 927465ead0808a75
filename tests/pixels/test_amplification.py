"""A file cannot make us work or allocate out of proportion to its own size.

The process that decodes has limits of its own; these files must not even get that far.
"""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from lakeveil.pixels.files import exif, heif_rewrite, png_chunks
from tests.pixels.good_files import FILES, picture, saved
from tests.pixels.reading import check_refused, refusal

MEGABYTE = 2**20


def greedy_directory(fields: int = 4000, claimed: int = 2 * MEGABYTE) -> bytes:
    """A directory of thousands of fields that all claim the same megabytes."""
    entries = b"".join(
        struct.pack("<HHII", 1000 + i, 1, claimed - 100_000, 8) for i in range(fields)
    )
    body = struct.pack("<H", fields) + entries + bytes(4)
    return b"II*\x00" + struct.pack("<I", 8) + body + bytes(claimed)


def chain_of_pages(pages: int = 5000) -> bytes:
    """Thousands of pages in one file."""
    data = bytearray(b"II*\x00" + struct.pack("<I", 8))
    for _ in range(pages):
        following = len(data) + 2 + 12 + 4
        data += struct.pack("<HHHIII", 1, 256, 4, 1, 8, following)
    data[-4:] = bytes(4)
    return bytes(data)


def many_strips() -> bytes:
    """A page whose offsets and sizes are the whole file, read as numbers."""
    count = 2_000_000
    entries = struct.pack("<HHII", 256, 4, 1, 8) + struct.pack("<HHII", 257, 4, 1, 8)
    entries += struct.pack("<HHII", 273, 4, count, 200) + struct.pack("<HHII", 279, 4, count, 200)
    return b"II*\x00" + struct.pack("<IH", 8, 4) + entries + bytes(4) + bytes(200 + 4 * count)


def overlapping_items() -> bytes:
    """An AVIF whose EXIF item consists of the same two megabytes, 400 times."""
    box = heif_rewrite._box
    filler = box(b"free", bytes(2 * MEGABYTE))
    places = struct.pack(">II", 8, MEGABYTE) * 400
    meta = box(
        b"meta",
        bytes(4)
        + box(b"pitm", struct.pack(">IH", 0, 1))
        + box(b"iloc", struct.pack(">IBBHHHH", 0, 0x44, 0, 1, 2, 0, 400) + places)
        + box(
            b"iinf",
            struct.pack(">IH", 0, 2)
            + heif_rewrite._entry(1, b"av01", hide=False)
            + heif_rewrite._entry(2, b"Exif", hide=True),
        )
        + box(b"iref", bytes(4) + box(b"cdsc", struct.pack(">HHH", 2, 1, 1)))
        + box(
            b"iprp",
            box(b"ipco", box(b"ispe", struct.pack(">III", 0, 64, 64)))
            + box(b"ipma", struct.pack(">IIHBB", 0, 1, 1, 1, 1)),
        ),
    )
    return box(b"ftyp", b"avif\x00\x00\x00\x00avif") + meta + filler


def many_small_texts() -> bytes:
    """Each packed text is within its bounds, all of them together are not."""
    data = saved(picture(), "PNG")
    text = png_chunks.chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(bytes(MEGABYTE), 9))
    return data[:33] + text * 200 + data[33:]


def many_restarts() -> bytes:
    """A scan of millions of restart markers."""
    data = saved(picture(), "JPEG", restart_marker_blocks=1)
    at = data.index(b"\xff\xd0")
    every = b"".join(bytes((0xFF, 0xD0 + i)) for i in range(8))
    return data[:at] + every * 300_000 + data[-2:]


def only_fill_bytes() -> bytes:
    """Megabytes of FF between two segments."""
    data = FILES["jpeg"]()
    return data[:2] + b"\xff" * (8 * MEGABYTE)


AMPLIFIERS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "fields that share megabytes": ("malformed", greedy_directory),
    "thousands of pages": ("too_many_frames", chain_of_pages),
    "millions of strips": ("malformed", many_strips),
    "an item of overlapping pieces": ("malformed", overlapping_items),
    "packed texts, each small": ("metadata_bomb", many_small_texts),
    "fill bytes": ("truncated", only_fill_bytes),
}


@pytest.mark.parametrize("name", AMPLIFIERS)
def test_a_file_is_refused_at_a_cost_in_proportion_to_its_size(name: str) -> None:
    code, made = AMPLIFIERS[name]
    data = made()
    error, peak = refusal(data)
    assert error.code == code
    assert peak < 16 * MEGABYTE + 2 * len(data)


def test_restart_markers_without_end_are_refused() -> None:
    # Without counting allocations: that takes longer than all else here together.
    check_refused(many_restarts(), "malformed")


def test_exif_fields_that_share_megabytes_are_not_copied() -> None:
    block = greedy_directory()
    tracemalloc.start()
    try:
        assert exif.rebuilt(block, ("camera", "gps")) == b""
        assert exif.orientation(block) is None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * MEGABYTE
