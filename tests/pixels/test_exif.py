"""EXIF is written anew from a whitelist: what is not on it cannot come through."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from lakeveil.pixels.files import exif
from lakeveil.pixels.files.tiff_directories import (
    ASCII,
    LONG,
    RATIONAL,
    SHORT,
    UNDEFINED,
    Layout,
    Value,
    written,
)
from tests.pixels.planted import CAMERA, DATE, PLACE, SECRET, exif_block

GROUPS = ("dates", "exposure", "camera", "gps")
LITTLE = Layout(order="<", big=False, first=8)

values = st.one_of(
    st.binary(min_size=1, max_size=40).map(lambda b: Value(ASCII, len(b), b)),
    st.binary(min_size=1, max_size=40).map(lambda b: Value(UNDEFINED, len(b), b)),
    st.integers(0, 65_535).map(lambda n: Value(SHORT, 1, struct.pack("<H", n))),
    st.integers(0, 2**32 - 1).map(lambda n: Value(LONG, 1, struct.pack("<I", n))),
    st.binary(min_size=8, max_size=8).map(lambda b: Value(RATIONAL, 1, b)),
)


def block(fields: dict[int, Value]) -> bytes:
    return b"II*\x00" + struct.pack("<I", 8) + written(fields, 8, LITTLE)


def opened(made: bytes) -> Image.Exif:
    read = Image.Exif()
    read.load(b"Exif\x00\x00" + made)
    return read


def test_each_group_brings_its_own_tags_and_no_others() -> None:
    original = exif_block()
    everything = opened(exif.rebuilt(original, GROUPS))
    inner, gps = everything.get_ifd(0x8769), everything.get_ifd(0x8825)
    assert everything[0x0110] == CAMERA[:-1].decode()
    assert inner[0x9003] == DATE[:-1].decode()
    assert float(inner[0x829A]) == 1 / 250
    assert gps[2] == (12.0, 34.0, 567_891 / 10_003)
    assert set(everything) == {0x010F, 0x0110, 0x8769, 0x8825}
    assert set(inner) == {0x829A, 0x9000, 0x9003}
    assert set(gps) == {1, 2, 3, 4}
    for group, mine in (("dates", DATE), ("camera", CAMERA), ("gps", PLACE)):
        only = exif.rebuilt(original, (group,))
        found = {m for m in (DATE, CAMERA, PLACE) if m in only}
        assert found == {mine}


def test_nothing_to_keep_gives_no_block_at_all() -> None:
    assert exif.rebuilt(exif_block(), ()) == b""
    assert exif.rebuilt(b"", GROUPS) == b""


def test_an_orientation_is_written_only_when_asked_for() -> None:
    assert exif.orientation(exif_block(6)) == 6
    assert exif.orientation(exif.rebuilt(exif_block(6), GROUPS)) is None
    assert exif.orientation(exif.rebuilt(exif_block(6), (), turned=8)) == 8


@pytest.mark.parametrize("value", [0, 9, 65_535])
def test_an_orientation_that_does_not_exist_is_none(value: int) -> None:
    assert exif.orientation(block({0x0112: Value(SHORT, 1, struct.pack("<H", value))})) is None


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (0x0110, Value(ASCII, len(SECRET) * 4, SECRET * 4)),  # no model name is this long
        (0x0132, Value(ASCII, 20, SECRET[:20])),  # not a date
        (0x0110, Value(ASCII, 7, "Müller".encode())),  # not plain text
        (0x0112, Value(ASCII, 4, b"SECR")),  # not a number
    ],
)
def test_a_whitelisted_tag_with_another_kind_of_content_is_left_out(tag: int, value: Value) -> None:
    assert value.data[:4] not in exif.rebuilt(block({tag: value}), GROUPS)


def test_big_endian_blocks_mean_the_same() -> None:
    made = Image.Exif()
    made.endian = ">"
    made[0x0110] = "Lakecam 7"
    made[0x0112] = 6
    made[0x8769] = {0x829A: IFDRational(1, 250)}
    big = made.tobytes().removeprefix(b"Exif\x00\x00")
    assert big.startswith(b"MM")
    assert exif.orientation(big) == 6
    kept = opened(exif.rebuilt(big, GROUPS))
    assert kept[0x0110] == "Lakecam 7"
    assert float(kept.get_ifd(0x8769)[0x829A]) == 0.004


@given(
    fields=st.dictionaries(st.integers(1, 65_535), values, max_size=12),
    keep=st.sets(st.sampled_from(GROUPS)).map(sorted),
)
def test_only_whitelisted_tags_come_through_and_rebuilding_again_changes_nothing(
    fields: dict[int, Value], keep: list[str]
) -> None:
    once = exif.rebuilt(block(fields), keep)
    assert exif.rebuilt(once, keep) == once
    if once:
        allowed = {0x010F, 0x0110, 0x0132, 0x8769, 0x8825}
        assert set(opened(once)) <= allowed


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_never_an_error(data: bytes) -> None:
    for start in (b"", b"II*\x00\x08\x00\x00\x00", b"MM\x00*\x00\x00\x00\x08"):
        exif.orientation(start + data)
        exif.rebuilt(start + data, GROUPS)
