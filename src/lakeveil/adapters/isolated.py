"""A warm child process that answers questions about untrusted bytes, and may die of any of them.

Parent and child talk over one socket: a question and an answer are each two lengths, a head
(JSON) and a body (raw bytes). Never pickle: a decoder that was taken over must not be able to
run code in here. What the child may do is bounded from both sides: it limits its own memory and
files, asks to die with us and leaves no core dump; we kill it at a wall-clock deadline.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Literal

from lakeveil.adapters.child import ending

_LENGTHS = struct.Struct(">QQ")
_HEAD_LIMIT = 64 * 2**20
_BODY_LIMIT = 2**30
_CHILD_FILE_LIMIT = 16 * 2**20
_KILL_WAIT_S = 10.0
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38

# What a child needs to find its code, and nothing else: keys and tokens stay out of the process
# that decodes untrusted bytes.
_PASSED_ON = (
    "PATH",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "PYTHONHOME",
    "VIRTUAL_ENV",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "COVERAGE_PROCESS_CONFIG",  # so that `make test` can see what runs in here
)
# Threads would share our limits unevenly, and each malloc arena reserves 64 MiB of address space.
_FIXED = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}

Why = Literal["timeout", "cancelled", "died", "garbled"]
Answer = tuple[bytes, bytes]


class ChildEnded(Exception):
    """The child is gone, and the question unanswered.

    why: `timeout` and `cancelled`: we killed it; `died`: it ended by itself or somebody else
    killed it; `garbled`: what it said was no answer, so we killed it.
    code: its exit code as `subprocess` gives it (negative: the signal).
    last_words: the end of what it wrote to stderr.
    """

    def __init__(self, why: Why, code: int, last_words: str) -> None:
        super().__init__(why, code, last_words)
        self.why = why
        self.code = code
        self.last_words = last_words

    @property
    def killed_from_outside(self) -> bool:
        """Whether somebody else sent SIGKILL or SIGTERM: an operator, or a full machine."""
        return self.why == "died" and self.code in {-signal.SIGKILL, -signal.SIGTERM}

    def __str__(self) -> str:
        return f"{ending(self.code)}{': ' if self.last_words else ''}{self.last_words}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildCommand:
    """How to start a child, and the question (head) it answers with an empty head when ready."""

    argv: Sequence[str]
    setup: bytes
    start_timeout_s: float = 60.0


class IsolatedChild:
    """One running child. One question at a time; only `cancel` may be called by other threads."""

    def __init__(self, command: ChildCommand, *, spawner: Executor, env: dict[str, str]) -> None:
        """Start the process; `ready` must be called before the first question.

        The kernel kills a child when the *thread* that started it ends, hence `spawner`: an
        executor whose only thread lives as long as the children should.
        """
        self._command = command
        self._lock = threading.Lock()
        self._why: Why | None = None
        self.answered = 0
        ours, theirs = socket.socketpair()
        self._socket = ours
        with theirs:
            self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `stop`
            inherited = {k: os.environ[k] for k in _PASSED_ON if k in os.environ}

            def start() -> subprocess.Popen[bytes]:
                return subprocess.Popen(
                    command.argv,
                    stdin=theirs.fileno(),
                    stdout=self._stderr,
                    stderr=self._stderr,
                    env=inherited | _FIXED | env,
                    start_new_session=True,
                )

            self._process = spawner.submit(start).result()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def ready(self) -> bytes:
        """Wait until it is set up; returns what it has to say for itself (a head).

        Raises:
            ChildEnded: it died or took too long.
        """
        head, _ = self.ask(self._command.setup, b"", timeout_s=self._command.start_timeout_s)
        self.answered = 0
        return head

    def ask(self, head: bytes, body: bytes, *, timeout_s: float) -> Answer:
        """Ask, and wait for the answer at most `timeout_s` of wall-clock time.

        Raises:
            ChildEnded: there is no answer, and the child is gone for good.
        """
        deadline = time.monotonic() + timeout_s
        try:
            self._send(_LENGTHS.pack(len(head), len(body)) + head, deadline)
            self._send(body, deadline)
            lengths = _LENGTHS.unpack(self._receive(_LENGTHS.size, deadline))
            if lengths[0] > _HEAD_LIMIT or lengths[1] > _BODY_LIMIT:
                raise self._ended("garbled")
            answer = (
                bytes(self._receive(lengths[0], deadline)),
                bytes(self._receive(lengths[1], deadline)),
            )
        except TimeoutError as error:
            raise self._ended("timeout") from error
        except OSError as error:
            raise self._ended("died") from error
        self.answered += 1
        return answer

    def cancel(self) -> None:
        """Kill it now; whoever waits for an answer gets `ChildEnded`. Any thread may call."""
        with self._lock:
            self._why = self._why or "cancelled"
        self._kill()

    def stop(self) -> None:
        """Kill it and forget it."""
        self._socket.close()
        self._kill()
        self._process.wait(_KILL_WAIT_S)
        self._stderr.close()

    def dismiss(self) -> None:
        """Let it end by itself, as it does when nobody is left to ask; kill it if it does not."""
        self._socket.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILL_WAIT_S)
        self.stop()

    def _send(self, data: bytes, deadline: float) -> None:
        self._socket.settimeout(_remaining(deadline))
        # A child that died must not end us by SIGPIPE, which the command line does not ignore.
        self._socket.sendall(data, socket.MSG_NOSIGNAL)

    def _receive(self, length: int, deadline: float) -> bytearray:
        data = bytearray(length)
        view, filled = memoryview(data), 0
        while filled < length:
            self._socket.settimeout(_remaining(deadline))
            count = self._socket.recv_into(view[filled:])
            if count == 0:
                raise ConnectionResetError
            filled += count
        return data

    def _ended(self, why: Why) -> ChildEnded:
        with self._lock:
            self._why = self._why or why
            known = self._why
        if known == "died":
            # Its end of the socket may close a moment before the process is gone.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
        self._kill()
        code = self._process.wait(_KILL_WAIT_S)
        words = self._last_words()
        self.stop()
        return ChildEnded(known, code, words)

    def _kill(self) -> None:
        # Harmless once it was waited for: Popen knows that its process id may be another's now.
        self._process.kill()

    def _last_words(self) -> str:
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - 2000))
        lines = self._stderr.read().decode("utf-8", "replace").splitlines()
        return " / ".join(line.strip()[:200] for line in lines[-3:] if line.strip())[-400:]


def _remaining(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def serve(answer: Callable[[bytes, bytes], Answer]) -> None:
    """In the child: answer questions until the parent is gone.

    The first question is the setup. Whatever `answer` raises ends the child.
    """
    _die_with_parent()
    with socket.socket(fileno=os.dup(0)) as ours:
        # Whatever a library prints must not get in between.
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - descriptor 0 itself is replaced
            os.dup2(nothing.fileno(), 0)
        while True:
            lengths = _read(ours, _LENGTHS.size)
            if lengths is None:
                return
            head_length, body_length = _LENGTHS.unpack(lengths)
            head, body = _read(ours, head_length), _read(ours, body_length)
            if head is None or body is None:
                return
            reply_head, reply_body = answer(bytes(head), bytes(body))
            # Not kept while we wait: a photo may be a hundred megabytes.
            del head, body
            ours.sendall(_LENGTHS.pack(len(reply_head), len(reply_body)) + reply_head)
            ours.sendall(reply_body)
            del reply_head, reply_body


def confine(*, memory_bytes: int) -> None:
    """In the child: limit address space and file sizes, and leave no core dump of a photo."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_CHILD_FILE_LIMIT, _CHILD_FILE_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        # A limit of zero does not hold where core dumps are piped into a program.
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _die_with_parent() -> None:
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def _read(ours: socket.socket, length: int) -> bytearray | None:
    data = bytearray(length)
    view, filled = memoryview(data), 0
    while filled < length:
        count = ours.recv_into(view[filled:])
        if count == 0:
            return None
        filled += count
    return data
