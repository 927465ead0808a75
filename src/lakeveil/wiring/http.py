"""What the HTTP server stands on: callers' keys, readiness checks, metrics, traces, a darkroom."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass

import sqlalchemy as sa

from lakeveil import __version__
from lakeveil.adapters.caller_keys import CallerKeys
from lakeveil.adapters.credentials import Credentials, ensure_credentials
from lakeveil.adapters.database import open_database, transaction
from lakeveil.adapters.metrics import Gauge, Labels, Meter, shared_meter
from lakeveil.adapters.model_store import load
from lakeveil.adapters.object_store import S3ObjectStore, StoreKey
from lakeveil.adapters.telemetry import Traces, configure_logging, open_traces
from lakeveil.errors import Unavailable
from lakeveil.ports import Queue
from lakeveil.settings import Settings
from lakeveil.wiring.lake import LakeParts, lake_over
from lakeveil.wiring.queries import QueryParts, open_queries
from lakeveil.wiring.queue import open_queue

QUEUE_GAUGES_KEEP_S = 10.0
"""Counting dead letters reads them, so not at every scrape."""

Check = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpParts:
    """What `lakeveil serve` composes its doors from."""

    callers: CallerKeys
    lake: LakeParts
    queries: QueryParts
    checks: Mapping[str, Check]
    """Readiness: store, queue, database, models."""
    meter: Meter
    metrics: Callable[[Mapping[str, bool]], bytes]
    traces: Traces


@contextmanager
def open_http_parts(settings: Settings, environ: Mapping[str, str]) -> Iterator[HttpParts]:
    """Open what the HTTP server needs and close it at the end. Logging is set up on the way.

    Raises:
        SetupError: credentials or the database cannot be opened, or weights are missing.
    """
    credentials = ensure_credentials(settings.home_path)
    configure_logging(
        level=settings.log.level, form=settings.log.format, hide=credentials.secrets()
    )
    with ExitStack() as opened:
        queue = opened.enter_context(closing(open_queue(settings)))
        engine = open_database(settings.database_url)
        opened.callback(engine.dispose)
        traces = open_traces(
            settings.telemetry.otlp_endpoint,
            service="lakeveil-http",
            version=__version__,
            environ=environ,
        )
        opened.callback(traces.close)
        meter = shared_meter(settings.home_path)
        lake = lake_over(engine, settings, writer="web")
        yield HttpParts(
            callers=CallerKeys(
                credentials,
                endpoint=settings.s3_endpoint,
                region=settings.store.region,
                timeout_s=settings.store.timeout_s,
            ),
            lake=lake,
            queries=opened.enter_context(open_queries(engine, lake, settings)),
            checks=_checks(settings, credentials, queue, engine),
            meter=meter,
            metrics=_page(meter, queue),
            traces=traces,
        )


def _checks(
    settings: Settings, credentials: Credentials, queue: Queue, engine: sa.Engine
) -> Mapping[str, Check]:
    ours = credentials.s3["service"]
    store = S3ObjectStore(
        settings.s3_endpoint,
        key=StoreKey(ours.access_key_id, ours.secret_access_key)
        if settings.embedded_store
        else None,
        region=settings.store.region,
        timeout_s=min(settings.store.timeout_s, 4.0),
        attempts=1,
    )
    buckets = sorted({c.release_bucket for c in settings.photo_collections()})

    def ask_store() -> None:
        for bucket in buckets:
            store.head(bucket, "lakeveil-is-ready")

    def ask_queue() -> None:
        queue.depth()

    def ask_database() -> None:
        with transaction(engine) as tx:
            tx.execute(sa.text("SELECT 1"))

    def ask_models() -> None:
        load(settings.models_path)

    return {
        "store": ask_store,
        "queue": ask_queue,
        "database": ask_database,
        "models": ask_models,
    }


def _page(meter: Meter, queue: Queue) -> Callable[[Mapping[str, bool]], bytes]:
    lock = threading.Lock()
    counted: tuple[float, list[Gauge]] = (float("-inf"), [])

    def queue_gauges() -> list[Gauge]:
        nonlocal counted
        with lock:
            if time.monotonic() - counted[0] > QUEUE_GAUGES_KEEP_S:
                gauges = [
                    Gauge(
                        "lakeveil_queue_depth", "Messages waiting or in work.", _one(queue.depth())
                    ),
                    Gauge("lakeveil_dead_letters", "Messages given up.", _one(len(queue.dead()))),
                ]
                counted = (time.monotonic(), gauges)
            return counted[1]

    def page(ready: Mapping[str, bool]) -> bytes:
        states: dict[Labels, float] = {(("check", name),): float(ok) for name, ok in ready.items()}
        gauges = [
            Gauge("lakeveil_info", "The version that runs.", {(("version", __version__),): 1.0}),
            Gauge("lakeveil_ready", "1 where what is needed answers.", states),
        ]
        # Without the queue its gauges are absent, which monitors can tell from zero.
        if ready.get("queue"):
            with suppress(Unavailable):
                gauges += queue_gauges()
        return meter.render(gauges)

    return page


def _one(value: float) -> Mapping[Labels, float]:
    return {(): float(value)}
