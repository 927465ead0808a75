"""The reconciler as a process: a round over every collection, then a rest."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any, cast

from lakeveil.adapters.clock import SystemClock
from lakeveil.errors import LakeveilError
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
    with closing(Asked(SystemClock())) as asked:
        first = True
        while not stopping.is_set():
            rest_s = settings.reconcile.every_s
            try:
                for name, found in reconcile_once(settings, asked=asked, opened=ready).items():
                    # Rounds that found nothing are not news.
                    level = logging.INFO if found.enqueued or first else logging.DEBUG
                    _log.log(level, "reconciled %s: %s", name, found.as_dict())
                first = False
            except LakeveilError as error:
                _log.warning("%s: %s; another round follows", error.what, error.why)
                rest_s = min(rest_s, _AFTER_TROUBLE_S)
            stopping.wait(rest_s)


def reconcile_once(
    settings: Settings, *, asked: Asked, opened: Callable[[], None] = lambda: None
) -> dict[str, Reconciled]:
    """One round over every collection: its name -> what was found. Calls `opened` on the way.

    Raises:
        Unavailable: the store, the queue or the database did not answer.
        SetupError: there are no credentials, or the database cannot be opened.
    """
    store = open_store(settings)
    with (
        open_ledger(settings) as ledger,
        closing(cast("Any", open_queue(settings))) as queue,
    ):
        opened()
        return {
            collection.name: reconcile(
                collection,
                store=store,
                ledger=ledger,
                queue=queue,
                clock=SystemClock(),
                grace_s=settings.reconcile.grace_s,
                asked=asked,
            )
            for collection in settings.photo_collections()
        }
