"""Faces as a detector reports them, on the upright photo, in pixels."""

from __future__ import annotations

from dataclasses import dataclass, field

from lakeveil.core.geometry import Box

Point = tuple[float, float]
"""(x, y) in pixels from the top-left corner; may lie outside the photo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landmarks:
    """Five points; left and right are the *viewer's*, as in Rekognition (`eyeLeft`)."""

    eye_left: Point
    eye_right: Point
    nose: Point
    mouth_left: Point
    mouth_right: Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """One face: its box, five landmarks where the network gives them, and how sure it is.

    `confidence` is a calibrated probability (0 to 1): it means the same whichever `network`
    (`yunet`, `centerface`, `rekognition`, `manual`) found the face.
    """

    box: Box
    confidence: float
    network: str
    landmarks: Landmarks | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detections:
    """What a *completed* look at a whole upright frame found. No faces is a result.

    INVARIANT: only a detector that ran to its end on every pixel makes one; whoever could not
    look raises `CannotLook`.
    """

    width: int
    height: int
    faces: tuple[Face, ...]
    detector: str
    """Name and preset, such as `lakeveil/default`."""
    fingerprint: str
    """SHA-256 (hex) over the weights and the thresholds that were used."""
    timings_ms: dict[str, float] = field(default_factory=dict)
