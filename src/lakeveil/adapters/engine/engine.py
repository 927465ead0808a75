"""The engine: jobs run by DuckDB in worker processes. Implements `lakeveil.ports.engine`.

A strict job takes two processes: one that reads, which is told our views and nothing of the
query; and one without any network, which gets their rows and runs the query.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator
from typing import Self

from lakeveil.adapters.engine import sources
from lakeveil.adapters.engine.failures import query_error
from lakeveil.adapters.engine.messages import Job, View
from lakeveil.adapters.engine.pool import EngineSpec, Pool
from lakeveil.adapters.engine.presigned import Presign, PresignedUrls
from lakeveil.adapters.engine.running import DuckDBJob, Part
from lakeveil.core.query.failures import ErrorName
from lakeveil.ports.engine import EngineJob, EngineRelation, JobLimits


class DuckDBEngine:
    """Runs jobs in processes of their own. Thread-safe; use as a context manager."""

    def __init__(
        self, spec: EngineSpec, *, presign: Presign, now: Callable[[], float] = time.time
    ) -> None:
        """Start the first processes.

        Raises:
            SetupError: they do not come up, as where Landlock is missing and required.
        """
        self._urls = PresignedUrls(presign, now=now)
        self._pool = Pool(spec)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill all processes; jobs on their way fail with SERVER_SHUTTING_DOWN."""
        self._pool.close()

    @property
    def confined(self) -> bool:
        """Whether Landlock holds the processes."""
        return self._pool.confined

    @property
    def processes(self) -> tuple[int, ...]:
        """Process ids of all there are, spares too."""
        return self._pool.pids

    @contextlib.contextmanager
    def run(self, job: EngineJob) -> Iterator[DuckDBJob]:
        """Start a job; leaving the context ends it.

        Nothing is waited for but a process: failures of the query show in `schema` and `batches`.

        Raises:
            QueryError: a table cannot be read.
            Unavailable: no process could be had.
        """
        started = time.monotonic()
        parts = self._strict_parts(job) if job.strict else [self._part(job)]
        running = DuckDBJob(job.limits, parts=parts, pool=self._pool, started=started)
        try:
            running.start(job.binding)
            yield running
        finally:
            running.close()

    def _part(self, job: EngineJob) -> Part:
        """All of a job, in one process."""
        rows_back = any(map(sources.holds_rows_back, job.relations))
        return Part(
            job=self._message(job.sql, job.relations, job.limits, guarded=rows_back),
            network=True,
            collapse=rows_back or any(map(sources.masks, job.relations)),
        )

    def _strict_parts(self, job: EngineJob) -> list[Part]:
        """One part for each relation, and then the query itself."""
        feeds = [
            Part(
                # The view itself, whole: nothing of the query.
                job=self._message(f'FROM "{one.alias}"', (one,), job.limits, guarded=False),
                network=True,
                collapse=True,
            )
            for one in job.relations
        ]
        fed = tuple(_alias(one) for one in job.relations)
        message = self._message(job.sql, (), job.limits, guarded=False, fed=fed)
        return [*feeds, Part(job=message, network=False, collapse=False)]

    def _message(
        self,
        sql: str,
        relations: tuple[EngineRelation, ...],
        limits: JobLimits,
        *,
        guarded: bool,
        fed: tuple[str, ...] = (),
    ) -> Job:
        urls = {
            file: self._urls.url(file, seconds=limits.seconds)
            for relation in relations
            for file in sources.files(relation.scan)
        }
        allowed = tuple(sorted(set(urls.values())))
        state = repr((allowed, limits.memory_bytes, limits.temporary_bytes, limits.threads))
        return Job(
            instance=hashlib.sha256(state.encode()).hexdigest(),
            urls=allowed,
            views=tuple(View(_alias(one), sources.view_sql(one, urls)) for one in relations),
            fed=fed,
            sql=sql,
            guarded=guarded,
            memory_bytes=limits.memory_bytes,
            temporary_bytes=limits.temporary_bytes,
            threads=limits.threads,
            scanned_bytes=limits.scanned_bytes,
        )


def _alias(relation: EngineRelation) -> str:
    if not (relation.alias.isascii() and relation.alias.isidentifier()):
        raise query_error(ErrorName.GENERIC_INTERNAL_ERROR.name, collapse=False)
    return relation.alias
