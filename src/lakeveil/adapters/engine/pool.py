"""Worker processes: spares that were started before anybody asked, and those that are bound.

A process that served one binding never serves another; idle ones stay for their binding, with
their caches, until they were idle too long or others need the room. Processes with and without
network are kept apart from the start, as Landlock gives nothing back.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import duckdb
import duckdb_extension_httpfs

from lakeveil.adapters.engine.worker import Worker, WorkerEnded, WorkerSpec
from lakeveil.errors import SetupError, Unavailable

_KEEP_S = 0.5
_LOCK = "lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec:
    """How to run processes. Times in seconds.

    `directory` holds what they spill; `port` is the store's. At most `processes` are bound at a
    time, besides `spares` that wait, of which `fed_spares` are without network, for strict jobs.
    A job waits `wait_s` for a process. `prelude` are statements that every instance runs before
    it is locked (macros of ours).
    """

    directory: Path
    port: int
    require_landlock: bool = True
    processes: int = 8
    spares: int = 1
    fed_spares: int = 0
    idle_s: float = 300.0
    wait_s: float = 30.0
    prelude: tuple[str, ...] = ()


class Pool:
    """Hands out processes. Thread-safe."""

    def __init__(self, spec: EngineSpec) -> None:
        """Start the spares, and wait for one.

        Raises:
            SetupError: none comes up; the message says what is missing.
        """
        self._spec = spec
        self._changed = threading.Condition()
        self._spares: dict[bool, list[Worker]] = {True: [], False: []}
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._wanted = {True: spec.spares, False: spec.fed_spares}
        self._reserved = 0
        self._closed = False
        self._held = contextlib.ExitStack()
        self._directory = self._held.enter_context(_private(spec.directory))
        # The kernel ties a process to the thread that started it: this one outlives them all.
        self._spawner = ThreadPoolExecutor(1, thread_name_prefix="engine-spawner")
        self.confined = self._first()
        self._keeper = threading.Thread(target=self._keep, name="engine-keeper", daemon=True)
        self._keeper.start()

    def take(self, binding: str, *, network: bool) -> Worker:
        """A process for one binding: its own idle one, else a spare, which is its own from now on.

        Raises:
            Unavailable: all are busy, none comes up, or the pool is closed.
        """
        found = self._own_or_room(binding, network=network)
        if found is not None:
            return found
        why = ""
        try:
            for _ in range(2):
                worker = self._spare(network=network)
                try:
                    worker.wait_ready()
                except WorkerEnded as error:
                    why = str(error)
                    worker.bury()
                    continue
                worker.binding = binding
                return self._put_to_work(worker)
        finally:
            with self._changed:
                self._reserved -= 1
                self._changed.notify_all()
        raise Unavailable(
            "no process for the query could be started",
            why=why,
            fix="it is tried again by itself; `lakeveil doctor` shows what is missing",
            code="engine_unavailable",
        )

    def give(self, worker: Worker, *, healthy: bool) -> None:
        """Take it back after a job; one that is not healthy dies."""
        with self._changed:
            self._busy.discard(worker)
            keep = healthy and worker.alive and not self._closed
            if keep:
                worker.idle_since = time.monotonic()
                self._idle.append(worker)
            self._changed.notify_all()
        if not keep:
            worker.bury()

    def close(self) -> None:
        """Kill them all."""
        with self._changed:
            self._closed = True
            every = [*self._idle, *self._spares[True], *self._spares[False]]
            busy = list(self._busy)
            self._idle.clear()
            for spares in self._spares.values():
                spares.clear()
            self._changed.notify_all()
        for worker in busy:
            worker.kill()
        for worker in every:
            worker.bury()
        self._spawner.shutdown()
        self._keeper.join()
        self._held.close()

    @property
    def closed(self) -> bool:
        """Whether it is."""
        return self._closed

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of all, spares too."""
        with self._changed:
            every = [*self._idle, *self._busy, *self._spares[True], *self._spares[False]]
            return tuple(worker.pid for worker in every)

    def _own_or_room(self, binding: str, *, network: bool) -> Worker | None:
        """An idle process of this binding; None once there is room for another one."""
        deadline = time.monotonic() + self._spec.wait_s
        dead: list[Worker] = []
        try:
            with self._changed:
                while not self._closed:
                    for worker in reversed(self._idle):
                        if worker.binding == binding and (worker.port is not None) == network:
                            self._idle.remove(worker)
                            if worker.alive:
                                self._busy.add(worker)
                                return worker
                            dead.append(worker)
                            break
                    else:
                        bound = len(self._idle) + len(self._busy) + self._reserved
                        if bound >= self._spec.processes and self._idle:
                            # The one that has been idle longest.
                            dead.append(self._idle.pop(0))
                        elif bound < self._spec.processes:
                            self._reserved += 1
                            return None
                        elif not self._changed.wait(max(0.0, deadline - time.monotonic())):
                            raise _busy()
                raise _closing()
        finally:
            for worker in dead:
                worker.bury()

    def _put_to_work(self, worker: Worker) -> Worker:
        with self._changed:
            if not self._closed:
                self._busy.add(worker)
                return worker
        worker.bury()
        raise _closing()

    def _spare(self, *, network: bool) -> Worker:
        with self._changed:
            if self._spares[network]:
                worker = self._spares[network].pop(0)
                self._changed.notify_all()
                return worker
        return self._start(network=network)

    def _start(self, *, network: bool) -> Worker:
        spec = WorkerSpec(
            directory=self._directory,
            port=self._spec.port if network else None,
            extension=extension_path(),
            require_landlock=self._spec.require_landlock,
            prelude=self._spec.prelude,
        )
        try:
            return Worker(spec, spawner=self._spawner)
        except (OSError, RuntimeError) as error:
            raise Unavailable(
                "no process for the query could be started",
                why=type(error).__name__,
                fix="it is tried again by itself; `lakeveil doctor` shows what is missing",
                code="engine_unavailable",
            ) from error

    def _first(self) -> bool:
        """Start one and wait for it: what is missing shows now. Returns whether it is confined."""
        try:
            worker = self._start(network=True)
            try:
                worker.wait_ready()
            except WorkerEnded as error:
                worker.bury()
                raise _does_not_start(str(error)) from error
        except BaseException:
            self._spawner.shutdown()
            self._held.close()
            raise
        self._spares[True].append(worker)
        return worker.confined

    def _keep(self) -> None:
        """Refill the spares, and bury who was idle too long, until closed."""
        while True:
            with self._changed:
                if self._closed:
                    return
                oldest = time.monotonic() - self._spec.idle_s
                late = [w for w in self._idle if w.idle_since < oldest or not w.alive]
                self._idle = [w for w in self._idle if w not in late]
                short = [n for n, s in self._spares.items() if len(s) < self._wanted[n]]
                if not late and not short:
                    self._changed.wait(_KEEP_S)
                    continue
            for worker in late:
                worker.bury()
            for network in short:
                self._add_spare(network=network)

    def _add_spare(self, *, network: bool) -> None:
        try:
            worker = self._start(network=network)
        except Unavailable:
            time.sleep(_KEEP_S)
            return
        with self._changed:
            if not self._closed:
                self._spares[network].append(worker)
                return
        worker.bury()


