"""The body of a request, within limits of size and time."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from lakeveil.aws.protocol import AwsError

ASGIReceive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class CallerGone(Exception):
    """The connection closed before the request was whole."""


async def read_body(
    receive: ASGIReceive, limit_bytes: int, timeout_s: float, *, keep: bool = True
) -> tuple[bytes | None, str]:
    """The body and its SHA-256; None in place of a body beyond `limit_bytes`, or not to `keep`.

    A body that is too large is still hashed, up to four times the limit, so that a caller who
    signed it gets the service's own error; and one that is refused anyway is still taken in,
    since a client that is cut off while it sends never reads why.

    Raises:
        AwsError: it is far too large, or did not arrive in time.
        CallerGone: nobody waits for the answer.
    """
    digest, chunks, size = hashlib.sha256(), list[bytes](), 0
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise CallerGone
                chunk: bytes = message.get("body", b"")
                size += len(chunk)
                if size > 4 * limit_bytes:
                    raise AwsError(
                        "RequestEntityTooLargeException",
                        f"The request is larger than {limit_bytes} bytes.",
                        status=413,
                    )
                if keep:
                    digest.update(chunk)
                    chunks.append(chunk)
                if size > limit_bytes:
                    chunks.clear()
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise AwsError(
            "RequestTimeoutException", "The request's body did not arrive in time.", status=408
        ) from None
    kept = keep and size <= limit_bytes
    return (b"".join(chunks) if kept else None), digest.hexdigest()
