"""Every picture that a viewer could make of a file's numbers is among those that are looked at."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lakeveil.pixels.files import colour_profile, views
from lakeveil.pixels.files.limits import Limits, inspect
from lakeveil.pixels.files.metadata import clean
from lakeveil.pixels.files.png_chunks import SIGNATURE, chunk
from tests.pixels.good_files import icc, picture, saved
from tests.pixels.hidden import icc_with
from tests.pixels.reading import frames
from tests.pixels.test_colour import cmyk_profile

# Primaries in the profile connection space, after chromatic adaptation to D50.
SRGB = ((0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7142))
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
DISPLAY_P3 = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))


def curve(values: list[int]) -> bytes:
    return b"curv" + bytes(4) + struct.pack(f">I{len(values)}H", len(values), *values)


def profile(primaries: tuple[tuple[float, ...], ...], values: list[int]) -> bytes:
    """A profile of three primaries and one curve (a single value is a gamma, in 256ths)."""
    points = {
        name: b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65_536) for v in xyz))
        for name, xyz in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)
    }
    return icc_with({**points, **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve(values))})


def staircase() -> list[int]:
    """A rising curve whose pairs of neighbouring levels lie far apart."""
    return [round(65_535 * (level // 8 * 8 / 255) ** 2.2) for level in range(256)]


def face_in(shape: NDArray[np.uint8], pictures: tuple[NDArray[np.uint8], ...]) -> bool:
    """Whether one of the pictures looks like the shape."""
    wanted = shape.astype(float).ravel()
    seen = (p[:, :, 0].astype(float).ravel() for p in pictures if np.ptp(p))
    return any(np.corrcoef(wanted, s)[0, 1] > 0.9 for s in seen)


SHAPE = np.asarray(picture().convert("L"))


@pytest.mark.parametrize(
    ("primaries", "gamma"),
    [(SRGB, 2.2), (SRGB, 1.8), (SRGB, 2.4), (ADOBE_RGB, 2.2), (DISPLAY_P3, 2.2)],
)
def test_everyday_colour_spaces_cost_no_second_look(
    primaries: tuple[tuple[float, ...], ...], gamma: float
) -> None:
    made = profile(primaries, [round(gamma * 256)])
    assert len(frames(saved(picture(), "PNG", icc_profile=made))[0].views()) == 1
    assert len(frames(saved(picture(), "PNG", icc_profile=icc()))[0].views()) == 1


@pytest.mark.parametrize("values", [[256], staircase()])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
def test_a_picture_is_also_seen_as_its_colour_profile_shows_it(
    values: list[int], kind: str
) -> None:
    made = profile(SRGB, values)
    (frame,) = frames(saved(picture(), kind, icc_profile=made))
    shown = views.managed(frame.pixels, colour_profile.rewritten(made))
    assert np.abs(shown.astype(int) - frame.pixels).mean() > 3
    assert any(np.array_equal(view, shown) for view in frame.views())


def test_a_grey_profile_is_followed_too() -> None:
    grey = bytearray(profile(SRGB, [256]))
    grey[16:20] = b"GRAY"
    at = bytes(grey).index(b"rTRC")
    grey[at : at + 4] = b"kTRC"
    (frame,) = frames(saved(picture().convert("L"), "PNG", icc_profile=bytes(grey)))
    assert len(frame.views()) == 2


def test_a_curve_that_falls_is_made_to_rise() -> None:
    shuffled = [int(f"{i:08b}"[::-1], 2) * 257 for i in range(256)]
    made = colour_profile.rewritten(profile(SRGB, shuffled))
    at = made.index(b"curv")
    written = np.frombuffer(made, ">u2", 256, at + 12).astype(int)
    assert (np.diff(written) >= 0).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("scale", [1, 4, 16])
def test_sixteen_bits_that_use_little_of_their_range_are_also_seen_stretched(
    kind: str, scale: int
) -> None:
    dim = Image.fromarray(SHAPE.astype(np.uint16) * scale)
    (frame,) = frames(saved(dim, kind))
    assert frame.pixels.max() < 16
    assert face_in(SHAPE, frame.views())


def test_a_white_dot_does_not_hide_a_dim_picture() -> None:
    values = SHAPE.astype(np.uint16) * 4
    values[0, 0] = 65_535
    assert face_in(
        SHAPE[1:], tuple(v[1:] for v in frames(saved(Image.fromarray(values), "PNG"))[0].views())
    )


def test_a_dark_picture_is_also_seen_stretched() -> None:
    dark = (np.asarray(picture()) // 12).astype(np.uint8)
    (frame,) = frames(saved(Image.fromarray(dark), "PNG"))
    assert len(frame.views()) == 2
    assert frame.views()[1].max() == 255


def test_a_frame_of_one_colour_has_one_view() -> None:
    (frame,) = frames(saved(Image.new("RGB", (40, 30), (9, 9, 9)), "PNG"))
    assert len(frame.views()) == 1


@pytest.mark.parametrize(("gamma", "count"), [(45_455, 1), (100_000, 2), (7_576, 2)])
def test_a_png_is_also_seen_with_its_gamma(gamma: int, count: int) -> None:
    data = saved(picture(), "PNG")
    made = data[:33] + chunk(b"gAMA", struct.pack(">I", gamma)) + data[33:]
    assert len(frames(made)[0].views()) == count


def test_cmyk_is_also_seen_without_its_profile() -> None:
    image = picture().convert("CMYK")
    (frame,) = frames(saved(image, "TIFF", icc_profile=cmyk_profile()))
    naive = np.asarray(image.convert("RGB"))
    assert any(np.array_equal(view, naive) for view in frame.views())


def test_other_views_are_upright_too() -> None:
    dim = Image.fromarray(SHAPE.astype(np.uint16) * 4)
    (frame,) = frames(saved(dim, "TIFF", tiffinfo={0x0112: 6}))
    assert {view.shape for view in frame.views()} == {(*SHAPE.shape[::-1], 3)}


def deep(scale: int) -> bytes:
    """A PNG of 16-bit colours, which decoders give with 8."""
    values = np.asarray(picture()).astype(">u2") * scale
    rows = b"".join(b"\x00" + row.tobytes() for row in values.astype(">u2"))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *picture().size, 16, 2, 0, 0, 0))
    return SIGNATURE + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_deep_colours_that_were_only_seen_as_dim_are_released_as_they_were_seen() -> None:
    dim, bright = deep(1), deep(257)
    assert clean(bright, inspect(bright, Limits()), ()) == bright
    released = clean(dim, inspect(dim, Limits()), ())
    assert released[24] == 8
    assert np.array_equal(frames(released)[0].pixels, frames(dim)[0].pixels)
