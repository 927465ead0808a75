"""The worker as a process: messages from the queue through the photo path, counted and logged."""

from __future__ import annotations

import os
import random
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace

import structlog

from lakeveil import __version__
from lakeveil.adapters.claim_keeper import ClaimKeeper
from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.metrics import Meter, shared_meter
from lakeveil.adapters.telemetry import open_traces
from lakeveil.core.events import ObjectEvent
from lakeveil.core.outcomes import PhotoRecord, Retry, Skipped
from lakeveil.core.photos import Collection
from lakeveil.flows.redact_photo import PhotoPath, redact_photo
from lakeveil.ports import Work
from lakeveil.settings import Settings
from lakeveil.wiring.darkroom import open_darkroom
from lakeveil.wiring.queue import open_limiter, open_queue
from lakeveil.wiring.state import open_ledger, open_store
from lakeveil.worker import Ending, Settled, run_worker

CLAIM_LEASE_S = 15.0
"""A photo whose worker was killed is worked on again after at most this long."""
SLOT_LEASE_S = 30.0

_log = structlog.get_logger(__name__)


def run_photo_worker(
    settings: Settings,
    *,
    environ: Mapping[str, str],
    threads: int,
    stopping: threading.Event,
    ready: Callable[[], None],
) -> None:
    """Work on photos until `stopping` is set; what is in hand is finished first.

    Raises:
        SetupError: weights, credentials or the database are missing or damaged.
    """
    clock = SystemClock()
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    with ExitStack() as opened:
        darkroom = opened.enter_context(open_darkroom(settings, environ=environ))
        ledger = opened.enter_context(open_ledger(settings))
        queue = opened.enter_context(closing(open_queue(settings)))
        keeper = opened.enter_context(closing(ClaimKeeper(ledger, lease_s=CLAIM_LEASE_S)))
        meter = shared_meter(settings.home_path)
        traces = open_traces(
            settings.telemetry.otlp_endpoint,
            service="lakeveil-worker",
            version=__version__,
            environ=environ,
        )
        opened.callback(traces.close)
        path = PhotoPath(
            store=open_store(settings),
            darkroom=darkroom,
            ledger=ledger,
            clock=clock,
            owner=name,
            lease_s=CLAIM_LEASE_S,
            hold=keeper.hold,
            max_bytes=settings.limits.max_bytes,
            draw=random.SystemRandom().random,
        )
        collections = settings.photo_collections()

        def handle(event: ObjectEvent, work: Work) -> PhotoRecord | Retry | Skipped:
            collection = _collection(event, collections)
            if collection is None:
                return Skipped("no collection takes photos from there")
            thread = threading.get_ident()
            work.on_lost(lambda: darkroom.cancel(thread))
            with traces.span("photo", bucket=event.bucket, key=event.key):
                return redact_photo(event, collection, replace(path, owner=f"{name}-{thread:x}"))

        ready()
        run_worker(
            queue,
            open_limiter(settings),
            handle,
            owner=name,
            reserved_concurrent_executions=settings.worker.reserved_concurrent_executions,
            batch_size=settings.worker.batch_size,
            detections_per_second=settings.worker.detections_per_second,
            max_receive_count=settings.queue.max_receive_count,
            slot_lease_s=SLOT_LEASE_S,
            stop=stopping,
            clock=clock,
            on_outcome=lambda settled: _tell(settled, meter),
            # Whatever hangs here would go on beside its successor: only the end stops it.
            on_overrun=lambda: os.kill(os.getpid(), signal.SIGKILL),
            threads=threads,
        )


def _collection(event: ObjectEvent, collections: tuple[Collection, ...]) -> Collection | None:
    return next((c for c in collections if c.holds(event.bucket, event.key)), None)


def _tell(settled: Settled, meter: Meter) -> None:
    for result in settled.results:
        if isinstance(result, PhotoRecord):
            meter.photo(result)
            _log.info(
                "photo",
                outcome=result.outcome.value,
                bucket=result.bucket,
                key=result.key,
                faces=len(result.faces),
                reason=result.reason_code or None,
                seconds=round(settled.seconds, 3),
            )
    if settled.ending is Ending.RETRIED:
        meter.retried()
    elif settled.ending is Ending.BURIED:
        meter.buried()
