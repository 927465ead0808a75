"""The engine's walls without the guard: a statement's own text, run by a real worker process.

That is what a mistake in the guard would come to at worst. Views are called as their author calls
the tables. `LockAlone` gives the worker files by URL; `StrictAlone` has no network and is fed what
the views show. The workers are spoken to directly, as the pool would end them at most errors.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import msgspec

from lakeveil.adapters.engine import sources
from lakeveil.adapters.engine.failures import query_error
from lakeveil.adapters.engine.messages import Failed, Job, Kind
from lakeveil.adapters.engine.pool import extension_path
from lakeveil.adapters.engine.worker import Worker, WorkerEnded, WorkerSpec, batch_of, schema_of
from tests.hostile.attempts import Outcome, Statement
from tests.hostile.real_walls import RealWalls, limits, tuples

_FRAMES = frozenset({Kind.SCHEMA, Kind.BATCH, Kind.DONE, Kind.FAILED})
_LONG_S = 30.0
_LASTING = (
    "BEGIN",
    "CREATE",
    "ATTACH",
    "DETACH",
    "DROP",
    "USE",
    "CALL",
    "PRAGMA",
    "SET",
    "PREPARE",
)
"""What may leave something behind has an instance of its own, so that order does not matter."""
_Frames = list[tuple[Kind, bytes]]


class RawWorker:
    """One worker at a time; a new one when it ended."""

    def __init__(self, spec: WorkerSpec, spawner: ThreadPoolExecutor) -> None:
        self._spec = spec
        self._spawner = spawner
        self._worker: Worker | None = None
        self._count = 0

    @property
    def worker(self) -> Worker:
        """One that is ready."""
        if self._worker is None or not self._worker.alive:
            self.close()
            self._worker = Worker(self._spec, spawner=self._spawner)
            self._worker.wait_ready()
        return self._worker

    def close(self) -> None:
        if self._worker is not None:
            self._worker.bury()
        self._worker = None

    def frames(self, job: Job, feed: _Frames = []) -> _Frames:  # noqa: B006 - it is only read
        """What a worker answers."""
        if job.sql.lstrip().upper().startswith(_LASTING) or ";" in job.sql:
            self._count += 1
            job = msgspec.structs.replace(job, instance=f"{job.instance}{self._count}")
        until = time.monotonic() + _LONG_S
        worker = self.worker
        worker.send(Kind.JOB, msgspec.json.encode(job), deadline=until)
        for kind, body in feed:
            worker.send(kind, body, deadline=until)
        found: _Frames = []
        while not found or found[-1][0] in {Kind.SCHEMA, Kind.BATCH}:
            kind, answered = worker.receive(_FRAMES, deadline=until)
            found.append((kind, bytes(answered)))
        return found

    def tried(self, job: Job, feed: _Frames = [], *, collapse: bool) -> Outcome:  # noqa: B006
        """What its author gets; nothing if the worker ended."""
        try:
            frames = self.frames(job, feed)
            return _outcome(frames, collapse=collapse)
        except (WorkerEnded, TimeoutError):
            self.close()
            return Outcome(error="ENDED")


def _outcome(frames: _Frames, *, collapse: bool) -> Outcome:
    kind, body = frames[-1]
    if kind is Kind.FAILED:
        failed = msgspec.json.decode(body, type=Failed)
        error = query_error(failed.error, collapse=collapse)
        return Outcome(error=error.failure.name.name, words=str(error), besides=repr(failed))
    schema = schema_of(bytearray(frames[0][1]))
    rows = [row for _, one in frames[1:-1] for row in tuples(batch_of(bytearray(one), schema))]
    return Outcome(rows=rows, columns=tuple(schema.names), besides=repr(body))


class Raw:
    """Both kinds of workers over the lake of `walls`."""

    def __init__(self, walls: RealWalls, directory: Path, spawner: ThreadPoolExecutor) -> None:
        def spec(port: int | None) -> WorkerSpec:
            return WorkerSpec(
                directory=directory, port=port, extension=extension_path(), require_landlock=True
            )

        self._walls = walls
        self.reader = RawWorker(spec(walls.port), spawner)
        self.fed = RawWorker(spec(None), spawner)
        self._feed: _Frames = []
        for one in walls.views:
            message = self._message(f'FROM "{one.alias}"', (one.alias,))
            *shown, _ = self.reader.frames(message)
            self._feed += [*shown, (Kind.END, b"")]

    def lock_alone(self, one: Statement) -> Outcome:
        """Settings and Landlock; views over files that can be read by URL."""
        aliases = tuple(view.alias for view in self._walls.views)
        rows_back = any(map(sources.holds_rows_back, self._walls.views))
        return self.reader.tried(self._message(one.sql, aliases), collapse=rows_back)

    def strict_alone(self, one: Statement) -> Outcome:
        """No network, and tables of what may be seen."""
        fed = tuple(view.alias for view in self._walls.views)
        return self.fed.tried(self._message(one.sql, (), fed), self._feed, collapse=False)

    def _message(self, sql: str, views: tuple[str, ...], fed: tuple[str, ...] = ()) -> Job:
        relations = tuple(one for one in self._walls.views if one.alias in views)
        return self._walls.engine._message(sql, relations, limits(60.0), guarded=False, fed=fed)


@contextmanager
def raw_workers(walls: RealWalls, directory: Path) -> Iterator[Raw]:
    """Both kinds, running."""
    with ThreadPoolExecutor(1) as spawner:
        raw = Raw(walls, directory, spawner)
        try:
            yield raw
        finally:
            raw.reader.close()
            raw.fed.close()
