"""Find faces on one upright frame: several looks with two networks, one calibrated answer.

The looks of a plan propose boxes at low scores. Boxes of one face are brought together, the
best score of each network is the evidence, and a logistic model fitted on annotated photos makes
one probability of it (`lakeveil.pixels.calibration`). Where that stays undecided, CenterFace
looks again at a small crop scaled so that the face has the size it knows best.

Nothing here is skipped on failure: a look that cannot be taken raises, and so does an answer of
the wrong shape or with a number that is none. "No face" is only ever said after looking.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lakeveil.core.faces import Face, Landmarks, Point
from lakeveil.core.geometry import Box, Turn, unturned
from lakeveil.pixels import centerface, yunet
from lakeveil.pixels.calibration import Calibration
from lakeveil.pixels.candidates import Array, Candidates, best_of_each, joined, overlaps
from lakeveil.pixels.scaling import Photo, resized
from lakeveil.pixels.tiles import tiles

Network = Literal["yunet", "centerface"]

TILE: Mapping[Network, int] = {"yunet": 1280, "centerface": 960}
"""Pixels a side; CenterFace takes more memory for each."""
TILE_OVERLAP = 96
"""A face larger than that is found by the smaller looks too, wherever tiles cut it."""
MOST_ENLARGED = 2.5
"""No photo is enlarged further: it would cost more and show no more."""
COARSEST = 10
"""YuNet finds faces of 10 to 300 pixels: looks further apart than a factor of ten leave gaps."""
SAME_FACE = 0.4
"""IoU from which two boxes are proposals of one face."""
SUPPORTS = 0.35
"""IoU from which a proposal is evidence for a face that another look found."""
TRUSTED_BOX: Mapping[Network, float] = {"yunet": 0.2, "centerface": 0.1}
"""Raw score from which a network's own box must be covered too."""
TRUSTED_SIDE = 14
"""Pixels in the look from which its box is exact enough to be."""
AROUND_FACE = 72
"""Pixels a region is scaled to when it is looked at again: its face is then some 50."""
CELL, CELL_FACE, CELLS_AT_ONCE = 96, 40, 8
CLOSER_LEAST = 0.02
CLOSER_SUPPORTS = 0.3
"""Looser than `SUPPORTS`: the box itself is in question."""


class Networks(Protocol):
    """Runs the networks: a blob (n, 3, h, w) float32 in, outputs by name out.

    Raises `DetectorFailed` when it cannot.
    """

    def yunet(self, blob: Array) -> Mapping[str, Array]:
        """See `lakeveil.pixels.yunet`."""
        ...

    def centerface(self, blob: Array) -> Mapping[str, Array]:
        """See `lakeveil.pixels.centerface`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One pass of a network over the whole frame.

    `long_side` is what the frame's longer side is scaled to. With `native` it is a minimum: a
    larger frame is looked at pixel for pixel, in tiles. Proposals below `least` (raw score) are
    dropped.
    """

    network: Network
    long_side: int
    least: float
    native: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A preset: its looks, what they are worth, and from which confidence something is a face."""

    looks: tuple[Look, ...]
    calibration: Calibration
    min_confidence: float
    undecided: tuple[float, float] | None = None
    """Between these confidences CenterFace looks again at a crop; None: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one look proposed, on the frame; `scale` is the look's pixels per pixel of the frame."""

    network: Network
    scale: float
    candidates: Candidates


def find_faces(
    photo: Photo, networks: Networks, plan: Plan, *, least: float, turns: Sequence[Turn] = (0,)
) -> tuple[Face, ...]:
    """Faces with a confidence of at least `least`, the most confident first.

    Args:
        photo: (height, width, 3) uint8 sRGB.
        networks: runs them.
        plan: the preset.
        least: calibrated probability, 0 to 1.
        turns: quarter turns to look at the frame in; boxes are mapped back onto it as given.

    Raises:
        DetectorFailed: a look could not be taken or gave no sane answer.
    """
    height, width = photo.shape[:2]
    faces = [
        _unturned(face, turn, width, height)
        for turn in turns
        for face in _faces(np.rot90(photo, turn), networks, plan, least)
    ]
    if len(turns) == 1:
        return tuple(faces)
    boxes = np.array([_edges(f.box) for f in faces], np.float32).reshape(-1, 4)
    scores = np.array([f.confidence for f in faces], np.float32)
    return tuple(faces[i] for i in best_of_each(boxes, scores, SAME_FACE))


