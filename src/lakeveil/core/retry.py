"""How long to wait before trying again."""

from __future__ import annotations

BASE_S = 1.0
FACTOR = 4.0
CAP_S = 900.0


def backoff_s(receive_count: int, *, jitter: float) -> float:
    """Seconds until the next try of something that was received `receive_count` times (from 1).

    Exponential, at most 15 minutes; `jitter` (a random number from 0 to 1, the caller's) takes
    up to half of it away, so that what failed together does not come back together.

    With no jitter the waits are 1, 4, 16, 64, 256, 900, 900 seconds: five receives, the default
    maximum, span a minute and a half.

    >>> [backoff_s(count, jitter=0) for count in range(1, 8)]
    [1.0, 4.0, 16.0, 64.0, 256.0, 900.0, 900.0]
    >>> [backoff_s(count, jitter=1) for count in range(1, 4)]
    [0.5, 2.0, 8.0]
    """
    # Past ten receives the cap holds anyway: no need to raise 4 to the 10,000th.
    exponent = min(max(receive_count, 1), 10) - 1
    return min(BASE_S * FACTOR**exponent, CAP_S) * (1 - jitter / 2)
