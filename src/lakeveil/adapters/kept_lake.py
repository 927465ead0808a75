"""The whole lake out of our database, kept in memory; see `lakeveil.ports.whole_lake`.

Each look reads what decisions depend on of every table, as text, and makes anew only the tables of
which it is another text than before: whatever was written meanwhile, by whichever process, counts
with the next question. Of a table 16 bytes are kept besides its place in the index.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa

from lakeveil.adapters.database import reading
from lakeveil.adapters.lake.codec import columns_of
from lakeveil.adapters.lake.snapshot import Snapshot, policy_version, read_snapshot
from lakeveil.adapters.tables.lake import lake_databases, lake_tables, lf_assignments
from lakeveil.core.access.explaining.whole_lake import WholeLake
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.guards import guarded
from lakeveil.core.access.indexing.lake_index import LakeIndex
from lakeveil.core.access.lake import Table
from lakeveil.core.access.tags import TagLayers

_T, _A = lake_tables.c, lf_assignments.c
_TABLES = sa.select(_T.account, _T.database, _T.name, _T.owner, _T.location, _T.columns_json)
_TAGS = sa.select(
    _A.account, _A.database, _A.table_name, _A.column_name, _A.key, _A.value
).order_by(_A.account, _A.database, _A.table_name, _A.column_name, _A.key)

_AT_ONCE = 1_000

Place = tuple[str, str, str]
"""Account, database, table; what is below is empty above it."""
Tags = Mapping[Place, Sequence[tuple[str, str, str]]]
"""Column (empty: the place itself), key, value of every tag set at a place."""


class KeptLake:
    """`WholeLakes` over an engine from `open_database`. Thread-safe."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._kept: _Kept | None = None

    @contextmanager
    def whole(self) -> Iterator[WholeLake]:
        """See `WholeLakes`."""
        with self._lock:
            # What went wrong half way is not built upon.
            kept, self._kept = self._kept, None
            with reading(self._engine) as connection:
                if kept is None:
                    kept = _Kept(read_snapshot(connection))
                kept.follow(connection)
            self._kept = kept
            yield kept.lake


class _Kept:
    """The lake as it was last read, and what of it was written where."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._seen: dict[TableName, bytes] = {}
        self.lake = WholeLake(policy=snapshot.policy, index=LakeIndex(), secret=set())

    def follow(self, connection: sa.Connection) -> None:
        """Read what is another than before."""
        self._follow_policy(connection)
        tags = _tags(connection)
        there: set[TableName] = set()
        for row in _rows(connection, _TABLES):
            name = TableName(row.account, row.database, row.name)
            there.add(name)
            written = _written(row, tags)
            if self._seen.get(name) != written:
                self.lake.index.put(self._table(name, row, tags))
                self.lake.tables_changed()
                self._seen[name] = written
        for name in self._seen.keys() - there:
            self.lake.index.drop(name)
            self.lake.tables_changed()
            del self._seen[name]
        self.lake.secret = _secret(connection, there)

    def _follow_policy(self, connection: sa.Connection) -> None:
        if policy_version(connection) == self._snapshot.version:
            return
        before, now = self._snapshot, read_snapshot(connection)
        if (before.locations, _guards(before)) != (now.locations, _guards(now)):
            # They decide how a table's text is to be read.
            self._seen = dict.fromkeys(self._seen, b"")
        self._snapshot = now
        self.lake.policy = now.policy

    def _table(self, name: TableName, row: Any, tags: Tags) -> Table:
        columns = columns_of(row.columns_json)
        names = {column.name for column in columns}
        own: dict[str, dict[str, str]] = defaultdict(dict)
        for column, key, value in tags.get((name.account, name.database, name.table), ()):
            own[column][key] = value
        layers = TagLayers(
            catalog=_at(tags, name.account),
            database=_at(tags, name.account, name.database),
            table=own.pop("", {}),
            # Columns that are gone keep their tags in the database.
            columns={column: found for column, found in own.items() if column in names},
        )
        guards = self._snapshot.policy.settings_of(name.account).guards
        return Table(
            name=name,
            columns=columns,
            owner=row.owner,
            tags=guarded(layers, (column.name for column in columns), guards),
            governed=self._snapshot.governs(name.account, row.location),
        )


def _rows(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[Any]:
    """Rows, many at a time: one by one takes twice as long."""
    for some in connection.execute(query).partitions(_AT_ONCE):
        yield from some


def _tags(connection: sa.Connection) -> Tags:
    found: dict[Place, list[tuple[str, str, str]]] = defaultdict(list)
    for account, database, table, column, key, value in _rows(connection, _TAGS):
        found[account, database, table].append((column, key, value))
    return found


def _at(tags: Tags, account: str, database: str = "") -> dict[str, str]:
    return {key: value for _, key, value in tags.get((account, database, ""), ())}


def _written(row: Any, tags: Tags) -> bytes:
    """A digest of all that a table is made of, the policy aside."""
    account, database, name, owner, location, columns = row
    places = ((account, "", ""), (account, database, ""), (account, database, name))
    rest = repr((owner, location, [tags.get(place, ()) for place in places]))
    return blake2b(f"{len(rest)}{rest}{columns}".encode(), digest_size=16).digest()


def _secret(connection: sa.Connection, there: set[TableName]) -> set[TableName]:
    hidden = sa.select(_T.account, _T.database, _T.name).where(sa.not_(_T.discoverable))
    within = sa.select(lake_databases.c.account, lake_databases.c.name).where(
        sa.not_(lake_databases.c.discoverable)
    )
    databases = {tuple(row) for row in connection.execute(within)}
    found = {TableName(*row) for row in connection.execute(hidden)}
    if databases:
        found |= {name for name in there if (name.account, name.database) in databases}
    return found


def _guards(snapshot: Snapshot) -> dict[str, Any]:
    settings = snapshot.policy.settings
    return {account: one.guards for account, one in settings.items() if one.guards}
