"""Which queries somebody still waits for; one that nobody asks about is cancelled, as by Trino."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

ABANDONED_AFTER_S = 300.0
"""Trino's `query.client.timeout`."""


@dataclass(slots=True)
class _Watched:
    account: str
    seen_at: float


@dataclass(slots=True, kw_only=True)
class Attention:
    """When each query of this process was last asked about. Thread-safe."""

    after_s: float = ABANDONED_AFTER_S
    _watched: dict[str, _Watched] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def seen(self, account: str, query_id: str, *, now: float) -> None:
        """Somebody asks about a query that is not over."""
        with self._lock:
            self._watched[query_id] = _Watched(account, now)

    def over(self, query_id: str) -> None:
        """Nobody needs to ask any more."""
        with self._lock:
            self._watched.pop(query_id, None)

    def abandoned(self, *, now: float) -> list[tuple[str, str]]:
        """Account and id of those that nobody has asked about for long; they are forgotten."""
        with self._lock:
            found = [
                (one.account, query_id)
                for query_id, one in self._watched.items()
                if now - one.seen_at >= self.after_s
            ]
            for _, query_id in found:
                del self._watched[query_id]
        return found
