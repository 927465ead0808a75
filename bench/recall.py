"""How many faces are found and covered, by size, at which false alarms; what confidence is worth.

    python -m bench.recall --data DIR [--deface-python PYTHON] [--json]

DIR is an annotated set (see `bench/annotated_set.py`); without one this is skipped. With
the Python of an environment that holds deface 1.5.0 it is measured on the same photos, and every
preset is also shown at deface's false alarms, with a 95 % interval of the difference (photos
drawn with replacement). Presets were tuned on every other photo: `--half held-out` (default)
reports on the others, `--half all` on the whole set.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from bench.annotated_set import (
    IOU,
    SMALL,
    TINY,
    Flags,
    Floats,
    Found,
    Truth,
    covered_from,
    false_alarms,
    halves,
    hit_from,
    load_set,
    overlap,
    touching,
)
from lakeveil.adapters.model_store import default_directory
from lakeveil.adapters.onnx_faces import open_detector
from lakeveil.core.photos import Preset, RedactionPolicy

HERE = Path(__file__).parent
DEFACE_PYTHON = HERE.parent / ".venv-deface" / "bin" / "python"
DEFACE_THRESHOLD, DEFACE_MARGIN = 0.2, 0.3
OUR_MARGIN = RedactionPolicy().margin
LOWEST = 0.02
DRAWS = 2000
BINS = (0.02, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 1.001)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One detector on every photo: thresholds from which each face is hit and covered."""

    name: str
    threshold: float
    hit: list[Floats]
    covered: list[Floats]
    alarms: list[Floats]
    found: list[Found]
    cpu_ms: float


def main() -> int:
    options = _options()
    truths = load_set(options.data)
    if truths is None:
        print(f"skipped: {options.data} holds no truth.json", file=sys.stderr)
        return 0
    if options.half != "all":
        truths = halves(truths)[0 if options.half == "tuned" else 1]
    truths = truths[: options.limit]
    every = [_ours(preset, truths, options.models) for preset in options.presets]
    peer = None
    if options.deface_python.is_file():
        peer = _deface(options.deface_python, truths)
    else:
        print(f"deface is left out: no {options.deface_python}", file=sys.stderr)
    report = _report(truths, every, peer)
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        _show(report)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of an annotated set")
    parser.add_argument("--models", type=Path, default=default_directory())
    parser.add_argument("--deface-python", type=Path, default=DEFACE_PYTHON)
    parser.add_argument("--half", choices=("held-out", "tuned", "all"), default="held-out")
    parser.add_argument("--limit", type=int, help="only the first so many photos")
    parser.add_argument(
        "--presets", type=Preset, nargs="+", default=list(Preset), choices=list(Preset)
    )
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _ours(preset: Preset, truths: Sequence[Truth], models: Path) -> Measured:
    detector = open_detector(preset, models)
    found, cpu = [], 0.0
    for i, truth in enumerate(truths):
        _progress(f"lakeveil {preset}", i, len(truths))
        photo = np.asarray(ImageOps.exif_transpose(Image.open(truth.path)).convert("RGB"))
        started = time.process_time()
        faces = detector.detect(photo, min_confidence=LOWEST).faces
        cpu += time.process_time() - started
        boxes = [(f.box.left, f.box.top, f.box.right, f.box.bottom) for f in faces]
        found.append(
            Found(
                boxes=np.array(boxes, np.float64).reshape(-1, 4),
                scores=np.array([f.confidence for f in faces], np.float64),
                networks=tuple(f.network for f in faces),
            )
        )
    return _measured(
        f"lakeveil {preset}",
        detector.plan.min_confidence,
        truths,
        found,
        margin=OUR_MARGIN,
        cpu_s=cpu,
    )


