"""What a request says of a table's format, in the words of the Iceberg specification.

Glue's shapes and Iceberg's JSON differ in spelling alone, but for updates. In the model each update
carries a Schema and a Location. Without an Action it is the state that the table should have; what
it leaves out or empty stays as it is. With one, it is that action; Schema and Location, which it
has to carry anyway, must be the table's own or empty, and nothing else may stand beside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lakeveil.aws.glue.shapes import Shape, refuse_unserved
from lakeveil.errors import UsageError
from lakeveil.ports.iceberg import IcebergDefinition, IcebergDocument

_FIELD = {
    "Id": "id",
    "Name": "name",
    "Type": "type",
    "Required": "required",
    "Doc": "doc",
    "InitialDefault": "initial-default",
    "WriteDefault": "write-default",
}
_PARTITION_FIELD = {
    "SourceId": "source-id",
    "Transform": "transform",
    "Name": "name",
    "FieldId": "field-id",
}
_SORT_FIELD = {
    "SourceId": "source-id",
    "Transform": "transform",
    "Direction": "direction",
    "NullOrder": "null-order",
}
_ABOUT = {
    "add-schema": "Schema",
    "set-current-schema": "Schema",
    "add-spec": "PartitionSpec",
    "set-default-spec": "PartitionSpec",
    "add-sort-order": "SortOrder",
    "set-default-sort-order": "SortOrder",
    "set-location": "Location",
    "set-properties": "Properties",
    "remove-properties": "Properties",
}
_OPTIONAL = ("PartitionSpec", "SortOrder", "Properties")
_LAST_ADDED = -1


def definition_of(shape: Shape) -> IcebergDefinition:
    """A `CreateIcebergTableInput`."""
    spec, order = shape.get("PartitionSpec"), shape.get("WriteOrder")
    return IcebergDefinition(
        location=shape["Location"],
        schema=_schema(shape["Schema"]),
        partition_spec=None if spec is None else _spec(spec),
        write_order=None if order is None else _order(order),
        properties=_properties(shape),
    )


def updates_of(shape: Shape) -> list[IcebergDocument]:
    """An `UpdateOpenTableFormatInput`.

    Raises:
        UsageError: it says nothing to change, or something that is not served.
    """
    given = shape.get("UpdateIcebergInput", {}).get("UpdateIcebergTableInput", {})
    updates = [made for one in given.get("Updates", ()) for made in _updates(one)]
    if not updates:
        raise UsageError(
            "UpdateOpenTableFormatInput changes nothing",
            why="it has no Updates, or they are empty",
            fix="give UpdateIcebergInput with what is to be changed",
        )
    return updates


def iceberg_version(given: Shape, *served: int) -> int:
    """The version of an `IcebergInput` that makes a table.

    Raises:
        UsageError: it is not one of those served, or does not make a table.
    """
    version = given.get("Version", "2")
    if given.get("MetadataOperation") != "CREATE" or version not in {str(one) for one in served}:
        versions = " or ".join(str(one) for one in served)
        raise UsageError(
            f"IcebergInput has the MetadataOperation CREATE, and the Version {versions}."
        )
    return int(version)


def _updates(one: Shape) -> Iterator[IcebergDocument]:
    action = one.get("Action")
    if action in {"add-encryption-key", "remove-encryption-key"}:
        raise UsageError(
            f"Action `{action}` is not supported by Lakeveil",
            why="encryption keys belong to version 3 of the format, and tables here have version 2",
            fix="encrypt what the object store keeps, where it is kept",
        )
    refuse_unserved(one, "EncryptionKey", "KeyId")
    if action is None:
        yield from _state(one)
        return
    about = _ABOUT[action]
    for member in _OPTIONAL:
        if one.get(member) is not None and member != about:
            raise UsageError(
                f"{member} cannot stand beside Action `{action}`",
                why=f"the action is about {about}",
                fix=f"give {member} in an update of its own",
            )
    if not one.get(about):
        raise UsageError(
            f"Action `{action}` has no {about}",
            why="it is what the action is about",
            fix=f"give {about}",
        )
    if one["Location"]:
        yield {"action": "set-location", "location": one["Location"]}
    if about != "Location":
        if action != "add-schema" and one["Schema"]["Fields"]:
            yield {"action": "keep-schema", "schema": _schema(one["Schema"])}
        yield {"action": action, **_GIVEN[action](one)}
    elif one["Schema"]["Fields"]:
        yield {"action": "keep-schema", "schema": _schema(one["Schema"])}


def _state(one: Shape) -> Iterator[IcebergDocument]:
    """The updates that lead to a state. Its schema, spec and order get ids of their own."""
    if one["Location"]:
        yield {"action": "set-location", "location": one["Location"]}
    if one["Schema"]["Fields"]:
        yield {"action": "add-schema", "schema": _without(_schema(one["Schema"]), "schema-id")}
        yield {"action": "set-current-schema", "schema-id": _LAST_ADDED}
    if one.get("PartitionSpec") is not None:
        yield {"action": "add-spec", "spec": _without(_spec(one["PartitionSpec"]), "spec-id")}
        yield {"action": "set-default-spec", "spec-id": _LAST_ADDED}
    if one.get("SortOrder") is not None:
        order = _without(_order(one["SortOrder"]), "order-id")
        yield {"action": "add-sort-order", "sort-order": order}
        yield {"action": "set-default-sort-order", "sort-order-id": _LAST_ADDED}
    if one.get("Properties"):
        yield {"action": "set-properties", "updates": _properties(one)}


def _schema(shape: Shape) -> dict[str, Any]:
    return {
        "type": "struct",
        **_renamed(shape, {"SchemaId": "schema-id", "IdentifierFieldIds": "identifier-field-ids"}),
        "fields": [_renamed(one, _FIELD) for one in shape["Fields"]],
    }


def _spec(shape: Shape) -> dict[str, Any]:
    return {
        **_renamed(shape, {"SpecId": "spec-id"}),
        "fields": [_renamed(one, _PARTITION_FIELD) for one in shape["Fields"]],
    }


def _order(shape: Shape) -> dict[str, Any]:
    return {
        **_renamed(shape, {"OrderId": "order-id"}),
        "fields": [_renamed(one, _SORT_FIELD) for one in shape["Fields"]],
    }


def _properties(shape: Shape) -> dict[str, str]:
    given = dict(shape.get("Properties") or {})
    for name, value in given.items():
        if not isinstance(value, str):
            raise UsageError(
                f"the table property `{name[:255]}` has no value",
                why="values are texts",
                fix="give one, or leave the property out",
            )
    return given


def _renamed(shape: Shape, names: Mapping[str, str]) -> dict[str, Any]:
    return {names[key]: shape[key] for key in names if shape.get(key) is not None}


def _without(document: Mapping[str, Any], member: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != member}


_GIVEN: Mapping[str, Callable[[Shape], dict[str, Any]]] = {
    "add-schema": lambda one: {"schema": _schema(one["Schema"])},
    "set-current-schema": lambda one: {"schema-id": one["Schema"].get("SchemaId", _LAST_ADDED)},
    "add-spec": lambda one: {"spec": _spec(one["PartitionSpec"])},
    "set-default-spec": lambda one: {"spec-id": one["PartitionSpec"].get("SpecId", _LAST_ADDED)},
    "add-sort-order": lambda one: {"sort-order": _order(one["SortOrder"])},
    "set-default-sort-order": lambda one: {"sort-order-id": one["SortOrder"]["OrderId"]},
    "set-properties": lambda one: {"updates": _properties(one)},
    "remove-properties": lambda one: {"removals": sorted(one["Properties"])},
}
