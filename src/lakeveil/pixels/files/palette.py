"""At most 256 colours for a GIF, chosen from the redacted picture alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lakeveil.core.geometry import Box

_MOST_COLOURS = 256
_OPAQUE_FROM = 128
_REDACTION_COLOURS = 48
_REACH = 0.25
"""An ellipse reaches a fifth beyond its box on each side."""


def indexed(image: Image.Image, regions: Sequence[Box]) -> tuple[Image.Image, int | None]:
    """The picture with a palette, and the index that means transparent (None: nothing is).

    Colours outside `regions` (where it was redacted) stay exact as long as there are few enough;
    those of the redactions share what is left.
    """
    pixels = np.asarray(image.convert("RGBA"))
    packed = pixels[:, :, :3].astype(np.uint32) @ np.array([65_536, 256, 1], np.uint32)
    clear = pixels[:, :, 3] < _OPAQUE_FROM
    transparent = bool(clear.any())
    room = _MOST_COLOURS - transparent
    packed[clear] = packed[~clear][0] if (~clear).any() else 0
    colours, places = np.unique(packed, return_inverse=True)
    if len(colours) > room:
        packed = _fewer(packed, _inside(packed.shape, regions), room)
        colours, places = np.unique(packed, return_inverse=True)
    indices = places.reshape(packed.shape).astype(np.uint8)
    table = np.stack((colours >> 16, colours >> 8 & 255, colours & 255), 1).astype(np.uint8)
    if transparent:
        indices[clear] = len(colours)
    made = Image.fromarray(indices, "P")
    made.putpalette(table.tobytes())
    return made, len(colours) if transparent else None


def _inside(shape: tuple[int, ...], regions: Sequence[Box]) -> NDArray[np.bool_]:
    inside = np.zeros(shape, np.bool_)
    for region in regions:
        reach = region.padded(_REACH).clipped(shape[1], shape[0])
        if reach is not None:
            inside[reach.top : reach.bottom, reach.left : reach.right] = True
    return inside


def _fewer(packed: NDArray[np.uint32], inside: NDArray[np.bool_], room: int) -> NDArray[np.uint32]:
    """The picture in at most `room` colours."""
    kept = np.unique(packed[~inside])
    if len(kept) > room - _REDACTION_COLOURS or not inside.any():
        return _quantised(packed.ravel(), room).reshape(packed.shape)
    result = packed.copy()
    # A colour that also occurs outside keeps its entry; only the new ones are put together.
    new = inside & ~np.isin(packed, kept)
    result[new] = _quantised(packed[new], room - len(kept))
    return result


def _quantised(colours: NDArray[np.uint32], room: int) -> NDArray[np.uint32]:
    row = np.stack((colours >> 16, colours >> 8 & 255, colours & 255), 1).astype(np.uint8)
    few = Image.fromarray(row[None]).quantize(room, Image.Quantize.MEDIANCUT).convert("RGB")
    flat: NDArray[np.uint8] = np.asarray(few)[0]
    return flat.astype(np.uint32) @ np.array([65_536, 256, 1], np.uint32)
