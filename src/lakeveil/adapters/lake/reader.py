"""Reading the lake's state over one connection."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from lakeveil.adapters.lake.codec import columns_of, dumps
from lakeveil.adapters.lake.kept_tables import Explicit, Origin
from lakeveil.adapters.lake.prepared import Prepared
from lakeveil.adapters.lake.snapshot import Snapshot
from lakeveil.adapters.tables.iceberg import iceberg_entries, is_entry
from lakeveil.adapters.tables.lake import (
    lake_databases,
    lake_partitions,
    lake_table_versions,
    lake_tables,
    lf_assignments,
    lf_locations,
)
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.guards import guarded
from lakeveil.core.access.lake import Column, Database, Policy, Table
from lakeveil.core.access.locations import is_under
from lakeveil.core.access.tags import TagLayers
from lakeveil.ports.lake import Assignment, DatabaseRecord, Location, Place, TableRecord

Row = sa.Row[Any]
Tags = Mapping[tuple[str, str], Explicit]
"""(database, table) -> what is explicitly set there, and on the columns."""
_NO_TAGS: Explicit = {}


# Made once: SQLAlchemy would take longer to make them than SQLite to run them.
_ACCOUNT = sa.bindparam("account", type_=sa.Text())
_DATABASE_NAME = sa.bindparam("database", type_=sa.Text())
_NAME = sa.bindparam("name", type_=sa.Text())
_TABLE = Prepared(
    sa.select(lake_tables).where(
        lake_tables.c.account == _ACCOUNT,
        lake_tables.c.database == _DATABASE_NAME,
        lake_tables.c.name == _NAME,
    )
)
_DATABASE = sa.select(lake_databases).where(
    lake_databases.c.account == _ACCOUNT, lake_databases.c.name == _NAME
)
_A = lf_assignments.c
_EVERY = sa.select(_A.database, _A.table_name, _A.column_name, _A.key, _A.value).where(
    _A.account == _ACCOUNT
)
_IN = _EVERY.where(_A.database.in_([sa.literal(""), _DATABASE_NAME]))
_TAGS, _TAGS_IN = Prepared(_EVERY), Prepared(_IN)
# Lists, where "or" would say the same: with that SQLite reads every tag of the account.
_TAGS_TO = Prepared(_IN.where(_A.table_name.in_([sa.literal(""), _NAME])))
_TAGS_OF_DATABASES = Prepared(
    _EVERY.where(
        _A.database.in_(
            sa.union_all(
                sa.select(sa.literal("")),
                sa.select(lake_databases.c.name).where(lake_databases.c.account == _ACCOUNT),
            )
        ),
        _A.table_name == "",
    )
)


class SqlLakeReader:
    """`LakeReader` over a connection. `snapshot` gives the policy as this connection sees it."""

    def __init__(self, connection: sa.Connection, snapshot: Callable[[], Snapshot]) -> None:
        self._connection = connection
        self._snapshot = snapshot

    def policy(self) -> Policy:
        """See `LakeReader`."""
        return self._snapshot().policy

    def database(self, account: str, name: str) -> DatabaseRecord | None:
        """See `LakeReader`."""
        row = self._connection.execute(_DATABASE, {"account": account, "name": name}).first()
        return self._database(row, self._tags(account, name, "")) if row else None

    def databases(self, account: str) -> list[DatabaseRecord]:
        """See `LakeReader`."""
        query = sa.select(lake_databases).where(lake_databases.c.account == account)
        tags = self._gathered(_TAGS_OF_DATABASES, account=account)
        rows = self._connection.execute(query.order_by(lake_databases.c.name))
        return [self._database(row, tags) for row in rows]

    def table(self, name: TableName) -> TableRecord | None:
        """See `LakeReader`."""
        rows = _TABLE.rows(self._connection, **_names(name))
        if not rows:
            return None
        return self._table(rows[0], self._tags(name.account, name.database, name.table))

    def tables(self, account: str, database: str | None = None) -> Iterator[TableRecord]:
        """See `LakeReader`."""
        query = sa.select(lake_tables).where(lake_tables.c.account == account)
        if database is not None:
            query = query.where(lake_tables.c.database == database)
        tags = self._tags(account, database)
        for row in self._connection.execute(
            query.order_by(lake_tables.c.database, lake_tables.c.name)
        ):
            yield self._table(row, tags)

    def table_versions(self, name: TableName) -> list[TableRecord]:
        """See `LakeReader`."""
        current = self.table(name)
        if current is None:
            return []
        query = sa.select(lake_table_versions).where(*_is(lake_table_versions, name))
        rows = self._connection.execute(query.order_by(lake_table_versions.c.version.desc()))
        tags = self._tags(name.account, name.database, name.table)
        return [current, *(self._earlier(current, row, tags) for row in rows)]

    def partitions(self, name: TableName) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
        """See `LakeReader`."""
        query = sa.select(lake_partitions).where(*_is(lake_partitions, name))
        for row in self._connection.execute(query.order_by(lake_partitions.c.values_json)):
            yield tuple(json.loads(row.values_json)), json.loads(row.document_json)

    def partition(self, name: TableName, values: Sequence[str]) -> Mapping[str, Any] | None:
        """See `LakeReader`."""
        query = sa.select(lake_partitions.c.document_json).where(
            *_is(lake_partitions, name), lake_partitions.c.values_json == dumps(list(values))
        )
        text = self._connection.execute(query).scalar()
        found: Mapping[str, Any] | None = json.loads(text) if text is not None else None
        return found

    def iceberg_entry(self, name: TableName) -> str | None:
        """See `LakeReader`."""
        query = sa.select(iceberg_entries.c.metadata_location).where(*is_entry(name))
        found: str | None = self._connection.execute(query).scalar()
        return found

    def iceberg_entries(self, account: str, database: str | None = None) -> Mapping[TableName, str]:
        """See `LakeReader`."""
        e = iceberg_entries.c
        query = sa.select(iceberg_entries).where(e.catalog_name == account)
        if database is not None:
            query = query.where(e.table_namespace == database)
        return {
            TableName(account, row.table_namespace, row.table_name): row.metadata_location or ""
            for row in self._connection.execute(query)
        }

    def tables_at(self, account: str, location: str) -> list[TableRecord]:
        """See `LakeReader`."""
        found = lake_tables.c.location
        query = sa.select(lake_tables.c.database, lake_tables.c.name, found).where(
            lake_tables.c.account == account, found != ""
        )
        names = [
            TableName(account, row.database, row.name)
            for row in self._connection.execute(query)
            if _may_overlap(row.location, location)
            and (is_under(row.location, location) or is_under(location, row.location))
        ]
        return [record for name in names if (record := self.table(name)) is not None]

    def assignments(self, account: str, database: str = "", table: str = "") -> list[Assignment]:
        """See `LakeReader`."""
        a = lf_assignments.c
        rows = self._connection.execute(
            sa.select(lf_assignments)
            .where(
                a.account == account,
                a.database.in_({"", database}),
                a.table_name.in_({"", table} if database else {""}),
            )
            .order_by(a.database, a.table_name, a.column_name, a.key)
        )
        return [
            Assignment(
                place=Place(row.account, row.database, row.table_name, row.column_name),
                key=row.key,
                value=row.value,
                set_by=row.set_by,
                set_at=row.set_at,
            )
            for row in rows
        ]

    def locations(self, account: str | None = None) -> list[Location]:
        """See `LakeReader`."""
        query = sa.select(lf_locations).order_by(lf_locations.c.account, lf_locations.c.location)
        if account is not None:
            query = query.where(lf_locations.c.account == account)
        return [
            Location(
                account=row.account,
                location=row.location,
                role=row.role,
                registered_at=row.registered_at,
                registered_by=row.registered_by,
            )
            for row in self._connection.execute(query)
        ]

    def _earlier(self, current: TableRecord, row: Row, tags: Tags) -> TableRecord:
        name = current.table.name
        columns = columns_of(row.columns_json)
        return replace(
            current,
            table=replace(
                current.table,
                columns=columns,
                # Columns that are gone kept their tags, and are as closed as they were.
                tags=self._layers(name, columns, tags),
                governed=self._snapshot().governs(name.account, row.location),
            ),
            document=json.loads(row.document_json),
            location=row.location,
            metadata_location=row.metadata_location,
            version=row.version,
            updated_at=row.updated_at,
            updated_by=row.updated_by,
        )

    def _tags(self, account: str, database: str | None = None, table: str | None = None) -> Tags:
        """The explicit tags of an account, or of all that could be meant on the way to a name."""
        if database is None:
            return self._gathered(_TAGS, account=account)
        if table is None:
            return self._gathered(_TAGS_IN, account=account, database=database)
        return self._gathered(_TAGS_TO, account=account, database=database, name=table)

    def _gathered(self, query: Prepared, **where: str) -> Tags:
        found: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
        for database, table, column, key, value in query.rows(self._connection, **where):
            found.setdefault((database, table), {}).setdefault(column, {})[key] = value
        return found

    def _layers(self, name: TableName, columns: Sequence[Column], tags: Tags) -> TagLayers:
        explicit = tags.get((name.database, name.table), _NO_TAGS)
        layers = TagLayers(
            catalog=tags.get(("", ""), _NO_TAGS).get("", {}),
            database=tags.get((name.database, ""), _NO_TAGS).get("", {}),
            table=explicit.get("", {}),
            columns={
                column.name: explicit[column.name] for column in columns if column.name in explicit
            },
        )
        guards = self._snapshot().policy.settings_of(name.account).guards
        return guarded(layers, (column.name for column in columns), guards)

    def _database(self, row: Row, tags: Tags) -> DatabaseRecord:
        return DatabaseRecord(
            database=Database(
                account=row.account,
                name=row.name,
                owner=row.owner,
                catalog_tags=tags.get(("", ""), _NO_TAGS).get("", {}),
                tags=tags.get((row.name, ""), _NO_TAGS).get("", {}),
            ),
            document=json.loads(row.document_json),
            created_at=row.created_at,
            discoverable=row.discoverable,
        )

    def _table(self, row: Sequence[Any], tags: Tags) -> TableRecord:
        (
            account, database, table, owner, columns_json, document_json, location,
            metadata_location, version, created_at, updated_at, updated_by, discoverable,
        ) = row  # fmt: skip
        name, snapshot = TableName(account, database, table), self._snapshot()

        def make() -> Table:
            columns = columns_of(columns_json)
            return Table(
                name=name,
                columns=columns,
                owner=owner,
                tags=self._layers(name, columns, tags),
                governed=snapshot.governs(account, location),
            )

        origin = Origin(
            owner=owner,
            location=location,
            columns_json=columns_json,
            catalog=tags.get(("", ""), _NO_TAGS),
            database=tags.get((database, ""), _NO_TAGS),
            table=tags.get((database, table), _NO_TAGS),
        )
        return TableRecord(
            table=snapshot.tables.table(name, origin, make),
            document=json.loads(document_json),
            location=location,
            metadata_location=metadata_location,
            version=version,
            created_at=created_at,
            updated_at=updated_at,
            updated_by=updated_by,
            discoverable=bool(discoverable),
        )


def _names(name: TableName) -> dict[str, str]:
    return {"account": name.account, "database": name.database, "name": name.table}


def _is(table: sa.Table, name: TableName) -> tuple[sa.ColumnElement[bool], ...]:
    c = table.c
    return c.account == name.account, c.database == name.database, c.name == name.table


def _may_overlap(one: str, other: str) -> bool:
    """Whether it is worth the exact comparison, part by part, that a hundred thousand are not."""
    return one.startswith(other) or other.startswith(one)
