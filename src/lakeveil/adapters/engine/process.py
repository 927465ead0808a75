"""The process in which queries run: `python -m lakeveil.adapters.engine.process`, by the pool.

It gives up files and ports before it imports DuckDB, opens a blank instance, says that it is
ready, and runs jobs until it is killed. It is not trusted with anything: what it may reach was
decided before the first query, and its parent checks what it says. Arguments, as JSON: see
`Setup`. Descriptor 0 is the socket, `Setup.counters` the shared memory for what is read so far.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import msgspec

from lakeveil.adapters.engine.confinement import confine


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is to be. `port` None: no network at all."""

    own: str
    port: int | None
    extension: str
    counters: int
    require_landlock: bool
    prelude: tuple[str, ...] = ()


def main() -> None:
    """Run until killed."""
    setup = msgspec.json.decode(sys.argv[1], type=Setup)
    own = Path(setup.own)
    confined = confine(own=own, port=setup.port, require_landlock=setup.require_landlock)
    # Only now: what is imported starts threads, and those must be bound as well.
    from lakeveil.adapters.engine.jobs import Jobs  # noqa: PLC0415

    with socket.socket(fileno=os.dup(0)) as parent:
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - descriptor 0 itself is replaced
            os.dup2(nothing.fileno(), 0)
        Jobs(
            parent,
            own=own,
            extension=setup.extension,
            prelude=setup.prelude,
            counters=setup.counters,
        ).serve(confined=confined)


if __name__ == "__main__":
    main()