def _deface(python: Path, truths: Sequence[Truth]) -> Measured:
    command = [str(python), str(HERE / "deface_worker.py"), str(LOWEST)]
    command += [str(t.path) for t in truths]
    found, cpu = [], 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        for i, line in enumerate(worker.stdout):
            _progress("deface", i, len(truths))
            said = json.loads(line)
            cpu += said["cpu_ms"] / 1e3
            boxes = np.array(said["boxes"], np.float64).reshape(-1, 4)
            found.append(Found(boxes=boxes, scores=np.array(said["scores"], np.float64)))
    if worker.returncode:
        raise SystemExit(f"deface ended with exit code {worker.returncode}")
    return _measured(
        "deface 1.5.0", DEFACE_THRESHOLD, truths, found, margin=DEFACE_MARGIN, cpu_s=cpu
    )


def _measured(
    name: str,
    threshold: float,
    truths: Sequence[Truth],
    found: list[Found],
    *,
    margin: float,
    cpu_s: float,
) -> Measured:
    pairs = list(zip(truths, found, strict=True))
    return Measured(
        name=name,
        threshold=threshold,
        hit=[hit_from(t, f) for t, f in pairs],
        covered=[covered_from(t, f, margin) for t, f in pairs],
        alarms=[false_alarms(t, f) for t, f in pairs],
        found=found,
        cpu_ms=cpu_s * 1e3 / len(truths),
    )


# --- figures ---------------------------------------------------------------------------------

_BANDS: dict[str, Callable[[Truth], Flags]] = {
    "hard": lambda t: t.hard,
    f"from {SMALL} px": lambda t: t.hard & (t.sides >= SMALL),
    f"under {SMALL} px": lambda t: t.hard & (t.sides < SMALL),
}


def _figures(truths: Sequence[Truth], one: Measured, threshold: float) -> dict[str, Any]:
    bands = {}
    for band, of in _BANDS.items():
        use = [of(t) for t in truths]
        bands[band] = {
            "faces": int(sum(u.sum() for u in use)),
            "recall": _share(one.hit, use, threshold),
            "coverage": _share(one.covered, use, threshold),
        }
    whole = [
        (c[t.sides >= TINY] >= threshold).all() for t, c in zip(truths, one.covered, strict=True)
    ]
    return {
        "name": one.name,
        "threshold": round(threshold, 4),
        "false_alarms_per_photo": sum((a >= threshold).sum() for a in one.alarms) / len(truths),
        "photos_with_all_covered": 100 * float(np.mean(whole)),
        "cpu_ms": one.cpu_ms,
        "bands": bands,
    }


def _share(thresholds: Sequence[Floats], use: Sequence[Flags], at: float) -> float:
    every = np.concatenate([t[u] for t, u in zip(thresholds, use, strict=True)])
    return 100 * float((every >= at).mean()) if len(every) else float("nan")


def _threshold_for(one: Measured, alarms_per_photo: float) -> float:
    """The lowest threshold with no more false alarms than that."""
    scores = np.sort(np.concatenate(one.alarms))[::-1]
    allowed = round(alarms_per_photo * len(one.alarms))
    return float(np.nextafter(scores[allowed], 1)) if allowed < len(scores) else LOWEST


def _difference(
    truths: Sequence[Truth], one: Measured, at: float, peer: Measured, peer_at: float
) -> dict[str, list[float]]:
    """95 % interval of (one - peer) coverage in points, photos drawn with replacement."""
    draws = np.random.default_rng(1).integers(0, len(truths), (DRAWS, len(truths)))
    result = {}
    for band, of in _BANDS.items():
        use = [of(t) for t in truths]
        total = np.array([u.sum() for u in use])
        gained = np.array(
            [
                int((a[u] >= at).sum()) - int((b[u] >= peer_at).sum())
                for a, b, u in zip(one.covered, peer.covered, use, strict=True)
            ]
        )
        points = 100 * gained[draws].sum(axis=1) / np.maximum(total[draws].sum(axis=1), 1)
        result[band] = [float(q) for q in np.percentile(points, (2.5, 97.5))]
    return result


