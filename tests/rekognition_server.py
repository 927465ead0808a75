"""A small HTTP server that speaks Rekognition's DetectFaces, answered by the bundled detector.

It keeps the service's own rules where they decide what a client must do: the limit in bytes, the
smallest side, the most faces of an answer.
"""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image

from lakeveil.pixels.finding.face_details import face_details
from tests.real_faces import bundled

MAX_BYTES, MIN_SIDE = 5 * 2**20, 80


class RekognitionServer(ThreadingHTTPServer):
    """Set `failure` to an error code to answer with it, `answer` to answer something else."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.failure = ""
        self.answer: dict[str, Any] | None = None
        self.most_faces = 100
        self.sizes: list[tuple[int, int]] = []

    @property
    def url(self) -> str:
        """Where to reach it."""
        return f"http://127.0.0.1:{self.server_port}"

    def detect_faces(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """One answer: HTTP status and JSON."""
        data = base64.b64decode(request["Image"]["Bytes"])
        if self.failure:
            return _error(self.failure)
        if len(data) > MAX_BYTES:
            return _error("ImageTooLargeException")
        image = Image.open(io.BytesIO(data)).convert("RGB")
        if min(image.size) < MIN_SIDE:
            return _error("InvalidParameterException")
        self.sizes.append(image.size)
        if self.answer is not None:
            return 200, self.answer
        photo = np.asarray(image)
        found = bundled().detect(photo, min_confidence=0.3).faces
        largest = sorted(found, key=lambda face: -face.box.area)[: self.most_faces]
        return 200, {"FaceDetails": [face_details(face, photo) for face in largest]}


class _Handler(BaseHTTPRequestHandler):
    server: RekognitionServer

    def do_POST(self) -> None:
        assert self.headers["X-Amz-Target"] == "RekognitionService.DetectFaces"
        assert "AWS4-HMAC-SHA256" in self.headers["Authorization"]
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, answer = self.server.detect_faces(request)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _error(code: str) -> tuple[int, dict[str, Any]]:
    return 400, {"__type": code, "message": "as the test wants it"}


@contextmanager
def rekognition_server() -> Iterator[RekognitionServer]:
    """Run one on a free port."""
    with RekognitionServer() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
