"""Colour profiles keep what maps colours, and nothing that describes a device or its owner."""

from __future__ import annotations

import io
import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from lakeveil.pixels.files import colour_profile
from tests.pixels.good_files import icc, picture
from tests.pixels.planted import SECRET, profile


def converted(image: Image.Image, source: bytes) -> np.ndarray:
    """The picture in Lab, as a viewer that manages colours would understand it."""
    made = ImageCms.profileToProfile(
        image, io.BytesIO(source), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert made is not None
    return np.asarray(made)


def test_a_rewritten_profile_maps_colours_exactly_as_before() -> None:
    for source in (icc(), profile()):
        assert np.array_equal(
            converted(picture(), colour_profile.rewritten(source)), converted(picture(), source)
        )


def test_names_texts_and_private_tags_are_gone() -> None:
    assert SECRET in profile()
    assert SECRET not in colour_profile.rewritten(profile())


def test_a_rewritten_profile_is_valid_and_says_nothing_of_its_maker() -> None:
    made = ImageCms.ImageCmsProfile(io.BytesIO(colour_profile.rewritten(profile())))
    assert made.profile.profile_description == "Colour profile"
    assert made.profile.manufacturer in {None, ""}
    assert made.profile.xcolor_space == "RGB "


def test_rewriting_again_changes_nothing() -> None:
    once = colour_profile.rewritten(profile())
    assert colour_profile.rewritten(once) == once


def test_a_profile_belongs_to_pixels_of_its_own_colour_space() -> None:
    assert colour_profile.fits(icc(), "RGB")
    assert colour_profile.fits(icc(), "RGBA")
    assert not colour_profile.fits(icc(), "L")
    assert not colour_profile.fits(b"", "RGB")


def test_damaged_profiles_are_left_out() -> None:
    good = icc()
    assert colour_profile.rewritten(good[:100]) == b""
    assert colour_profile.rewritten(good[:36] + b"xxxx" + good[40:]) == b""
    assert colour_profile.rewritten(good[:128] + struct.pack(">I", 2**31) + good[132:]) == b""
    assert colour_profile.rewritten(good[:-200]) == b""
    assert colour_profile.rewritten(good[:128] + bytes(4) + good[132:]) == b""


@given(st.binary(max_size=100), st.integers(0, 400))
def test_arbitrary_bytes_are_never_an_error(data: bytes, at: int) -> None:
    colour_profile.rewritten(data)
    colour_profile.rewritten(icc()[:at] + data + icc()[at + len(data) :])
