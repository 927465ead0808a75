"""Several children as one: started in order of need, watched, restarted, stopped in reverse."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from lakeveil.adapters.child import Child, ChildSpec, ending, rotate

_LOOK_EVERY_S = 0.05
_ROTATE_EVERY_S = 30.0

Say = Callable[[str, str], None]
"""Hears (name of the child, what happened)."""


class Supervisor:
    """Keeps children running.

    A child starts once those that it `needs` are ready. When one dies, it alone is started
    again, after a wait that doubles: the others are made to wait for what is away. Use it from
    one thread that lives as long as the children should.
    """

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        *,
        say: Say,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.children = {spec.name: Child(spec, monotonic=monotonic) for spec in specs}
        self._say = say
        self._monotonic = monotonic
        self._due: dict[str, float] = {}
        self._recovering: set[str] = set()
        self._rotated_at = monotonic()

    def start(self, stopping: threading.Event) -> bool:
        """Start every child and wait until all are ready; False when `stopping` came first.

        Raises:
            SetupError: a child ended or was not ready in time; the others still run.
        """
        waiting = dict(self.children)
        ready: set[str] = set()
        while len(ready) < len(self.children):
            for name, child in list(waiting.items()):
                if {n for n in child.spec.needs if n in self.children} <= ready:
                    child.start()
                    del waiting[name]
            for name, child in self.children.items():
                if name not in waiting and name not in ready and child.check_start():
                    ready.add(name)
                    self._say(name, f"ready after {child.age_s():.1f} s")
            if stopping.wait(_LOOK_EVERY_S):
                return False
        return True

    def watch(self, stopping: threading.Event) -> None:
        """Restart whatever dies, until `stopping` is set."""
        while not stopping.wait(_LOOK_EVERY_S):
            for name, child in self.children.items():
                self._look_after(name, child)
            if self._monotonic() - self._rotated_at > _ROTATE_EVERY_S:
                self._rotated_at = self._monotonic()
                for child in self.children.values():
                    rotate(child.spec.log)

    def stop(self) -> None:
        """Stop all children, each after those that need it; returns when none is left."""
        left = {name: child for name, child in self.children.items() if child.pid is not None}
        while left:
            needed = {need for child in left.values() for need in child.spec.needs}
            # Should somebody ever need himself in a circle, all stop at once.
            wave = [name for name in left if name not in needed] or list(left)
            for name in wave:
                left[name].ask_to_stop()
            for name in wave:
                code = left.pop(name).stop()
                self._say(name, "stopped" if code is None else f"stopped ({ending(code)})")

    def kill(self) -> None:
        """Kill all children at once."""
        for child in self.children.values():
            child.kill()

    def _look_after(self, name: str, child: Child) -> None:
        due = self._due.get(name)
        if due is not None:
            if self._monotonic() >= due:
                del self._due[name]
                child.start()
                self._recovering.add(name)
            return
        code = child.exit_code()
        if code is not None:
            wait_s = child.failed()
            # What it started may have outlived it.
            child.stop()
            self._due[name] = self._monotonic() + wait_s
            self._recovering.discard(name)
            self._say(name, f"died ({ending(code)}); starting it again in {wait_s:g} s")
        elif name in self._recovering and child.is_ready():
            self._recovering.discard(name)
            self._say(name, "runs again")
