"""Where a governed query's time goes: what the flow calls, timed from outside; for `bench.sql`.

The parts do not overlap. `execution` is what the process of the query says it took, from SQL to the
last batch handed over, `views` and `instance` what came before that in it; `transfer` is whatever
of the engine's time is left: two sockets' worth of frames, and checking what arrived.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from lakeveil.adapters.engine import engine, running
from lakeveil.flows import run_query
from lakeveil.ports.engine import EngineStatistics

_FUNCTIONS: tuple[tuple[Any, str, str], ...] = (
    (run_query, "check_query", "parse_and_check"),
    (run_query, "governed_view", "views_of_decision"),
    (run_query, "_relation", "scan_planning"),
    (run_query, "_govern", "look_and_decide"),
    (engine.DuckDBEngine, "_part", "urls_and_job"),
    (running.DuckDBJob, "start", "take_process"),
)
_INSIDE = {"look_and_decide": ("parse_and_check",), "scan_planning": ("views_of_decision",)}


class Parts:
    """Seconds by part, of one query or of many."""

    def __init__(self) -> None:
        self._all: list[dict[str, float]] = []
        self._now: dict[str, float] = {}

    def took(self, part: str, seconds: float) -> None:
        """Add to a part."""
        self._now[part] = self._now.get(part, 0.0) + seconds

    def ended(self, total: float, done: EngineStatistics) -> None:
        """The query is over."""
        now = self._now
        for outer, inner in _INSIDE.items():
            for part in inner:
                now[outer] = now.get(outer, 0.0) - now.get(part, 0.0)
        now["execution"] = done.engine_s
        now["instance"] = max(0.0, done.cold_start_s - now.get("take_process", 0.0))
        now["transfer_and_rest"] = total - sum(now.values())
        self._all.append(now)
        self._now = {}

    def add(self, other: Parts) -> None:
        """Those of another, too."""
        self._all += other._all

    def forget_last(self) -> None:
        """Leave the last one out."""
        self._all.pop()

    def shown(self) -> dict[str, float]:
        """Milliseconds a query by part: the mean, as parts add up so."""
        names = list(dict.fromkeys(name for one in self._all for name in one))
        return {
            f"{name}_ms": round(1000 * statistics.mean(one.get(name, 0.0) for one in self._all), 2)
            for name in names
        }


@contextmanager
def taken_apart(desk: Any) -> Iterator[Parts]:
    """Time what the flow calls while this lasts."""
    parts = Parts()
    audit = desk.catalog.audit
    with ExitStack() as after:
        for owner, name, part in (
            *_FUNCTIONS,
            (audit, "intend", "audit"),
            (audit, "complete", "audit"),
        ):
            after.enter_context(_timed(owner, name, part, parts))
        yield parts


@contextmanager
def _timed(owner: Any, name: str, part: str, parts: Parts) -> Iterator[None]:
    there = vars(owner).get(name)
    act: Callable[..., Any] = getattr(owner, name) if there is None else there

    def timed(*given: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return act(*given, **named)
        finally:
            parts.took(part, time.perf_counter() - began)

    setattr(owner, name, timed)
    try:
        yield
    finally:
        if there is None:
            delattr(owner, name)
        else:
            setattr(owner, name, there)
