"""YuNet (2023mar, opencv_zoo): finds faces of about 10 to 300 pixels at little cost.

Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector" (2023). Input: BGR, 0 to 255,
sides that are multiples of 32. Outputs, for strides 8, 16 and 32: `cls` and `obj` (the score is
the geometric mean of the two), `bbox` (centre offset and log size) and `kps` (five points), all
relative to the anchor's cell and in units of the stride.
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
    joined,
    nothing,
)
from lakeveil.pixels.finding.onnx_graph import Axes

STRIDES = (8, 16, 32)
INPUT = "input"
OUTPUTS = tuple(f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES)
FREE_DIMS: Mapping[str, Axes] = {INPUT: {2: "height", 3: "width"}} | {
    name: {1: f"cells_{name}"} for name in OUTPUTS
}
OVERLAP = 0.3
_ALIGN = 32
_VALUES = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}


def blob(photo: NDArray[np.uint8]) -> Array:
    """The network's input for (height, width, 3) RGB: (1, 3, h, w) BGR, zeros to the right."""
    height, width = photo.shape[:2]
    padded = (-(-height // _ALIGN) * _ALIGN, -(-width // _ALIGN) * _ALIGN)
    out = np.zeros((1, 3, *padded), np.float32)
    for channel in range(3):
        out[0, channel, :height, :width] = photo[:, :, 2 - channel]
    return out


def decoded(outputs: Mapping[str, Array], shape: tuple[int, ...], *, least: float) -> Candidates:
    """Proposals with a score of at least `least`, overlapping ones reduced to the best.

    Args:
        outputs: the network's outputs by name, for one frame.
        shape: of the blob: (1, 3, height, width).
        least: raw score, 0 to 1.

    Raises:
        DetectorFailed: an output is missing, has another shape, or holds what is no number.
    """
    height, width = shape[2:]
    for stride in STRIDES:
        cells = (height // stride) * (width // stride)
        for kind, values in _VALUES.items():
            check_output(outputs, f"{kind}_{stride}", (1, cells, values), score=values == 1)
    found = []
    for stride in STRIDES:
        product = outputs[f"cls_{stride}"][0, :, 0] * outputs[f"obj_{stride}"][0, :, 0]
        at = np.flatnonzero(product >= least * least)
        if not len(at):
            continue
        box, points = outputs[f"bbox_{stride}"][0, at], outputs[f"kps_{stride}"][0, at]
        row, column = np.divmod(at, width // stride)
        cell = np.stack([column, row], axis=1).astype(np.float32)
        centre = (cell + box[:, :2]) * stride
        with np.errstate(over="ignore"):  # caught by `check_boxes`
            half = np.exp(box[:, 2:]) * (stride / 2)
        found.append(
            Candidates(
                np.concatenate([centre - half, centre + half], axis=1).astype(np.float32),
                np.sqrt(np.clip(product[at], 0, 1)),
                ((points.reshape(-1, 5, 2) + cell[:, None]) * stride).astype(np.float32),
            )
        )
    if not found:
        return nothing()
    every = check_boxes(joined(found))
    return every.where(best_of_each(every.boxes, every.scores, OVERLAP))