def find_faces_around(
    photo: Photo, regions: Sequence[Box], networks: Networks, plan: Plan, *, least: float
) -> tuple[Face, ...]:
    """Faces on crops around `regions`, at sizes both networks know well; see `find_faces`.

    A crop shows a region and as much again on each side, scaled so that the region has
    `AROUND_FACE` pixels. Only regions are looked at: this is no look at the whole frame.

    Raises:
        DetectorFailed: a network could not run or gave no sane answer.
    """
    height, width = photo.shape[:2]
    seen: list[Seen] = []
    for region in regions:
        around = region.padded(1.0).clipped(width, height)
        if around is None:
            continue
        crop = photo[around.top : around.bottom, around.left : around.right]
        side = max(region.width, region.height)
        scaled, scale = resized(crop, max(1, round(max(crop.shape[:2]) * AROUND_FACE / side)))
        found = propose(scaled, networks, "yunet", plan.looks[0].least)
        mapped = found.mapped(scale, around.left, around.top)
        seen.append(Seen(network="yunet", scale=scale, candidates=mapped))
    return tuple(weigh(photo, networks, plan, gather(seen), least))


def take_look(photo: Photo, networks: Networks, look: Look) -> Seen:
    """All proposals of one pass, on the frame as given.

    Raises:
        DetectorFailed: the network could not run or gave no sane answer.
    """
    longest = max(photo.shape[:2])
    if look.native and longest >= look.long_side:
        return Seen(network=look.network, scale=1.0, candidates=_tiled(photo, networks, look))
    target = look.long_side if look.native else min(look.long_side, longest)
    scaled, scale = resized(photo, min(target, round(longest * MOST_ENLARGED)))
    found = propose(scaled, networks, look.network, look.least)
    return Seen(network=look.network, scale=scale, candidates=found.mapped(scale))


def propose(photo: Photo, networks: Networks, network: Network, least: float) -> Candidates:
    """Run one network over one image as it is.

    Raises:
        DetectorFailed: the network could not run or gave no sane answer.
    """
    if network == "yunet":
        blob = yunet.blob(photo)
        return yunet.decoded(networks.yunet(blob), blob.shape, least=least)
    blob = centerface.blob(photo)
    return centerface.decoded(networks.centerface(blob), blob.shape, least=least)


def look_closer(photo: Photo, networks: Networks, boxes: Array) -> tuple[Array, Array]:
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
        blob = np.concatenate([centerface.blob(_cell(photo, box)) for box in batch])
        outputs = networks.centerface(blob)
        for i, box in enumerate(batch, start):
            one = {name: output[i - start : i - start + 1] for name, output in outputs.items()}
            found = centerface.decoded(one, blob[:1].shape, least=CLOSER_LEAST, suppress=False)
            if not len(found):
                continue
            centre, side = _centre(box), _side(box)
            expected = (box - np.tile(centre, 2)) * np.float32(CELL_FACE / side) + CELL / 2
            near = overlaps(expected[None].astype(np.float32), found.boxes)[0] >= CLOSER_SUPPORTS
            best = int((found.scores * near).argmax())
            if near[best]:
                scores[i] = found.scores[best]
                own[i] = (found.boxes[best] - CELL / 2) * side / CELL_FACE + np.tile(centre, 2)
    return scores, own


def evidence_of(photo: Photo, networks: Networks, plan: Plan) -> Evidence:
    """Take all looks of a plan at the whole frame.

    Raises:
        DetectorFailed: a network could not run or gave no sane answer.
    """
    longest = max(photo.shape[:2])
    looks = _distinct(plan.looks, longest)
    # The smaller looks share one reduction of a large frame.
    coarsest = max((look.long_side for look in looks if not look.native), default=longest)
    small, scale = resized(photo, min(longest, coarsest))
    seen = []
    for look in looks:
        if look.native:
            seen.append(take_look(photo, networks, look))
        else:
            one = take_look(small, networks, look)
            mapped = one.candidates.mapped(scale)
            seen.append(replace(one, scale=one.scale * scale, candidates=mapped))
    return gather(seen)


def _faces(photo: Photo, networks: Networks, plan: Plan, least: float) -> list[Face]:
    return weigh(photo, networks, plan, evidence_of(photo, networks, plan), least)


