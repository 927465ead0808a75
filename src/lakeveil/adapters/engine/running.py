"""One job on its way, in one process or, where it is strict, in two.

The thread that reads the batches does the work; any other may stop it, which kills its processes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from lakeveil.adapters.engine.failures import query_error
from lakeveil.adapters.engine.messages import Done, Failed, Job, Kind
from lakeveil.adapters.engine.pool import Pool
from lakeveil.adapters.engine.worker import Worker, WorkerEnded, batch_of, schema_of
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.errors import Unavailable
from lakeveil.ports.engine import EngineStatistics, JobLimits

_HEADS = frozenset({Kind.SCHEMA, Kind.FAILED})
_BODIES = frozenset({Kind.BATCH, Kind.DONE, Kind.FAILED})
_WAIT_FOR_WORD_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one process does of a job. With `collapse` failures on data are all the same."""

    job: Job
    network: bool
    collapse: bool


class DuckDBJob:
    """Implements `lakeveil.ports.RunningJob`."""

    def __init__(self, limits: JobLimits, *, parts: list[Part], pool: Pool, started: float) -> None:
        self._limits = limits
        *self._feeds, self._part = parts
        self._pool = pool
        self._started = started
        self._deadline = started + limits.seconds
        self._lock = threading.Lock()
        self._workers: dict[bool, Worker] = {}
        self._why: ErrorName | None = None
        self._healthy: set[Worker] = set()
        self._counting: Worker | None = None
        self._schema: Any = None
        self._statistics = EngineStatistics()
        self._result_bytes = 0
        self._clock = threading.Timer(limits.seconds, self._end, (ErrorName.EXCEEDED_TIME_LIMIT,))
        self._clock.daemon = True

    def start(self, binding: str) -> None:
        """Take processes, and give the last of them its job.

        Raises:
            Unavailable: none could be had.
        """
        # Before it may have one, a process for the other half must not be waited for in vain.
        for network in sorted({part.network for part in (*self._feeds, self._part)}):
            self._workers[network] = self._pool.take(binding, network=network)
        self._clock.start()
        taken = time.monotonic() - self._started
        self._statistics = replace(self._statistics, cold_start_s=taken)
        worker = self._workers[self._part.network]
        self._counting = None if self._feeds else worker
        try:
            self._send(worker, self._part.job)
        except (WorkerEnded, TimeoutError) as error:
            raise Unavailable(
                "the process of the query ended", why="it was killed", code="engine_unavailable"
            ) from error

    @property
    def schema(self) -> Any:
        """The result's `pyarrow.Schema`; waits for it. Raises what `batches` raises."""
        if self._schema is None:
            worker = self._workers[self._part.network]
            try:
                self._feed(worker)
                kind, body = worker.receive(_HEADS, deadline=self._deadline)
                if kind is Kind.FAILED:
                    raise self._failure(worker, body, self._part)
                self._schema = schema_of(body)
            except (WorkerEnded, TimeoutError) as error:
                raise self._ended(error) from error
        return self._schema

    def batches(self) -> Iterator[Any]:
        """The result as `pyarrow.RecordBatch`es.

        Raises:
            QueryError: the query failed, was stopped, or went beyond a limit.
        """
        schema, worker = self.schema, self._workers[self._part.network]
        while True:
            try:
                kind, body = worker.receive(_BODIES, deadline=self._deadline)
                if kind is Kind.FAILED:
                    raise self._failure(worker, body, self._part)
                if kind is Kind.DONE:
                    self._done(worker, body)
                    return
                self._count(len(body))
                batch = batch_of(body, schema)
            except (WorkerEnded, TimeoutError) as error:
                raise self._ended(error) from error
            rows = self._statistics.rows + batch.num_rows
            self._statistics = replace(self._statistics, rows=rows)
            yield batch

    def stop(self) -> None:
        """End it now, from any thread: its processes are killed."""
        self._end(ErrorName.USER_CANCELED)

    def statistics(self) -> EngineStatistics:
        """So far, from any thread."""
        known, worker = self._statistics, self._counting
        if worker is None:
            return known
        scanned, _ = worker.counters()
        return replace(known, scanned_bytes=known.scanned_bytes + scanned)

    def close(self) -> None:
        """Give the processes back: those that are done with their job live on."""
        self._clock.cancel()
        self._settle()
        with self._lock:
            workers, self._workers = list(self._workers.values()), {}
        for worker in workers:
            self._pool.give(worker, healthy=worker in self._healthy)

    def _feed(self, to: Worker) -> None:
        """Let one process read what the views show, and hand it to the other."""
        if not self._feeds:
            return
        reader = self._workers[True]
        for feed in self._feeds:
            self._counting = reader
            self._healthy.discard(reader)
            self._send(reader, self._within_limit(feed.job))
            kind, body = reader.receive(_HEADS, deadline=self._deadline)
            while kind in {Kind.SCHEMA, Kind.BATCH}:
                # As it is: whoever reads it is as little trusted as who wrote it.
                to.send(kind, body, deadline=self._deadline)
                kind, body = reader.receive(_BODIES, deadline=self._deadline)
            if kind is Kind.FAILED:
                raise self._failure(reader, body, feed)
            self._done(reader, body)
            to.send(Kind.END, b"", deadline=self._deadline)

    def _within_limit(self, job: Job) -> Job:
        if job.scanned_bytes is None:
            return job
        left = max(0, job.scanned_bytes - self._statistics.scanned_bytes)
        return msgspec.structs.replace(job, scanned_bytes=left)

    def _send(self, worker: Worker, job: Job) -> None:
        worker.send(Kind.JOB, msgspec.json.encode(job), deadline=self._deadline)

    def _done(self, worker: Worker, body: bytearray) -> None:
        try:
            done = msgspec.json.decode(body, type=Done)
        except msgspec.DecodeError as error:
            raise WorkerEnded from error
        self._counting = None
        known = self._statistics
        self._statistics = replace(
            known,
            scanned_bytes=known.scanned_bytes + max(0, done.scanned_bytes),
            engine_s=known.engine_s + max(0.0, done.engine_s),
            cold_start_s=known.cold_start_s + max(0.0, done.open_s),
        )
        self._healthy.add(worker)

    def _failure(self, worker: Worker, body: bytearray, part: Part) -> QueryError:
        try:
            failed = msgspec.json.decode(body, type=Failed)
        except msgspec.DecodeError as error:
            raise WorkerEnded from error
        self._counting = None
        known = self._statistics
        self._statistics = replace(
            known, scanned_bytes=known.scanned_bytes + max(0, failed.scanned_bytes)
        )
        # One that was fed may still be waiting for more: it does not live on.
        if failed.healthy and not self._feeds:
            self._healthy.add(worker)
        return query_error(failed.error, collapse=part.collapse)

    def _count(self, length: int) -> None:
        self._result_bytes += length
        limit = self._limits.result_bytes
        if limit is not None and self._result_bytes > limit:
            raise QueryError(
                ErrorName.EXCEEDED_LOCAL_MEMORY_LIMIT,
                f"Query exceeded the limit of {limit} bytes of result",
            )

    def _end(self, why: ErrorName) -> None:
        with self._lock:
            self._why = self._why or why
            workers = list(self._workers.values())
        for worker in workers:
            worker.kill()

    def _ended(self, error: Exception) -> QueryError:
        """Why there is no more to come."""
        counted = self.statistics().scanned_bytes
        self._settle()
        if isinstance(error, TimeoutError):
            self._end(ErrorName.EXCEEDED_TIME_LIMIT)
        limit = self._limits.scanned_bytes
        if self._why is not None:
            why = self._why
        elif self._pool.closed:
            why = ErrorName.SERVER_SHUTTING_DOWN
        elif limit is not None and counted > limit:
            why = ErrorName.EXCEEDED_SCAN_LIMIT
        else:
            why = ErrorName.GENERIC_INTERNAL_ERROR
        return query_error(why.name, collapse=False)

    def _settle(self) -> None:
        """What was counted so far is what is charged."""
        self._statistics, self._counting = self.statistics(), None
