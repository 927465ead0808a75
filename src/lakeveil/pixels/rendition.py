"""What may be released: a file made from a completed look at every one of its frames.

`redact()` in `lakeveil.pixels.hiding.redact` is the only maker of a `RedactedFrame`, and it demands
`Detections`; an encoder turns redacted frames, and nothing else, into a `Rendition`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lakeveil.core.faces import Detections
from lakeveil.core.geometry import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactedFrame:
    """One frame whose faces are hidden: (height, width, channels) uint8, upright.

    `regions` are the clipped boxes that were redacted (empty: nothing was found, the pixels are
    the original's).
    """

    pixels: NDArray[np.uint8]
    detections: Detections
    regions: tuple[Box, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """A finished release: bytes, type, and what was found on each frame."""

    data: bytes
    content_type: str
    width: int
    height: int
    detections: tuple[Detections, ...]
    """One per frame, in order; never empty."""
    redacted: bool
    """False: no face on any frame, the pixels are the original's."""
    timings_ms: dict[str, float] = field(default_factory=dict)

    @property
    def face_count(self) -> int:
        """Faces over all frames."""
        return sum(len(d.faces) for d in self.detections)
