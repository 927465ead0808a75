"""What a file may be: everything else is refused before a decoder sees it, with a clear reason."""

from __future__ import annotations

import pytest

from lakeveil.errors import BadPhoto
from lakeveil.pixels.files.decode import decode
from lakeveil.pixels.files.limits import Limits, inspect
from lakeveil.pixels.files.refusals import REFUSALS
from lakeveil.pixels.files.sniff import Format, sniff
from tests.pixels import good_files
from tests.pixels.bad_files import BAD, UNDECODABLE
from tests.pixels.good_files import FILES, HEIGHT, WIDTH, picture, saved, turned
from tests.pixels.reading import refusal


@pytest.mark.parametrize("name", FILES)
def test_a_good_file_is_described_without_being_decoded(name: str) -> None:
    header = inspect(FILES[name](), Limits())
    assert header.format is Format(name.partition(" ")[0].replace("apng", "png"))
    assert (header.width, header.height) == (WIDTH, HEIGHT)
    several = any(word in name for word in ("apng", "animated", "sequence", "pages"))
    assert header.frames == (3 if several else 1)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_before_decoding_with_a_clear_reason(name: str) -> None:
    code, made = BAD[name]
    data = made()
    error, peak = refusal(data)
    assert error.code == code
    assert error.what == REFUSALS[code][0]
    assert error.why
    assert error.fix
    # Nothing the size of a picture or of an unpacked text is ever made.
    assert peak < 24 * 2**20 + 4 * len(data)


@pytest.mark.parametrize("name", UNDECODABLE)
def test_pixels_that_cannot_be_shown_truly_are_refused_by_the_decoder(name: str) -> None:
    code, made = UNDECODABLE[name]
    data = made()
    decoded = decode(data, inspect(data, Limits()))
    with pytest.raises(BadPhoto) as caught:
        list(decoded.frames())
    assert caught.value.code == code


def test_a_name_or_a_declared_type_never_counts_only_the_first_bytes_do() -> None:
    # As uploaded under the name `photo.png`.
    assert sniff(saved(picture(), "JPEG")) is Format.JPEG


@pytest.mark.parametrize("brand", [b"mif1", b"miaf"])
def test_a_neutral_container_is_told_apart_by_its_compatible_brands(brand: bytes) -> None:
    data = saved(picture(), "AVIF", speed=9)
    assert sniff(data[:8] + brand + data[12:]) is Format.AVIF


@pytest.mark.parametrize("kind", good_files.TAKES_EXIF)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_found_and_the_size_is_the_upright_one(
    kind: str, orientation: int
) -> None:
    header = inspect(turned(kind, orientation), Limits())
    # AVIF has boxes of its own for it, and needs none to say "upright".
    assert header.orientation == (orientation if (kind, orientation) != ("avif", 1) else None)
    expected = (HEIGHT, WIDTH) if orientation >= 5 else (WIDTH, HEIGHT)
    assert (header.width, header.height) == expected


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "gif", "avif"])
def test_a_file_that_does_not_say_which_way_is_up_has_no_orientation(kind: str) -> None:
    assert inspect(saved(picture(), kind.upper()), Limits()).orientation is None


@pytest.mark.parametrize(
    ("limits", "name", "code"),
    [
        (Limits(max_bytes=100), "jpeg", "file_too_large"),
        (Limits(max_frame_pixels=WIDTH * HEIGHT - 1), "jpeg", "too_many_pixels"),
        (Limits(max_frame_pixels=WIDTH * HEIGHT - 1), "webp animated", "too_many_pixels"),
        (Limits(max_frame_pixels=WIDTH * HEIGHT - 1), "tiff pages", "too_many_pixels"),
        (Limits(max_frames=2), "apng", "too_many_frames"),
        (Limits(max_frames=2), "gif animated", "too_many_frames"),
        (Limits(max_frames=2), "webp animated", "too_many_frames"),
        (Limits(max_frames=2), "avif sequence", "too_many_frames"),
        (Limits(max_frames=2), "tiff pages", "too_many_frames"),
        (Limits(max_total_pixels=3 * WIDTH * HEIGHT - 1), "gif animated", "too_many_total_pixels"),
        (Limits(max_total_pixels=2 * WIDTH * HEIGHT), "tiff pages", "too_many_total_pixels"),
        (Limits(max_jpeg_scans=3), "jpeg progressive", "too_many_scans"),
    ],
)
def test_each_limit_is_enforced_and_named(limits: Limits, name: str, code: str) -> None:
    with pytest.raises(BadPhoto) as caught:
        inspect(FILES[name](), limits)
    assert caught.value.code == code


def test_a_file_exactly_at_every_limit_is_accepted() -> None:
    data = FILES["gif animated"]()
    limits = Limits(
        max_bytes=len(data),
        max_frame_pixels=WIDTH * HEIGHT,
        max_frames=3,
        max_total_pixels=3 * WIDTH * HEIGHT,
    )
    assert inspect(data, limits).frames == 3


def test_no_refusal_is_without_advice() -> None:
    for code, (what, fix) in REFUSALS.items():
        assert code == code.lower()
        assert what
        assert fix
