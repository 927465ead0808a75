"""ALTER TABLE: columns, properties and location.

Each change is made of the definition as it is now and refused if somebody else changes it
meanwhile. It takes what changing a definition takes anywhere (`change_tables`), and that is asked
before anything of the definition is looked at: what is in the way may be hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tables.table_document import completed
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.flows.catalog_desk import SeenTable
from lakeveil.flows.change_access import insufficient
from lakeveil.flows.change_tables import update_table
from lakeveil.flows.commit_iceberg import evolve_iceberg_table
from lakeveil.flows.run_query import Asked
from lakeveil.flows.statements import iceberg_columns
from lakeveil.flows.statements.answers import Answer, done
from lakeveil.flows.statements.define_tables import glue_columns
from lakeveil.flows.statements.iceberg_tables import iceberg_properties
from lakeveil.flows.statements.naming import known
from lakeveil.flows.statements.refused import about_table
from lakeveil.flows.statements.show import is_view
from lakeveil.ports.iceberg import IcebergDocument, IcebergMetadata
from lakeveil.sql.statements import (
    AddColumns,
    ChangeColumn,
    DropColumn,
    SetLocation,
    SetTableProperties,
    TableRef,
)
from lakeveil.sql.types import hive_type

Columns = list[dict[str, Any]]

_NOT_SET_HERE = frozenset({"table_type", "external", "metadata_location"})
"""Properties that say what a table is; changing them would make another one of it."""


def add_columns(statement: AddColumns, asked: Asked) -> Answer:
    """ADD COLUMNS and REPLACE COLUMNS."""
    for column in statement.columns:
        hive_type(column.type)
    found = alterable(statement.table, asked)
    if found.record.metadata_location:
        if statement.replace:
            raise _only_hive("REPLACE COLUMNS")
        updates = iceberg_columns.added(found, _metadata(found, asked), statement.columns)
        return _evolve(found, updates, statement.table, asked)
    new = glue_columns(statement.columns)

    def changed(columns: Columns) -> Columns:
        return new if statement.replace else [*columns, *new]

    return _recolumn(found, changed, statement.table, asked)


def drop_column(statement: DropColumn, asked: Asked) -> Answer:
    """DROP COLUMN, of an Iceberg table; files of others would be read wrongly without it."""
    found = alterable(statement.table, asked)
    if not found.record.metadata_location:
        raise QueryError(ErrorName.NOT_SUPPORTED, "DROP COLUMN is for Iceberg tables")
    updates = iceberg_columns.dropped(_metadata(found, asked), statement.name.lower())
    return _evolve(found, updates, statement.table, asked)


def change_column(statement: ChangeColumn, asked: Asked) -> Answer:
    """CHANGE COLUMN and RENAME COLUMN."""
    found = alterable(statement.table, asked)
    name, new = statement.name.lower(), statement.new
    if new.type:
        hive_type(new.type)
    if found.record.metadata_location:
        metadata = _metadata(found, asked)
        updates = iceberg_columns.changed(metadata, name, new, after=statement.after)
        return _evolve(found, updates, statement.table, asked)
    if statement.after is not None:
        raise QueryError(ErrorName.NOT_SUPPORTED, "Columns move in Iceberg tables only")

    def changed(columns: Columns) -> Columns:
        if all(column["Name"] != name for column in columns):
            raise QueryError(ErrorName.COLUMN_NOT_FOUND, f"Column '{name}' is not there")
        return [_changed(column, new) if column["Name"] == name else column for column in columns]

    return _recolumn(found, changed, statement.table, asked)


def set_properties(statement: SetTableProperties, asked: Asked) -> Answer:
    """SET TBLPROPERTIES and UNSET TBLPROPERTIES."""
    given = {*statement.properties, *statement.removed}
    if named := sorted(name for name in given if name.lower() in _NOT_SET_HERE):
        raise QueryError(
            ErrorName.INVALID_TABLE_PROPERTY, f"Table property '{named[0]}' cannot be changed"
        )
    found = alterable(statement.table, asked)
    if found.record.metadata_location:
        return _evolve(found, _iceberg_properties(statement), statement.table, asked)
    document = _document(found)
    kept = {**document.get("Parameters", {}), **statement.properties}
    document["Parameters"] = {
        name: value for name, value in kept.items() if name not in statement.removed
    }
    return _update(found, document, statement.table, asked)


def set_location(statement: SetLocation, asked: Asked) -> Answer:
    """SET LOCATION of a table; of a partition see `partitions`."""
    found = alterable(statement.table, asked)
    if found.record.metadata_location:
        raise _only_hive("SET LOCATION")
    document = _document(found)
    stored = {**document.get("StorageDescriptor", {}), "Location": statement.location}
    return _update(found, {**document, "StorageDescriptor": stored}, statement.table, asked)


def alterable(ref: TableRef, asked: Asked) -> SeenTable:
    """A table that the caller may change the definition of, and no view.

    Raises:
        QueryError: TABLE_NOT_FOUND, or it is a view.
        Refused: the caller may not.
    """
    found = known(ref, asked)
    if not found.allows(Permission.ALTER) or not found.view.entire:
        raise insufficient("Alter", found.name.table)
    if is_view(found):
        raise QueryError(ErrorName.NOT_SUPPORTED, f"{found.name} is a view")
    return found


def _metadata(found: SeenTable, asked: Asked) -> IcebergMetadata:
    return asked.desk.catalog.iceberg.read(found.record.metadata_location)


def _recolumn(
    found: SeenTable, changed: Callable[[Columns], Columns], ref: TableRef, asked: Asked
) -> Answer:
    document = _document(found)
    stored = dict(document.get("StorageDescriptor", {}))
    stored["Columns"] = changed(list(stored.get("Columns", ())))
    return _update(found, {**document, "StorageDescriptor": stored}, ref, asked)


def _update(found: SeenTable, document: Mapping[str, Any], ref: TableRef, asked: Asked) -> Answer:
    with about_table(found.name, ref):
        update_table(
            found.name,
            document,
            version=str(found.record.version),
            call=asked.call,
            desk=asked.desk.catalog,
        )
    return done(asked)


def _evolve(
    found: SeenTable, updates: list[IcebergDocument], ref: TableRef, asked: Asked
) -> Answer:
    with about_table(found.name, ref):
        evolve_iceberg_table(
            found.name,
            updates,
            version=str(found.record.version),
            call=asked.call,
            desk=asked.desk.catalog,
        )
    return done(asked)


def _iceberg_properties(statement: SetTableProperties) -> list[IcebergDocument]:
    updates: list[IcebergDocument] = []
    if statement.properties:
        made = iceberg_properties(statement.properties)
        updates.append({"action": "set-properties", "updates": made})
    if statement.removed:
        # Their values do not matter, only what Iceberg calls them.
        valued = {
            name: "parquet" if name == "format" else "none" if name == "write_compression" else "1"
            for name in statement.removed
        }
        removals = sorted(iceberg_properties(valued))
        updates.append({"action": "remove-properties", "removals": removals})
    return updates


def _changed(column: Mapping[str, Any], new: Any) -> dict[str, Any]:
    changed = {**column, "Name": new.name.lower()}
    if new.type:
        changed["Type"] = new.type
    if new.comment:
        changed["Comment"] = new.comment
    return changed


def _document(found: SeenTable) -> dict[str, Any]:
    record = found.record
    return dict(completed(record.document, record.table.columns, record.location))


def _only_hive(what: str) -> QueryError:
    return QueryError(ErrorName.NOT_SUPPORTED, f"{what} is not for Iceberg tables")
