"""Workgroups: a business unit's door to SQL. Its output location, cost tags, and limits.

Names and limits are Athena's (API reference, `WorkGroupConfiguration`). A limit is in bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PRIMARY = "primary"
"""Every account has it; it cannot be deleted."""
MIN_BYTES_CUTOFF = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DataLimit:
    """At most `bytes` scanned by the whole workgroup in `period_s`.

    Beyond that it takes no more queries until the period is over.
    """

    bytes: int
    period_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Workgroup:
    """One workgroup. `output` is `s3://bucket/prefix/`, empty for none.

    With `enforced` a client's own output location does not count. `strict` feeds the engine only
    the permitted columns and rows. `tags` are cost tags.
    """

    account: str
    name: str
    description: str = ""
    enabled: bool = True
    output: str = ""
    enforced: bool = True
    bytes_cutoff: int | None = None
    limits: tuple[DataLimit, ...] = ()
    publish_metrics: bool = True
    strict: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    created_at: float = 0.0
