"""The photo path as a function without state: no database, no limiter, no worker loop."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace

import msgspec

from lakeveil.adapters.clock import SystemClock
from lakeveil.adapters.credentials import load_credentials
from lakeveil.adapters.darkroom import IsolatedDarkroom
from lakeveil.adapters.function_queue import FunctionQueue
from lakeveil.adapters.metadata_ledger import MetadataLedger
from lakeveil.adapters.object_store import S3ObjectStore, StoreKey
from lakeveil.adapters.telemetry import configure_logging
from lakeveil.core.photos import Collection
from lakeveil.flows.redact_photo import PhotoPath
from lakeveil.settings import Settings
from lakeveil.wiring.darkroom import darkroom_spec

PARENT_MIB = 256
"""What the function itself takes, beside the process that develops photos."""
VCPU_MIB = 1769
"""So much memory comes with one processor, says AWS's guide to configuring Lambda functions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoFunction:
    """What `lakeveil.aws_lambda` works with, kept from one invocation to the next."""

    collections: tuple[Collection, ...]
    path: PhotoPath
    queue: FunctionQueue
    photo_s: float
    """How long one photo may take."""
    max_receive_count: int
    close: Callable[[], None] = lambda: None
    """Stop the processes that stand by; Lambda itself never calls it."""


def start_logging(settings: Settings) -> None:
    """Send log lines to stderr, where Lambda collects them."""
    # Lambda hands its role's keys over in the environment.
    secrets = [os.environ.get(n, "") for n in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")]
    configure_logging(level=settings.log.level, form=settings.log.format, hide=secrets)


def open_function(settings: Settings, *, function_memory_mib: int | None) -> PhotoFunction:
    """Open store, queue and darkroom.

    `function_memory_mib` is what Lambda gives the whole function; None goes by the settings.

    Raises:
        SetupError: the models are missing or altered, or the darkroom does not start.
        UsageError: the collections feed each other.
    """
    collections = settings.photo_collections()
    clock = SystemClock()
    store = S3ObjectStore(
        settings.s3_endpoint,
        key=_store_key(settings),
        region=settings.store.region,
        timeout_s=settings.store.timeout_s,
    )
    darkroom = _open_darkroom(settings, collections, function_memory_mib)
    return PhotoFunction(
        collections=collections,
        path=PhotoPath(
            store=store,
            darkroom=darkroom,
            ledger=MetadataLedger(store, collections, clock=clock),
            clock=clock,
            owner="function",
            # Each invocation sets its own: the time that is left to it.
            lease_s=settings.worker.timeout_s,
            hold=lambda _claim: nullcontext(),
            max_bytes=settings.limits.max_bytes,
            # Nothing is offered for review: there is no place to keep what a reviewer says.
            draw=lambda: 1.0,
        ),
        queue=FunctionQueue(
            settings.queue.url if settings.queue.kind == "sqs" else "",
            dead_letter_url=settings.queue.dead_letter_url,
            region=settings.store.region,
        ),
        photo_s=settings.worker.timeout_s,
        max_receive_count=settings.queue.max_receive_count,
        close=darkroom.close,
    )


def _open_darkroom(
    settings: Settings, collections: tuple[Collection, ...], function_memory_mib: int | None
) -> IsolatedDarkroom:
    spec = darkroom_spec(settings, [c.policy for c in collections], os.environ)
    # Lambda puts the code on this process' path in ways that a child does not inherit.
    env = {**spec.env, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    setup = spec.setup
    if function_memory_mib is not None:
        setup = msgspec.structs.replace(
            setup,
            memory_bytes=(function_memory_mib - PARENT_MIB) * 2**20,
            detector_threads=max(setup.detector_threads, function_memory_mib // VCPU_MIB),
        )
    start_s = min(spec.start_timeout_s, settings.worker.timeout_s)
    return IsolatedDarkroom(replace(spec, setup=setup, start_timeout_s=start_s, env=env))


def _store_key(settings: Settings) -> StoreKey | None:
    if not settings.embedded_store:
        return None
    key = load_credentials(settings.home_path).s3["service"]
    return StoreKey(key.access_key_id, key.secret_access_key)
