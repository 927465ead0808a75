"""How a photo's way through the pipeline can end. There is no "published anyway"."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from lakeveil.core.faces import Face


class Outcome(StrEnum):
    """The state of one photo in its collection."""

    RELEASED = "released"
    """Faces were found and hidden; the release is in the released bucket."""
    UNCHANGED = "unchanged"
    """No face was found; the release is the original with its metadata cleaned."""
    QUARANTINED = "quarantined"
    """It could not be examined or not be redacted well enough: nothing is released."""
    WITHDRAWN = "withdrawn"
    """A reviewer took the release back."""
    DELETED = "deleted"
    """The original is gone, and so is the release."""

    @property
    def has_release(self) -> bool:
        """Whether there is something in the release bucket."""
        return self in {Outcome.RELEASED, Outcome.UNCHANGED}


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoRecord:
    """What is known of one photo: the ledger's row. Times are UTC seconds since the epoch."""

    collection: str
    bucket: str
    key: str
    version: str | None
    etag: str
    sequencer: str
    outcome: Outcome
    reason_code: str = ""
    reason: str = ""
    faces: tuple[Face, ...] = ()
    frames: int = 1
    width: int = 0
    height: int = 0
    policy_version: str = ""
    instructions_revision: int = 0
    detector: str = ""
    fingerprint: str = ""
    release_etag: str = ""
    timings_ms: dict[str, float] = field(default_factory=dict)
    updated_at: float = 0.0
    generation: int = 0
    """Grows with every claim of the photo; the compare-and-swap that decides order."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Nothing is wrong with the photo: try again after `after_s` seconds."""

    reason: str
    after_s: float


@dataclass(frozen=True, slots=True)
class Skipped:
    """Nothing to do: the release is already what it should be, or a newer event decides."""

    reason: str
