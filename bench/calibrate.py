"""Fit the weights of `lakeveil.pixels.finding.presets` on one half of an annotated set.

    python -m bench.calibrate --data DIR

Each preset takes its looks; a proposal counts as a face at IoU >= 0.4 with an annotated one, as
none when it touches neither a face nor a region to ignore, and is left out otherwise. A logistic
model is fitted to the log-odds of both networks' scores and the log of the size (Newton's method,
a slight ridge), and a second one, with the score of the closer look, to those the first leaves
undecided. Prints the weights as they stand in the presets.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from bench.annotated_set import IOU, Floats, Truth, halves, load_set, overlap, touching
from lakeveil.adapters.model_store import default_directory
from lakeveil.adapters.onnx_faces import OnnxFaces, open_detector
from lakeveil.core.photos import Preset
from lakeveil.pixels.finding.calibration import Weights, features
from lakeveil.pixels.finding.closer import look_closer
from lakeveil.pixels.finding.detect import evidence_of
from lakeveil.pixels.finding.scaling import Pyramid

RIDGE = 1e-2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of an annotated set")
    parser.add_argument("--models", type=Path, default=default_directory())
    options = parser.parse_args()
    truths = load_set(options.data)
    if truths is None:
        print(f"skipped: {options.data} holds no truth.json", file=sys.stderr)
        return 0
    tuned, _ = halves(truths)
    for preset in Preset:
        detector = open_detector(preset, options.models)
        looks, closer = _fit(detector, tuned)
        print(f"{preset}:\n  looks  {_shown(looks)}\n  closer {_shown(closer)}")
    return 0


def _fit(detector: OnnxFaces, truths: list[Truth]) -> tuple[Weights, Weights | None]:
    plan = detector.plan
    both = any(look.network == "centerface" for look in plan.looks)
    rows, labels = [], []
    for truth in truths:
        photo = np.asarray(Image.open(truth.path).convert("RGB"))
        networks, frame = detector.networks(), Pyramid(photo)
        evidence = evidence_of(frame, networks, plan)
        closer = np.zeros(len(evidence.yunet), np.float32)
        if plan.undecided:
            closer, _ = look_closer(frame, networks, evidence.proposals.boxes)
        rows.append(
            features(evidence.yunet, evidence.centerface, closer, evidence.sides).astype(np.float64)
        )
        labels.append(_labels(truth, evidence.proposals.boxes.astype(np.float64)))
    x, y = np.concatenate(rows), np.concatenate(labels)
    known = y >= 0
    x, y = x[known], y[known]
    first_use = np.array([True, both, both, both, False, True, True])
    first = _logistic(x, y, first_use)
    if plan.undecided is None:
        return _weights(first), None
    low, high = plan.undecided
    probability = 1 / (1 + np.exp(-x @ first))
    open_ = (probability > low) & (probability < high)
    return _weights(first), _weights(_logistic(x[open_], y[open_], np.ones(7, bool)))


def _labels(truth: Truth, boxes: Floats) -> Floats:
    """1: a face, 0: none, -1: not to be counted."""
    labels = np.zeros(len(boxes))
    labels[touching(boxes, np.concatenate([truth.boxes, truth.ignore]))] = -1
    if len(truth.boxes):
        labels[(overlap(boxes, truth.boxes) >= IOU).any(axis=1)] = 1
    return labels


def _logistic(x: Floats, y: Floats, use: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Floats:
    part, theta = x[:, use], np.zeros(int(use.sum()))
    for _ in range(50):
        probability = 1 / (1 + np.exp(-part @ theta))
        slope = part.T @ (probability - y) + RIDGE * theta
        curve = (part * (probability * (1 - probability))[:, None]).T @ part
        theta = theta - np.linalg.solve(curve + RIDGE * np.eye(len(theta)), slope)
    full = np.zeros(len(use))
    full[use] = theta
    return full


def _weights(theta: Floats) -> Weights:
    names = asdict(Weights())
    return Weights(**{n: round(float(t), 3) for n, t in zip(names, theta, strict=True)})


def _shown(weights: Weights | None) -> str:
    if weights is None:
        return "none"
    return ", ".join(f"{name}={value}" for name, value in asdict(weights).items() if value)


if __name__ == "__main__":
    raise SystemExit(main())
