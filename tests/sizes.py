"""How much is tried: enough in CI, all of it in `make test-all`."""

from __future__ import annotations

import os

EVERYTHING = os.environ.get("TEST_EVERYTHING") == "1"
"""Set by `tools/run_tests.py --all`."""


def tried(in_ci: int, *, every: int) -> int:
    """How many examples a law is tried on."""
    return every if EVERYTHING else in_ci
