"""One NATS connection, driven from synchronous code by an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import nats
from nats.aio.client import Client
from nats.errors import AuthorizationError
from nats.js.errors import APIError

from lakeveil.errors import SetupError, Unavailable

_log = logging.getLogger(__name__)
T = TypeVar("T")


class JetStreamConnection:
    """Connects on first use and reconnects for ever. Thread-safe.

    `prepare` runs on every new connection, and again after `unprepared`: it makes what must be
    there. `timeout_s` is for one answer of the server.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None,
        timeout_s: float,
        prepare: Callable[[Client], Awaitable[None]],
    ) -> None:
        self.timeout_s = timeout_s
        self._url = url
        self._token = token
        self._prepare = prepare
        self._client: Client | None = None
        self._prepared = False
        self._connecting = asyncio.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="jetstream", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run one coroutine on the loop's thread and wait for its result.

        Raises:
            Unavailable: the server is away or did not answer.
            SetupError: the server refuses our token.
        """
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result()
        except AuthorizationError as error:
            raise SetupError(
                "the queue's server refuses our token",
                why=f"`{_host(self._url)}` wants another one",
                fix="check `queue.token_file`",
            ) from error
        except (nats.errors.Error, APIError, OSError, TimeoutError) as error:
            raise Unavailable(
                "the queue did not answer",
                why=f"`{_host(self._url)}`: {type(error).__name__}",
                fix="it is tried again by itself; see `lakeveil doctor` if it goes on",
            ) from error

    def close(self) -> None:
        """Leave the server."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._disconnect(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # --- on the loop's thread ------------------------------------------------------------------

    async def client(self) -> Client:
        """The connected, prepared client."""
        async with self._connecting:
            if self._client is None or self._client.is_closed:
                self._client, self._prepared = await self._connect(), False
            client = self._client
        # What is published while away is sent later, when it may be wrong: do not begin.
        until = time.monotonic() + self.timeout_s
        while not client.is_connected:
            if time.monotonic() > until:
                raise nats.errors.ConnectionClosedError
            await asyncio.sleep(0.02)
        async with self._connecting:
            if not self._prepared:
                await self.in_time(self._prepare(client))
                self._prepared = True
        return client

    async def in_time(self, asked: Awaitable[T]) -> T:
        """What the server answers, within `timeout_s`.

        The client library has limits of its own, but a connection that breaks while it flushes
        leaves it waiting for ever.
        """
        return await asyncio.wait_for(asked, self.timeout_s)

    def unprepared(self) -> None:
        """Something that `prepare` made is gone: make it again before the next use."""
        self._prepared = False

    async def _connect(self) -> Client:
        refused: list[Exception] = []

        async def note(error: Exception) -> None:
            _log.debug("jetstream connection: %s", type(error).__name__)
            if "authorization" in str(error).lower():
                refused.append(error)

        client = Client()
        try:
            # A client that shall reconnect for ever also makes its first try for ever.
            await asyncio.wait_for(
                client.connect(
                    self._url,
                    token=self._token,
                    error_cb=note,
                    name="lakeveil",
                    connect_timeout=self.timeout_s,  # type: ignore[arg-type]  # floats work
                    allow_reconnect=True,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.2,  # type: ignore[arg-type]  # the same
                ),
                self.timeout_s,
            )
        except BaseException as error:
            await self._leave(client)
            if refused:
                raise AuthorizationError from error
            raise
        return client

    async def _disconnect(self) -> None:
        if self._client is not None and not self._client.is_closed:
            await self._leave(self._client)

    async def _leave(self, client: Client) -> None:
        with suppress(TimeoutError):
            await self.in_time(client.close())


def _host(url: str) -> str:
    # A URL may carry a password before the @.
    return url.rpartition("@")[2].rpartition("//")[2]
