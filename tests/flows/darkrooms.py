"""Darkrooms for tests of what happens around development: real classes, no photos needed."""

from __future__ import annotations

from collections.abc import Callable

from lakeveil.core.faces import Detections, Face
from lakeveil.core.geometry import Box
from lakeveil.core.photos import Instructions, RedactionPolicy
from lakeveil.pixels.rendition import Rendition

FACE = Face(box=Box(1, 1, 3, 3), confidence=0.9, network="yunet")


class UppercaseDarkroom:
    """Develops text: what is upper case is hidden. `before` runs first, each time."""

    def __init__(self, before: Callable[[bytes], None] = lambda _data: None) -> None:
        self.before = before
        self.seen: list[tuple[bytes, Instructions]] = []

    def develop(
        self, data: bytes, *, policy: RedactionPolicy, instructions: Instructions
    ) -> Rendition:
        """Hide the upper-case letters."""
        del policy
        self.seen.append((data, instructions))
        self.before(data)
        hidden = bytes(ord("*") if chr(c).isupper() else c for c in data)
        found = Detections(
            width=4,
            height=4,
            faces=(FACE,) if hidden != data else (),
            detector="test/default",
            fingerprint="f" * 64,
        )
        return Rendition(
            data=hidden,
            content_type="image/jpeg",
            width=4,
            height=4,
            detections=(found,),
            redacted=hidden != data,
            timings_ms={"detect": 1.0},
        )
