"""What flows need from the outside world. Adapters implement these; they never decide.

Every port has one conformance suite under `tests/conformance`, run over every adapter.
"""

from lakeveil.ports.photos import (
    BackfillLog,
    Claim,
    Clock,
    Darkroom,
    DeadLetter,
    FaceDetector,
    Limiter,
    Message,
    ObjectInfo,
    ObjectStore,
    PhotoLedger,
    Progress,
    Queue,
    ReviewLog,
    Spool,
    SpooledEvent,
    Work,
)

__all__ = [
    "BackfillLog",
    "Claim",
    "Clock",
    "Darkroom",
    "DeadLetter",
    "FaceDetector",
    "Limiter",
    "Message",
    "ObjectInfo",
    "ObjectStore",
    "PhotoLedger",
    "Progress",
    "Queue",
    "ReviewLog",
    "Spool",
    "SpooledEvent",
    "Work",
]