def extension_path() -> str:
    """Where the wheel has httpfs for this DuckDB.

    Raises:
        SetupError: it is for another version.
    """
    package = Path(duckdb_extension_httpfs.__file__).parent
    path = package / "extensions" / f"v{duckdb.__version__}" / "httpfs.duckdb_extension"
    if not path.exists():
        raise SetupError(
            "DuckDB's httpfs extension is not there",
            why=f"the wheel has none for DuckDB {duckdb.__version__}",
            fix=f"pip install duckdb-extension-httpfs=={duckdb.__version__}",
            code="extension_missing",
        )
    return str(path)


@contextlib.contextmanager
def _private(parent: Path) -> Iterator[Path]:
    """A directory of our own in `parent`; what dead servers left there goes."""
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for other in parent.glob("engine-*"):
        with contextlib.suppress(OSError), (other / _LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(other, ignore_errors=True)
    ours = parent / f"engine-{uuid4().hex}"
    # Locked before it has the name that others look for.
    hidden = parent / f".{ours.name}"
    hidden.mkdir(mode=0o700)
    with (hidden / _LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        hidden.rename(ours)
        try:
            yield ours.resolve()
        finally:
            shutil.rmtree(ours, ignore_errors=True)


def _does_not_start(why: str) -> SetupError:
    return SetupError(
        "the process that runs queries does not start",
        why=why,
        fix="run `lakeveil doctor`",
        code="engine_failed",
    )


def _busy() -> Unavailable:
    return Unavailable(
        "all processes that run queries are busy",
        why="each runs one query at a time",
        fix="try again, or raise sql.processes",
        code="engine_busy",
    )


def _closing() -> Unavailable:
    return Unavailable(
        "the engine is closed", why="the server is stopping", fix="nothing", code="cancelled"
    )
