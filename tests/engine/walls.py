"""A process behind chosen walls, in which forbidden things are tried. Run by `test_walls`.

Writes, for each try, `went through` or the name and words of what refused it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from lakeveil.adapters.engine.confinement import confine


def main() -> None:
    """Put up the walls that are wanted, then try."""
    wanted = json.loads(sys.argv[1])
    own = Path(wanted["own"])
    if wanted["confined"]:
        assert confine(own=own, port=wanted["port"], require_landlock=True)
    from lakeveil.adapters.engine.pool import extension_path
    from lakeveil.adapters.engine.session import Session, SessionLimits, open_blank

    connection = open_blank(extension=extension_path(), directory=own / "spill")
    if wanted["locked"]:
        Session(
            connection,
            directory=own / "spill",
            urls=wanted["urls"],
            limits=SessionLimits(memory_bytes=2**28, temporary_bytes=2**26, threads=2),
        )
    sys.stdout.write(json.dumps([_tried(connection, one) for one in wanted["tries"]]))


def _tried(connection: Any, one: str) -> str:
    try:
        if one.startswith("python: "):
            exec(one.removeprefix("python: "), {"os": os, "socket": socket})
        else:
            connection.execute(one).fetchall()
    except Exception as error:  # noqa: BLE001 - whatever it is, it was refused
        return f"{type(error).__name__}: {error}"
    return "went through"


if __name__ == "__main__":
    main()
