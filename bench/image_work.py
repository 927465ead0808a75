"""What the work around detection costs, against plainly decoding and encoding the same file.

    python -m bench.image_work [--json]

CPU milliseconds of one core; the median of several runs, in turn, in one process.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import time
from pathlib import Path
from typing import Any

from PIL import Image

from bench.big_photos import jpeg
from lakeveil.adapters.onnx_faces import open_detector
from lakeveil.core.photos import Instructions, Preset, RedactionPolicy, Style
from lakeveil.flows.develop_photo import develop
from lakeveil.pixels.files.limits import Limits
from lakeveil.settings import load_settings

SIZES = (1, 4, 12, 24)
AROUND = ("inspect", "decode", "redact", "encode")


def main() -> None:
    """Print one row for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=5)
    wanted = parser.parse_args()
    rows = [_row(size, wanted.runs) for size in SIZES]
    if wanted.json:
        print(json.dumps(rows))
        return
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))


def _row(megapixels: int, runs: int) -> dict[str, Any]:
    detector = open_detector(Preset.DEFAULT, Path(load_settings()[0].models_path))
    limits = Limits()
    data = jpeg(megapixels)
    stages: dict[str, list[float]] = {}
    plain: list[float] = []
    rendition = None
    for _ in range(runs + 1):
        began = time.process_time()
        with Image.open(io.BytesIO(data)) as photo:
            photo.load()
            photo.save(io.BytesIO(), "JPEG", quality="keep")
        plain.append((time.process_time() - began) * 1000)
        rendition = develop(
            data,
            policy=RedactionPolicy(style=Style.VEIL),
            instructions=Instructions(),
            detector=detector,
            limits=limits,
        )
        for stage, milliseconds in rendition.timings_ms.items():
            stages.setdefault(stage, []).append(milliseconds)
    assert rendition is not None
    # The first run warms caches and allocators.
    medians = {stage: statistics.median(times[1:]) for stage, times in stages.items()}
    around = sum(medians.get(stage, 0.0) for stage in AROUND)
    base = statistics.median(plain[1:])
    return {
        "megapixels": megapixels,
        "faces": rendition.face_count,
        **{stage: round(value, 1) for stage, value in medians.items()},
        "around_detection": round(around, 1),
        "plain_decode_and_encode": round(base, 1),
        "ratio": round(around / base, 2),
    }


if __name__ == "__main__":
    main()
