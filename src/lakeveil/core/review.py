"""What a random sample of looked-at releases says about all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

Z_95 = 1.959963984540054
"""The normal quantile of a two-sided 95 % interval."""


class Verdict(StrEnum):
    """What a reviewer saw on a released photo."""

    GOOD = "good"
    """Every face is hidden."""
    MISSED = "missed"
    """At least one face is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Randomly offered releases that were looked at, and those with a missed face."""

    looked_at: int
    missed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MissRate:
    """The estimated share (0 to 1) of releases with a missed face, and its 95 % interval."""

    estimate: float | None
    low: float
    high: float


def miss_rate(tally: Tally) -> MissRate:
    """Wilson's score interval, which stays honest for few looks and for no miss at all.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    >>> rate = miss_rate(Tally(looked_at=100, missed=0))
    >>> rate.estimate, round(rate.high, 3)
    (0.0, 0.037)
    >>> miss_rate(Tally(looked_at=0, missed=0))
    MissRate(estimate=None, low=0.0, high=1.0)
    """
    n, k = tally.looked_at, tally.missed
    if n == 0:
        return MissRate(estimate=None, low=0.0, high=1.0)
    share, z2 = k / n, Z_95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    # At the ends the formula gives 0 and 1 but for rounding.
    low = 0.0 if k == 0 else max(0.0, centre - half)
    high = 1.0 if k == n else min(1.0, centre + half)
    return MissRate(estimate=share, low=low, high=high)
