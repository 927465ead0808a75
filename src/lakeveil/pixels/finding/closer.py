"""A closer look: CenterFace on small crops, each scaled so that its face has one size."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from lakeveil.pixels.finding import centerface
from lakeveil.pixels.finding.candidates import Array, overlap_of_each
from lakeveil.pixels.finding.looks import Networks
from lakeveil.pixels.finding.scaling import Photo, Pyramid

CELL, CELL_FACE, CELLS_AT_ONCE = 64, 32, 16
"""The crop's side and the face's in it, in pixels; crops that share one run."""
CLOSER_LEAST = 0.02
FINER = 1.5
"""How much more than that a reduced frame must show to be cropped instead of the frame itself."""
CLOSER_SUPPORTS = 0.3
"""IoU with the box in question from which what is seen there is the same face."""


def look_closer(frame: Pyramid, networks: Networks, boxes: Array) -> tuple[Array, Array]:
    """CenterFace on a crop around each box, scaled so that the box is `CELL_FACE` pixels.

    Several crops share one run, as small inputs use a processor badly.

    Returns:
        The score (n,) of what it sees at the box's place (0: nothing) and its own box (n, 4).

    Raises:
        DetectorFailed: the network could not run or gave no sane answer.
    """
    scores, own = np.zeros(len(boxes), np.float32), boxes.copy()
    for start in range(0, len(boxes), CELLS_AT_ONCE):
        batch = boxes[start : start + CELLS_AT_ONCE]
        blob = np.concatenate([centerface.blob(_cell(frame, box)) for box in batch])
        outputs = networks.centerface(blob)
        at, found = centerface.proposals(outputs, blob.shape, least=CLOSER_LEAST)
        centre = np.tile((batch[:, :2] + batch[:, 2:]) / np.float32(2), 2)
        step = (np.maximum(1, np.max(batch[:, 2:] - batch[:, :2], axis=1)) / CELL_FACE)[:, None]
        expected = ((batch - centre) / step + CELL / 2).astype(np.float32)
        near = np.flatnonzero(overlap_of_each(expected[at], found.boxes) >= CLOSER_SUPPORTS)
        # The best comes last, and stays.
        near = near[np.argsort(found.scores[near], kind="stable")]
        scores[start + at[near]] = found.scores[near]
        own[start + at[near]] = (found.boxes[near] - CELL / 2) * step[at[near]] + centre[at[near]]
    return scores, own


def _cell(frame: Pyramid, box: Array) -> Photo:
    """The crop around a box, `CELL` pixels square; black beyond the frame."""
    # Of a big face a reduced frame shows enough, and less is copied.
    photo, scale = frame.fine_enough(FINER * CELL_FACE / _side(box))
    box = box * np.float32(scale)
    height, width = photo.shape[:2]
    step = _side(box) / CELL_FACE
    corner = (_centre(box) - step * CELL / 2).tolist()
    cell = np.zeros((CELL, CELL, 3), np.uint8)
    # The cell's pixels that lie wholly on the frame, and what of the frame they show.
    left, top = (max(0, math.ceil(-c / step)) for c in corner)
    right, bottom = (
        min(CELL, math.floor((length - c) / step))
        for length, c in zip((width, height), corner, strict=True)
    )
    if left >= right or top >= bottom:
        return cell
    x0, x1 = (corner[0] + edge * step for edge in (left, right))
    y0, y1 = (corner[1] + edge * step for edge in (top, bottom))
    across, down = slice(int(x0), math.ceil(x1)), slice(int(y0), math.ceil(y1))
    inside = Image.fromarray(photo[down, across])
    cell[top:bottom, left:right] = np.asarray(
        inside.resize(
            (right - left, bottom - top),
            Image.Resampling.BILINEAR,
            box=(
                x0 - across.start,
                y0 - down.start,
                min(x1 - across.start, inside.width),
                min(y1 - down.start, inside.height),
            ),
            reducing_gap=2.0,
        )
    )
    return cell


def _side(box: Array) -> float:
    return max(1.0, float(box[2] - box[0]), float(box[3] - box[1]))


def _centre(box: Array) -> Array:
    centre: Array = (box[:2] + box[2:]) / np.float32(2)
    return centre
