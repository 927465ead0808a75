"""Jobs in a worker process: its instances of DuckDB, and one job after the other over them.

An instance stays for later jobs over the same state of things, with its cache of files; those
used least recently go when their caches take more than half of what a job may have.
"""

from __future__ import annotations

import contextlib
import itertools
import mmap
import os
import socket
import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa

from lakeveil.adapters.engine.confinement import limit
from lakeveil.adapters.engine.failures import classify, healthy_after, may_depend_on_data
from lakeveil.adapters.engine.messages import (
    BODY_LIMIT,
    COUNTERS_BYTES,
    Done,
    Failed,
    Job,
    Kind,
    Ready,
    receive,
    send,
)
from lakeveil.adapters.engine.scanned import Scanned, overshoot
from lakeveil.adapters.engine.session import Session, SessionLimits, open_blank
from lakeveil.core.query.failures import ErrorName

BATCH_ROWS = 16_384
_BATCH_BYTES = 32 * 2**20
_INSTANCES = 16
_HELD_IN_MEMORY = 32 * 2**20
_FRAME = struct.Struct(">cI")
_FEED = frozenset({Kind.BATCH, Kind.END})

_Blank = tuple[duckdb.DuckDBPyConnection, Path]
# A file that grew too large is an OSError. RuntimeError: what DuckDB does not name.
_FAILURES = (duckdb.Error, MemoryError, RuntimeError, OSError, pa.ArrowException)


