"""How many bytes came from the store so far: the kernel's own count of each TCP connection.

DuckDB tells what a query read once it is over; a limit must hold while it runs. Every few
milliseconds the process looks at its sockets (`tcpi_bytes_received` of TCP_INFO: bodies, headers
and TLS), so what a connection received between the last look and its end is not seen here. The
number that is reported of a finished query is DuckDB's, which counts the bytes of bodies.
"""

from __future__ import annotations

import ctypes
import os
import struct
import threading
from collections.abc import Callable

PERIOD_S = 0.004
_IPPROTO_TCP, _TCP_INFO = 6, 11
_RECEIVED_AT = 128
_INFO_BYTES = 256
_RECEIVED = struct.Struct("=Q")


def overshoot(limit: int) -> int:
    """What connections may have received when a query surely read more than `limit`.

    Headers are not what was scanned; DuckDB's exact count is compared at the end.
    """
    return limit + max(64 * 1024, limit // 50)


class Scanned:
    """Watches this process from a thread of its own."""

    def __init__(self, publish: Callable[[int], None]) -> None:
        """`publish` is told the bytes since `start_job`, and may end the process."""
        self._publish = publish
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._seen: dict[int, int] = {}
        self._base = 0
        self._running = threading.Event()
        self._lock = threading.Lock()
        threading.Thread(target=self._watch, name="scanned", daemon=True).start()

    def start_job(self) -> None:
        """Count from nought, until `end_job`."""
        with self._lock:
            self._look()
            self._base = sum(self._seen.values())
        self._publish(0)
        self._running.set()

    def end_job(self) -> int:
        """Stop counting; returns the bytes received."""
        self._running.clear()
        return self.now()

    def now(self) -> int:
        """Bytes received since `start_job`."""
        with self._lock:
            self._look()
            return sum(self._seen.values()) - self._base

    def _watch(self) -> None:
        pause = threading.Event()
        while True:
            self._running.wait()
            now = self.now()
            if self._running.is_set():
                self._publish(now)
            pause.wait(PERIOD_S)

    def _look(self) -> None:
        buffer = ctypes.create_string_buffer(_INFO_BYTES)
        length = ctypes.c_uint32()
        for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - every few milliseconds
            length.value = _INFO_BYTES
            got = self._libc.getsockopt(
                int(name), _IPPROTO_TCP, _TCP_INFO, buffer, ctypes.byref(length)
            )
            if got != 0 or length.value < _RECEIVED_AT + _RECEIVED.size:
                continue
            try:
                socket = os.fstat(int(name)).st_ino
            except OSError:
                continue
            received: int = _RECEIVED.unpack_from(buffer, _RECEIVED_AT)[0]
            self._seen[socket] = max(received, self._seen.get(socket, 0))
