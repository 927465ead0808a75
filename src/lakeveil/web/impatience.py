"""Connections that keep the server waiting are closed.

uvicorn waits without end for a request that was begun: some hundred half-sent heads, from
anybody, would take every place and have health checks answered with 503.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 10.0
"""From the connection, or the first byte after an answer, to the end of a request's head."""
BODY_S = 60.0
"""From the end of a head to the end of its body."""


class ImpatientHttp(H11Protocol):
    """HTTP/1.1 with deadlines for what the client sends."""

    head_s = HEAD_S
    body_s = BODY_S
    _waits_for: object = None
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connects: its first head is due."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """The client sends something; what is due may be another thing now."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is due any more."""
        self._forget()
        super().connection_lost(exc)

    def _watch(self) -> None:
        due = self.conn.their_state
        if due is self._waits_for:
            return
        self._forget()
        if due is h11.IDLE or due is h11.SEND_BODY:
            self._waits_for = due
            seconds = self.head_s if due is h11.IDLE else self.body_s
            self._deadline = self.loop.call_later(seconds, self._give_up, due)

    def _give_up(self, due: object) -> None:
        if self.conn.their_state is due and not self.transport.is_closing():
            self.transport.close()

    def _forget(self) -> None:
        self._waits_for = None
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
