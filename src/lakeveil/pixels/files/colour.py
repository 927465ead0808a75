"""Pillow's many kinds of pixels made into RGB or RGBA of 8 bits, without losing a hidden layer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageCms

from lakeveil.pixels.files import colour_profile, views
from lakeveil.pixels.files.refusals import bad

_GREY_16 = frozenset({"I;16", "I;16B", "I;16L", "I;16N"})
GREY = frozenset({"1", "L", "LA", "La", *_GREY_16})
"""The kinds without any colour."""
_DIRECT = frozenset({"1", "L", "RGB", "RGBX", "YCbCr"})
_WITH_ALPHA = frozenset({"LA", "PA", "RGBA", "RGBa"})


def plain(image: Image.Image, icc: bytes) -> Image.Image:
    """The picture as RGB, or as RGBA where anything of it may be transparent.

    16 bits become 8, as every face detector and most screens have it. CMYK becomes sRGB by its
    profile; all other colours stay in the space of `icc`.

    Raises:
        BadPhoto: `unsupported_pixels` or `unsupported_colour`.
    """
    if image.mode in _GREY_16:
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "CMYK":
        return _from_cmyk(image, icc)
    if image.mode == "La":
        image = image.convert("LA")
    if image.mode in _WITH_ALPHA or (image.mode in _DIRECT | {"P"} and image.has_transparency_data):
        return image.convert("RGBA")
    if image.mode in _DIRECT or image.mode == "P":
        return image if image.mode == "RGB" else image.convert("RGB")
    if image.mode in {"LAB", "HSV"}:
        raise bad("unsupported_colour", f"its colours are {image.mode}")
    raise bad("unsupported_pixels", f"its pixels are of the kind `{image.mode}`")


def others(image: Image.Image, plain: Image.Image, icc: bytes) -> Iterator[Image.Image]:
    """RGB pictures that viewers make of the same numbers and `plain` does not show.

    16 bits of grey over their own range; CMYK without its profile; PNG by its gamma.
    """
    if image.mode in _GREY_16:
        bright = views.stretched(np.asarray(image).astype(np.uint16))
        if bright is not None:
            yield Image.fromarray(bright).convert("RGB")
    elif image.mode == "CMYK" and colour_profile.space(icc) == "CMYK":
        yield image.convert("RGB")
    gamma = image.info.get("gamma")
    if isinstance(gamma, float) and not icc and "srgb" not in image.info:
        shown = views.with_gamma(np.asarray(plain.convert("RGB")), gamma)
        if shown is not None:
            yield Image.fromarray(shown)


def _from_cmyk(image: Image.Image, icc: bytes) -> Image.Image:
    if colour_profile.space(icc) != "CMYK":
        return image.convert("RGB")
    try:
        return colour_profile.to_srgb("CMYK", icc).apply(image)
    except (ImageCms.PyCMSError, ValueError) as err:
        raise bad("unsupported_colour", "its CMYK profile cannot be used") from err
