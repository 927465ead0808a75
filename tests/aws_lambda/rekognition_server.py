"""A service with DetectFaces' wire protocol, over the bundled detector. Keys are not checked."""

from __future__ import annotations

import base64
import io
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lakeveil.adapters.onnx_faces import OnnxFaces, open_detector

MODELS = Path(sys.prefix) / "share/lakeveil/models"


class RekognitionServer:
    """Counts what it is asked; answers `error` (status, code) instead while one is set."""

    def __init__(self) -> None:
        self.error: tuple[int, str] | None = None
        self.asked = 0
        self.url = ""
        self.detector: OnnxFaces = open_detector("fast", MODELS)

    def answer(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked += 1
        if self.error is not None:
            return self.error[0], {"__type": self.error[1], "message": "no"}
        data = base64.b64decode(request["Image"]["Bytes"])
        photo = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        height, width = photo.shape[:2]
        faces = self.detector.detect(photo, min_confidence=None).faces
        return 200, {
            "FaceDetails": [
                {
                    "BoundingBox": {
                        "Left": f.box.left / width,
                        "Top": f.box.top / height,
                        "Width": f.box.width / width,
                        "Height": f.box.height / height,
                    },
                    "Confidence": f.confidence * 100,
                }
                for f in faces
            ]
        }


@contextmanager
def running_rekognition() -> Iterator[RekognitionServer]:
    """The service on a loopback port."""
    service = RekognitionServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["X-Amz-Target"] == "RekognitionService.DetectFaces"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = service.answer(json.loads(body))
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
