"""CPU seconds a photo takes, ours and deface's, side by side on the same photos.

    python -m bench.cpu_vs_deface --photos DIR [--deface-python PYTHON] [--photos-each N]

DIR holds JPEG photos of about a megapixel (the `images` of an annotated set will do). Two sizes
are made of them: 1 MP, each photo scaled; and 12 MP (4096 x 3072), once as a single photo
enlarged and once as sixteen photos side by side, a crowd that costs us most. Both sides read a
file, find faces, hide them and write a JPEG, with their defaults. Ours also looks for faces in the
four turns of a photo without a tag and looks again after hiding; deface does neither.

*Whole process* is a fresh process for one photo, start-up and imports included; *steady* is the
rise in CPU seconds from one photo to several in one process. CPU is user and system time over all
threads. Each pair is measured in turn, so that a busy machine troubles both alike.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from lakeveil.core.photos import Preset

ROOT = Path(__file__).resolve().parent.parent
DEFACE_PYTHON = ROOT / ".venv-deface" / "bin" / "python"
ONE, TWELVE = (1224, 816), (4096, 3072)
TARGETS = {"1 MP": 1.5, "12 MP enlarged": 4.0, "12 MP crowd": 4.0}


def main() -> int:
    options = _options()
    if not options.deface_python.is_file():
        print(f"skipped: no {options.deface_python}: `make bench` makes it", file=sys.stderr)
        return 0
    sources = sorted(options.photos.glob("*.jpg"))
    if len(sources) < 16:
        print(f"skipped: {options.photos} holds fewer than 16 JPEG photos", file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory(prefix="lakeveil-bench-") as folder:
        sets = _photos(sources, Path(folder), options.photos_each)
        rows = [
            _measure(name, photos, Path(folder), options.deface_python, options.preset)
            for name, photos in sets.items()
        ]
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        _show(rows)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--deface-python", type=Path, default=DEFACE_PYTHON)
    parser.add_argument("--photos-each", type=int, default=6, help="photos of each size")
    parser.add_argument("--preset", type=Preset, default=Preset.DEFAULT, choices=list(Preset))
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _photos(sources: Sequence[Path], folder: Path, count: int) -> dict[str, list[Path]]:
    step = len(sources) / count
    chosen = [sources[int(i * step)] for i in range(count)]
    small = [_scaled(p, folder / f"one-{i}.jpg", ONE) for i, p in enumerate(chosen)]
    large = max(2, count // 2)
    enlarged = [_scaled(p, folder / f"large-{i}.jpg", TWELVE) for i, p in enumerate(chosen[:large])]
    crowds = [
        _side_by_side(sources[i::large][:16], folder / f"crowd-{i}.jpg") for i in range(large)
    ]
    return {"1 MP": small, "12 MP enlarged": enlarged, "12 MP crowd": crowds}


def _scaled(source: Path, target: Path, size: tuple[int, int]) -> Path:
    with Image.open(source) as image:
        upright = image.convert("RGB")
    if upright.height > upright.width:
        size = (size[1], size[0])
    upright.resize(size, Image.Resampling.BICUBIC).save(target, quality=92)
    return target


def _side_by_side(sources: Sequence[Path], target: Path) -> Path:
    sheet = Image.new("RGB", TWELVE)
    for i, source in enumerate(sources):
        with Image.open(source) as image:
            part = image.convert("RGB").resize((1024, 768), Image.Resampling.BICUBIC)
        sheet.paste(part, (i % 4 * 1024, i // 4 * 768))
    sheet.save(target, quality=92)
    return target


def _measure(
    name: str, photos: list[Path], folder: Path, python: Path, preset: Preset
) -> dict[str, Any]:
    out = folder / "out"
    out.mkdir(exist_ok=True)

    def ours(some: Sequence[Path]) -> float:
        program = [sys.executable, "-m", "bench.blur_in_process", str(preset), str(out)]
        return _cpu([*program, *map(str, some)])

    def theirs(some: Sequence[Path]) -> float:
        return _cpu([str(python.with_name("deface")), *map(str, some)])

    ours(photos[:1]), theirs(photos[:1])  # both start from a warm disk cache
    whole = _alternating(ours, theirs, [[p] for p in photos[:3]])
    all_of_them = (ours(photos), theirs(photos))
    steady = tuple(
        (total - statistics.median(each)) / (len(photos) - 1)
        for total, each in zip(all_of_them, whole, strict=True)
    )
    return {
        "size": name,
        "photos": len(photos),
        "whole_s": [statistics.median(side) for side in whole],
        "whole_ratio": statistics.median(b / a for a, b in zip(*whole, strict=True)),
        "steady_s": list(steady),
        "steady_ratio": steady[1] / steady[0],
        "target": TARGETS[name],
    }


def _alternating(
    ours: Callable[[Sequence[Path]], float],
    theirs: Callable[[Sequence[Path]], float],
    runs: Sequence[Sequence[Path]],
) -> tuple[list[float], list[float]]:
    pairs = [(ours(photos), theirs(photos)) for photos in runs]
    return [a for a, _ in pairs], [b for _, b in pairs]


def _cpu(command: list[str]) -> float:
    """CPU seconds of a child and its children, all threads."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command[:3]} failed:\n{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _show(rows: Sequence[dict[str, Any]]) -> None:
    print("CPU seconds for one photo: ours / deface = how many times less")
    for row in rows:
        (our_whole, their_whole), (our_steady, their_steady) = row["whole_s"], row["steady_s"]
        print(
            f"  {row['size']:<15} whole process {our_whole:.2f} / {their_whole:.2f} "
            f"= {row['whole_ratio']:.1f}x   steady {our_steady:.2f} / {their_steady:.2f} "
            f"= {row['steady_ratio']:.1f}x   (target {row['target']}x)"
        )


if __name__ == "__main__":
    raise SystemExit(main())
