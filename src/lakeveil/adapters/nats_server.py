"""The embedded queue's server: nats-server with JetStream, on loopback, behind a token."""

from __future__ import annotations

import json
import socket
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from lakeveil.adapters.child import ChildSpec
from lakeveil.adapters.credentials import private_directory, write_private

HOST = "127.0.0.1"


def nats_server(home: Path, *, port: int, token: str, environ: Mapping[str, str]) -> ChildSpec:
    """Write the server's configuration (mode 0600, it holds the token) and say how to run it.

    There is no monitoring port. A publish is confirmed only once it is on disk
    (`sync_interval: always`): by default the server syncs every two minutes.
    """
    directory = private_directory(home / "nats")
    config = directory / "nats.conf"
    # JSON strings are valid in nats-server's configuration language.
    write_private(
        config,
        f"""\
server_name: lakeveil
listen: {json.dumps(f"{HOST}:{port}")}
authorization {{ token: {json.dumps(token)} }}
jetstream {{
  store_dir: {json.dumps(str(directory / "data"))}
  sync_interval: always
}}
max_payload: 1MB
""".encode(),
    )
    return ChildSpec(
        name="nats",
        argv=[program("nats-server"), "--config", str(config)],
        env=environ,
        log=home / "logs" / "nats.log",
        cwd=directory,
        ready=lambda: greets(port),
        ready_timeout_s=15.0,
    )


def greets(port: int) -> bool:
    """Whether a NATS server answers on the port: it speaks first, with `INFO {...}`."""
    with socket.create_connection((HOST, port), timeout=1.0) as connection:
        connection.settimeout(1.0)
        return connection.recv(5) == b"INFO "


def program(name: str) -> str:
    """The path of a program that a wheel put beside our interpreter, or else just its name."""
    beside = Path(sysconfig.get_path("scripts")) / name
    return str(beside) if beside.exists() else name
