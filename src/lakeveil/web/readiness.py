"""Whether what a server needs answers: asked in threads, with a deadline, at most once a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import anyio
import anyio.to_thread
import structlog

from lakeveil.errors import LakeveilError

T = TypeVar("T")
Check = Callable[[], None]
"""Asks one component something small; raises where it does not answer."""

KEEP_S = 1.0
"""Anybody may ask how we are; what we need is asked no more often than this."""

log = structlog.get_logger(component="readiness")


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What one check found. `what` holds no secret and no address."""

    ok: bool
    ms: float
    code: str = ""
    what: str = ""

    def as_dict(self) -> dict[str, object]:
        """As `/readyz` shows it."""
        told: dict[str, object] = {"ok": self.ok, "ms": self.ms}
        return told if self.ok else told | {"code": self.code, "what": self.what}


class Readiness:
    """Runs the checks. One instance for each event loop."""

    def __init__(self, checks: Mapping[str, Check], *, timeout_s: float = 5.0) -> None:
        self._checks = dict(checks)
        self._timeout_s = timeout_s
        self._lock = asyncio.Lock()
        self._looked_at = float("-inf")
        self._found: dict[str, State] = {}
        self._limiter: anyio.CapacityLimiter | None = None

    async def look(self) -> dict[str, State]:
        """Every check's state, at most `KEEP_S` old."""
        async with self._lock:
            if time.monotonic() - self._looked_at > KEEP_S:
                states = await asyncio.gather(
                    *(self._state(name, check) for name, check in self._checks.items())
                )
                self._found = dict(zip(self._checks, states, strict=True))
                self._looked_at = time.monotonic()
            return self._found

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run something that blocks in one of our few threads."""
        if self._limiter is None:
            # More than checks: one that hangs must not keep the others from being asked.
            self._limiter = anyio.CapacityLimiter(4 * len(self._checks) + 4)
        return await anyio.to_thread.run_sync(work, limiter=self._limiter, abandon_on_cancel=True)

    async def _state(self, name: str, check: Check) -> State:
        started = time.perf_counter()

        def took_ms() -> float:
            return round((time.perf_counter() - started) * 1000, 1)

        try:
            with anyio.fail_after(self._timeout_s):
                await self.in_thread(check)
        except TimeoutError:
            what = f"no answer within {self._timeout_s:g} s"
            return State(ok=False, ms=took_ms(), code="timeout", what=what)
        except LakeveilError as error:
            return State(ok=False, ms=took_ms(), code=error.code, what=error.what)
        except Exception:
            # Its text may hold anything: for the log, not for whoever asks.
            log.exception("a check failed", check=name)
            return State(ok=False, ms=took_ms(), code="failed", what="it could not be asked")
        return State(ok=True, ms=took_ms())
