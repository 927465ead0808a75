"""A new state database for a test: a copy of one that was migrated once for the whole process.

Migrating takes longer than most tests. That it works, from nothing and from every older schema, is
for tests/adapters/test_database.py to say.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import sqlalchemy as sa

from lakeveil.adapters.credentials import private_directory, write_private
from lakeveil.adapters.database import open_database


def new_database(path: Path) -> sa.Engine:
    """An engine over a new database at `path`, empty and of the current schema."""
    lay_down(path)
    return opened(path)


def opened(path: Path) -> sa.Engine:
    """An engine over the database at `path` that does not wait for the disk."""
    engine = open_database(f"sqlite:///{path}")
    # No test pulls the plug, and waiting for the disk is most of what these would do.
    engine.dispose()
    sa.event.listen(engine, "connect", lambda c, _: c.execute("PRAGMA synchronous=OFF"))
    return engine


def lay_down(path: Path) -> None:
    """Put a new database at `path`, for others to open."""
    private_directory(path.parent)
    write_private(path, _migrated())


@functools.cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        open_database(f"sqlite:///{folder}/state.db").dispose()
        return Path(folder, "state.db").read_bytes()
