"""The port of the audit log: an intent before, a completion after, single events between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lakeveil.core.audit import AuditEvent, AuditId, AuditOutcome, Json


class AuditLog(Protocol):
    """Appends to the lake's audit log. Thread-safe.

    Whoever gets an error from `intend` or `record` must not go on: what is not on record may not
    happen. Every method raises `Unavailable` when the log does not answer, `SetupError` when
    somebody tampered with its end, and `UsageError` for an event that cannot be written.
    """

    def intend(self, event: AuditEvent) -> AuditId:
        """Put on record, durably, what is about to happen: before data leaves or a change is made.

        The event's outcome is `allowed`, as that is all that is known yet.
        """
        ...

    def complete(
        self,
        intent: AuditId,
        *,
        outcome: AuditOutcome,
        size_bytes: int | None = None,
        rows: int | None = None,
        error_code: str = "",
        detail: Mapping[str, Json] | None = None,
    ) -> AuditId:
        """Put on record what became of an intent; who, what and where are taken from it.

        A completion that fails hides nothing: the intent stays on record without one.

        Raises:
            NotFound: there is no such intent.
            Conflict: it was completed before.
        """
        ...

    def record(self, event: AuditEvent) -> AuditId:
        """Put on record something complete in itself: a sign-in, a refusal, a change."""
        ...
