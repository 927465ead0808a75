"""Which sockets a process listens on, as the kernel says."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from pathlib import Path

_LISTENING_TCP = "0A"
_ACCEPTING_UNIX = "00010000"


def tcp_listeners(pid: int) -> set[tuple[str, int]]:
    """(address, port) of every TCP socket that the process listens on."""
    found: set[tuple[str, int]] = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING_TCP and fields[9] in _inodes(pid):
                address, _, port = fields[1].partition(":")
                found.add((_address(address), int(port, 16)))
    return found


def unix_listeners(pid: int) -> set[str]:
    """Path of every Unix socket that the process listens on."""
    found: set[str] = set()
    for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:]:
        fields = line.split(maxsplit=7)
        if len(fields) == 8 and fields[3] == _ACCEPTING_UNIX and fields[6] in _inodes(pid):
            found.add(fields[7])
    return found


def descendants(pid: int) -> set[int]:
    """Every process that this one started, and those that they did."""
    found: set[int] = set()
    left = [pid]
    while left:
        one = left.pop()
        with suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                children = {int(c) for c in (task / "children").read_text().split()}
                left += children - found
                found |= children
    return found


def _inodes(pid: int) -> set[str]:
    found: set[str] = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            target = str(descriptor.readlink())
            if target.startswith("socket:["):
                found.add(target[8:-1])
    return found


def _address(raw: str) -> str:
    # Words of 32 bits, each in the machine's byte order.
    data = b"".join(bytes.fromhex(raw[i : i + 8])[::-1] for i in range(0, len(raw), 8))
    return str(ipaddress.ip_address(data))
