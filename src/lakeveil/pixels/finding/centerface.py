"""CenterFace: sure of faces from about 24 pixels, some fifteen times the cost of YuNet.

Xu, Yan, Liu, Zhang, Wang and Zhou, "CenterFace: Joint Face Detection and Alignment Using Face as
Point" (2019). Input: RGB, 0 to 255, sides that are multiples of 32. Outputs at stride 4: `537`
heat (the score), `538` log size, `539` offset (both height first), `540` five points as (y, x),
relative to the box's corner and in units of its size.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lakeveil.pixels.finding.candidates import (
    Array,
    Candidates,
    best_of_each,
    check_boxes,
    check_output,
    nothing,
)
from lakeveil.pixels.finding.onnx_graph import Axes

INPUT = "input.1"
HEAT, SIZE, OFFSET, POINTS = OUTPUTS = ("537", "538", "539", "540")
FREE_DIMS: Mapping[str, Axes] = {INPUT: {0: "batch", 2: "height", 3: "width"}} | {
    name: {0: "batch", 2: "rows", 3: "columns"} for name in OUTPUTS
}
OVERLAP = 0.3
_ALIGN, _STRIDE = 32, 4
_VALUES = {HEAT: 1, SIZE: 2, OFFSET: 2, POINTS: 10}


def blob(photo: NDArray[np.uint8]) -> Array:
    """The network's input for (height, width, 3) RGB: (1, 3, h, w), zeros to the right."""
    height, width = photo.shape[:2]
    padded = (-(-height // _ALIGN) * _ALIGN, -(-width // _ALIGN) * _ALIGN)
    out = np.zeros((1, 3, *padded), np.float32)
    for channel in range(3):
        out[0, channel, :height, :width] = photo[:, :, channel]
    return out


def decoded(outputs: Mapping[str, Array], shape: tuple[int, ...], *, least: float) -> Candidates:
    """Proposals with a score of at least `least`; of overlapping ones only the best.

    Args:
        outputs: the network's outputs by name, for one frame.
        shape: of the blob: (1, 3, height, width).
        least: raw score, 0 to 1.

    Raises:
        DetectorFailed: an output is missing, has another shape, or holds what is no number.
    """
    _, every = proposals(outputs, shape, least=least)
    return every.where(best_of_each(every.boxes, every.scores, OVERLAP))


def proposals(
    outputs: Mapping[str, Array], shape: tuple[int, ...], *, least: float
) -> tuple[NDArray[np.intp], Candidates]:
    """Every proposal on a batch of frames, overlapping or not, and which frame each is on.

    Args:
        outputs: the network's outputs by name.
        shape: of the blob: (n, 3, height, width).
        least: raw score, 0 to 1.

    Raises:
        DetectorFailed: as `decoded`.
    """
    cells = (shape[2] // _STRIDE, shape[3] // _STRIDE)
    for name, values in _VALUES.items():
        check_output(outputs, name, (shape[0], values, *cells), score=name == HEAT)
    heat = outputs[HEAT][:, 0]
    item, row, column = np.nonzero(heat >= least)
    if not len(item):
        return item, nothing()
    # What overflows is caught by `check_boxes`.
    with np.errstate(over="ignore", invalid="ignore"):
        # Height comes first in every output; turned round here, once.
        size = np.exp(outputs[SIZE][item, :, row, column][:, ::-1]) * _STRIDE
        offset = outputs[OFFSET][item, :, row, column][:, ::-1]
        cell = np.stack([column, row], axis=1).astype(np.float32)
        corner = (cell + offset + np.float32(0.5)) * _STRIDE - size / 2
        points = outputs[POINTS][item, :, row, column].reshape(-1, 5, 2)[:, :, ::-1]
        every = Candidates(
            np.concatenate([corner, corner + size], axis=1).astype(np.float32),
            heat[item, row, column],
            (corner[:, None] + points * size[:, None]).astype(np.float32),
        )
    return item, check_boxes(every)
