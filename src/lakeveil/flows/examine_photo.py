"""Which faces a file shows, for whoever asks only for that: nothing is written anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lakeveil.core.faces import Detections
from lakeveil.core.photos import RedactionPolicy
from lakeveil.flows.develop_photo import Stopwatch, look_at
from lakeveil.pixels.examination import Examination
from lakeveil.pixels.files.decode import decode
from lakeveil.pixels.files.limits import Limits, inspect
from lakeveil.pixels.files.refusals import bad
from lakeveil.pixels.finding.face_details import face_details
from lakeveil.ports import FaceDetector


def examine(
    data: bytes, *, policy: RedactionPolicy, detector: FaceDetector, limits: Limits
) -> Examination:
    """Look for faces on every frame, and measure them.

    Of `policy` counts what finds faces: `min_confidence` and `probe_orientation`.

    Raises:
        BadPhoto: the file is damaged or over its limits.
        DetectorFailed: the detector raised; no face was looked for.
    """
    watch = Stopwatch()
    with watch.stage("inspect"):
        header = inspect(data, limits)
    with watch.stage("decode"):
        decoded = decode(data, header)
    looks: list[Detections] = []
    details: list[Sequence[dict[str, Any]]] = []
    for shot in watch.each("decode", decoded.frames()):
        with watch.stage("detect"):
            look = look_at(shot, policy, detector)
        with watch.stage("measure"):
            details.append([face_details(face, shot.pixels) for face in look.faces])
        looks.append(look)
    if not looks:
        raise bad("undecodable", "it holds no frame")
    return Examination(
        width=header.width,
        height=header.height,
        detections=tuple(looks),
        face_details=tuple(tuple(d) for d in details),
        timings_ms=watch.milliseconds(),
    )
