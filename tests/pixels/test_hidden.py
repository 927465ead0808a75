"""What coded data hides where no decoder looks makes no difference to a release."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lakeveil.errors import BadPhoto
from lakeveil.pixels.files import avif_exact, jpeg_exact, jpeg_segments, rewrite, webp_exact
from lakeveil.pixels.files.limits import Limits, inspect
from lakeveil.pixels.files.metadata import clean
from tests.pixels.good_files import FILES, HEIGHT, picture, saved, sixteen_bits
from tests.pixels.hidden import AMBIGUOUS, HIDDEN, TILE, avif_grid, jpeg_rows, png_rows, secret
from tests.pixels.reading import check_refused, frames
from tests.pixels.test_encode import FACE, released


def cleaned(data: bytes) -> bytes | None:
    """None where the file is refused: nothing is released then."""
    try:
        return clean(data, inspect(data, Limits()), ("camera",))
    except BadPhoto:
        return None


@pytest.mark.parametrize("name", HIDDEN)
def test_what_is_hidden_makes_no_difference_to_a_photo_without_a_face(name: str) -> None:
    one, other = HIDDEN[name](1), HIDDEN[name](2)
    assert one != other
    for before, after in zip(frames(one), frames(other), strict=True):
        assert np.array_equal(before.layers, after.layers)
    result = cleaned(one)
    assert result is not None
    assert result == cleaned(other)
    assert secret(1)[:60] not in result


@pytest.mark.parametrize("name", HIDDEN)
def test_what_is_hidden_makes_no_difference_to_a_redacted_photo(name: str) -> None:
    results = [released(HIDDEN[name](seed), FACE).data for seed in (1, 2)]
    assert results[0] == results[1]


@pytest.mark.parametrize("name", [n for n in HIDDEN if "profile" in n or not n.startswith("avif")])
def test_pixels_stay_as_they_are_where_something_hidden_is_left_out(name: str) -> None:
    data = HIDDEN[name](1)
    before, after = frames(data), frames(clean(data, inspect(data, Limits()), ()))
    lossy = name.startswith(("jpeg", "webp, bytes behind VP8", "webp, bytes behind alpha"))
    for one, other in zip(before, after, strict=True):
        difference = np.abs(one.layers.astype(int) - other.layers)
        assert difference.mean() < 6 if lossy else not difference.any()


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_a_file_that_decoders_may_read_in_two_ways_is_refused(name: str) -> None:
    code, made = AMBIGUOUS[name]
    check_refused(made(), code)


def test_hidden_rows_cannot_be_had_back_by_restoring_the_height() -> None:
    data = clean(jpeg_rows(1), inspect(jpeg_rows(1), Limits()), ())
    grown = bytearray(data)
    at = grown.index(b"\xff\xc0")
    grown[at + 5 : at + 7] = (2 * HEIGHT).to_bytes(2, "big")
    (frame,) = frames(bytes(grown))
    # A decoder that finds no more data repeats the last colour.
    assert frame.pixels[HEIGHT + 16 :].std(axis=(0, 1)).max() < 8


def test_sixteen_bits_stay_sixteen_where_rows_behind_them_are_left_out() -> None:
    data = saved(sixteen_bits(), "PNG")
    result = clean(data, inspect(data, Limits()), ())
    assert result[24] == 16


def test_interlaced_rows_are_counted_as_they_are_stored() -> None:
    for colour in ("RGB", "L", "1", "P"):
        image = picture().crop((0, 0, 13, 11)).convert(colour)
        plain = saved(image, "PNG")
        assert clean(plain, inspect(plain, Limits()), ()) == plain
    assert cleaned(png_rows(1, interlace=1)) == cleaned(png_rows(1, interlace=1))


@pytest.mark.parametrize("quality", [30, 75, 90])
@pytest.mark.parametrize("options", [{}, {"restart_marker_rows": 1}, {"optimize": True}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_an_honest_jpeg_is_kept_bit_for_bit(
    quality: int, options: dict[str, object], mode: str
) -> None:
    noise = np.random.default_rng(3).integers(0, 90, (67, 83, 3), np.uint8)
    image = Image.fromarray(noise + np.asarray(picture().resize((83, 67)), np.uint8) // 2)
    data = saved(image.convert(mode), "JPEG", quality=quality, **options)
    result = clean(data, inspect(data, Limits()), ())
    assert result[result.index(b"\xff\xda") :] == data[data.index(b"\xff\xda") :]


def test_a_jpeg_with_other_restart_intervals_than_announced_is_encoded_anew() -> None:
    data = saved(picture(), "JPEG", restart_marker_rows=1)
    at = data.index(b"\xff\xdd")
    wrong = data[: at + 4] + (2).to_bytes(2, "big") + data[at + 6 :]
    assert jpeg_exact.trimmed(wrong) is None


def test_quantisation_by_zero_is_never_copied() -> None:
    data = bytearray(saved(picture(), "JPEG"))
    at = data.index(b"\xff\xdb")
    data[at + 10] = 0
    assert jpeg_exact.trimmed(bytes(data)) is None


def test_a_jpeg_of_several_scans_or_progressive_is_encoded_anew() -> None:
    data = FILES["jpeg progressive"]()
    assert jpeg_exact.trimmed(data) is None
    assert jpeg_segments.read(clean(data, inspect(data, Limits()), ()), max_scans=99).progressive


@pytest.mark.parametrize("name", ["webp", "webp alpha", "webp animated"])
def test_honest_lossy_webp_is_copied(name: str) -> None:
    data = FILES[name]()
    assert webp_exact.is_exact(rewrite.rewritten(data, inspect(data, Limits())) or b"")


@pytest.mark.parametrize("name", ["avif", "avif alpha", "avif grey", "avif 4:4:4"])
def test_honest_avif_is_copied(name: str) -> None:
    data = FILES[name]()
    assert avif_exact.is_exact(rewrite.rewritten(data, inspect(data, Limits())) or b"")


def test_a_grid_that_shows_all_of_its_tiles_is_copied() -> None:
    data = avif_grid(1, cut=0)
    assert len(frames(data)[0].pixels) == 2 * TILE
    assert avif_exact.is_exact(rewrite.rewritten(data, inspect(data, Limits())) or b"")


def test_a_grid_that_cuts_off_most_of_a_tile_is_encoded_anew() -> None:
    data = avif_grid(1)
    lifted = rewrite.rewritten(data, inspect(data, Limits()))
    assert lifted is not None
    assert not avif_exact.is_exact(lifted)
    assert lifted[-100:] not in clean(data, inspect(data, Limits()), ())


def coded_evenly(bits: list[int]) -> bytes:
    """Bits at even odds, as VP8's arithmetic encoder writes them (RFC 6386, section 7.3)."""
    low, span, shifts = 0, 255, 0
    for bit in bits:
        split = 1 + ((span - 1) * 128 >> 8)
        low, span = (low + split, span - split) if bit else (low, split)
        while span < 128:
            low, span, shifts = low << 1, span << 1, shifts + 1
    whole = -(-(8 + shifts) // 8) * 8
    return (low << whole - 8 - shifts).to_bytes(whole // 8, "big") + bytes(2)


@pytest.mark.parametrize("count", [1, 2, 4, 8])
@pytest.mark.parametrize("segments", [False, True])
def test_partitions_of_vp8_are_counted_whatever_stands_before_their_number(
    count: int, segments: bool
) -> None:
    both = [1, 1, 1] + ([1] + [1] * 7 + [0]) * 4 + ([1] + [0] * 6 + [1]) * 4 + [0, 1, *[1] * 8, 0]
    deltas = [1, 1] + ([1] + [1] * 7 + [0]) * 4
    head = [0, 0, *([1, *both[:2], *both[2:]] if segments else [0]), 0, *[1] * 9]
    power = count.bit_length() - 1
    bits = [*head, *(deltas if segments else [0]), power >> 1, power & 1]
    assert webp_exact._count(coded_evenly(bits)) == count
