"""What a worker process and its parent say to each other, over one socket.

A frame is a kind (one byte), a length (four bytes, big-endian) and a body: JSON, or a message of
Arrow's IPC format. Never pickle: a worker that was taken over must not be able to run code in its
parent, which checks kinds and lengths, and kills a worker whose frames make no sense.
"""

from __future__ import annotations

import socket
import struct
from enum import Enum
from typing import Protocol

import msgspec

_HEAD = struct.Struct(">cI")
HEAD_BYTES = _HEAD.size
BODY_LIMIT = 512 * 2**20
COUNTERS_BYTES = 16
"""Shared with the parent: bytes from the store so far, rows so far; two unsigned 64-bit numbers."""


class Kind(Enum):
    """Kinds of frames, and who sends them."""

    JOB = b"J"  # to the worker: a Job
    SCHEMA = b"S"  # to it: a relation it is fed follows; from it: the result follows
    BATCH = b"B"
    END = b"E"  # to it: that was the relation
    READY = b"R"  # from it: a Ready
    DONE = b"D"  # from it: a Done
    FAILED = b"F"  # from it: a Failed


class View(msgspec.Struct, frozen=True):
    """A relation that the job's SQL names."""

    alias: str
    sql: str


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is to run.

    `instance` names the state of things: jobs with the same one share an instance of DuckDB.
    `fed` are the aliases of relations whose rows follow, in this order. With `guarded` nothing of
    the result leaves before all of it is known, and no failure may depend on rows that the views
    hold back.
    """

    instance: str
    urls: tuple[str, ...]
    views: tuple[View, ...]
    fed: tuple[str, ...] = ()
    sql: str
    guarded: bool
    memory_bytes: int
    temporary_bytes: int
    threads: int
    scanned_bytes: int | None = None


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """A worker stands by. `confined`: Landlock holds."""

    confined: bool


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """The result is complete. `open_s` went into a new instance, 0 where one was there."""

    scanned_bytes: int
    engine_s: float
    open_s: float


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """There is no result. `error` is the name of one of Trino's errors; never any other text.

    `healthy`: the worker may serve the same binding again.
    """

    error: str
    scanned_bytes: int = 0
    healthy: bool = False


class Garbled(Exception):
    """What arrived is no frame that may come here."""


class Receive(Protocol):
    """Fills a buffer from the socket; raises where it cannot."""

    def __call__(self, into: memoryview, /) -> None:
        """All of it."""
        ...


def send(to: socket.socket, kind: Kind, *parts: bytes | bytearray | memoryview) -> None:
    """Send one frame, its body in parts."""
    length = sum(len(part) for part in parts)
    if length > BODY_LIMIT:
        raise Garbled
    # A receiver that died must not end us by SIGPIPE, which the command line does not ignore.
    to.sendall(_HEAD.pack(kind.value, length), socket.MSG_NOSIGNAL)
    for part in parts:
        to.sendall(part, socket.MSG_NOSIGNAL)


def receive(fill: Receive, allowed: frozenset[Kind]) -> tuple[Kind, bytearray]:
    """Receive one frame of an allowed kind.

    Raises:
        Garbled: it is of another kind, or too long.
    """
    head = bytearray(HEAD_BYTES)
    fill(memoryview(head))
    letter, length = _HEAD.unpack(head)
    try:
        kind = Kind(letter)
    except ValueError as error:
        raise Garbled from error
    if kind not in allowed or length > BODY_LIMIT:
        raise Garbled
    body = bytearray(length)
    fill(memoryview(body))
    return kind, body
