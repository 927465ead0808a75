"""One `lakeveil up` for one home: a lock that its holder's end, however sudden, gives back."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lakeveil.errors import Conflict

FILE_NAME = "up.lock"


@contextmanager
def only_one(home: Path) -> Iterator[bool]:
    """Hold the lock of `home`, which must be there, while the block runs.

    Gives whether its last holder was killed, so that something of his may still be ending.

    Raises:
        Conflict: another process holds it; the error names it.
    """
    path = home / FILE_NAME
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise Conflict(
                f"Lakeveil already runs in `{home}`",
                why=f"process {pid} holds {path}",
                fix=f"use what runs, or stop it (kill {pid}), or set another `home`",
                code="already_running",
            ) from error
        killed = bool(os.pread(descriptor, 1, 0))
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        try:
            yield killed
        finally:
            os.ftruncate(descriptor, 0)
    finally:
        # The file stays: removing it would let two processes lock two files of the same name.
        os.close(descriptor)
