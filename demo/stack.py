"""A stack of one's own: `lakeveil up` on free ports, with the real command, until it is stopped."""

from __future__ import annotations

import configparser
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.config

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
PORT_NAMES = (
    *("s3", "http", "nats", "s3_grpc", "filer", "filer_grpc"),
    *("master", "master_grpc", "volume", "volume_grpc", "admin"),
)
ADMIN_GRPC_OFFSET = 10_000
"""SeaweedFS looks for its admin server's gRPC port there, whatever it was told."""
MARKER = ".made-by-the-demo"


class StackError(Exception):
    """The stack did not start; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A running stack. `ready` is the document with which `lakeveil up --json` says so."""

    home: Path
    config: Path
    log: Path
    ports: Mapping[str, int]
    ready: Mapping[str, Any]

    @property
    def s3_endpoint(self) -> str:
        """URL of the store's S3 API."""
        endpoint: str = self.ready["endpoints"]["s3"]
        return endpoint

    def s3(self, profile: str) -> Any:
        """A boto3 client with the key of `uploader`, `reader` or another profile of this stack."""
        return boto3.client(
            "s3",
            endpoint_url=self.s3_endpoint,
            region_name="us-east-1",
            **self.keys(profile),
            # A proxy of the surroundings is no way to loopback.
            config=botocore.config.Config(s3={"addressing_style": "path"}, proxies={}),
        )

    def keys(self, profile: str) -> dict[str, str]:
        """The key of a profile, as boto3 takes it."""
        found = _profiles(self.home)
        return {
            name: found[profile][name] for name in ("aws_access_key_id", "aws_secret_access_key")
        }

    def add_key(self, profile: str, key: Mapping[str, str]) -> None:
        """Keep a key that `lakeveil identity key create` printed as a profile."""
        found = _profiles(self.home)
        found[profile] = {
            "aws_access_key_id": key["access_key_id"],
            "aws_secret_access_key": key["secret_access_key"],
        }
        with (self.home / "aws").open("w", encoding="utf-8") as file:
            found.write(file)

    def lakeveil_text(self, *arguments: str) -> str:
        """What one command prints for people.

        Raises:
            StackError: it failed; the message is what it said.
        """
        return _run("--config", str(self.config), *arguments)

    def lakeveil(self, *arguments: str) -> Any:
        """Run one command against this stack and return its JSON document.

        Raises:
            StackError: it failed; the message is what it said.
        """
        return lakeveil("--config", str(self.config), *arguments)


def lakeveil(*arguments: str) -> Any:
    """Run the installed command with `--json` and return its document.

    Raises:
        StackError: it failed; the message is what it said.
    """
    return json.loads(_run(*arguments, "--json"))


def _run(*arguments: str) -> str:
    done = subprocess.run(
        [program(), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=_environment(),
    )
    if done.returncode:
        said = done.stderr.strip() or "nothing"
        raise StackError(f"`lakeveil {' '.join(arguments)}` failed and said: {said}")
    return done.stdout


def _profiles(home: Path) -> configparser.ConfigParser:
    found = configparser.ConfigParser(interpolation=None, default_section="")
    found.read(home / "aws")
    return found


def program() -> str:
    """The installed `lakeveil` command: the one beside this interpreter, else the one on PATH."""
    beside = Path(sys.executable).with_name("lakeveil")
    found = str(beside) if beside.exists() else shutil.which("lakeveil")
    if not found:
        raise StackError("the command `lakeveil` is not installed; run `make setup`")
    return found


@contextmanager
def running(home: Path, *, settings: str = "", log: Path | None = None) -> Iterator[Stack]:
    """Start a stack with a fresh `home` and stop it at the end. `settings` is more TOML.

    Raises:
        StackError: `home` holds something that is not a demo's, or the stack does not start.
    """
    _empty(home)
    config, log = home / "lakeveil.toml", log or home / "up.log"
    with ExitStack() as held, log.open("wb") as said:
        ports = free_ports(held)
        lines = [f"{name} = {port}" for name, port in ports.items()]
        text = "\n".join([f"home = {json.dumps(str(home))}", "", "[ports]", *lines, "", settings])
        config.write_text(text, "utf-8")
        child = subprocess.Popen(
            [program(), "--config", str(config), "up", "--json"],
            stdout=subprocess.PIPE,
            stderr=said,
            env=_environment(),
            # Ctrl-C on our terminal is ours: we stop the stack, in order.
            start_new_session=True,
        )
        try:
            ready = _wait_until_ready(child, log)
            yield Stack(home=home, config=config, log=log, ports=ports, ready=ready)
        finally:
            _stop(child)


def free_ports(held: ExitStack) -> dict[str, int]:
    """A free loopback port for each that the stack listens on.

    Until `held` is closed each is kept with a UDP socket: whoever else looks for ports in this way
    at the same time finds others.
    """

    def is_free(port: int) -> bool:
        mark = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            mark.bind(("127.0.0.1", port))
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            mark.close()
            return False
        held.enter_context(mark)
        return True

    spread = os.getpid() * 37 % 8_000
    # Below the ports that outgoing connections take, its gRPC port included.
    admin = next(
        port
        for port in range(12_000 + spread, 22_000)
        if is_free(port) and is_free(port + ADMIN_GRPC_OFFSET)
    )
    others = (port for port in range(20_000 + spread, 32_000) if is_free(port))
    ports = {name: next(others) for name in PORT_NAMES if name != "admin"}
    return ports | {"admin": admin, "admin_grpc": admin + ADMIN_GRPC_OFFSET}


def _empty(home: Path) -> None:
    if home.exists():
        if any(home.iterdir()) and not (home / MARKER).exists():
            raise StackError(f"{home} holds something that is not ours; name another folder")
        shutil.rmtree(home)
    home.mkdir(mode=0o700, parents=True)
    (home / MARKER).touch()


def _environment() -> dict[str, str]:
    # Settings of the surroundings are another installation's.
    return {k: v for k, v in os.environ.items() if not k.startswith("LAKEVEIL_")}


def _wait_until_ready(child: subprocess.Popen[bytes], log: Path) -> Mapping[str, Any]:
    """Read documents, one a line, until the one that says the stack is ready."""
    found: list[Mapping[str, Any]] = []
    settled = threading.Event()

    def read() -> None:
        # To the end, and not only until it is ready: a full pipe would stop the stack.
        with child.stdout or io.BytesIO() as said:
            for line in said:
                document = json.loads(line)
                if document.get("event") == "ready":
                    found.append(document)
                    settled.set()
        settled.set()

    threading.Thread(target=read, daemon=True, name="up").start()
    settled.wait(START_TIMEOUT_S)
    if not found:
        child.terminate()
        child.wait(STOP_TIMEOUT_S)
        last = log.read_text("utf-8", "replace").strip().splitlines()[-12:]
        raise StackError("\n".join([f"the stack did not start; {log} ends with:", *last]))
    return found[0]


def _stop(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
    try:
        child.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        raise StackError(f"the stack did not stop within {STOP_TIMEOUT_S:.0f} s") from None
