"""How long from put to release, idle and busy; and what a worker's memory peaks at.

    python -m bench.latency [--json]

Wall-clock milliseconds, as a client sees them: from before the put until the release is there.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from typing import Any

from tests.running_stack import RunningStack, descendants, running_stack

from bench.big_photos import jpeg
from bench.throughput import peak_mib

IDLE, BUSY = 40, 200


def main() -> None:
    """Measure idle and busy latency, and where an idle photo's time goes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--megapixels", type=float, default=1.0)
    wanted = parser.parse_args()
    photos = [jpeg(wanted.megapixels, seed=seed) for seed in range(7)]
    with running_stack([sys.executable, "-m", "lakeveil"]) as stack:
        idle = _idle(stack, photos)
        stages = _stages(stack, idle)
        busy = _busy(stack, photos)
        memory = _worker_mib(stack)
    found = {
        "megapixels": wanted.megapixels,
        "idle_ms": _quantiles(idle[5:]),
        "idle_stages_ms": stages,
        "busy_ms": _quantiles(busy),
        "worker_mib_at_24_mp": memory,
    }
    print(json.dumps(found) if wanted.json else json.dumps(found, indent=2))


def _idle(stack: RunningStack, photos: list[bytes]) -> list[float]:
    s3, took = stack.s3(), []
    for i in range(IDLE):
        began = time.perf_counter()
        s3.put_object(Bucket="photos", Key=f"idle/{i:03d}.jpg", Body=photos[i % len(photos)])
        while not s3.list_objects_v2(Bucket="photos-released", Prefix=f"idle/{i:03d}").get(
            "Contents"
        ):
            time.sleep(0.005)
        took.append((time.perf_counter() - began) * 1000)
        time.sleep(0.05)
    return took


def _stages(stack: RunningStack, idle: list[float]) -> dict[str, float]:
    """Medians of the worker's own timings; `elsewhere` is store, events, queue and polling."""
    every: dict[str, list[float]] = {}
    for i in range(5, IDLE):
        for stage, value in stack.lakeveil("photo", "show", f"idle/{i:03d}.jpg")[
            "timings_ms"
        ].items():
            every.setdefault(stage, []).append(value)
    medians = {stage: round(statistics.median(values), 1) for stage, values in every.items()}
    return {**medians, "elsewhere": round(statistics.median(idle[5:]) - sum(medians.values()), 1)}


def _busy(stack: RunningStack, photos: list[bytes]) -> list[float]:
    s3, began = stack.s3(), {}
    for i in range(BUSY):
        key = f"busy/{i:03d}.jpg"
        began[key] = time.perf_counter()
        s3.put_object(Bucket="photos", Key=key, Body=photos[i % len(photos)])
    took: dict[str, float] = {}
    while len(took) < BUSY:
        listed = s3.list_objects_v2(Bucket="photos-released", Prefix="busy/").get("Contents", [])
        now = time.perf_counter()
        for one in listed:
            took.setdefault(one["Key"], (now - began[one["Key"]]) * 1000)
        time.sleep(0.02)
    return list(took.values())


def _worker_mib(stack: RunningStack) -> int:
    """The largest worker's peak resident memory at 24 MP, its photo process included."""
    s3 = stack.s3()
    for i in range(6):
        s3.put_object(Bucket="photos", Key=f"large/{i}.jpg", Body=jpeg(24, seed=i))
    while (
        len(s3.list_objects_v2(Bucket="photos-released", Prefix="large/").get("Contents", [])) < 6
    ):
        time.sleep(0.2)
    return max(
        round(sum(peak_mib(pid) for pid in (worker, *descendants(worker))))
        for worker in stack.children("lakeveil run worker")
    )


def _quantiles(values: list[float]) -> dict[str, Any]:
    ordered = sorted(values)
    return {
        "p50": round(statistics.median(ordered)),
        "p99": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]),
        "n": len(ordered),
    }


if __name__ == "__main__":
    main()
