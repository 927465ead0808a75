"""The event bridge as a process: the embedded store's log, the spool, the queue."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any, cast

from lakeveil.adapters.credentials import private_directory
from lakeveil.adapters.filer_events import follow
from lakeveil.adapters.seaweedfs import client_environment
from lakeveil.adapters.spool import EventSpool
from lakeveil.errors import UsageError
from lakeveil.flows.bridge_events import bridge_events
from lakeveil.settings import Settings
from lakeveil.wiring.queue import open_queue


def run_bridge(
    settings: Settings,
    *,
    environ: Mapping[str, str],
    stopping: threading.Event,
    ready: Callable[[], None],
) -> None:
    """Carry the embedded store's events into the queue until `stopping` is set.

    Raises:
        UsageError: the store is not the embedded one.
        SetupError: there are no credentials, or the spool cannot be opened.
    """
    if not settings.embedded_store:
        raise UsageError(
            "there is nothing to bridge",
            why=f"the store is `{settings.store.endpoint}`, which sends its own events",
            fix="let its bucket notifications go to the queue that `queue.url` names",
        )
    home, ports = settings.home_path, settings.ports
    env = client_environment(home, environ=environ)

    def changes(since_ns: int | None) -> Iterator[list[dict[str, Any]]]:
        return follow(
            ports.filer,
            ports.filer_grpc,
            env=env,
            since_ns=since_ns,
            now=time.time,
            stopping=stopping,
        )

    with (
        closing(EventSpool(private_directory(home / "bridge") / "spool.db")) as spool,
        closing(cast("Any", open_queue(settings))) as queue,
    ):
        ready()
        bridge_events(
            changes,
            spool=spool,
            queue=queue,
            collections=settings.photo_collections(),
            stopping=stopping,
        )
