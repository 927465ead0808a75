"""What a network proposes before anything is decided: boxes, raw scores, landmarks, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lakeveil.errors import DetectorFailed

Array = NDArray[np.float32]
_SLACK = 1e-3
_BLOCK = 64


@dataclass(frozen=True, slots=True)
class Candidates:
    """`n` proposals in pixels of one frame.

    `boxes` is (n, 4): left, top, right, bottom. `scores` is (n,), 0 to 1, and means something
    else for each network. `landmarks` is (n, 5, 2): (x, y) of the viewer's left eye, right eye,
    nose, left and right corner of the mouth.
    """

    boxes: Array
    scores: Array
    landmarks: Array

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def sides(self) -> Array:
        """(n,): the longer side of each box."""
        width, height = (self.boxes[:, 2:] - self.boxes[:, :2]).T
        longer: Array = np.maximum(width, height)
        return longer

    def where(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Candidates:
        """Those chosen by a mask or by indices."""
        return Candidates(self.boxes[which], self.scores[which], self.landmarks[which])

    def mapped(self, scale: float, left: float = 0.0, top: float = 0.0) -> Candidates:
        """The same on the frame that this one was cut from at (left, top), `scale` times smaller.

        A point p here is `p / scale + (left, top)` there.
        """
        offset = np.array([left, top], np.float32)
        return Candidates(
            self.boxes / np.float32(scale) + np.tile(offset, 2),
            self.scores,
            self.landmarks / np.float32(scale) + offset,
        )


def nothing() -> Candidates:
    """No proposal at all."""
    return Candidates(
        np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32)
    )


def joined(parts: Sequence[Candidates]) -> Candidates:
    """All proposals of several looks at one frame."""
    if not parts:
        return nothing()
    return Candidates(
        np.concatenate([p.boxes for p in parts]),
        np.concatenate([p.scores for p in parts]),
        np.concatenate([p.landmarks for p in parts]),
    )


def overlaps(one: Array, others: Array) -> Array:
    """Intersection over union of each box of `one` (n, 4) with each of `others` (m, 4): (n, m)."""
    width = np.minimum(one[:, None, 2], others[None, :, 2])
    width -= np.maximum(one[:, None, 0], others[None, :, 0])
    height = np.minimum(one[:, None, 3], others[None, :, 3])
    height -= np.maximum(one[:, None, 1], others[None, :, 1])
    shared: Array = np.maximum(width, 0) * np.maximum(height, 0)
    every = _areas(one)[:, None] + _areas(others)[None] - shared
    ratio: Array = shared / np.maximum(every, np.float32(1e-9))
    return ratio


def overlap_of_each(one: Array, others: Array) -> Array:
    """Intersection over union of the first with the first, and so on: both (n, 4), result (n,)."""
    width, height = (
        np.minimum(one[:, 2:], others[:, 2:]) - np.maximum(one[:, :2], others[:, :2])
    ).T
    shared: Array = np.maximum(width, 0) * np.maximum(height, 0)
    ratio: Array = shared / np.maximum(_areas(one) + _areas(others) - shared, np.float32(1e-9))
    return ratio


def best_of_each(boxes: Array, scores: Array, overlap: float) -> NDArray[np.intp]:
    """Greedy non-maximum suppression: indices of the boxes kept, best score first.

    A box goes when one with a higher score overlaps it by `overlap` (IoU) or more.
    """
    order = np.argsort(-scores, kind="stable")
    kept: list[NDArray[np.intp]] = []
    while len(order):
        # Block by block: quicker than box by box, and memory stays bounded for any number.
        block, order = order[:_BLOCK], order[_BLOCK:]
        clash = overlaps(boxes[block], boxes[block]) >= overlap
        alive = np.ones(len(block), bool)
        for i in range(len(block)):
            if alive[i]:
                alive[i + 1 :] &= ~clash[i, i + 1 :]
        block = block[alive]
        kept.append(block)
        if len(order):
            order = order[~(overlaps(boxes[block], boxes[order]) >= overlap).any(axis=0)]
    return np.concatenate(kept) if kept else np.zeros(0, np.intp)


def check_output(
    outputs: Mapping[str, Array], name: str, shape: tuple[int, ...], *, score: bool
) -> None:
    """Refuse an answer that cannot be one: a detector that talks nonsense has not looked.

    Raises:
        DetectorFailed: the output is missing, has another shape, holds NaN or infinity, or is a
            score outside 0 to 1.
    """
    found = outputs.get(name)
    if found is None or found.shape != shape:
        got = "nothing" if found is None else f"shape {found.shape}"
        raise _nonsense(f"output `{name}` should have shape {shape} and has {got}")
    # One sum is enough: NaN and infinity survive it, and it reads the array only once.
    if not np.isfinite(found.sum(dtype=np.float64)):
        raise _nonsense(f"output `{name}` holds what is not a number")
    if score and (found.min() < -_SLACK or found.max() > 1 + _SLACK):
        raise _nonsense(f"output `{name}` holds a score outside 0 to 1")


def check_boxes(candidates: Candidates) -> Candidates:
    """The same candidates, unless a box or landmark overflowed.

    Raises:
        DetectorFailed: one did.
    """
    for values in (candidates.boxes, candidates.landmarks):
        if not np.isfinite(values).all():
            raise _nonsense("a face of infinite size")
    return candidates


def _nonsense(why: str) -> DetectorFailed:
    return DetectorFailed(
        "the face detector gave an answer that cannot be right",
        why=why,
        fix="lakeveil models check",
        code="detector_nonsense",
    )


def _areas(boxes: Array) -> Array:
    areas: Array = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas
