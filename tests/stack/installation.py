"""A home of one's own with free ports, and single children of the stack in it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lakeveil.adapters.child import Child
from lakeveil.adapters.credentials import ensure_credentials, private_directory
from lakeveil.adapters.seaweedfs import s3_client
from lakeveil.settings import Settings, load_settings
from lakeveil.wiring.stack import children
from tests.stack_fixture import free_ports, store_ports


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Settings in a file, and a home in which nothing runs yet."""

    config: Path
    settings: Settings

    @property
    def home(self) -> Path:
        """Where its state lies."""
        return self.settings.home_path

    def s3(self, identity: str) -> Any:
        """A boto3 client with one of its keys."""
        key = ensure_credentials(self.home).s3[identity]
        return s3_client(self.settings.ports.s3, key, timeout_s=20.0)


@contextmanager
def new_installation(more: str = "") -> Iterator[Installation]:
    """A fresh one; `more` is TOML that precedes the ports."""
    with tempfile.TemporaryDirectory(prefix="lakeveil-test-", ignore_cleanup_errors=True) as path:
        store = asdict(store_ports())
        http, nats = free_ports(2)
        ports = {**store, "http": http, "nats": nats}
        config = Path(path) / "lakeveil.toml"
        config.write_text(
            f"home = {json.dumps(f'{path}/home')}\n{more}\n[ports]\n"
            + "".join(f"{name} = {port}\n" for name, port in ports.items())
        )
        yield Installation(config=config, settings=load_settings(config)[0])


@contextmanager
def running(installation: Installation, *names: str) -> Iterator[dict[str, Child]]:
    """Start the named children of the stack, one after the other; all are stopped at the end."""
    private_directory(installation.home)
    table = {
        spec.name: spec
        for spec in children(
            installation.settings,
            ensure_credentials(installation.home),
            workers=1,
            config_file=installation.config,
            environ=os.environ,
        )
    }
    started: dict[str, Child] = {}
    with ExitStack() as stack:
        for name in names:
            started[name] = Child(table[name])
            stack.callback(started[name].stop)
            started[name].start()
            started[name].wait_ready()
        yield started
