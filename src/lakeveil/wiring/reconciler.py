"""The reconciler as a process: a round over every collection, then a rest."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any, cast

from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.seaweedfs import started_at
from lakeveil.errors import Refused, Unavailable
from lakeveil.flows.reconcile import Asked, Reconciled, reconcile
from lakeveil.settings import Settings
from lakeveil.wiring.queue import open_queue
from lakeveil.wiring.state import open_ledger, open_store

_log = logging.getLogger(__name__)

_AFTER_TROUBLE_S = 15.0
_LOOK_UP_S = 2.0


def run_reconciler(
    settings: Settings, *, stopping: threading.Event, ready: Callable[[], None]
) -> None:
    """A round now, then every `reconcile.every_s` and soon after each start of the store.

    Raises:
        SetupError: there are no credentials, or the database cannot be opened.
    """
    clock, store = SystemClock(), open_store(settings)
    with (
        open_ledger(settings) as ledger,
        closing(cast("Any", open_queue(settings))) as queue,
        closing(Asked(clock)) as asked,
    ):
        ready()
        every = partial(
            reconcile,
            store=store,
            ledger=ledger,
            queue=queue,
            clock=clock,
            grace_s=settings.reconcile.grace_s,
            asked=asked,
        )
        first = True
        while not stopping.is_set():
            rest_s = settings.reconcile.every_s
            for collection in settings.photo_collections():
                try:
                    found = every(collection)
                except (Unavailable, Refused) as error:
                    _log.warning("%s: %s; another round follows", error.what, error.why)
                    rest_s = min(rest_s, _AFTER_TROUBLE_S)
                    continue
                # Rounds that found nothing are not news.
                level = logging.INFO if found.enqueued or first else logging.DEBUG
                _log.log(level, "reconciled %s: %s", collection.name, _summary(found))
            first = False
            _rest(settings, stopping, rest_s)


def _rest(settings: Settings, stopping: threading.Event, seconds: float) -> None:
    """Wait, but not for long after the embedded store started anew: a killed one forgets events."""
    until, known = time.monotonic() + seconds, started_at(settings.home_path)
    while (left := until - time.monotonic()) > 0 and not stopping.wait(min(left, _LOOK_UP_S)):
        now = started_at(settings.home_path)
        if now != known:
            known = now
            # By then, what was put before it died is old enough to be looked at.
            until = min(until, time.monotonic() + settings.reconcile.grace_s + _LOOK_UP_S)


def _summary(found: Reconciled) -> str:
    return ", ".join(f"{count} {name}" for name, count in found.as_dict().items())
