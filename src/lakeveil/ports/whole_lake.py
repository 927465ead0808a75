"""Port: the whole lake at once, kept ready between questions."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from lakeveil.core.access.explaining.whole_lake import WholeLake


class WholeLakes(Protocol):
    """Every table as decisions see it, with the policy of the same moment. Thread-safe.

    `Unavailable` where the state does not answer.
    """

    def whole(self) -> AbstractContextManager[WholeLake]:
        """The lake as it is now. One question at a time has it; others wait meanwhile."""
        ...
