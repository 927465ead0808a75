"""The text of a statement as it is sent, within limits of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class CallerGone(Exception):
    """The connection closed before the request was whole."""


class NotTaken(Exception):
    """The body is too large, too slow or no text; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


async def read_text(receive: Receive, limit_bytes: int, timeout_s: float) -> str:
    """The body as text.

    Raises:
        NotTaken: it is larger than `limit_bytes`, takes longer than `timeout_s`, or is no UTF-8.
        CallerGone: nobody waits for the answer.
    """
    chunks, size = list[bytes](), 0
    try:
        async with asyncio.timeout(timeout_s):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise CallerGone
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
                if size > limit_bytes:
                    raise NotTaken(413, f"A statement has {limit_bytes} bytes at most.")
                more = message.get("more_body", False)
    except TimeoutError:
        raise NotTaken(408, "The statement did not arrive in time.") from None
    try:
        return b"".join(chunks).decode()
    except UnicodeDecodeError:
        raise NotTaken(400, "A statement is UTF-8.") from None
