"""Find faces on one upright frame: several looks with two networks, one calibrated answer.

The looks of a plan propose boxes at low scores (`looks`, all beside this file). Boxes of one face
are brought together, the best score of each network is the evidence (`evidence`), and a logistic
model fitted on annotated photos makes one probability of it (`calibration`). Where that stays
undecided, CenterFace looks again at a small crop scaled so that the face has the size it knows
best (`closer`).

Nothing here is skipped on failure: a look that cannot be taken raises, and so does an answer of
the wrong shape or with a number that is none. "No face" is only ever said after looking.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lakeveil.core.faces import Face, Landmarks, Point
from lakeveil.core.geometry import Box, Turn, unturned
from lakeveil.pixels.finding.candidates import Array, best_of_each
from lakeveil.pixels.finding.closer import look_closer
from lakeveil.pixels.finding.evidence import (
    SAME_FACE,
    TRUSTED_BOX,
    Evidence,
    enclosing_pairs,
    gather,
)
from lakeveil.pixels.finding.looks import Look, Networks, Plan, Seen, distinct, take_look
from lakeveil.pixels.finding.scaling import Photo, Pyramid


def find_faces(
    frame: Pyramid,
    networks: Networks,
    plan: Plan,
    *,
    least: float,
    turns: Sequence[Turn] = (0,),
    taken: Mapping[Look, Seen] | None = None,
) -> tuple[Face, ...]:
    """Faces with a confidence of at least `least`, the most confident first.

    Args:
        frame: the photo.
        networks: runs them.
        plan: the preset.
        least: calibrated probability, 0 to 1.
        turns: quarter turns to look at the frame in; boxes are mapped back onto it as given.
        taken: looks at the frame as given that were taken before; they are not taken twice.

    Raises:
        DetectorFailed: a look could not be taken or gave no sane answer.
    """
    height, width = frame.photo.shape[:2]
    faces = []
    for turn in turns:
        turned = Pyramid(np.rot90(frame.photo, turn)) if turn else frame
        evidence = evidence_of(turned, networks, plan, None if turn else taken)
        found = weigh(turned, networks, plan, evidence, least)
        faces += [_unturned(face, turn, width, height) for face in found]
    if len(turns) == 1:
        return tuple(faces)
    boxes = np.array([_edges(f.box) for f in faces], np.float32).reshape(-1, 4)
    scores = np.array([f.confidence for f in faces], np.float32)
    return tuple(faces[i] for i in best_of_each(boxes, scores, SAME_FACE))


def evidence_of(
    frame: Pyramid, networks: Networks, plan: Plan, taken: Mapping[Look, Seen] | None = None
) -> Evidence:
    """Take all looks of a plan at the whole frame, except those that are `taken`.

    Raises:
        DetectorFailed: a network could not run or gave no sane answer.
    """
    known = taken or {}
    looks = distinct(plan.looks, frame.longest)
    return gather([known.get(look) or take_look(frame, networks, look) for look in looks])


def weigh(
    frame: Pyramid, networks: Networks, plan: Plan, evidence: Evidence, least: float
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
        closer, own = look_closer(frame, networks, evidence.proposals.boxes[open_])
        confidence[open_] = plan.calibration.second(
            evidence.yunet[open_], evidence.centerface[open_], closer, evidence.sides[open_]
        )
        trusted = closer >= TRUSTED_BOX["centerface"]
        boxes[open_[trusted]] = enclosing_pairs(boxes[open_[trusted]], own[trusted])
    order = np.argsort(-confidence, kind="stable")
    return [
        face
        for i in order[confidence[order] >= least]
        if (face := _face(evidence, boxes[i], float(confidence[i]), i, frame.photo)) is not None
    ]


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
