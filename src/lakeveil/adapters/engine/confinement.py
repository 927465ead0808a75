"""What a worker process gives up before it imports anything: files, ports, memory, its parent.

From the outside: `environment` is all of the environment that it gets. From the inside:
`confine`, first of all. Sizes are in bytes.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import sys
from collections.abc import Mapping
from pathlib import Path

from lakeveil.adapters.engine.landlock import restrict, support

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_CAPABILITY_VERSION_3 = 0x20080522
_MEMORY_BESIDES = 2 * 2**30
"""Private memory beside DuckDB's buffers: Python, pyarrow, stacks of threads, Arrow batches."""

# What it needs to find its code, and nothing else: keys, tokens and proxies stay out.
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
_FIXED = {
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "HOME": "/nonexistent",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
_SYSTEM = (
    "/usr",
    "/lib",
    "/lib64",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/ld.so.cache",
    "/etc/localtime",
    # Not all of /proc: what other processes were started with stands there.
    "/proc/self",
    "/proc/meminfo",
    "/proc/cpuinfo",
    "/proc/stat",
    "/proc/filesystems",
    "/proc/sys/vm",
    "/proc/sys/kernel",
    "/sys/devices/system",
    "/sys/fs/cgroup",
    "/sys/kernel/mm",
    "/dev/null",
    "/dev/zero",
    "/dev/random",
    "/dev/urandom",
)


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a worker."""
    return {name: environ[name] for name in _PASSED_ON if name in environ} | _FIXED


def confine(*, own: Path, port: int | None, require_landlock: bool) -> bool:
    """In a new process, before any thread: die with the parent, leave no core, lose all but `own`.

    `port` None leaves no TCP at all. Returns whether Landlock holds.

    Raises:
        SetupError: Landlock is missing and required.
    """
    parent = os.getppid()
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        # A core limit of zero does not hold where dumps are piped into a program.
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)
    _drop_capabilities()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(own)
    if not require_landlock and not support().enough:
        return False
    restrict(readable=_readable(), own=own, port=port)
    return True


def limit(*, memory_bytes: int, temporary_bytes: int) -> None:
    """Before a job: how much private memory the process may have, and how large its files get.

    DuckDB's own limit counts its buffers only. Soft limits, so that the next job may have others.
    """
    for what, size in (
        (resource.RLIMIT_DATA, memory_bytes + memory_bytes // 2 + _MEMORY_BESIDES),
        (resource.RLIMIT_FSIZE, temporary_bytes),
    ):
        hard = resource.getrlimit(what)[1]
        soft = size if hard == resource.RLIM_INFINITY else min(size, hard)
        resource.setrlimit(what, (soft, hard))


def _drop_capabilities() -> None:
    """Root keeps its name and its files, and loses the right to pass by everybody's rules.

    With CAP_PERFMON, say, the environment of any process can be read, Landlock or not.
    """
    if sys.platform != "linux":
        return
    version = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    if ctypes.CDLL(None).capset(version, struct.pack("=6I", 0, 0, 0, 0, 0, 0)) != 0:
        sys.exit(1)


def _readable() -> list[Path]:
    code = {Path(p) for p in (*sys.path, sys.prefix, sys.base_prefix, sys.exec_prefix) if p}
    return [*map(Path, _SYSTEM), *(p.resolve() for p in code if p.is_absolute())]