class Jobs:
    """Serves one parent."""

    def __init__(
        self,
        parent: socket.socket,
        *,
        own: Path,
        extension: str,
        prelude: tuple[str, ...],
        counters: int,
    ) -> None:
        """Open a blank instance.

        Raises:
            duckdb.Error: the extension or the prelude does not load.
        """
        self._parent = parent
        self._own = own
        self._extension = extension
        self._prelude = prelude
        self._counters = mmap.mmap(counters, COUNTERS_BYTES)
        os.close(counters)
        self._numbers = itertools.count()
        self._sessions: dict[str, Session] = {}
        self._ceiling: int | None = None
        self._blank: _Blank | None = self._open_blank()
        self._scanned = Scanned(self._publish)

    def serve(self, *, confined: bool) -> None:
        """Say that all is ready, and run jobs until the parent is gone."""
        self._send(Kind.READY, msgspec.json.encode(Ready(confined=confined)))
        while True:
            try:
                _, body = receive(self._fill, frozenset({Kind.JOB}))
            except ConnectionResetError:
                return
            self._run(msgspec.json.decode(body, type=Job))
            # While nobody waits: the next new instance is ready when it is needed.
            if self._blank is None:
                self._blank = self._open_blank()

    def _run(self, job: Job) -> None:
        limit(memory_bytes=job.memory_bytes, temporary_bytes=job.temporary_bytes)
        self._ceiling = None if job.scanned_bytes is None else overshoot(job.scanned_bytes)
        self._scanned.start_job()
        started = time.perf_counter()
        read = _Read()
        try:
            session = self._session(job)
            opened = time.perf_counter()
            with self._relations(session, job, read):
                self._answer(session, job, read)
        except _FAILURES as error:
            self._failed(classify(error), read)
        else:
            self._scanned.end_job()
            if job.scanned_bytes is not None and read.bytes > job.scanned_bytes:
                self._failed(ErrorName.EXCEEDED_SCAN_LIMIT, read)
                return
            new = opened - started
            done = Done(
                scanned_bytes=read.bytes,
                engine_s=time.perf_counter() - opened,
                open_s=new,
            )
            self._send(Kind.DONE, msgspec.json.encode(done))

    def _failed(self, name: ErrorName, read: _Read) -> None:
        scanned = max(self._scanned.end_job(), read.bytes)
        failed = Failed(error=name.name, scanned_bytes=scanned, healthy=healthy_after(name))
        self._send(Kind.FAILED, msgspec.json.encode(failed))

    def _answer(self, session: Session, job: Job, read: _Read) -> None:
        if not job.guarded:
            for kind, body in self._result(session, job.sql, read):
                self._send(kind, body)
            return
        with tempfile.SpooledTemporaryFile(_HELD_IN_MEMORY, dir=str(self._own)) as held:
            try:
                for kind, body in self._result(session, job.sql, read):
                    held.write(_FRAME.pack(kind.value, len(body)))
                    held.write(body)
            except _FAILURES as error:
                if not may_depend_on_data(classify(error)):
                    raise
                # DuckDB tells nothing of what a failed query read.
                read.bytes = max(read.bytes, self._scanned.now())
            else:
                held.seek(0)
                while head := held.read(_FRAME.size):
                    letter, length = _FRAME.unpack(head)
                    self._send(Kind(letter), held.read(length))
                return
        self._answer_permitted(session, job, read)

    def _answer_permitted(self, session: Session, job: Job, read: _Read) -> None:
        """Once more, over tables that hold the permitted rows and nothing else."""
        connection = session.connection
        with contextlib.ExitStack() as after:
            for view in job.views:
                table = f"permitted_{view.alias}"
                connection.execute(f'CREATE TEMP TABLE "{table}" AS FROM "{view.alias}"')
                after.callback(connection.execute, f'DROP TABLE IF EXISTS "{table}"')
                read.bytes += session.bytes_read()
                after.callback(session.forget, view.alias)
                connection.execute(f'CREATE OR REPLACE TEMP VIEW "{view.alias}" AS FROM "{table}"')
            for kind, body in self._result(session, job.sql, read):
                self._send(kind, body)

    def _result(self, session: Session, sql: str, read: _Read) -> Iterator[tuple[Kind, pa.Buffer]]:
        """The frames of a result, as they come."""
        rows = 0
        reader = session.connection.execute(sql).to_arrow_reader(BATCH_ROWS)
        yield Kind.SCHEMA, reader.schema.serialize()
        for batch in reader:
            rows += batch.num_rows
            struct.pack_into("=Q", self._counters, 8, rows)
            for piece in _pieces(batch):
                yield Kind.BATCH, piece.serialize()
        read.bytes += session.bytes_read()

    @contextlib.contextmanager
    def _relations(self, session: Session, job: Job, read: _Read) -> Iterator[None]:
        """What the job's SQL names: views over files, tables of what we are fed."""
        connection = session.connection
        with contextlib.ExitStack() as after:
            read.bytes += session.show({view.alias: view.sql for view in job.views})
            waiting = list(job.fed)
            try:
                while waiting:
                    self._load(connection, waiting.pop(0))
                    after.callback(_drop, connection, job.fed[-len(waiting) - 1])
            finally:
                # What is still on its way must not be taken for the next job.
                for _ in waiting:
                    self._skip_to_end()
            yield

    def _load(self, connection: duckdb.DuckDBPyConnection, alias: str) -> None:
        ended = False

        def batches(schema: pa.Schema) -> Iterator[pa.RecordBatch]:
            nonlocal ended
            while True:
                kind, body = receive(self._fill, _FEED)
                if kind is Kind.END:
                    ended = True
                    return
                yield pa.ipc.read_record_batch(pa.py_buffer(body), schema)

        _, head = receive(self._fill, frozenset({Kind.SCHEMA}))
        schema = pa.ipc.read_schema(pa.py_buffer(head))
        try:
            connection.register("fed", pa.RecordBatchReader.from_batches(schema, batches(schema)))
            connection.execute(f'CREATE TEMP TABLE "{alias}" AS FROM fed')
        finally:
            connection.unregister("fed")
            if not ended:
                self._skip_to_end()

    def _skip_to_end(self) -> None:
        while receive(self._fill, _FEED | {Kind.SCHEMA})[0] is not Kind.END:
            pass

    def _session(self, job: Job) -> Session:
        found = self._sessions.pop(job.instance, None)
        if found is None:
            self._make_room(job.memory_bytes // 2)
            blank, self._blank = self._blank or self._open_blank(), None
            connection, directory = blank
            found = Session(
                connection,
                directory=directory,
                urls=job.urls,
                limits=SessionLimits(
                    memory_bytes=job.memory_bytes,
                    temporary_bytes=job.temporary_bytes,
                    threads=job.threads,
                ),
            )
        else:
            found.check()
            self._make_room(job.memory_bytes // 2)
        self._sessions[job.instance] = found
        return found

    def _make_room(self, allowed: int) -> None:
        used = {key: session.memory() for key, session in self._sessions.items()}
        while self._sessions and (
            sum(used.values()) > allowed or len(self._sessions) >= _INSTANCES
        ):
            oldest = next(iter(self._sessions))
            self._sessions.pop(oldest).close()
            del used[oldest]

    def _open_blank(self) -> _Blank:
        directory = self._own / f"spill-{next(self._numbers)}"
        blank = open_blank(extension=self._extension, directory=directory, prelude=self._prelude)
        return blank, directory

    def _publish(self, scanned: int) -> None:
        struct.pack_into("=Q", self._counters, 0, scanned)
        if self._ceiling is not None and scanned > self._ceiling:
            # Whatever the query is doing, it stops here; the parent sees why by the counter.
            os._exit(0)

    def _send(self, kind: Kind, body: bytes | pa.Buffer) -> None:
        send(self._parent, kind, memoryview(body))

    def _fill(self, into: memoryview) -> None:
        filled = 0
        while filled < len(into):
            count = self._parent.recv_into(into[filled:])
            if count == 0:
                raise ConnectionResetError
            filled += count


class _Read:
    """What a job read from the store, in bytes of bodies."""

    def __init__(self) -> None:
        self.bytes = 0


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """A batch in parts of moderate size: rows may be very wide."""
    if batch.nbytes <= _BATCH_BYTES or batch.num_rows <= 1:
        if batch.nbytes > BODY_LIMIT // 2:
            raise MemoryError
        yield batch
        return
    half = batch.num_rows // 2
    yield from _pieces(batch.slice(0, half))
    yield from _pieces(batch.slice(half))


def _drop(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    with contextlib.suppress(duckdb.Error):
        connection.execute(f'DROP TABLE IF EXISTS "{table}"')
