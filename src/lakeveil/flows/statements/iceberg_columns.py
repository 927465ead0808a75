"""Changes of an Iceberg table's columns, as the updates of its metadata.

A schema is replaced as a whole, with the numbers that its columns have. Those of what is inside a
nested column are not known here, so a table with such columns is changed by its writers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.flows.catalog_desk import SeenTable
from lakeveil.flows.iceberg_rows import ORIGIN
from lakeveil.ports.iceberg import IcebergDocument
from lakeveil.sql.statements import ColumnDefinition

_LAST_ADDED = -1
_TYPES = {
    "boolean": "boolean",
    "tinyint": "int",
    "smallint": "int",
    "int": "int",
    "integer": "int",
    "bigint": "long",
    "float": "float",
    "double": "double",
    "date": "date",
    "timestamp": "timestamp",
    "string": "string",
    "binary": "binary",
}
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")

Fields = list[dict[str, Any]]


def added(found: SeenTable, columns: Sequence[ColumnDefinition]) -> list[IcebergDocument]:
    """The updates that add columns behind those that are there."""
    fields = _fields(found)
    names = {field["name"] for field in fields}
    number = max((field["id"] for field in fields), default=0)
    for column in columns:
        name = column.name.lower()
        if name in names:
            raise QueryError(ErrorName.COLUMN_ALREADY_EXISTS, f"Column '{name}' already exists")
        names.add(name)
        number += 1
        fields.append(_field(number, name, column.type, column.comment))
    return _schema(fields)


def dropped(found: SeenTable, name: str) -> list[IcebergDocument]:
    """The updates that take a column away."""
    fields = _fields(found)
    _named(fields, name)
    return _schema([field for field in fields if field["name"] != name])


def changed(
    found: SeenTable, name: str, new: ColumnDefinition, *, after: str | None
) -> list[IcebergDocument]:
    """The updates that give a column another name, type, comment or place."""
    fields = _fields(found)
    column = _named(fields, name)
    wanted = new.name.lower()
    if wanted != name and any(field["name"] == wanted for field in fields):
        raise QueryError(ErrorName.COLUMN_ALREADY_EXISTS, f"Column '{wanted}' already exists")
    column["name"] = wanted
    if new.type:
        column["type"] = _type(new.type)
    if new.comment:
        column["doc"] = new.comment
    if after is not None:
        fields.remove(column)
        place = fields.index(_named(fields, after.lower())) + 1 if after else 0
        fields.insert(place, column)
    return _schema(fields)


def _fields(found: SeenTable) -> Fields:
    document = found.record.document
    numbers = document.get(ORIGIN, {}).get("Fields", {})
    return [
        {
            **_field(numbers[one["Name"]], one["Name"], one["Type"], one.get("Comment", "")),
            "required": one.get("Parameters", {}).get("iceberg.field.optional") == "false",
        }
        for one in document["StorageDescriptor"]["Columns"]
    ]


def _field(number: int, name: str, kind: str, comment: str) -> dict[str, Any]:
    field: dict[str, Any] = {"id": number, "name": name, "type": _type(kind), "required": False}
    return {**field, "doc": comment} if comment else field


def _type(hive: str) -> str:
    if hive in _TYPES:
        return _TYPES[hive]
    if sized := _DECIMAL.fullmatch(hive):
        return f"decimal({sized[1]}, {sized[2]})"
    raise QueryError(
        ErrorName.NOT_SUPPORTED,
        "Columns of an Iceberg table with arrays, maps or structs cannot be changed by SQL",
    )


def _named(fields: Fields, name: str) -> dict[str, Any]:
    for field in fields:
        if field["name"] == name:
            return field
    raise QueryError(ErrorName.COLUMN_NOT_FOUND, f"Column '{name[:255]}' is not there")


def _schema(fields: Fields) -> list[IcebergDocument]:
    return [
        {"action": "add-schema", "schema": {"type": "struct", "fields": fields}},
        {"action": "set-current-schema", "schema-id": _LAST_ADDED},
    ]
