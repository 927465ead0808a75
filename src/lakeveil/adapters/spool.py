"""The bridge's spool: events on disk before anybody is told that they were seen.

SQLite with full synchronisation. A row stays a while after it was published, so that a replay of
the store's log, which overlaps on purpose, does not publish it a second time.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

from lakeveil.errors import SetupError
from lakeveil.ports import SpooledEvent

KEEP_PUBLISHED_NS = 15 * 60 * 10**9
"""Longer than any replay reaches back behind the newest event."""

_SCHEMA = """\
CREATE TABLE IF NOT EXISTS events (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  body BLOB NOT NULL,
  at_ns INTEGER NOT NULL,
  published INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS waiting ON events (number) WHERE NOT published;
CREATE INDEX IF NOT EXISTS published_at ON events (at_ns) WHERE published;
CREATE TABLE IF NOT EXISTS position (
  only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
  at_ns INTEGER NOT NULL
);
"""


class EventSpool:
    """Events that wait to be published, in one file. Thread-safe."""

    def __init__(self, path: Path) -> None:
        """Open or make the file.

        Raises:
            SetupError: it cannot be opened.
        """
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise SetupError(
                f"the event spool `{path}` cannot be opened",
                why=str(error),
                fix="remove it while Lakeveil is stopped: the reconciler finds what it held",
            ) from error

    def close(self) -> None:
        """Close the file; nothing is lost."""
        with self._lock:
            self._db.close()

    def position_ns(self) -> int | None:
        """Time of the newest event that was seen (UTC nanoseconds), None at the very start."""
        with self._lock:
            row = self._db.execute("SELECT at_ns FROM position").fetchone()
        return None if row is None else int(row[0])

    def append(self, events: Sequence[SpooledEvent], *, position_ns: int) -> int:
        """Keep events, known ones once; returns how many were new. On disk when it returns."""
        with self._lock, self._transaction():
            new = self._db.executemany(
                "INSERT OR IGNORE INTO events (id, body, at_ns) VALUES (?, ?, ?)",
                [(event.id, event.body, event.at_ns) for event in events],
            ).rowcount
            self._db.execute(
                "INSERT INTO position VALUES (1, ?) ON CONFLICT (only_one) "
                "DO UPDATE SET at_ns = max(at_ns, excluded.at_ns)",
                (position_ns,),
            )
        return max(new, 0)

    def waiting(self, limit: int) -> list[SpooledEvent]:
        """The oldest events that were not published."""
        with self._lock:
            rows = self._db.execute(
                "SELECT id, body, at_ns FROM events WHERE NOT published ORDER BY number LIMIT ?",
                (limit,),
            ).fetchall()
        return [SpooledEvent(id=i, body=body, at_ns=at_ns) for i, body, at_ns in rows]

    def published(self, ids: Sequence[str]) -> None:
        """They are in the queue; forgets what was published long before the newest event."""
        with self._lock, self._transaction():
            self._db.executemany(
                "UPDATE events SET published = 1 WHERE id = ?", [(one,) for one in ids]
            )
            self._db.execute(
                "DELETE FROM events WHERE published AND at_ns < (SELECT at_ns FROM position) - ?",
                (KEEP_PUBLISHED_NS,),
            )

    def _transaction(self) -> _Transaction:
        return _Transaction(self._db)


class _Transaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._db.execute("ROLLBACK" if kind else "COMMIT")
