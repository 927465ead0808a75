"""From the store's own log of changes to the queue, by way of the spool.

    log -> keep what concerns an original -> spool (on disk) -> queue -> mark as published

Reading goes on while the queue is away. After a crash the log is read again from before the
newest event that was spooled: what was seen is recognised by its id, in the spool and, for events
that were published but not marked, in the queue. Nothing is lost; a duplicate does no harm.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from lakeveil.core.events import normalise, to_s3_notification
from lakeveil.core.photos import Collection
from lakeveil.errors import LakeveilError, UsageError
from lakeveil.ports import Queue, Spool, SpooledEvent

_log = logging.getLogger(__name__)

_AT_ONCE = 256
_LOOK_UP_S = 0.2
_AGAIN_S = 1.0

Documents = Sequence[Mapping[str, Any]]
Follow = Callable[[int | None], Iterator[Documents]]
"""Batches of changes from before a time (UTC nanoseconds; None: from about now) and then live."""


def bridge_events(
    follow: Follow,
    *,
    spool: Spool,
    queue: Queue,
    collections: Sequence[Collection],
    stopping: threading.Event,
) -> None:
    """Carry every change of an original into the queue until `stopping` is set.

    Raises:
        RuntimeError: reading stopped for a reason that trying again does not cure.
    """
    news = threading.Event()
    reader = threading.Thread(
        target=_read, args=(follow, spool, collections, stopping, news), name="reader", daemon=True
    )
    reader.start()
    while not stopping.is_set():
        if not reader.is_alive():
            raise RuntimeError("the reader of the store's log ended")
        news.wait(_LOOK_UP_S)
        news.clear()
        try:
            while publish(spool, queue):
                pass
        except LakeveilError as error:
            _log.warning("%s: %s; events wait in the spool", error.what, error.why)
            stopping.wait(_AGAIN_S)
            news.set()
    reader.join(timeout=5.0)


def keep(documents: Documents, *, spool: Spool, collections: Sequence[Collection]) -> int:
    """Spool what a batch of changes says of originals; returns how many events were new."""
    events: list[SpooledEvent] = []
    newest_ns = 0
    for document in documents:
        at_ns = int(document.get("tsNs") or 0)
        newest_ns = max(newest_ns, at_ns)
        events += _events(document, at_ns, collections)
    if not events:
        # Changes of releases: worth no write. They are read again after a crash, to no effect.
        return 0
    return spool.append(events, position_ns=newest_ns)


def publish(spool: Spool, queue: Queue) -> int:
    """Put the oldest spooled events into the queue; returns how many.

    Raises:
        Unavailable: the queue is away; the events stay in the spool.
    """
    events = spool.waiting(_AT_ONCE)
    if events:
        queue.put([event.body for event in events], dedupe_ids=[event.id for event in events])
        spool.published([event.id for event in events])
    return len(events)


def _read(
    follow: Follow,
    spool: Spool,
    collections: Sequence[Collection],
    stopping: threading.Event,
    news: threading.Event,
) -> None:
    while not stopping.is_set():
        try:
            for documents in follow(spool.position_ns()):
                if keep(documents, spool=spool, collections=collections):
                    news.set()
        except LakeveilError as error:
            _log.warning("%s: %s", error.what, error.why)
            stopping.wait(_AGAIN_S)


def _events(
    document: Mapping[str, Any], at_ns: int, collections: Sequence[Collection]
) -> Iterator[SpooledEvent]:
    try:
        found = normalise(document)
    except UsageError as error:
        # The reconciler still sees the object, should there be one.
        _log.warning("a change in the store's log is not understood: %s", error.why)
        return
    for event in found:
        if any(one.holds(event.bucket, event.key) for one in collections):
            yield SpooledEvent(
                # Quoted: a key may hold line breaks, and the id travels in a header.
                id=f"{quote(f'{event.bucket}/{event.key}')}:{at_ns}",
                body=to_s3_notification(event),
                at_ns=at_ns,
            )
