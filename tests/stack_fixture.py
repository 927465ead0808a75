"""Real servers for tests: one SeaweedFS and one NATS per session, on free loopback ports.

Both start with the same code, keys and shut back doors as under `lakeveil up`. They stop when the
session ends, and die with it should it be killed.
"""

from __future__ import annotations

import os
import socket
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lakeveil.adapters.certificates import ensure_certificates
from lakeveil.adapters.child import Child, stop
from lakeveil.adapters.credentials import Credentials, ensure_credentials, private_directory
from lakeveil.adapters.nats_server import nats_server
from lakeveil.adapters.seaweedfs import ADMIN_GRPC_OFFSET, StorePorts, s3_client, weed_mini

SOURCES = ("photos", "photos-versioned")
RELEASES = ("photos-released", "photos-versioned-released")
LAKE = ("lake", "lake-results")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weed:
    """A running object store.

    The keys other than `admin` see `SOURCES` and `RELEASES` only, `service` `LAKE`, too.
    """

    home: Path
    ports: StorePorts
    credentials: Credentials
    child: Child

    @property
    def endpoint(self) -> str:
        """URL of its S3 API."""
        return f"http://127.0.0.1:{self.ports.s3}"

    def s3(self, identity: str = "admin") -> Any:
        """A boto3 client with the key of `admin`, `service`, `uploader` or `reader`."""
        return s3_client(self.ports.s3, self.credentials.s3[identity], timeout_s=20.0)

    def new_bucket(self, prefix: str = "test") -> str:
        """A bucket of one's own, for the `admin` key; so that tests do not meet."""
        name = f"{prefix}-{uuid.uuid4().hex[:12]}"
        self.s3().create_bucket(Bucket=name)
        return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Nats:
    """A running NATS server with JetStream. Use a stream name of your own."""

    port: int
    token: str
    child: Child

    @property
    def url(self) -> str:
        """What a client connects to, besides the token."""
        return f"nats://127.0.0.1:{self.port}"


@pytest.fixture(scope="session")
def weed() -> Iterator[Weed]:
    """A real SeaweedFS for the session."""
    with running_weed() as server:
        yield server


@pytest.fixture(scope="session")
def nats() -> Iterator[Nats]:
    """A real NATS server with JetStream for the session."""
    with running_nats() as server:
        yield server


@contextmanager
def running_weed() -> Iterator[Weed]:
    """A SeaweedFS of one's own, for tests that kill it."""
    with _home() as home:
        credentials = ensure_credentials(home)
        private_directory(home / "store")
        ports = store_ports()
        child = Child(
            weed_mini(
                home,
                ports=ports,
                credentials=credentials,
                certificates=ensure_certificates(home / "store" / "tls", now=time.time()),
                sources=SOURCES,
                releases=RELEASES,
                lake=LAKE,
                environ=os.environ,
            )
        )
        with _running(child):
            yield Weed(home=home, ports=ports, credentials=credentials, child=child)


@contextmanager
def running_nats() -> Iterator[Nats]:
    """A NATS server of one's own, for tests that kill it."""
    with _home() as home:
        token = ensure_credentials(home).nats_token
        (port,) = free_ports(1)
        child = Child(nats_server(home, port=port, token=token, environ=os.environ))
        with _running(child):
            yield Nats(port=port, token=token, child=child)


_RESERVED: list[socket.socket] = []


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on, below those that outgoing connections take.

    Test processes that run beside each other never get the same one: each port is held with a
    UDP socket until its process ends.
    """
    found = []
    for port in range(20_000 + _spread(), 32_000):
        if _reserve(port):
            found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("no free ports")


def store_ports() -> StorePorts:
    """Free ports for one SeaweedFS."""
    s3, s3_grpc, filer, filer_grpc, master, master_grpc, volume, volume_grpc = free_ports(8)
    # Its gRPC port is not ours to choose; this keeps it, too, below those of outgoing connections.
    admin = next(
        port
        for port in range(12_000 + _spread(), 22_000)
        if _reserve(port + ADMIN_GRPC_OFFSET) and _reserve(port)
    )
    return StorePorts(
        s3=s3,
        s3_grpc=s3_grpc,
        filer=filer,
        filer_grpc=filer_grpc,
        master=master,
        master_grpc=master_grpc,
        volume=volume,
        volume_grpc=volume_grpc,
        admin=admin,
        admin_grpc=admin + ADMIN_GRPC_OFFSET,
    )


def _spread() -> int:
    return (os.getpid() * 37) % 8_000


def _reserve(port: int) -> bool:
    held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        held.bind(("127.0.0.1", port))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    except OSError:
        held.close()
        return False
    _RESERVED.append(held)
    return True


@contextmanager
def _home() -> Iterator[Path]:
    # Not pytest's own directory: those of the last runs are kept, with their secrets.
    with tempfile.TemporaryDirectory(prefix="lakeveil-test-", ignore_cleanup_errors=True) as path:
        yield Path(path)


@contextmanager
def _running(child: Child) -> Iterator[None]:
    try:
        child.start()
        child.wait_ready()
        yield
    finally:
        # Nobody reads what it would still write, and saying goodbye takes up to ten seconds.
        if child.process is not None:
            stop(child.process, timeout_s=0)
