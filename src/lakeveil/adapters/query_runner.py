"""The threads that run queries, and the pulse by which other servers know that they do.

Queries are taken in the order in which they were submitted. A server that falls silent is found by
any other, or by itself when it starts anew, and its queries are failed: no record says RUNNING of
a query that nobody runs.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import structlog

from lakeveil.errors import LakeveilError
from lakeveil.ports import Clock
from lakeveil.ports.queries import QueryLog

BEAT_EVERY_S = 1.0
SILENT_AFTER_S = 10.0

log = structlog.get_logger(component="query")


class QueryRunner:
    """Runs queries of one server. `run` runs one to its end and raises nothing.

    `pulse` is called at every beat: it keeps how far the running queries are, and stops those that
    another server was told to cancel.
    """

    def __init__(
        self,
        run: Callable[[str, str], None],
        *,
        pulse: Callable[[], None],
        queries: QueryLog,
        clock: Clock,
        server: str,
        threads: int,
    ) -> None:
        self._run = run
        self._pulse = pulse
        self._queries = queries
        self._clock = clock
        self._server = server
        self._waiting: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"query-{number}", daemon=True)
            for number in range(threads)
        ]
        self._beats = threading.Thread(target=self._beat, name="query-pulse", daemon=True)

    def start(self) -> None:
        """Begin. Queries of servers that are gone are failed first.

        Raises:
            Unavailable: the state does not answer.
        """
        self._queries.beat(self._server, now=self._clock.now())
        self._abandon()
        for thread in (*self._threads, self._beats):
            thread.start()

    def submit(self, account: str, query_id: str) -> None:
        """Run a query when a thread is free."""
        self._waiting.put((account, query_id))

    def stop(self) -> None:
        """Take no more queries. Whoever stops the jobs too ends those that run."""
        self._ended.set()
        for _ in self._threads:
            self._waiting.put(None)

    def join(self, timeout_s: float) -> None:
        """Wait for the threads to end."""
        for thread in (*self._threads, self._beats):
            if thread.is_alive():
                thread.join(timeout_s)

    def _work(self) -> None:
        while (one := self._waiting.get()) is not None:
            if self._ended.is_set():
                return
            try:
                self._run(*one)
            except Exception:
                # A thread that ended would leave its share of queries waiting for ever.
                log.exception("a query could not be run", query=one[1])

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_EVERY_S):
            try:
                self._queries.beat(self._server, now=self._clock.now())
                self._pulse()
                self._abandon()
            except LakeveilError as error:
                log.warning("no pulse", reason=error.code, why=error.what)
            except Exception:
                log.exception("no pulse")

    def _abandon(self) -> None:
        now = self._clock.now()
        for lost in self._queries.abandon(silent_since=now - SILENT_AFTER_S, now=now):
            log.warning("query abandoned", query=lost.id, server=lost.server)