def weigh(
    photo: Photo, networks: Networks, plan: Plan, evidence: Evidence, least: float
) -> list[Face]:
    """Make faces of evidence, with a closer look where it leaves the matter undecided.

    Raises:
        DetectorFailed: a closer look could not be taken.
    """
    confidence = plan.calibration.first(evidence.yunet, evidence.centerface, evidence.sides)
    boxes = evidence.boxes
    if plan.undecided is not None:
        low, high = plan.undecided
        open_ = np.flatnonzero((confidence > low) & (confidence < high))
        closer, own = look_closer(photo, networks, evidence.proposals.boxes[open_])
        confidence[open_] = plan.calibration.second(
            evidence.yunet[open_], evidence.centerface[open_], closer, evidence.sides[open_]
        )
        trusted = closer >= TRUSTED_BOX["centerface"]
        boxes[open_[trusted]] = _enclosing(boxes[open_[trusted]], own[trusted])
    order = np.argsort(-confidence, kind="stable")
    return [
        face
        for i in order[confidence[order] >= least]
        if (face := _face(evidence, boxes[i], float(confidence[i]), i, photo)) is not None
    ]


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
        exact = proposals.sides * one.scale >= TRUSTED_SIDE
        trusted = exact & (score >= TRUSTED_BOX[one.network])
        boxes[trusted] = _enclosing(boxes[trusted], one.candidates.boxes[at[trusted]])
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


def _distinct(looks: Sequence[Look], longest: int) -> list[Look]:
    """The looks that differ on a frame of this size, and one more where they leave a gap."""
    result: list[Look] = []
    for look in looks:
        as_it_is = look.native and longest > look.long_side
        effective = replace(look, long_side=longest) if as_it_is else look
        if effective not in result:
            result.append(effective)
    for network in {look.network for look in looks if look.native}:
        coarse = [k for k in result if k.network == network and not k.native]
        if coarse and longest > COARSEST * coarse[0].long_side:
            result.append(replace(coarse[0], long_side=longest // 4))
    return result


def _tiled(photo: Photo, networks: Networks, look: Look) -> Candidates:
    height, width = photo.shape[:2]
    parts = []
    for tile in tiles(width, height, most=TILE[look.network], overlap=TILE_OVERLAP):
        part = photo[tile.top : tile.bottom, tile.left : tile.right]
        found = propose(part, networks, look.network, look.least)
        parts.append(found.mapped(1.0, tile.left, tile.top))
    every = joined(parts)
    return every.where(best_of_each(every.boxes, every.scores, SAME_FACE))


def _cell(photo: Photo, box: Array) -> Photo:
    """The crop around a box, `CELL` pixels square; black beyond the frame."""
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


def _enclosing(one: Array, other: Array) -> Array:
    return np.concatenate(
        [np.minimum(one[:, :2], other[:, :2]), np.maximum(one[:, 2:], other[:, 2:])], axis=1
    )


def _face(
    evidence: Evidence, edges: Array, confidence: float, at: int, photo: Photo
) -> Face | None:
    height, width = photo.shape[:2]
    left, top, right, bottom = edges.tolist()
    box = Box(
        math.floor(left),
        math.floor(top),
        max(math.ceil(right), math.floor(left) + 1),
        max(math.ceil(bottom), math.floor(top) + 1),
    ).clipped(width, height)
    if box is None:
        return None
    points: list[Point] = [(float(x), float(y)) for x, y in evidence.proposals.landmarks[at]]
    return Face(
        box=box,
        confidence=confidence,
        network="yunet" if evidence.by_yunet[at] else "centerface",
        landmarks=Landmarks(
            eye_left=points[0],
            eye_right=points[1],
            nose=points[2],
            mouth_left=points[3],
            mouth_right=points[4],
        ),
    )


def _unturned(face: Face, turn: Turn, width: int, height: int) -> Face:
    if turn == 0 or face.landmarks is None:
        return replace(face, box=unturned(face.box, turn, width, height))
    marks = face.landmarks
    back = {
        name: _point_back(getattr(marks, name), turn, width, height)
        for name in ("eye_left", "eye_right", "nose", "mouth_left", "mouth_right")
    }
    return replace(face, box=unturned(face.box, turn, width, height), landmarks=Landmarks(**back))


def _point_back(point: Point, turn: Turn, width: int, height: int) -> Point:
    x, y = point
    if turn == 1:
        return (width - y, x)
    if turn == 2:  # noqa: PLR2004 - a half turn
        return (width - x, height - y)
    return (y, height - x)


def _edges(box: Box) -> tuple[int, int, int, int]:
    return (box.left, box.top, box.right, box.bottom)
