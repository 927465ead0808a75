"""What several looks say together: proposals of one face brought together, best scores kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lakeveil.pixels.finding.candidates import Array, Candidates, best_of_each, joined, overlaps
from lakeveil.pixels.finding.looks import Network, Seen

SAME_FACE = 0.4
"""IoU from which two boxes are proposals of one face."""
SUPPORTS = 0.35
"""IoU from which a proposal is evidence for a face that another look found."""
TRUSTED_BOX: Mapping[Network, float] = {"yunet": 0.2, "centerface": 0.1}
"""Raw score from which a network's own box must be covered too."""
TRUSTED_SIDE = 14
"""Pixels in the look from which its box is exact enough to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What all looks say about each of `n` possible faces.

    `boxes` (n, 4) hold every trusted box of the face; `proposals` are as the best look gave
    them; `yunet` and `centerface` (n,) are the best raw scores, 0 where the network saw nothing.
    """

    proposals: Candidates
    boxes: Array
    yunet: Array
    centerface: Array
    by_yunet: NDArray[np.bool_]

    @property
    def sides(self) -> Array:
        """(n,): the longer side of each proposal, in pixels of the frame."""
        return self.proposals.sides


def gather(seen: Sequence[Seen]) -> Evidence:
    """Bring the proposals of several looks together, one entry for each possible face."""
    every = joined([s.candidates for s in seen])
    by_yunet = np.concatenate(
        [np.full(len(s.candidates), s.network == "yunet") for s in seen] or [np.zeros(0, bool)]
    )
    # YuNet's boxes and landmarks are the finer ones, so they stand for a face both have found.
    kept = best_of_each(every.boxes, every.scores + by_yunet, SAME_FACE)
    proposals = every.where(kept)
    boxes = proposals.boxes.copy()
    best: dict[Network, Array] = {
        "yunet": np.zeros(len(kept), np.float32),
        "centerface": np.zeros(len(kept), np.float32),
    }
    for one in seen:
        at, score = _support(proposals.boxes, one.candidates)
        best[one.network] = np.maximum(best[one.network], score)
        if not len(one.candidates):
            continue
        exact = one.sides_in_look[at] >= TRUSTED_SIDE
        trusted = exact & (score >= TRUSTED_BOX[one.network])
        boxes[trusted] = enclosing_pairs(boxes[trusted], one.candidates.boxes[at[trusted]])
    return Evidence(
        proposals=proposals,
        boxes=boxes,
        yunet=best["yunet"],
        centerface=best["centerface"],
        by_yunet=by_yunet[kept],
    )


def _support(boxes: Array, candidates: Candidates) -> tuple[NDArray[np.intp], Array]:
    """For each box the candidate that supports it best: its index and score (0: none does)."""
    at, score = np.zeros(len(boxes), np.intp), np.zeros(len(boxes), np.float32)
    if not len(candidates):
        return at, score
    rows = max(1, 1_000_000 // len(candidates))
    for start in range(0, len(boxes), rows):
        near = overlaps(boxes[start : start + rows], candidates.boxes) >= SUPPORTS
        supporting = near * candidates.scores
        best = supporting.argmax(axis=1)
        at[start : start + rows] = best
        score[start : start + rows] = supporting[np.arange(len(best)), best]
    return at, score


def enclosing_pairs(one: Array, other: Array) -> Array:
    """The smallest box around each two of `one` and `other`, both (n, 4)."""
    return np.concatenate(
        [np.minimum(one[:, :2], other[:, :2]), np.maximum(one[:, 2:], other[:, 2:])], axis=1
    )
