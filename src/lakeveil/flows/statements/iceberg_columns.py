"""Changes of an Iceberg table's columns, as the updates of its metadata.

A schema is replaced as a whole, made of the current one: what is not changed keeps its numbers,
members of nested columns too. What is new is numbered above all that were ever given.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.flows.catalog_desk import SeenTable
from lakeveil.flows.iceberg_rows import last_column_id
from lakeveil.ports.iceberg import IcebergDocument, IcebergMetadata
from lakeveil.sql.statements import ColumnDefinition
from lakeveil.sql.types import decimal_of, fields_of, hive_type, inner_of, kind_of

_LAST_ADDED = -1
_TYPES = {
    "boolean": "boolean",
    "tinyint": "int",
    "smallint": "int",
    "integer": "int",
    "bigint": "long",
    "real": "float",
    "double": "double",
    "date": "date",
    "timestamp": "timestamp",
    "timestamp with time zone": "timestamptz",
    "varchar": "string",
    "char": "string",
    "varbinary": "binary",
}
_NESTED = frozenset({"array", "map", "row"})

Fields = list[dict[str, Any]]


def added(
    found: SeenTable, metadata: IcebergMetadata, columns: Sequence[ColumnDefinition]
) -> list[IcebergDocument]:
    """The updates that add columns behind those that are there."""
    fields = _fields(metadata)
    names = {_name(field) for field in fields}
    last = max(last_column_id(found.record.document), metadata.last_column_id)
    numbers = itertools.count(last + 1)
    for column in columns:
        name = column.name.lower()
        if name in names:
            raise QueryError(ErrorName.COLUMN_ALREADY_EXISTS, f"Column '{name}' already exists")
        names.add(name)
        field = _field(next(numbers), name, hive_type(column.type), numbers)
        fields.append({**field, "doc": column.comment} if column.comment else field)
    return _schema(metadata, fields)


def dropped(metadata: IcebergMetadata, name: str) -> list[IcebergDocument]:
    """The updates that take a column away."""
    fields = _fields(metadata)
    fields.remove(_named(fields, name))
    return _schema(metadata, fields)


def changed(
    metadata: IcebergMetadata, name: str, new: ColumnDefinition, *, after: str | None
) -> list[IcebergDocument]:
    """The updates that give a column another name, type, comment or place.

    Raises:
        QueryError: COLUMN_NOT_FOUND, COLUMN_ALREADY_EXISTS; NOT_SUPPORTED, another nested type.
    """
    fields = _fields(metadata)
    column = _named(fields, name)
    wanted = new.name.lower()
    if wanted != name:
        if any(_name(field) == wanted for field in fields):
            raise QueryError(ErrorName.COLUMN_ALREADY_EXISTS, f"Column '{wanted}' already exists")
        column["name"] = wanted
    if new.type:
        column["type"] = _retyped(metadata, name, column["type"], new.type)
    if new.comment:
        column["doc"] = new.comment
    if after is not None:
        fields.remove(column)
        place = fields.index(_named(fields, after.lower())) + 1 if after else 0
        fields.insert(place, column)
    return _schema(metadata, fields)


def _retyped(metadata: IcebergMetadata, name: str, there: Any, wanted: str) -> Any:
    """The type that a column gets; members of a nested one are known by number, not by name."""
    kind = hive_type(wanted)
    (current,) = (one.type for one in metadata.columns if one.name == name)
    if kind == hive_type(current):
        return there
    if not isinstance(there, str) or kind_of(kind) in _NESTED:
        raise QueryError(
            ErrorName.NOT_SUPPORTED,
            f"Column '{name}' is of type {current}; nested types cannot be changed by SQL",
        )
    return _type(kind, iter(()))


def _field(number: int, name: str, kind: Any, numbers: Iterator[int]) -> dict[str, Any]:
    return {"id": number, "name": name, "required": False, "type": _type(kind, numbers)}


def _type(kind: Any, numbers: Iterator[int]) -> Any:
    """A type in Iceberg's JSON; `numbers` are for what is nested in it, a level before the next."""
    found = kind_of(kind)
    if found in _TYPES:
        return _TYPES[found]
    if found == "decimal":
        return "decimal({}, {})".format(*decimal_of(kind))
    if found == "row":
        members = [(next(numbers), name, inner) for name, inner in fields_of(kind)]
        fields = [_field(number, name.lower(), inner, numbers) for number, name, inner in members]
        return {"type": "struct", "fields": fields}
    if found not in _NESTED:
        raise QueryError(ErrorName.NOT_SUPPORTED, f"Iceberg tables have no type {found}")
    inside = inner_of(kind)
    ids = [next(numbers) for _ in inside]
    names = ["element"] if found == "array" else ["key", "value"]
    made: dict[str, Any] = {"type": "list" if found == "array" else "map"}
    for number, name, inner in zip(ids, names, inside, strict=True):
        made |= {f"{name}-id": number, name: _type(inner, numbers)}
    return made | {f"{names[-1]}-required": False}


def _fields(metadata: IcebergMetadata) -> Fields:
    return copy.deepcopy(list(metadata.schema["fields"]))


def _name(field: dict[str, Any]) -> str:
    return str(field["name"]).lower()


def _named(fields: Fields, name: str) -> dict[str, Any]:
    for field in fields:
        if _name(field) == name:
            return field
    raise QueryError(ErrorName.COLUMN_NOT_FOUND, f"Column '{name[:255]}' is not there")


def _schema(metadata: IcebergMetadata, fields: Fields) -> list[IcebergDocument]:
    kept = {key: value for key, value in metadata.schema.items() if key != "schema-id"}
    return [
        {"action": "add-schema", "schema": {**kept, "fields": fields}},
        {"action": "set-current-schema", "schema-id": _LAST_ADDED},
    ]
