"""What `lakeveil up` runs: the table of children, and what must be right before they start."""

from __future__ import annotations

import os
import ssl
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lakeveil.adapters.certificates import ensure_certificates
from lakeveil.adapters.child import ChildSpec
from lakeveil.adapters.credentials import (
    Credentials,
    S3Key,
    ensure_credentials,
    private_directory,
)
from lakeveil.adapters.database import open_database
from lakeveil.adapters.home_lock import only_one
from lakeveil.adapters.listeners import check_ports, is_free
from lakeveil.adapters.model_store import load
from lakeveil.adapters.nats_server import nats_server
from lakeveil.adapters.seaweedfs import weed_mini
from lakeveil.flows.first_account import ADMINISTRATOR
from lakeveil.settings import Settings
from lakeveil.wiring.founding import found_account
from lakeveil.wiring.profiles import http_url, keep_profiles
from lakeveil.wiring.store_keys import store_ports

Progress = Callable[[str], None]

_RELEASE_PORTS_S = 5.0


def children(
    settings: Settings,
    credentials: Credentials,
    *,
    workers: int,
    config_file: Path | None,
    environ: Mapping[str, str],
) -> list[ChildSpec]:
    """The whole stack, one row for each process; those that it `needs` start first.

    Each row says what runs, in which environment, when it is ready and where it logs. Rows of
    ours run `lakeveil ARGUMENTS` in a process of their own.
    """

    def ours(name: str, *arguments: str) -> ChildSpec:
        return _ours(name, arguments, settings, config_file=config_file, environ=environ)

    store = [_weed(settings, credentials, environ)] if settings.embedded_store else []
    queue = [_nats(settings, credentials, environ)] if settings.embedded_queue else []
    return [
        *store,
        *queue,
        # Other stores send their events to the queue by themselves.
        *([ours("bridge", "run", "bridge")] if settings.embedded_store else []),
        *([ours("keys", "run", "keys")] if settings.embedded_store else []),
        ours("reconcile", "run", "reconcile"),
        *(ours(f"worker-{number}", "run", "worker") for number in range(1, workers + 1)),
        _http(settings, ours("http", "serve")),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A home in which the stack may start."""

    credentials: Credentials
    aws_env: Path
    """A file for the shell that points AWS clients at this installation."""
    account: str
    """The first account: whose catalog the profile `lake-admin` sees."""


@contextmanager
def prepared(settings: Settings, say: Progress) -> Iterator[Prepared]:
    """Check and make everything that must be there before a child starts; hold the home.

    Raises:
        Conflict: the stack runs already.
        SetupError: a port is taken, the weights are missing, or the home is open to others.
    """
    home = private_directory(settings.home_path)
    with only_one(home) as killed:
        say("checking the face detectors")
        load(settings.models_path)
        say("checking the ports")
        # What an `up` that was killed has left behind is about to end.
        _check_ports(settings, patient=killed)
        say("opening the state database")
        engine = open_database(settings.database_url)
        first = found_account(engine, settings)
        engine.dispose()
        credentials = ensure_credentials(home)
        keys = dict(credentials.s3)
        if first.key:
            keys[ADMINISTRATOR] = S3Key(first.key.access_key_id, first.key.secret_access_key)
        aws_env = keep_profiles(settings, keys)
        yield Prepared(credentials=credentials, aws_env=aws_env, account=first.account)


def wanted_ports(settings: Settings) -> dict[str, int]:
    """Setting -> port, of everything that will listen."""
    ports = settings.ports
    named = {f"ports.{name}": getattr(ports, name) for name in ports.__struct_fields__}
    http, nats = named.pop("ports.http"), named.pop("ports.nats")
    return (
        (named if settings.embedded_store else {})
        | ({"ports.nats": nats} if settings.embedded_queue else {})
        | {"ports.http": http}
    )


def default_workers(settings: Settings) -> int:
    """As many as may work at once, but no more than there are cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(settings.worker.reserved_concurrent_executions, cores or 1))


def _weed(settings: Settings, credentials: Credentials, environ: Mapping[str, str]) -> ChildSpec:
    home, collections = settings.home_path, settings.photo_collections()
    private_directory(home / "store")
    return weed_mini(
        home,
        ports=store_ports(settings),
        credentials=credentials,
        certificates=ensure_certificates(home / "store" / "tls", now=time.time()),
        sources=sorted({c.source_bucket for c in collections}),
        releases=sorted({c.release_bucket for c in collections}),
        lake=settings.lake_buckets(),
        environ=environ,
    )


def _nats(settings: Settings, credentials: Credentials, environ: Mapping[str, str]) -> ChildSpec:
    return nats_server(
        settings.home_path,
        port=settings.ports.nats,
        token=credentials.nats_token,
        environ=environ,
    )


def _http(settings: Settings, spec: ChildSpec) -> ChildSpec:
    url = f"{http_url(settings)}/readyz"
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), *_trusting(settings.http.certificate)
    )

    def ready() -> bool:
        with opener.open(url, timeout=5.0) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's "OK"

    return replace(spec, ready=ready)


def _trusting(certificate: str) -> list[urllib.request.HTTPSHandler]:
    """Whoever asks our own server over TLS knows it by its certificate, whatever that names."""
    if not certificate:
        return []
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return [urllib.request.HTTPSHandler(context=context)]


def _ours(
    name: str,
    arguments: Sequence[str],
    settings: Settings,
    *,
    config_file: Path | None,
    environ: Mapping[str, str],
) -> ChildSpec:
    config = ["--config", str(config_file)] if config_file else []
    ready_file = None
    if arguments[0] == "run":
        ready_file = private_directory(settings.home_path / "run") / f"{name}.ready"
        arguments = [*arguments, "--ready-file", str(ready_file)]
    return ChildSpec(
        name=name,
        argv=[sys.executable, "-m", "lakeveil", *config, *arguments],
        env=environ,
        log=settings.home_path / "logs" / f"{name}.log",
        needs=("weed", "nats"),
        ready_file=ready_file,
        # Python and its libraries start slowly on a cold disk.
        ready_timeout_s=60.0,
        stop_timeout_s=15.0,
    )


def _check_ports(settings: Settings, *, patient: bool) -> None:
    ports = wanted_ports(settings)
    deadline = time.monotonic() + (_RELEASE_PORTS_S if patient else 0.0)
    while time.monotonic() < deadline and not all(is_free(port) for port in ports.values()):
        time.sleep(0.1)
    check_ports(ports, hosts={"ports.http": settings.http.host})
