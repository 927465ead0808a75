"""Refusals on record, as many as tell what goes on, and never so many as somebody likes to cause.

Each refusal is a record that stays for good, so whoever may be refused again and again, at worst
without any key, could fill the disk and hide the one record that matters. Of one subject (whoever
asks, or the account a stranger asks for) `MOST_A_MINUTE` are recorded one by one; of those beyond,
the first, the tenth, the hundredth and so on, each with the number so far: an attack is on record
with its size, in a handful of records. Each process counts for itself.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

from lakeveil.core.audit import AuditEvent
from lakeveil.ports import Clock
from lakeveil.ports.audit import AuditLog

NO_RIGHT_TO_CALL = "no_right_to_call"
"""The error code of a refusal at a service's gate: the caller's rights do not allow the call."""

MOST_A_MINUTE = 20
MOST_SUBJECTS = 1_000
"""Beyond so many in a minute, all others are counted as one: strangers choose whom they ask for."""
_MINUTE_S = 60.0
_OTHERS = ""


@dataclass(slots=True)
class _Minute:
    began: float
    count: int = 0


@dataclass(slots=True, kw_only=True)
class Refusals:
    """Puts refusals on record, bounded. Thread-safe."""

    audit: AuditLog
    clock: Clock
    _minutes: dict[str, _Minute] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def record(self, event: AuditEvent, *, subject: str) -> None:
        """Put a refusal on record, or count it.

        Raises:
            Unavailable: the audit log does not answer.
        """
        with self._lock:
            count = self._count(subject, self.clock.now())
        if count <= MOST_A_MINUTE:
            self.audit.record(event)
        elif _is_power_of_ten(count - MOST_A_MINUTE):
            detail = {**event.detail, "refusals_this_minute": count}
            self.audit.record(replace(event, detail=detail))

    def _count(self, subject: str, now: float) -> int:
        if subject not in self._minutes and len(self._minutes) >= MOST_SUBJECTS:
            self._minutes = {s: m for s, m in self._minutes.items() if _runs(m, now)}
            if len(self._minutes) >= MOST_SUBJECTS:
                subject = _OTHERS
        minute = self._minutes.get(subject)
        if minute is None or not _runs(minute, now):
            minute = self._minutes[subject] = _Minute(now)
        minute.count += 1
        return minute.count


def _runs(minute: _Minute, now: float) -> bool:
    return 0 <= now - minute.began < _MINUTE_S


def _is_power_of_ten(number: int) -> bool:
    return str(number).rstrip("0") == "1"
