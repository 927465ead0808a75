"""An annotated photo set, and what counts on it.

Layout of a set: `DIR/images/NAME` and `DIR/truth.json`, which maps each NAME to `boxes`
([x, y, width, height] in pixels), `hard` (whether each box counts in the hard set; absent: all
do) and `ignore` (regions that are neither a hit nor a false alarm).

A face is *hit* by a detection with IoU of at least 0.4, and *covered* when the detections, each
grown by the redaction margin, together hide at least 0.8 of its box. Covered is what privacy
needs. A *false alarm* overlaps neither a face nor a region to ignore.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

IOU, COVER, SMALL, TINY = 0.4, 0.8, 24, 16
_GRID = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The annotations of one photo. Boxes (n, 4) are left, top, right, bottom."""

    name: str
    path: Path
    boxes: Floats
    hard: Flags
    ignore: Floats

    @property
    def sides(self) -> Floats:
        """(n,): the longer side of each face, in pixels."""
        sizes = self.boxes[:, 2:] - self.boxes[:, :2]
        return sizes.max(axis=1) if len(sizes) else np.zeros(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a detector said about one photo: boxes (n, 4), scores (n,), networks (n,)."""

    boxes: Floats
    scores: Floats
    networks: tuple[str, ...] = ()


def load_set(directory: Path) -> list[Truth] | None:
    """The set in `directory` in order of names, or None where there is none."""
    table = directory / "truth.json"
    if not table.is_file():
        return None
    entries: Mapping[str, Mapping[str, Any]] = json.loads(table.read_text())
    return [
        Truth(
            name=name,
            path=directory / "images" / name,
            boxes=_corners(entry["boxes"]),
            hard=np.array(entry.get("hard") or [True] * len(entry["boxes"]), bool),
            ignore=_corners(entry.get("ignore", [])),
        )
        for name, entry in sorted(entries.items())
    ]


def halves(truths: Sequence[Truth]) -> tuple[list[Truth], list[Truth]]:
    """The half that was tuned on and the half that was held out: every other name."""
    return list(truths[::2]), list(truths[1::2])


def touching(boxes: Floats, others: Floats) -> Flags:
    """(n,): whether each box overlaps any of the others."""
    return np.asarray((overlap(boxes, others) > 0).any(axis=1))


def overlap(boxes: Floats, others: Floats) -> Floats:
    """IoU (n, m)."""
    shared = (
        np.minimum(boxes[:, None, 2:], others[None, :, 2:])
        - np.maximum(boxes[:, None, :2], others[None, :, :2])
    ).clip(0)
    area = shared.prod(axis=2)
    every = _area(boxes)[:, None] + _area(others)[None] - area
    return np.asarray(area / np.maximum(every, 1e-9))


def hit_from(truth: Truth, found: Found) -> Floats:
    """For each face the highest threshold at which it is hit; -1: at none."""
    if not len(found.boxes) or not len(truth.boxes):
        return np.full(len(truth.boxes), -1.0)
    hits = np.where(overlap(truth.boxes, found.boxes) >= IOU, found.scores[None], -1.0)
    return np.asarray(hits.max(axis=1))


def covered_from(truth: Truth, found: Found, margin: float) -> Floats:
    """For each face the highest threshold at which it is covered; -1: at none."""
    result = np.full(len(truth.boxes), -1.0)
    order = np.argsort(-found.scores, kind="stable")
    scores, boxes = found.scores[order], found.boxes[order]
    grow = (boxes[:, 2:] - boxes[:, :2]) * margin
    boxes = np.concatenate([boxes[:, :2] - grow, boxes[:, 2:] + grow], axis=1)
    for i, face in enumerate(truth.boxes):
        near = np.flatnonzero(touching(boxes, face[None]))
        if not len(near):
            continue
        hidden = np.maximum.accumulate(_inside(face, boxes[near]), axis=0).mean(axis=1)
        enough = np.flatnonzero(hidden >= COVER)
        if len(enough):
            result[i] = scores[near[enough[0]]]
    return result


def false_alarms(truth: Truth, found: Found) -> Floats:
    """Scores of the detections that overlap neither a face nor a region to ignore."""
    anything = np.concatenate([truth.boxes, truth.ignore])
    return found.scores[~touching(found.boxes, anything)]


def _inside(face: Floats, boxes: Floats) -> Flags:
    """(n, points): which points of a grid on the face lie in each box."""
    steps = (np.arange(_GRID) + 0.5) / _GRID
    x = face[0] + (face[2] - face[0]) * steps
    y = face[1] + (face[3] - face[1]) * steps
    in_x = (x >= boxes[:, 0, None]) & (x < boxes[:, 2, None])
    in_y = (y >= boxes[:, 1, None]) & (y < boxes[:, 3, None])
    return np.asarray((in_y[:, :, None] & in_x[:, None, :]).reshape(len(boxes), -1))


def _area(boxes: Floats) -> Floats:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))


def _corners(boxes: Sequence[Sequence[float]]) -> Floats:
    sizes = np.array(boxes, np.float64).reshape(-1, 4)
    return np.concatenate([sizes[:, :2], sizes[:, :2] + sizes[:, 2:]], axis=1)
