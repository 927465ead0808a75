"""Landlock: a process gives up files and TCP ports for good, without needing any privilege.

It binds the calling thread and those it starts later, so it comes before all others. A kernel
that cannot do all of it is refused unless the caller says otherwise. Numbers and structures are
those of `linux/landlock.h`; ABI 4 (Linux 6.7) knows TCP ports, ABI 6 (6.12) signals and abstract
sockets. Landlock also keeps a process from tracing others, and so from their `/proc/PID/environ`.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lakeveil.errors import SetupError

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH, _RULE_NET_PORT = 1, 2
_PR_SET_NO_NEW_PRIVS = 38

_WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = (
    1 << 1,
    1 << 2,
    1 << 3,
    1 << 4,
    1 << 5,
)
_MAKE_DIR, _MAKE_REG, _TRUNCATE = 1 << 7, 1 << 8, 1 << 14
_FS_BITS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many kinds of access to files each ABI knows; those that are not named are never given."""
_READ = _READ_FILE | _READ_DIR
_OWN = _READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _TRUNCATE
_OF_A_FILE = _READ_FILE | _WRITE_FILE | _TRUNCATE
_NET_BIND_TCP, _NET_CONNECT_TCP = 1, 2
_SCOPE_ABSTRACT_UNIX, _SCOPE_SIGNAL = 1, 2

_PORTS_ABI, _SCOPES_ABI = 4, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class LandlockSupport:
    """What this kernel can do. `abi` 0: nothing. `missing` says what is not there, in words."""

    abi: int
    missing: tuple[str, ...] = ()

    @property
    def enough(self) -> bool:
        """Whether files and TCP ports can be given up."""
        return self.abi >= _PORTS_ABI


def support() -> LandlockSupport:
    """Ask the kernel; changes nothing."""
    abi = _abi()
    missing = []
    if abi < 1:
        missing.append("files (Landlock is off, or the kernel is older than 5.13)")
    if abi < _PORTS_ABI:
        missing.append("TCP ports (the kernel is older than 6.7)")
    if abi < _SCOPES_ABI:
        missing.append("signals and abstract sockets (the kernel is older than 6.12)")
    return LandlockSupport(abi=abi, missing=tuple(missing))


def restrict(*, readable: Iterable[Path], own: Path, port: int | None) -> None:
    """Leave this process reads of `readable`, its `own` directory, and TCP to `port`, if any.

    Programs cannot be executed any more, nor can any port be bound. Paths that do not exist are
    left out.

    Raises:
        SetupError: the kernel can do less than that; nothing was given up.
    """
    known = support()
    if not known.enough:
        raise SetupError(
            "queries cannot be confined on this machine",
            why=f"its kernel does not restrict {'; '.join(known.missing)}",
            fix="run Linux 6.7 or newer with Landlock, or set sql.require_landlock = false",
            code="landlock_missing",
        )
    libc = ctypes.CDLL(None, use_errno=True)
    bits = _FS_BITS.get(known.abi, max(_FS_BITS.values()))
    scopes = _SCOPE_ABSTRACT_UNIX | _SCOPE_SIGNAL if known.abi >= _SCOPES_ABI else 0
    attributes = struct.pack("=QQ", (1 << bits) - 1, _NET_BIND_TCP | _NET_CONNECT_TCP)
    if scopes:
        attributes += struct.pack("=Q", scopes)
    rules = _call(libc, _CREATE_RULESET, attributes, len(attributes), 0)
    try:
        for path in readable:
            _allow(libc, rules, path, _READ)
        _allow(libc, rules, own, _OWN)
        if port is not None:
            _call(
                libc,
                _ADD_RULE,
                rules,
                _RULE_NET_PORT,
                struct.pack("=QQ", _NET_CONNECT_TCP, port),
                0,
            )
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
        _call(libc, _RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)


def _abi() -> int:
    if sys.platform != "linux":
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    return max(
        0, int(libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _CREATE_RULESET_VERSION))
    )


def _allow(libc: ctypes.CDLL, rules: int, path: Path, access: int) -> None:
    try:
        there = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(there).st_mode):
            access &= _OF_A_FILE
        # Packed: the kernel's structure has no padding behind the descriptor.
        _call(libc, _ADD_RULE, rules, _RULE_PATH_BENEATH, struct.pack("=Qi", access, there), 0)
    finally:
        os.close(there)


def _call(libc: ctypes.CDLL, number: int, *arguments: int | bytes) -> int:
    passed = [ctypes.c_long(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments]
    result = int(libc.syscall(ctypes.c_long(number), *passed))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), f"Landlock call {number}")
    return result
