"""`lakeveil up` in a directory of its own, as its user runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config

from tests.command_line import PROGRAM, run_here
from tests.stack_fixture import free_ports, store_ports

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningStack:
    """A stack that is ready. `command` is the `lakeveil` it was started with."""

    directory: Path
    command: list[str]
    environ: Mapping[str, str]
    ready: Mapping[str, Any]
    """The document that `lakeveil up --json` printed."""
    process: subprocess.Popen[str]

    @property
    def home(self) -> Path:
        """Its `.lakeveil`."""
        return self.directory / ".lakeveil"

    @property
    def endpoint(self) -> str:
        """URL of its S3 API."""
        return f"http://127.0.0.1:{self.environ['LAKEVEIL_PORTS__S3']}"

    def s3(self, identity: str = "admin") -> Any:
        """A boto3 client with one of the installation's keys; it is patient with a store away."""
        key = json.loads((self.home / "credentials.json").read_text())["s3"][identity]
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=key["access_key_id"],
            aws_secret_access_key=key["secret_access_key"],
            config=Config(
                s3={"addressing_style": "path"},
                retries={"mode": "standard", "total_max_attempts": 12},
                request_checksum_calculation="when_required",
            ),
        )

    def lakeveil(self, *arguments: str) -> Any:
        """What `lakeveil ARGUMENTS --json` prints."""
        words = [*arguments, "--json"]
        if self.command == PROGRAM:
            done = run_here(words, cwd=self.directory, environ=self.environ)
        else:
            done = subprocess.run(
                [*self.command, *words],
                check=False,
                cwd=self.directory,
                env=dict(self.environ),
                capture_output=True,
                text=True,
            )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def children(self, fragment: str) -> list[int]:
        """Process ids below `up` whose command line holds `fragment`."""
        found = []
        for pid in descendants(self.process.pid):
            try:
                line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if fragment in line:
                found.append(pid)
        return found

    def log(self) -> str:
        """The end of every log, for a failing test's message."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-1500:]}"
            for path in sorted((self.home / "logs").glob("*.log"))
        )


def descendants(pid: int) -> list[int]:
    """Every process below one."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            children = [int(c) for c in (task / "children").read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found


def wait_for(what: Callable[[], T | None], *, seconds: float = 60.0, why: str = "") -> T:
    """Poll until `what()` is truthy.

    Raises:
        AssertionError: it did not become so.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.1)
    raise AssertionError(why or f"{what} did not happen within {seconds} s")


@contextmanager
def running_stack(
    command: list[str],
    *,
    settings: str = "",
    environ: Mapping[str, str] | None = None,
    arguments: tuple[str, ...] = (),
) -> Iterator[RunningStack]:
    """Start `COMMAND up` with free ports in a directory of its own; stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="lakeveil-up-", ignore_cleanup_errors=True) as path:
        directory = Path(path)
        (directory / "lakeveil.toml").write_text(settings)
        http, nats = free_ports(2)
        ports = {**asdict(store_ports()), "http": http, "nats": nats}
        named = {f"LAKEVEIL_PORTS__{name.upper()}": str(port) for name, port in ports.items()}
        everything = {**os.environ, **named, **(environ or {})}
        with subprocess.Popen(
            [*command, "up", "--json", *arguments],
            cwd=directory,
            env=everything,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert process.stdout is not None
                assert process.stderr is not None
                line = process.stdout.readline()
                assert line, process.stderr.read()
                yield RunningStack(
                    directory=directory,
                    command=command,
                    environ=everything,
                    ready=json.loads(line),
                    process=process,
                )
            finally:
                process.send_signal(signal.SIGINT)
                try:
                    process.communicate(timeout=30)
                except subprocess.TimeoutExpired:
                    process.kill()