def _reliability(truths: Sequence[Truth], one: Measured) -> list[dict[str, Any]]:
    """For each network and bin of confidence: how many of those found are annotated faces."""
    rows = []
    said: dict[str, list[tuple[float, bool]]] = {}
    for truth, found in zip(truths, one.found, strict=True):
        right: Flags = np.asarray((overlap(found.boxes, truth.boxes) >= IOU).any(axis=1))
        alarm = ~touching(found.boxes, np.concatenate([truth.boxes, truth.ignore]))
        for score, network, good, bad in zip(
            found.scores, found.networks, right, alarm, strict=True
        ):
            if good or bad:
                said.setdefault(network, []).append((float(score), bool(good)))
    for network, pairs in sorted(said.items()):
        scores = np.array([p[0] for p in pairs])
        good = np.array([p[1] for p in pairs])
        for low, high in pairwise(BINS):
            of = (scores >= low) & (scores < high)
            if of.any():
                rows.append(
                    {
                        "network": network,
                        "from": low,
                        "to": min(high, 1.0),
                        "found": int(of.sum()),
                        "confidence": float(scores[of].mean()),
                        "faces": float(good[of].mean()),
                    }
                )
    return rows


def _report(
    truths: Sequence[Truth], every: Sequence[Measured], peer: Measured | None
) -> dict[str, Any]:
    report: dict[str, Any] = {
        "photos": len(truths),
        "at_own_thresholds": [_figures(truths, one, one.threshold) for one in every],
        "reliability": {one.name: _reliability(truths, one) for one in every},
    }
    if peer is None:
        return report
    base = _figures(truths, peer, peer.threshold)
    report["at_own_thresholds"].append(base)
    same = []
    for one in every:
        at = _threshold_for(one, base["false_alarms_per_photo"])
        figures = _figures(truths, one, at)
        figures["coverage_difference_95"] = _difference(truths, one, at, peer, peer.threshold)
        same.append(figures)
    report["at_the_false_alarms_of_deface"] = same
    return report


def _show(report: dict[str, Any]) -> None:
    print(f"{report['photos']} photos; recall (R) at IoU 0.4, coverage (C) of 0.8 of a face, in %")
    _show_table("at their own thresholds", report["at_own_thresholds"])
    if "at_the_false_alarms_of_deface" in report:
        _show_table("at the false alarms of deface", report["at_the_false_alarms_of_deface"])
        print("\ncoverage against deface, 95 % interval of the difference in points")
        for one in report["at_the_false_alarms_of_deface"]:
            spans = (
                f"{band} [{low:+.1f}, {high:+.1f}]"
                for band, (low, high) in one["coverage_difference_95"].items()
            )
            print(f"  {one['name']:<20} {'   '.join(spans)}")
    for name, rows in report["reliability"].items():
        print(f"\nreliability of {name}: what is said, and the share that are annotated faces")
        for row in rows:
            print(
                f"  {row['network']:<11} {row['from']:.2f}-{row['to']:.2f}  "
                f"n {row['found']:>5}  said {row['confidence']:.2f}  are {row['faces']:.2f}"
            )


def _show_table(title: str, rows: Sequence[dict[str, Any]]) -> None:
    print(f"\n{title}")
    print(f"  {'':<20} {'thr':>6} {'FA':>5} {'all':>5} {'CPU ms':>7}", end="")
    for band, figures in rows[0]["bands"].items():
        print(f"  {band} ({figures['faces']}) R/C".rjust(24), end="")
    print()
    for row in rows:
        print(
            f"  {row['name']:<20} {row['threshold']:>6.3f} {row['false_alarms_per_photo']:>5.2f} "
            f"{row['photos_with_all_covered']:>5.1f} {row['cpu_ms']:>7.1f}",
            end="",
        )
        for figures in row["bands"].values():
            print(f"{figures['recall']:.1f}/{figures['coverage']:.1f}".rjust(24), end="")
        print()


def _progress(name: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{name}: {done + 1} of {total} ", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
