"""What was found on a photo, for whoever asks only for that: no pixel of it leaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lakeveil.core.faces import Detections


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """A completed look at every frame of a file. Sizes are upright, in pixels."""

    width: int
    height: int
    detections: tuple[Detections, ...]
    """One per frame, in order; never empty."""
    face_details: tuple[tuple[dict[str, Any], ...], ...]
    """For each frame its faces in the shape of Rekognition's `FaceDetail`."""
    timings_ms: dict[str, float] = field(default_factory=dict)
