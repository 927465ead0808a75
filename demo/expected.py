"""The demo's photos, and what must become of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PHOTOS = Path(__file__).resolve().parent / "photos"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One photo, the outcome it must have, and why it is in the demo.

    `min_faces` counts over all frames.
    """

    name: str
    outcome: str
    min_faces: int
    shows: str

    @property
    def original(self) -> bytes:
        """The photo's bytes."""
        return (PHOTOS / self.name).read_bytes()


EXPECTED = (
    Expected(
        name="portrait.jpg",
        outcome="released",
        min_faces=1,
        shows="one large face",
    ),
    Expected(
        name="group.jpg",
        outcome="released",
        min_faces=5,
        shows="five small faces, each about 24 pixels wide",
    ),
    Expected(
        name="thumbnail.jpg",
        outcome="released",
        min_faces=1,
        shows="its metadata hides a small copy of the photo, a place and a serial number",
    ),
    Expected(
        name="rotated.jpg",
        outcome="released",
        min_faces=1,
        shows="stored sideways; a tag says which way is up",
    ),
    Expected(
        name="animated.webp",
        outcome="released",
        min_faces=8,
        shows="eight frames with a face in each",
    ),
    Expected(
        name="no-face.jpg",
        outcome="unchanged",
        min_faces=0,
        shows="nobody there: every pixel stays, only the metadata is cleaned",
    ),
    Expected(
        name="broken.jpg",
        outcome="quarantined",
        min_faces=0,
        shows="cut off in the middle: nobody can look at all of it, so nothing is released",
    ),
)
