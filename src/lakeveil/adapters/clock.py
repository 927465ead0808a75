"""The Clock port: the machine's own, and one that tests turn by hand."""

from __future__ import annotations

import time


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """UTC seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait; returns at once for zero or less."""
        time.sleep(max(0.0, seconds))


class ManualClock:
    """A clock that stands still until it is turned; sleeping turns it."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        """UTC seconds since the epoch."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Turn the clock on by `seconds`; nothing happens for zero or less."""
        self._now += max(0.0, seconds)
