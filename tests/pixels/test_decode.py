"""Decoding: every frame, upright, whole, with nothing hidden from whoever looks."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFile

from lakeveil.errors import BadPhoto
from lakeveil.pixels.files.decode import Decoded, Frame, decode
from lakeveil.pixels.files.limits import Limits, inspect
from tests.pixels import bad_files
from tests.pixels.good_files import (
    FILES,
    HEIGHT,
    TAKES_EXIF,
    WIDTH,
    icc,
    picture,
    saved,
    sixteen_bits,
    turned,
    with_alpha,
)


def opened(data: bytes) -> Decoded:
    return decode(data, inspect(data, Limits()))


def frames(data: bytes) -> list[Frame]:
    return list(opened(data).frames())


@pytest.mark.parametrize("name", FILES)
def test_every_frame_of_a_good_file_is_decoded_as_rgb_of_eight_bits(name: str) -> None:
    data = FILES[name]()
    found = frames(data)
    assert len(found) == inspect(data, Limits()).frames
    for frame in found:
        height, width = frame.pixels.shape[:2]
        assert frame.pixels.shape == (height, width, 3)
        assert frame.pixels.dtype == np.uint8
        assert (frame.alpha is not None) == (frame.layers.shape[2] == 4)
        assert frame.alpha is None or frame.alpha.shape == (height, width)
    assert found[0].pixels.shape[:2] == (HEIGHT, WIDTH)


@pytest.mark.parametrize("name", ["png", "webp lossless", "tiff lzw", "tiff big", "apng"])
def test_lossless_files_decode_to_exactly_the_picture_in_them(name: str) -> None:
    assert np.array_equal(frames(FILES[name]())[0].pixels, np.asarray(picture()))


@pytest.mark.parametrize("name", ["apng", "webp animated alpha", "gif animated alpha"])
def test_frames_of_an_animation_are_whole_canvases_with_their_durations(name: str) -> None:
    found = frames(FILES[name]())
    if "alpha" in name:
        for seed, frame in enumerate(found):
            expected = np.asarray(with_alpha(seed))[:, :, 3]
            assert frame.alpha is not None
            assert np.array_equal(frame.alpha, expected)
    durations = {"apng": [70] * 3, "webp animated alpha": [90] * 3}
    assert [f.duration_ms for f in found] == durations.get(name, [50, 100, 150])


@pytest.mark.parametrize("kind", TAKES_EXIF)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_frames_are_upright_whatever_the_orientation_tag_says(kind: str, orientation: int) -> None:
    data = turned(kind, orientation)
    # What is stored is the picture; shown is that picture as the tag (Exif 2.32) turns it.
    stored = np.asarray(picture()).astype(int)
    upright = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: np.rot90(stored, -1),
        7: stored[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(stored, 1),
    }[orientation]
    found = frames(data)[0].pixels.astype(int)
    assert found.shape == upright.shape
    assert np.abs(found - upright).mean() < 8


def test_a_turned_heic_is_upright() -> None:
    from pillow_heif import from_pillow

    from tests.pixels.good_files import heic

    plain = frames(heic())[0].pixels.astype(int)
    import io

    made = from_pillow(picture())
    made.info["exif"] = Image.Exif().tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    made.save(out, quality=80, exif=exif.tobytes(), enc_params={"preset": "ultrafast"})
    data = out.getvalue()
    header = inspect(data, Limits())
    found = frames(data)[0].pixels.astype(int)
    assert found.shape[:2] == (header.height, header.width)
    expected = np.rot90(plain, -1) if header.orientation == 6 else plain
    assert np.abs(found - expected).mean() < 8


def test_sixteen_bits_become_eight_without_clipping() -> None:
    found = frames(saved(sixteen_bits(), "PNG"))[0].pixels
    assert np.array_equal(found[:, :, 0], (np.asarray(sixteen_bits()) >> 8).astype(np.uint8))


def test_colours_under_full_transparency_are_still_there_to_be_looked_at() -> None:
    image = picture().convert("RGBA")
    image.putalpha(0)
    (frame,) = frames(saved(image, "PNG"))
    assert np.array_equal(frame.pixels, np.asarray(picture()))
    assert any(np.array_equal(view, frame.pixels) for view in frame.views())


def test_a_picture_drawn_in_transparency_alone_can_be_seen_in_one_of_the_views() -> None:
    shape = np.asarray(picture().convert("L"))
    drawn = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    drawn[:, :, 3] = 255 - shape
    (frame,) = frames(saved(Image.fromarray(drawn), "PNG"))
    assert frame.pixels.max() == 0
    assert any(np.array_equal(view[:, :, 0], shape) for view in frame.views())


def test_an_opaque_frame_has_one_view_and_no_alpha() -> None:
    (frame,) = frames(saved(picture().convert("RGBA"), "PNG"))
    assert frame.alpha is None
    assert len(frame.views()) == 1


def test_pages_of_a_tiff_keep_their_own_sizes() -> None:
    sizes = [f.pixels.shape[:2] for f in frames(FILES["tiff pages"]())]
    assert sizes == [(HEIGHT, WIDTH), (30, 20), (HEIGHT, WIDTH)]


def test_the_colour_profile_is_found_in_every_format_that_has_one() -> None:
    for name in ("jpeg", "png", "webp", "avif", "tiff"):
        profile = opened(saved(picture(), name.upper(), icc_profile=icc())).icc
        assert len(profile) > 128, name


@pytest.mark.parametrize(
    "name", ["jpeg", "png", "webp", "webp lossless", "gif", "tiff lzw", "avif"]
)
def test_a_picture_cut_short_inside_an_intact_container_is_refused_or_whole(name: str) -> None:
    data = FILES[name]()
    for share in (0.5, 0.8):
        try:
            found = frames(bad_files.corrupted(data, share, b"\xff" * 40))
        except BadPhoto:
            continue
        assert found[0].pixels.shape == (HEIGHT, WIDTH, 3)


def test_pillow_is_never_allowed_to_make_up_missing_pixels() -> None:
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    data = FILES["png"]()
    at = data.index(b"IDAT")
    length = int.from_bytes(data[at - 4 : at], "big")
    from lakeveil.pixels.files import png_chunks

    short = png_chunks.chunk(b"IDAT", data[at + 4 : at + 4 + length // 2])
    cut = data[: at - 4] + short + data[at + 8 + length :]
    with pytest.raises(BadPhoto) as caught:
        frames(cut)
    assert caught.value.code == "undecodable"
