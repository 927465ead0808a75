"""The audit log as one call writes to it: with the key and the request that it came with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lakeveil.core.audit import AuditEvent, AuditId, AuditOutcome, Json
from lakeveil.flows.change_access import Call
from lakeveil.ports.audit import AuditLog


@dataclass(frozen=True, slots=True)
class CalledAudit:
    """`AuditLog` for one call; what it says is added to every event of its flow."""

    log: AuditLog
    call: Call

    def intend(self, event: AuditEvent) -> AuditId:
        """See `AuditLog`."""
        return self.log.intend(self._of_the_call(event))

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
        """See `AuditLog`."""
        return self.log.complete(
            intent,
            outcome=outcome,
            size_bytes=size_bytes,
            rows=rows,
            error_code=error_code,
            detail=detail,
        )

    def record(self, event: AuditEvent) -> AuditId:
        """See `AuditLog`."""
        return self.log.record(self._of_the_call(event))

    def _of_the_call(self, event: AuditEvent) -> AuditEvent:
        return replace(
            event,
            access_key=self.call.access_key,
            request_id=self.call.request_id,
            source_ip=self.call.source_ip,
        )
