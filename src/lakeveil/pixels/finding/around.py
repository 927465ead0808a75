"""Look again around places that were hidden: the cheap check after a redaction.

Each place is shown with its surroundings at one size, and many such crops share one run of YuNet,
side by side on a sheet: small inputs use a processor badly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lakeveil.core.faces import Face
from lakeveil.core.geometry import Box
from lakeveil.pixels.finding.candidates import joined
from lakeveil.pixels.finding.detect import weigh
from lakeveil.pixels.finding.evidence import gather
from lakeveil.pixels.finding.looks import MOST_ENLARGED, Networks, Plan, Seen, propose
from lakeveil.pixels.finding.scaling import Photo, Pyramid, resized

REGION = 40
"""Pixels a region is scaled to: with the redaction's margin, a face in there has some 28."""
AROUND = 1.0
"""What a crop shows beyond its region on each side, as a share of the region's size."""
CELL, ACROSS = 128, 10
"""A crop's place on a sheet, in pixels, and how many there are in a row and in a column."""
SHOWN_BY_ANOTHER = 0.6
"""A region needs no crop of its own if that of another, at most so much coarser, shows it."""
SHOWN_AROUND = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class _Crop:
    """A part of the frame that is looked at, and the scale at which (its pixels / the frame's)."""

    box: Box
    scale: float


def find_faces_around(
    photo: Photo, regions: Sequence[Box], networks: Networks, plan: Plan, *, least: float
) -> tuple[Face, ...]:
    """Faces on crops around `regions`, at sizes both networks know well.

    A crop shows a region and as much again on each side, scaled so that the region has `REGION`
    pixels. Only regions are looked at: this is no look at the whole frame. See
    `lakeveil.pixels.finding.detect.find_faces` for the rest.

    Raises:
        DetectorFailed: a network could not run or gave no sane answer.
    """
    crops = _crops(regions, photo.shape[1], photo.shape[0])
    seen = [
        _look(photo, crops[start : start + ACROSS**2], networks, plan.looks[0].least)
        for start in range(0, len(crops), ACROSS**2)
    ]
    return tuple(weigh(Pyramid(photo), networks, plan, gather(seen), least))


def _crops(regions: Sequence[Box], width: int, height: int) -> list[_Crop]:
    """One crop for each region, without those that another crop shows well enough.

    The larger come first: theirs show their small neighbours too.
    """
    crops: list[_Crop] = []
    shown: list[tuple[int, int, int, int, float]] = []
    for region in sorted(regions, key=_side, reverse=True):
        around, near = region.padded(AROUND).clipped(width, height), region.padded(SHOWN_AROUND)
        near_on_frame = near.clipped(width, height)
        if around is None or near_on_frame is None:
            continue
        if shown and _is_shown(near_on_frame, _side(region), np.array(shown)):
            continue
        crops.append(_Crop(box=around, scale=min(MOST_ENLARGED, REGION / _side(region))))
        edges = (around.left, around.top, around.right, around.bottom)
        shown.append((*edges, _side(region) * SHOWN_BY_ANOTHER))
    return crops


def _is_shown(box: Box, side: int, shown: NDArray[np.float64]) -> bool:
    left, top, right, bottom, least_side = shown.T
    inside = (left <= box.left) & (top <= box.top) & (box.right <= right) & (box.bottom <= bottom)
    return bool((inside & (side >= least_side)).any())


def _look(photo: Photo, crops: Sequence[_Crop], networks: Networks, least: float) -> Seen:
    """YuNet on one sheet that shows all of `crops`."""
    across = min(ACROSS, math.ceil(math.sqrt(len(crops))))
    sheet = np.zeros((CELL * math.ceil(len(crops) / across), CELL * across, 3), np.uint8)
    scales = []
    for (left, top), crop in zip(_places(across), crops, strict=False):
        part = photo[crop.box.top : crop.box.bottom, crop.box.left : crop.box.right]
        longest = max(part.shape[:2])
        scaled, scale = resized(part, min(CELL, max(1, round(longest * crop.scale))))
        sheet[top : top + scaled.shape[0], left : left + scaled.shape[1]] = scaled
        scales.append(scale)
    found = propose(sheet, networks, "yunet", least)
    # Each belongs to the crop that holds its middle.
    column, row = ((found.boxes[:, :2] + found.boxes[:, 2:]) / 2 // CELL).astype(int).T
    parts, sides = [], []
    for i, ((left, top), crop) in enumerate(zip(_places(across), crops, strict=False)):
        here = found.where((column == left // CELL) & (row == top // CELL))
        sides.append(here.sides)
        here = here.mapped(1.0, -left, -top)
        parts.append(here.mapped(scales[i], crop.box.left, crop.box.top))
    return Seen(network="yunet", candidates=joined(parts), sides_in_look=np.concatenate(sides))


def _places(across: int) -> Iterator[tuple[int, int]]:
    """Left and top of each place on a sheet, row by row, without end."""
    i = 0
    while True:
        yield i % across * CELL, i // across * CELL
        i += 1


def _side(box: Box) -> int:
    return max(box.width, box.height)
