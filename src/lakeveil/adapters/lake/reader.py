"""Reading the lake's state over one connection."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from lakeveil.adapters.lake.codec import columns_of, dumps
from lakeveil.adapters.lake.snapshot import Snapshot
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
from lakeveil.core.access.lake import Database, Policy, Table
from lakeveil.core.access.tags import TagLayers
from lakeveil.ports.lake import Assignment, DatabaseRecord, Location, Place, TableRecord

Row = sa.Row[Any]


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
        query = sa.select(lake_databases).where(
            lake_databases.c.account == account, lake_databases.c.name == name
        )
        row = self._connection.execute(query).first()
        return self._database(row, self._tags(account, name)) if row else None

    def databases(self, account: str) -> list[DatabaseRecord]:
        """See `LakeReader`."""
        query = sa.select(lake_databases).where(lake_databases.c.account == account)
        tags = self._tags(account, tables=False)
        rows = self._connection.execute(query.order_by(lake_databases.c.name))
        return [self._database(row, tags) for row in rows]

    def table(self, name: TableName) -> TableRecord | None:
        """See `LakeReader`."""
        row = self._connection.execute(
            sa.select(lake_tables).where(*_is(lake_tables, name))
        ).first()
        return (
            self._table(row, self._tags(name.account, name.database, name.table)) if row else None
        )

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
        return [current, *(self._earlier(current, row) for row in rows)]

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

    def assignments(self, account: str, database: str = "", table: str = "") -> list[Assignment]:
        """See `LakeReader`."""
        a = lf_assignments.c
        rows = self._connection.execute(
            sa.select(lf_assignments)
            .where(a.account == account, _on_the_way(database, table))
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

    def _earlier(self, current: TableRecord, row: Row) -> TableRecord:
        name = current.table.name
        return replace(
            current,
            table=replace(
                current.table,
                columns=columns_of(row.columns_json),
                governed=self._snapshot().governs(name.account, row.location),
            ),
            document=json.loads(row.document_json),
            location=row.location,
            metadata_location=row.metadata_location,
            version=row.version,
            updated_at=row.updated_at,
            updated_by=row.updated_by,
        )

    def _tags(
        self,
        account: str,
        database: str | None = None,
        table: str | None = None,
        *,
        tables: bool = True,
    ) -> Mapping[tuple[str, str, str], Mapping[str, str]]:
        """(database, table, column) -> explicit tags; of everything that could be meant."""
        a = lf_assignments.c
        query = sa.select(a.database, a.table_name, a.column_name, a.key, a.value).where(
            a.account == account
        )
        if table is not None:
            query = query.where(_on_the_way(database or "", table))
        elif database is not None:
            query = query.where(a.database.in_(("", database)))
        if not tables:
            query = query.where(a.table_name == "")
        found: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
        for where, of, column, key, value in self._connection.execute(query):
            found[where, of, column][key] = value
        return found

    def _database(
        self, row: Row, tags: Mapping[tuple[str, str, str], Mapping[str, str]]
    ) -> DatabaseRecord:
        return DatabaseRecord(
            database=Database(
                account=row.account,
                name=row.name,
                owner=row.owner,
                catalog_tags=tags.get(("", "", ""), {}),
                tags=tags.get((row.name, "", ""), {}),
            ),
            document=json.loads(row.document_json),
            created_at=row.created_at,
            discoverable=row.discoverable,
        )

    def _table(
        self, row: Row, tags: Mapping[tuple[str, str, str], Mapping[str, str]]
    ) -> TableRecord:
        columns = columns_of(row.columns_json)
        layers = TagLayers(
            catalog=tags.get(("", "", ""), {}),
            database=tags.get((row.database, "", ""), {}),
            table=tags.get((row.database, row.name, ""), {}),
            columns={
                column.name: tags[row.database, row.name, column.name]
                for column in columns
                if (row.database, row.name, column.name) in tags
            },
        )
        snapshot = self._snapshot()
        guards = snapshot.policy.settings_of(row.account).guards
        return TableRecord(
            table=Table(
                name=TableName(row.account, row.database, row.name),
                columns=columns,
                owner=row.owner,
                tags=guarded(layers, (column.name for column in columns), guards),
                governed=snapshot.governs(row.account, row.location),
            ),
            document=json.loads(row.document_json),
            location=row.location,
            metadata_location=row.metadata_location,
            version=row.version,
            created_at=row.created_at,
            updated_at=row.updated_at,
            updated_by=row.updated_by,
            discoverable=row.discoverable,
        )


def _is(table: sa.Table, name: TableName) -> tuple[sa.ColumnElement[bool], ...]:
    c = table.c
    return c.account == name.account, c.database == name.database, c.name == name.table


def _on_the_way(database: str, table: str) -> sa.ColumnElement[bool]:
    a = lf_assignments.c
    above = sa.and_(a.database == "", a.table_name == "")
    if not database:
        return above
    of_database = sa.and_(a.database == database, a.table_name == "")
    if not table:
        return sa.or_(above, of_database)
    return sa.or_(above, of_database, sa.and_(a.database == database, a.table_name == table))
