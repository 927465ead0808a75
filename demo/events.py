"""The advertising lake's events, made up and always the same: a seed, and nothing of the clock.

Addresses are those that documentation may use (RFC 5737). A few are seen far more often than
others, and no two of those equally often, so that the first rows of a count are the same each time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SEED = 20_260_101
START_US = 1_767_225_600_000_000
"""2026-01-01 UTC, in microseconds."""
DAYS = 30
CAMPAIGNS = ("spring", "running-shoes", "city-break", "coffee", "e-bikes", "museum-night")
PARTNERS = ("north", "south", "east")
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_2) Safari/619.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/143.0",
    "Mozilla/5.0 (Linux; Android 16) Chrome/143.0 Mobile",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) Safari/619.1",
)
NETWORKS = ("192.0.2", "198.51.100", "203.0.113")
CLICK_SHARE = 100
"""One click for so many impressions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """What is loaded into the lake, one table of Arrow for each of its own."""

    impressions: pa.Table
    clicks: pa.Table
    viewability: pa.Table


def events(impressions: int) -> Events:
    """Make so many impressions, and the clicks and the partner's scores that go with them."""
    random = np.random.default_rng(SEED)
    clicks = max(impressions // CLICK_SHARE, 1)
    scores = max(impressions // CLICK_SHARE, 1)
    return Events(
        impressions=pa.table(
            {
                "event_time": _times(random, impressions),
                "ip_address": _addresses(random, impressions),
                "user_agent": _chosen(random, AGENTS, impressions),
                "campaign": _chosen(random, CAMPAIGNS, impressions),
                "price": _prices(random, impressions),
                "viewable": pa.array(random.random(impressions) < 0.7),  # noqa: PLR2004
            }
        ),
        clicks=pa.table(
            {
                "event_time": _times(random, clicks),
                "ip_address": _addresses(random, clicks),
                "campaign": _chosen(random, CAMPAIGNS, clicks),
            }
        ),
        viewability=pa.table(
            {
                "event_time": _times(random, scores),
                "partner": _chosen(random, PARTNERS, scores),
                "score": pa.array(random.random(scores)),
            }
        ),
    )


def _times(random: np.random.Generator, rows: int) -> pa.Array:
    """Times in order, as events arrive."""
    since = np.sort(random.integers(0, DAYS * 86_400_000_000, rows))
    return pa.array(START_US + since, pa.timestamp("us"))


def _addresses(random: np.random.Generator, rows: int) -> pa.Array:
    """Addresses, the first of them most often: each takes a share of what those before left."""
    names = [f"{network}.{host}" for host in range(1, 255) for network in NETWORKS]
    return _chosen(random, names, rows, np.minimum(random.geometric(0.02, rows), len(names)) - 1)


def _chosen(
    random: np.random.Generator,
    values: tuple[str, ...] | list[str],
    rows: int,
    indices: np.ndarray[tuple[int], np.dtype[np.int64]] | None = None,
) -> pa.Array:
    if indices is None:
        indices = random.integers(0, len(values), rows)
    chosen = pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), pa.array(values))
    return pc.cast(chosen, pa.string())


def _prices(random: np.random.Generator, rows: int) -> pa.Array:
    """Decimals (10, 4) between 0.0001 and 0.2500, from their 128 bits."""
    bits = np.zeros((rows, 2), "<i8")
    bits[:, 0] = random.integers(1, 2501, rows)
    return pa.Array.from_buffers(pa.decimal128(10, 4), rows, [None, pa.py_buffer(bits.tobytes())])
