"""Writing the lake's state inside one transaction. Rights are checked by whoever calls this."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from lakeveil.adapters.lake.codec import (
    columns_text,
    dumps,
    grant_number,
    grant_row,
    settings_text,
    texts,
)
from lakeveil.adapters.lake.reader import SqlLakeReader
from lakeveil.adapters.lake.snapshot import Snapshot, raise_policy_version, read_snapshot
from lakeveil.adapters.tables.iceberg import iceberg_entries, is_entry
from lakeveil.adapters.tables.lake import (
    lake_databases,
    lake_partitions,
    lake_table_versions,
    lake_tables,
    lf_assignments,
    lf_expressions,
    lf_filters,
    lf_grants,
    lf_locations,
    lf_settings,
    lf_tags,
)
from lakeveil.core.access.grants import (
    DataCellsFilter,
    Grant,
    OnColumns,
    OnDatabase,
    OnExpression,
    OnFilter,
    OnTable,
    Resource,
    TableName,
    TagPolicy,
)
from lakeveil.core.access.lake import LakeSettings
from lakeveil.core.access.tags import LFTag, SavedExpression
from lakeveil.errors import Conflict
from lakeveil.ports.lake import Assignment, DatabaseRecord, Location, Place, TableRecord


class SqlLakeWriter(SqlLakeReader):
    """`LakeWriter` over a connection that holds a write transaction."""

    def __init__(self, connection: sa.Connection, snapshot: Snapshot) -> None:
        super().__init__(connection, self._current)
        self._known: Snapshot | None = snapshot

    def _current(self) -> Snapshot:
        if self._known is None:
            self._known = read_snapshot(self._connection)
        return self._known

    def put_tag(self, tag: LFTag) -> None:
        """See `LakeWriter`."""
        self._put(
            lf_tags,
            {"account": tag.account, "key": tag.key},
            {"values_json": texts(tag.values), "created_by": tag.created_by},
        )
        self._policy_changed()

    def remove_tag(self, account: str, key: str) -> None:
        """See `LakeWriter`."""
        for table in (lf_tags, lf_assignments):
            self._delete(table, account=account, key=key)
        self._policy_changed()

    def tag_values_in_use(self, account: str, key: str) -> frozenset[str]:
        """See `LakeWriter`."""
        a = lf_assignments.c
        query = sa.select(a.value).where(a.account == account, a.key == key).distinct()
        return frozenset(self._connection.execute(query).scalars())

    def put_expression(self, expression: SavedExpression) -> None:
        """See `LakeWriter`."""
        self._put(
            lf_expressions,
            {"account": expression.account, "name": expression.name},
            {
                "body_json": dumps(expression.body.as_dict()),
                "description": expression.description,
            },
        )
        self._policy_changed()

    def remove_expression(self, account: str, name: str) -> None:
        """See `LakeWriter`."""
        self._delete(lf_expressions, account=account, name=name)
        self._remove_grants(
            lambda on: (
                isinstance(on, TagPolicy | OnExpression)
                and (on.account, on.name) == (account, name)
            )
        )

    def assign(self, assignment: Assignment) -> None:
        """See `LakeWriter`."""
        self._put(
            lf_assignments,
            {**_place(assignment.place), "key": assignment.key},
            {
                "value": assignment.value,
                "set_by": assignment.set_by,
                "set_at": assignment.set_at,
            },
        )

    def unassign(self, place: Place, key: str) -> None:
        """See `LakeWriter`."""
        self._delete(lf_assignments, **_place(place), key=key)

    def put_grant(self, grant: Grant) -> Grant:
        """See `LakeWriter`."""
        row = grant_row(grant)
        if grant.id:
            number = grant_number(grant.id)
            self._connection.execute(
                sa.update(lf_grants).where(lf_grants.c.id == number).values(**row)
            )
        else:
            added = sa.insert(lf_grants).values(**row).returning(lf_grants.c.id)
            grant = replace(grant, id=f"g{self._connection.execute(added).scalar_one()}")
        self._policy_changed()
        return grant

    def remove_grant(self, grant_id: str) -> None:
        """See `LakeWriter`."""
        self._delete(lf_grants, id=grant_number(grant_id))
        self._policy_changed()

    def put_filter(self, found: DataCellsFilter) -> None:
        """See `LakeWriter`."""
        self._put(
            lf_filters,
            {**_on_table(found.table), "name": found.name},
            {
                "columns_json": texts(found.named),
                "excluding": found.excluding,
                "row_filter": found.rows,
                "version": found.version,
            },
        )
        self._policy_changed()

    def remove_filter(self, table: TableName, name: str) -> None:
        """See `LakeWriter`."""
        self._delete(lf_filters, **_on_table(table), name=name)
        self._remove_grants(
            lambda on: on == OnFilter(table.account, table.database, table.table, name)
        )

    def put_settings(self, account: str, settings: LakeSettings) -> None:
        """See `LakeWriter`."""
        self._put(lf_settings, {"account": account}, {"settings_json": settings_text(settings)})
        self._policy_changed()

    def put_location(self, location: Location) -> None:
        """See `LakeWriter`."""
        self._put(
            lf_locations,
            {"account": location.account, "location": location.location},
            {
                "role": location.role,
                "registered_at": location.registered_at,
                "registered_by": location.registered_by,
            },
        )
        self._policy_changed()

    def remove_location(self, account: str, location: str) -> None:
        """See `LakeWriter`."""
        self._delete(lf_locations, account=account, location=location)
        self._policy_changed()

    def put_database(self, record: DatabaseRecord) -> None:
        """See `LakeWriter`."""
        database = record.database
        self._put(
            lake_databases,
            {"account": database.account, "name": database.name},
            {
                "owner": database.owner,
                "document_json": dumps(record.document),
                "created_at": record.created_at,
                "discoverable": record.discoverable,
            },
        )

    def remove_database(self, account: str, name: str) -> None:
        """See `LakeWriter`."""
        for table in (lake_tables, lake_table_versions, lake_partitions):
            self._delete(table, account=account, database=name)
        for table in (lf_assignments, lf_filters):
            self._delete(table, account=account, database=name)
        self._delete(lake_databases, account=account, name=name)
        self._remove_grants(
            lambda on: (
                isinstance(on, OnDatabase | OnTable | OnColumns | OnFilter)
                and (on.account, on.database) == (account, name)
            )
        )

    def put_table(self, record: TableRecord) -> TableRecord:
        """See `LakeWriter`."""
        name = record.table.name
        where = {"account": name.account, "database": name.database, "name": name.table}
        columns = lake_table_versions.c
        self._connection.execute(
            sa.insert(lake_table_versions).from_select(
                [column.name for column in columns],
                sa.select(*(lake_tables.c[column.name] for column in columns)).where(
                    *(lake_tables.c[key] == value for key, value in where.items())
                ),
            )
        )
        before = self.table(name)
        record = replace(record, version=0 if before is None else before.version + 1)
        self._put(
            lake_tables,
            where,
            {
                "owner": record.table.owner,
                "columns_json": columns_text(record.table.columns),
                "document_json": dumps(record.document),
                "location": record.location,
                "metadata_location": record.metadata_location,
                "version": record.version,
                "created_at": record.created_at,
                "updated_at": record.updated_at,
                "updated_by": record.updated_by,
                "discoverable": record.discoverable,
            },
        )
        stored = self.table(name)
        return stored if stored is not None else record

    def remove_table(self, name: TableName) -> None:
        """See `LakeWriter`."""
        for table in (lake_tables, lake_table_versions, lake_partitions):
            self._delete(table, account=name.account, database=name.database, name=name.table)
        for table in (lf_assignments, lf_filters):
            self._delete(table, **_on_table(name))
        self._remove_grants(
            lambda on: (
                isinstance(on, OnTable | OnColumns | OnFilter)
                and (on.account, on.database, on.table) == (name.account, name.database, name.table)
            )
        )

    def remove_table_version(self, name: TableName, version: int) -> None:
        """See `LakeWriter`."""
        self._delete(
            lake_table_versions,
            account=name.account,
            database=name.database,
            name=name.table,
            version=version,
        )

    def put_partition(
        self, name: TableName, values: Sequence[str], document: Mapping[str, Any]
    ) -> None:
        """See `LakeWriter`."""
        self._put(
            lake_partitions,
            {
                "account": name.account,
                "database": name.database,
                "name": name.table,
                "values_json": dumps(list(values)),
            },
            {"document_json": dumps(document)},
        )

    def remove_partition(self, name: TableName, values: Sequence[str]) -> None:
        """See `LakeWriter`."""
        self._delete(
            lake_partitions,
            account=name.account,
            database=name.database,
            name=name.table,
            values_json=dumps(list(values)),
        )

    def set_iceberg_entry(self, name: TableName, *, expected: str | None, new: str) -> None:
        """See `LakeWriter`."""
        e = iceberg_entries.c
        if expected is None:
            there = self._connection.execute(
                sa.select(e.metadata_location).where(*is_entry(name))
            ).first()
            if there is not None:
                raise Conflict("Table already exists.", code="already_exists")
            self._connection.execute(
                sa.insert(iceberg_entries).values(
                    catalog_name=name.account,
                    table_namespace=name.database,
                    table_name=name.table,
                    metadata_location=new,
                    iceberg_type="TABLE",
                )
            )
            return
        done = self._connection.execute(
            sa.update(iceberg_entries)
            .where(*is_entry(name), e.metadata_location == expected)
            .values(metadata_location=new, previous_metadata_location=expected)
        )
        if done.rowcount != 1:
            raise Conflict("Update table failed due to concurrent modifications.")

    def remove_iceberg_entry(self, name: TableName) -> None:
        """See `LakeWriter`."""
        self._connection.execute(sa.delete(iceberg_entries).where(*is_entry(name)))

    def set_discoverable(self, account: str, database: str, table: str, *, on: bool) -> None:
        """See `LakeWriter`."""
        if table:
            found, where = lake_tables, {"database": database, "name": table}
        else:
            found, where = lake_databases, {"name": database}
        self._connection.execute(
            sa.update(found)
            .where(*(found.c[key] == value for key, value in {"account": account, **where}.items()))
            .values(discoverable=on)
        )

    def _put(self, table: sa.Table, where: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        # One writer at a time (the transaction holds the lock), so this cannot race.
        conditions = [table.c[name] == value for name, value in where.items()]
        done = self._connection.execute(sa.update(table).where(*conditions).values(**values))
        if done.rowcount == 0:
            self._connection.execute(sa.insert(table).values(**where, **values))

    def _delete(self, table: sa.Table, **where: Any) -> None:
        conditions = [table.c[name] == value for name, value in where.items()]
        self._connection.execute(sa.delete(table).where(*conditions))

    def _remove_grants(self, is_on: Callable[[Resource], bool]) -> None:
        for grant in self.policy().grants:
            if is_on(grant.resource):
                self._delete(lf_grants, id=grant_number(grant.id))
        self._policy_changed()

    def _policy_changed(self) -> None:
        raise_policy_version(self._connection)
        self._known = None


def _place(place: Place) -> dict[str, str]:
    return {
        "account": place.account,
        "database": place.database,
        "table_name": place.table,
        "column_name": place.column,
    }


def _on_table(name: TableName) -> dict[str, str]:
    return {"account": name.account, "database": name.database, "table_name": name.table}
