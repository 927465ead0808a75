"""Schemas, partition specs and sort orders that somebody wrote, as PyIceberg has them.

They are JSON of the Iceberg specification ("Appendix C: JSON serialization"), of version 2.
PyIceberg is generous with it: it leaves out members that it does not know, takes text for numbers
and a list's missing `element-required` for true. What the table is made of should be what was
written, so each member is looked at here first. Default values and later types come with version 3;
they are refused.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pyiceberg.exceptions import ValidationError as NotOfTheSpecification
from pyiceberg.partitioning import PartitionField, PartitionSpec, validate_partition_name
from pyiceberg.schema import Schema, index_by_name
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER, SortOrder
from pyiceberg.transforms import parse_transform

from lakeveil.errors import UsageError
from lakeveil.ports.iceberg import IcebergDocument

VERSION = 2
FIRST_PARTITION_FIELD = 1000
"""The least number that a partition field may have (specification, "Partition Specs")."""

_LAST_FIELD = 2**31 - 202
"""Numbers from 2147483447 on are reserved (specification, "Reserved Field IDs")."""

_MAX_NAME = 1024
_FIELD = frozenset({"id", "name", "type", "required", "doc"})
_DEFAULTS = ("initial-default", "write-default")
_NESTED: Mapping[str, frozenset[str]] = {
    "struct": frozenset({"type", "fields"}),
    "list": frozenset({"type", "element-id", "element", "element-required"}),
    "map": frozenset({"type", "key-id", "key", "value-id", "value", "value-required"}),
}
_TRANSFORM = re.compile(r"identity|void|year|month|day|hour|(?:bucket|truncate)\[[1-9]\d{0,8}\]")
_ENOUGH = 200

Fields = Mapping[tuple[int, str], int]
"""The numbers of partition fields, by source and transform."""


def schema_of(document: IcebergDocument) -> Schema:
    """A schema, with the numbers that its writer gave.

    Raises:
        UsageError: it is none of version 2, has no field, or numbers two alike.
    """
    numbers = list(_numbers_in_fields(document.get("fields"), "the schema"))
    if not numbers:
        raise bad("the schema has no field", "a table has at least one column")
    for number in numbers:
        if numbers.count(number) > 1:
            raise bad(f"the schema has two fields of the id {number}", "ids tell fields apart")
    with understood("the schema is no schema of an Iceberg table"):
        schema = Schema.model_validate({"schema-id": 0, **document, "type": "struct"})
        schema.check_format_version_compatibility(VERSION)
        index_by_name(schema)
    return schema


def spec_of(
    document: IcebergDocument | None,
    schema: Schema,
    *,
    number: int,
    known: Fields | None = None,
    last: int = FIRST_PARTITION_FIELD - 1,
) -> PartitionSpec:
    """A partition spec, under a number that the caller chose.

    `known` are the fields of earlier specs: one that is partitioned by again keeps its number;
    `last` is the greatest number that any had.

    Raises:
        UsageError: it names no column of the schema, or partitions by what one cannot.
    """
    listed = (document or {}).get("fields", ())
    # What has no id of its own follows after all that have one.
    following = itertools.count(max(last, *(one.get("field-id", 0) for one in listed), 0) + 1)
    fields: list[PartitionField] = []
    for given in listed:
        source, transform = int(given["source-id"]), _transform(given["transform"])
        was = (known or {}).get((source, transform))
        chosen = given.get("field-id", was)
        chosen = next(following) if chosen is None else chosen
        if chosen != was and (was is not None or chosen <= last):
            raise bad(
                f"partition field `{given['name'][:_ENOUGH]}` cannot have the id {chosen}",
                f"what the table has been partitioned by keeps its id {was}"
                if was is not None
                else f"new partition fields of this table have ids from {last + 1} on",
            )
        fields.append(
            PartitionField(
                source_id=source,
                field_id=chosen,
                transform=parse_transform(transform),
                name=given["name"],
            )
        )
    spec = PartitionSpec(*fields, spec_id=number)
    _check_no_twins(fields)
    with understood("the table cannot be partitioned like that"):
        spec.check_compatible(schema)
        for field in fields:
            validate_partition_name(field.name, field.transform, field.source_id, schema, set())
    return spec


def order_of(document: IcebergDocument | None, schema: Schema, *, number: int) -> SortOrder:
    """A sort order, under a number that the caller chose; without a field it is unsorted.

    Raises:
        UsageError: it names no column of the schema, or sorts by what one cannot.
    """
    fields = (document or {}).get("fields", ())
    if not fields:
        return UNSORTED_SORT_ORDER
    if number < 1:
        raise bad("a sort order cannot have the id 0", "it means unsorted; others start at 1")
    with understood("the table cannot be sorted like that"):
        order = SortOrder.model_validate(
            {
                "order-id": number,
                "fields": [{**one, "transform": _transform(one["transform"])} for one in fields],
            }
        )
        order.check_compatible(schema)
    return order


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Say what PyIceberg refuses in our words, without its reports of several lines."""
    try:
        yield
    except (ValueError, TypeError, NotOfTheSpecification) as error:
        raise bad(what, _reason(error)) from error


