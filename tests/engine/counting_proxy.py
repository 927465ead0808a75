"""A store's front that writes down which bytes of which object were fetched."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


@dataclass
class Accesses:
    """What was asked for so far. Byte ranges are half-open."""

    endpoint: str = ""
    fetched: list[tuple[str, range]] = field(default_factory=list)

    def of(self, location: str) -> list[range]:
        """Ranges of one object (`s3://bucket/key`) that were fetched."""
        path = "/" + location.removeprefix("s3://")
        return [part for found, part in self.fetched if found == path]


def overlap(parts: list[range], chunk: range) -> int:
    """How many bytes of a chunk are in at least one of the parts."""
    reached, found = chunk.start, 0
    for part in sorted(parts, key=lambda one: one.start):
        start, stop = max(part.start, reached), min(part.stop, chunk.stop)
        if start < stop:
            found += stop - start
            reached = stop
    return found


@contextmanager
def counting_proxy(port: int) -> Iterator[Accesses]:
    """Listen in front of the store at a port; requests are passed on as they are."""
    accesses = Accesses()

    class Front(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._pass_on()

        def do_HEAD(self) -> None:
            self._pass_on()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def _pass_on(self) -> None:
            store = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            try:
                # With the name under which it was asked: the signature holds it.
                store.request(self.command, self.path, headers=dict(self.headers.items()))
                answer = store.getresponse()
                body = answer.read()
                if self.command == "GET":
                    self._note(len(body))
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in {"connection", "transfer-encoding", "date", "server"}:
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
            finally:
                store.close()

        def _note(self, length: int) -> None:
            asked = _RANGE.fullmatch(self.headers.get("Range", ""))
            start = int(asked[1]) if asked else 0
            path = unquote(urlsplit(self.path).path)
            accesses.fetched.append((path, range(start, start + length)))

    with ThreadingHTTPServer(("127.0.0.1", 0), Front) as server:
        server.daemon_threads = True
        accesses.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield accesses
        finally:
            server.shutdown()
            thread.join()
