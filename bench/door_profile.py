"""`lakeveil serve` that watches itself: in which of its rooms the time of requests is spent.

    python -m bench.door_profile FILE

A thread looks at the stacks of all others every millisecond and counts the room that the innermost
known frame of each busy one belongs to; at the end the counts are written to FILE as JSON. Unlike
a profiler that is told of every call, this makes no call slower than another.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from lakeveil.cli.main import invoke

EVERY_S = 0.001
_ROOMS = (
    ("/lakeveil/adapters/telemetry", "log"),
    ("/lakeveil/adapters/metrics", "log"),
    ("/structlog/", "log"),
    ("/lakeveil/adapters/", "SQL"),
    ("/lakeveil/core/audit", "SQL"),
    ("/sqlalchemy/", "SQL"),
    ("/lakeveil/core/", "decide"),
    ("/lakeveil/aws/glue/", "flow"),
    ("/lakeveil/aws/lakeformation/", "flow"),
    ("/lakeveil/flows/", "flow"),
    ("/lakeveil/aws/", "wire"),
    ("/lakeveil/web/", "HTTP"),
    ("/uvicorn/", "HTTP"),
    ("/h11/", "HTTP"),
    ("/anyio/", "HTTP"),
    ("/asyncio/", "HTTP"),
)
ROOMS = tuple(dict.fromkeys(room for _, room in _ROOMS))


def main() -> None:
    """Serve until SIGTERM, then write the counts."""
    (path,) = sys.argv[1:]
    # Whoever runs keeps the interpreter's lock this long once another thread wants it. With the
    # usual 5 ms we would look mostly where it is given up by itself, which is at every SQL call.
    sys.setswitchinterval(0.000005)
    counts: Counter[str] = Counter()
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(counts, done), daemon=True)
    watcher.start()
    status = invoke(["serve", "--json"])
    done.set()
    watcher.join()
    Path(path).write_text(json.dumps(counts))
    sys.exit(status)


def _watch(counts: Counter[str], done: threading.Event) -> None:
    ours = threading.get_ident()
    while not done.wait(EVERY_S):
        for thread, frame in sys._current_frames().items():  # noqa: SLF001 - made for this
            if thread != ours and (room := _room(frame)):
                counts[room] += 1


def _room(innermost: FrameType) -> str:
    """The room that a thread is in; empty where it waits for work."""
    files = list(_files(innermost))
    if files[0].endswith(("/selectors.py", "/queue.py", "/threading.py")):
        return ""
    for file in files:
        for part, room in _ROOMS:
            if part in file:
                return room
    return ""


def _files(frame: FrameType | None) -> Iterator[str]:
    while frame is not None:
        yield frame.f_code.co_filename
        frame = frame.f_back


if __name__ == "__main__":
    main()
