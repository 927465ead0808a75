"""The reconciler as a process: a round over every collection, then a rest."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any, cast

from lakeveil.adapters.clock import SystemClock
from lakeveil.errors import Refused, Unavailable
from lakeveil.flows.reconcile import Asked, Reconciled, reconcile
from lakeveil.settings import Settings
from lakeveil.wiring.queue import open_queue
from lakeveil.wiring.state import open_ledger, open_store

_log = logging.getLogger(__name__)

_AFTER_TROUBLE_S = 15.0


def run_reconciler(
    settings: Settings, *, stopping: threading.Event, ready: Callable[[], None]
) -> None:
    """A round now and then every `reconcile.every_s`, until `stopping` is set.

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
            stopping.wait(rest_s)


def _summary(found: Reconciled) -> str:
    return ", ".join(f"{count} {name}" for name, count in found.as_dict().items())
