"""Photos per second and core, and a worker's peak memory, by photo size.

    python -m bench.throughput [--json]

Photos go through the very child process that a worker uses. `cpu_s` counts it and the worker.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

from bench.big_photos import jpeg
from lakeveil.core.photos import Instructions, RedactionPolicy
from lakeveil.settings import load_settings
from lakeveil.wiring.darkroom import open_darkroom

SIZES = {1: 24, 4: 12, 12: 6, 24: 4}


def main() -> None:
    """Print one row for each size; each has a child of its own, so that peaks do not mix."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    rows = [_row(size, count) for size, count in SIZES.items()]
    print(json.dumps(rows, indent=None if wanted.json else 1))


def _row(megapixels: int, count: int) -> dict[str, Any]:
    photos = [jpeg(megapixels, seed=seed) for seed in range(min(count, 4))]
    policy, instructions = RedactionPolicy(), Instructions()
    with open_darkroom(load_settings()[0]) as darkroom:
        darkroom.develop(photos[0], policy=policy, instructions=instructions)
        (child,) = darkroom.children
        before = _cpu_s(child)
        began = time.perf_counter()
        for i in range(count):
            darkroom.develop(photos[i % len(photos)], policy=policy, instructions=instructions)
        wall = time.perf_counter() - began
        cpu = _cpu_s(child) - before
        peak = peak_mib(child)
    return {
        "megapixels": megapixels,
        "cpu_s_per_photo": round(cpu / count, 3),
        "photos_per_s_and_core": round(count / cpu, 2),
        "wall_s_per_photo": round(wall / count, 3),
        "child_peak_mib": round(peak),
    }


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    # Fields 14 and 15 of proc(5): user and system time, in clock ticks.
    ticks = int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK") + time.process_time()


def peak_mib(pid: int) -> float:
    """Peak resident memory of a process, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()
