"""Whether ports are free, and who holds the ones that are not."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from pathlib import Path

from lakeveil.errors import SetupError

_LISTENING = "0A"
_LOOPBACK: Mapping[str, str] = {}


def check_ports(ports: Mapping[str, int], *, hosts: Mapping[str, str] = _LOOPBACK) -> None:
    """Make sure that nobody listens on any of these ports. `ports` is setting -> number.

    `hosts` is setting -> address, of those that will not listen on loopback.

    Raises:
        SetupError: one is taken, or named twice, or no port at all; it names the setting.
    """
    owners: dict[int, str] = {}
    for setting, port in ports.items():
        variable = "LAKEVEIL_" + setting.upper().replace(".", "__")
        fix = f"set `{setting}` in lakeveil.toml, or the environment variable {variable}"
        if not 0 < port < 65536:  # noqa: PLR2004 - that is what a port is
            raise SetupError(
                f"`{setting}` is {port}", why="a port is a number from 1 to 65535", fix=fix
            )
        if port in owners:
            raise SetupError(
                f"`{setting}` and `{owners[port]}` are both {port}",
                why="each part of the stack needs a port of its own",
                fix=fix,
                code="port_named_twice",
            )
        owners[port] = setting
        if not is_free(port, hosts.get(setting, "127.0.0.1")):
            raise SetupError(
                f"port {port} is in use, and `{setting}` wants it",
                why=f"{holder(port) or 'a program of another user'} listens there",
                fix=f"stop that program, or {fix}",
                code="port_in_use",
            )


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether one could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As servers do: connections that were closed a moment ago do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str | None:
    """The program that listens on a port, as `name (process 123)`; None where it is not ours."""
    inodes = _listening_inodes(port)
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*"):
        # Processes end while we look, and those of others do not let us in.
        with contextlib.suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(descriptor.readlink()) in wanted:
                        name = (process / "comm").read_text().strip()
                        return f"{name} (process {process.name})"
    return None


def _listening_inodes(port: int) -> set[str]:
    found: set[str] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(fields[9])
    return found