def bad(what: str, why: str) -> UsageError:
    """The error for a document that is not of the specification, or does not fit the table."""
    return UsageError(
        what,
        why=why,
        fix=f"write it as the Iceberg specification has it for version {VERSION}",
        code="bad_iceberg_definition",
    )


def _check_no_twins(fields: Sequence[PartitionField]) -> None:
    for kind, seen in (
        ("name", [field.name for field in fields]),
        ("id", [str(field.field_id) for field in fields]),
        ("source and transform", [f"{field.source_id} {field.transform}" for field in fields]),
    ):
        for one in seen:
            if seen.count(one) > 1:
                raise bad(
                    f"two partition fields have one {kind}: `{one}`", "each is another partitioning"
                )


def _numbers_in_fields(fields: Any, where: str) -> Iterator[int]:
    if not isinstance(fields, Sequence) or isinstance(fields, str):
        raise bad(f"{where} has no list of fields", "it is a struct")
    for field in fields:
        if not isinstance(field, Mapping):
            raise bad(f"a field of {where} is no object", "it has id, name, type and required")
        name = field.get("name")
        if not isinstance(name, str) or not 1 <= len(name) <= _MAX_NAME:
            raise bad(f"a field of {where} has no name", f"names have 1 to {_MAX_NAME} characters")
        inside = f"field `{name[:_ENOUGH]}`"
        for default in _DEFAULTS:
            if field.get(default) is not None:
                raise bad(f"{inside} cannot have {default}", "default values need version 3")
        _check_members(field, _FIELD | frozenset(_DEFAULTS), inside, _FIELD - {"doc"})
        if not isinstance(field.get("doc") or "", str):
            raise bad(f"the doc of {inside} is no text", "it is for people")
        yield _number(field["id"], inside)
        _check_flag(field["required"], f"required of {inside}")
        yield from _numbers_in(field["type"], inside)


def _numbers_in(kind: Any, where: str) -> Iterator[int]:
    """The numbers inside a type; the depth is limited where JSON is read."""
    if isinstance(kind, str):
        return
    said = kind.get("type") if isinstance(kind, Mapping) else None
    members = _NESTED.get(said) if isinstance(said, str) else None
    if members is None:
        raise bad(
            f"the type of {where} is none of Iceberg's",
            "a type is a name, or an object whose type is struct, list or map",
        )
    _check_members(kind, members, f"the {said} of {where}", members)
    if said == "struct":
        yield from _numbers_in_fields(kind["fields"], where)
        return
    for part in ("element",) if said == "list" else ("key", "value"):
        yield _number(kind[f"{part}-id"], f"the {part} of {where}")
        if part != "key":
            _check_flag(kind[f"{part}-required"], f"{part}-required of {where}")
        yield from _numbers_in(kind[part], f"the {part} of {where}")


def _check_members(
    given: Mapping[str, Any], known: frozenset[str], where: str, needed: frozenset[str]
) -> None:
    for member in sorted(given.keys() - known):
        raise bad(f"{where} has a member `{member[:_ENOUGH]}`", "the specification has none")
    for member in sorted(needed - given.keys()):
        raise bad(f"{where} has no member `{member}`", "the specification asks for it")


def _number(given: Any, where: str) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= _LAST_FIELD:
        raise bad(f"the id of {where} is none", f"ids are whole numbers from 1 to {_LAST_FIELD}")
    return given


def _check_flag(given: Any, where: str) -> None:
    if not isinstance(given, bool):
        raise bad(f"{where} is neither true nor false", "it is one of them")


def _transform(given: str) -> str:
    if not _TRANSFORM.fullmatch(given):
        raise bad(
            f"`{given[:_ENOUGH]}` is no transform",
            "transforms are identity, year, month, day, hour, bucket[N], truncate[N] and void",
        )
    return given


def _reason(error: Exception) -> str:
    listed = getattr(error, "errors", None)
    said = str(listed()[0]["msg"]) if callable(listed) else str(error)
    return said.removeprefix("Value error, ").split("\n")[0].rstrip(".")[:_ENOUGH]
