"""Renews the claims that a process holds, so that they may be short.

A worker that is killed leaves its claims behind: the shorter they last, the sooner somebody else
takes the photos over.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from lakeveil.errors import LakeveilError
from lakeveil.ports import Claim, PhotoLedger

_log = structlog.get_logger(__name__)


class ClaimKeeper:
    """One thread that renews every held claim three times per lease. Close it at the end."""

    def __init__(self, ledger: PhotoLedger, *, lease_s: float) -> None:
        self._ledger = ledger
        self._lease_s = lease_s
        self._lock = threading.Lock()
        self._claims: dict[tuple[str, str, int], Claim] = {}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="claim-keeper", daemon=True)
        self._thread.start()

    @contextmanager
    def hold(self, claim: Claim) -> Iterator[None]:
        """Keep a claim alive within a `with` block."""
        place = (claim.bucket, claim.key, claim.generation)
        with self._lock:
            self._claims[place] = claim
        try:
            yield
        finally:
            with self._lock:
                del self._claims[place]

    def close(self) -> None:
        """Stop renewing; what is held runs out."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(self._lease_s / 3):
            with self._lock:
                held = list(self._claims.values())
            for claim in held:
                try:
                    self._ledger.renew(claim, lease_s=self._lease_s)
                except LakeveilError as error:
                    # The flow asks whether its claim is current before it writes anything.
                    _log.warning("a claim could not be renewed", key=claim.key, why=error.why)
