"""A worker process as its parent sees it: started, spoken to, killed. It is not trusted.

Whatever it says is checked: kinds and lengths of frames, batches against their schema. What makes
no sense kills it. Its directory goes with it.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa

from lakeveil.adapters.engine.confinement import environment
from lakeveil.adapters.engine.messages import (
    COUNTERS_BYTES,
    Garbled,
    Kind,
    Ready,
    receive,
    send,
)
from lakeveil.adapters.engine.process import Setup

_KILL_WAIT_S = 10.0
_COUNTERS = struct.Struct("=QQ")
_SOCKET_BUFFER = 2**20


class WorkerEnded(Exception):
    """The process is gone, or was killed for what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSpec:
    """How to start a process. `port` None: without any network."""

    directory: Path
    port: int | None
    extension: str
    require_landlock: bool
    prelude: tuple[str, ...] = ()
    start_timeout_s: float = 60.0


class Worker:
    """One process. One thread at a time speaks to it; any may `kill` it or read its counters."""

    def __init__(self, spec: WorkerSpec, *, spawner: Executor) -> None:
        """Start it; `wait_ready` must be called before the first job.

        The kernel kills a child when the *thread* that started it ends, hence `spawner`: an
        executor whose only thread lives as long as the processes should.
        """
        self.port = spec.port
        self.binding = ""
        self.idle_since = 0.0
        self.confined = False
        self._ready = False
        self._killed = threading.Event()
        self._own = Path(tempfile.mkdtemp(prefix="worker-", dir=spec.directory))
        self._ready_by = time.monotonic() + spec.start_timeout_s
        counters = os.memfd_create("counters", os.MFD_CLOEXEC)
        os.ftruncate(counters, COUNTERS_BYTES)
        self._counters = mmap.mmap(counters, COUNTERS_BYTES, prot=mmap.PROT_READ)
        setup = Setup(
            own=str(self._own),
            port=spec.port,
            extension=spec.extension,
            counters=counters,
            require_landlock=spec.require_landlock,
            prelude=spec.prelude,
        )
        self._socket, theirs = socket.socketpair()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `kill`

        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "lakeveil.adapters.engine.process",
                    msgspec.json.encode(setup).decode(),
                ],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
                env=environment(os.environ),
                cwd=self._own,
                pass_fds=(counters,),
                start_new_session=True,
            )

        try:
            with theirs:
                self._process = spawner.submit(start).result()
        finally:
            os.close(counters)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return not self._killed.is_set() and self._process.poll() is None

    def wait_ready(self) -> None:
        """Wait until it stands by.

        Raises:
            WorkerEnded: it did not come up; says why, as nothing of a query is known to it yet.
        """
        if self._ready:
            if not self.alive:
                raise WorkerEnded("it was killed while it stood by")
            return
        try:
            _, body = self.receive(frozenset({Kind.READY}), deadline=self._ready_by)
            self.confined = msgspec.json.decode(body, type=Ready).confined
            self._ready = True
        except (WorkerEnded, TimeoutError, msgspec.DecodeError) as error:
            words = self._last_words()
            self.kill()
            raise WorkerEnded(words or "it did not come up in time") from error

    def send(self, kind: Kind, body: bytes | bytearray, *, deadline: float) -> None:
        """Send it a frame.

        Raises:
            WorkerEnded, TimeoutError: it is gone, or does not read.
        """
        try:
            self._socket.settimeout(_left(deadline))
            send(self._socket, kind, body)
        except TimeoutError:
            raise
        except (OSError, Garbled) as error:
            raise WorkerEnded from error

    def receive(self, allowed: frozenset[Kind], *, deadline: float) -> tuple[Kind, bytearray]:
        """The next frame, of an allowed kind.

        Raises:
            WorkerEnded, TimeoutError: it is gone, was killed for nonsense, or says nothing.
        """

        def fill(into: memoryview) -> None:
            filled = 0
            while filled < len(into):
                self._socket.settimeout(_left(deadline))
                count = self._socket.recv_into(into[filled:])
                if count == 0:
                    raise ConnectionResetError
                filled += count

        try:
            return receive(fill, allowed)
        except TimeoutError:
            raise
        except (OSError, MemoryError) as error:
            raise WorkerEnded from error
        except Garbled as error:
            self.kill()
            raise WorkerEnded from error

    def counters(self) -> tuple[int, int]:
        """Bytes from the store and rows, so far, as it says."""
        scanned, rows = _COUNTERS.unpack(self._counters[:COUNTERS_BYTES])
        return min(scanned, 2**62), min(rows, 2**62)

    def kill(self) -> None:
        """End it now. Any thread may call, and more than once."""
        self._process.kill()
        if self._killed.is_set():
            return
        self._killed.set()
        # Whoever waits for it learns at once; the descriptor stays until then.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def bury(self) -> None:
        """Kill it, and remove what it left; once nobody speaks to it any more."""
        self.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILL_WAIT_S)
        self._socket.close()
        self._stderr.close()
        shutil.rmtree(self._own, ignore_errors=True)

    def _last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        self._stderr.seek(0)
        lines = self._stderr.read(100_000).decode("utf-8", "replace").splitlines()
        return " / ".join(line.strip()[:200] for line in lines[-2:] if line.strip())


def batch_of(body: bytearray, schema: pa.Schema) -> pa.RecordBatch:
    """A batch as a worker sent it, checked down to the bytes of its strings.

    Raises:
        WorkerEnded: it is none.
    """
    try:
        batch = pa.ipc.read_record_batch(pa.py_buffer(body), schema)
        batch.validate(full=True)
    except (pa.ArrowException, ValueError, OSError) as error:
        raise WorkerEnded from error
    return batch


def schema_of(body: bytearray) -> pa.Schema:
    """A schema as a worker sent it.

    Raises:
        WorkerEnded: it is none, or has types whose values do not travel in batches alone.
    """
    try:
        schema = pa.ipc.read_schema(pa.py_buffer(body))
    except (pa.ArrowException, ValueError, OSError) as error:
        raise WorkerEnded from error
    if any(_has_dictionary(field.type) for field in schema):
        raise WorkerEnded
    return schema


def _has_dictionary(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return True
    return any(_has_dictionary(inner.type) for inner in _fields(kind))


def _fields(kind: pa.DataType) -> Iterator[pa.Field]:
    for number in range(kind.num_fields):
        yield kind.field(number)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
