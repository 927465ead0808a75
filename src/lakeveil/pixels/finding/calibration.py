"""Raw scores of two networks into one probability that means the same whoever found the face.

YuNet's 0.35 and CenterFace's 0.20 are about equally sure, so raw scores cannot be compared, and
a face that both networks see is likelier than one that a single network sees. A logistic model
weighs the log-odds of both scores and the logarithm of the face's size in pixels.

Fitted by `bench/calibrate.py` on one half of an annotated set of crowd photos (a proposal
counts as a face at IoU >= 0.4 with an annotated one; those that merely touch a face or lie in a
region to ignore count as neither), judged on the other half. Annotations are incomplete, so the
confidence is rather too low than too high: of what counts as a false alarm about half are faces
that nobody annotated.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np

from lakeveil.pixels.finding.candidates import Array

FLOOR, CEILING = 0.01, 0.999
SIZE_MATTERS_UP_TO = 48
"""Pixels. Crowd photos have few large faces; what they say about size must not go beyond that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Of one logistic model; see `features` for what each is multiplied with."""

    yunet: float = 0.0
    no_yunet: float = 0.0
    centerface: float = 0.0
    no_centerface: float = 0.0
    closer: float = 0.0
    size: float = 0.0
    constant: float = 0.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Two models of one preset: after its looks, and after a closer look where it is undecided."""

    looks: Weights
    closer: Weights | None = None

    def first(self, yunet: Array, centerface: Array, sides: Array) -> Array:
        """Probability (n,) from the best raw scores (0: not seen) and the sizes in pixels."""
        return _probability(self.looks, yunet, centerface, np.zeros_like(yunet), sides)

    def second(self, yunet: Array, centerface: Array, closer: Array, sides: Array) -> Array:
        """The same with the score of the closer look."""
        weights = self.looks if self.closer is None else self.closer
        return _probability(weights, yunet, centerface, closer, sides)


def features(yunet: Array, centerface: Array, closer: Array, sides: Array) -> Array:
    """(n, 7), in the order of `Weights`: what the weights are multiplied with.

    Raw scores count by their log-odds; bounded, so that certainty stays finite. That a network
    saw nothing (score 0) is a fact of its own, not a very low score. Sizes count by their
    logarithm, levelling off at `SIZE_MATTERS_UP_TO`.
    """
    columns = [
        log_odds(yunet) * (yunet > 0),
        yunet == 0,
        log_odds(centerface) * (centerface > 0),
        centerface == 0,
        log_odds(closer),
        np.log(np.clip(sides, 1, SIZE_MATTERS_UP_TO)),
        np.ones_like(sides),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def log_odds(score: Array) -> Array:
    """Of a raw score between `FLOOR` and `CEILING`."""
    bounded = np.clip(score, FLOOR, CEILING)
    odds: Array = np.log(bounded / (1 - bounded)).astype(np.float32)
    return odds


def _probability(
    weights: Weights, yunet: Array, centerface: Array, closer: Array, sides: Array
) -> Array:
    theta = np.array(astuple(weights), np.float32)
    logit = features(yunet, centerface, closer, sides) @ theta
    # Never certain: nothing that was measured could tell 0.9999 from 1.
    probability: Array = np.clip(1 / (1 + np.exp(-logit)), 1e-4, 0.9999).astype(np.float32)
    return probability
