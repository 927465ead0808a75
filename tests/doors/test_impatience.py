"""Nobody keeps the server waiting for long."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from lakeveil.web.impatience import ImpatientHttp


class Hurried(ImpatientHttp):
    head_s = 0.5
    body_s = 0.5


@contextmanager
def running() -> Iterator[int]:
    """A server that answers every request with the length of its body; its port."""

    async def app(scope, receive, send):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        del scope
        length, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            length, more = length + len(message["body"]), message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": str(length).encode()})

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, http=Hurried, log_config=None, lifespan="off", ws="none")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def closed_after(port: int, sent: bytes) -> float:
    """Seconds until the server closes a connection that sends no more than this."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(sent)
        began = time.monotonic()
        while client.recv(4096):
            pass
        return time.monotonic() - began


def test_a_head_that_never_ends_is_cut_off() -> None:
    with running() as port:
        assert closed_after(port, b"GET / HTTP/1.1\r\nHost: x\r\n") < 5
        assert closed_after(port, b"") < 5


def test_a_body_that_never_ends_is_cut_off() -> None:
    with running() as port:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
        assert closed_after(port, head + b"12345") < 5


def test_a_second_request_that_is_begun_and_not_ended_is_cut_off() -> None:
    with running() as port, socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
        client.sendall(b"GET / HTTP/1.1\r\n")
        while client.recv(4096):
            pass


def test_a_client_that_is_quick_enough_is_served_as_long_as_it_likes() -> None:
    with running() as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for size in (0, 10, 100_000):
            time.sleep(0.3)
            assert client.post("/", content=b"x" * size).text == str(size)
