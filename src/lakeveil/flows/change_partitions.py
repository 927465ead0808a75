"""Adding, changing and removing partitions of tables that are not Iceberg's.

Adding and changing takes INSERT, removing takes DELETE, and ALTER stands for either: they do to the
table what writing its files does. A partition lies under its table's location, unlike in AWS: what
lies elsewhere would be read without anybody having said that it belongs to the table. Values are
data; on record they go encrypted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lakeveil.core.access.grants import TableName
from lakeveil.core.access.locations import is_under
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tables.table_document import Document, tidied_descriptor
from lakeveil.errors import Conflict, LakeveilError, NotFound, UsageError
from lakeveil.flows.catalog_desk import CatalogDesk, SeenTable, known_table, said_table
from lakeveil.flows.change_access import Call, Change, changing, insufficient
from lakeveil.flows.read_catalog import partition_keys

Values = Sequence[str]

_CREATED = "CreationTime"
_ADDS = (Permission.INSERT, Permission.ALTER)
_REMOVES = (Permission.DELETE, Permission.ALTER)


@dataclass(frozen=True, slots=True)
class Failure:
    """A partition of several that nothing was done about, and why."""

    values: Values
    error: LakeveilError


@dataclass(frozen=True, slots=True)
class NewPartition:
    """A partition as it is to be: its values, and what Glue's `PartitionInput` carries beside."""

    values: Values
    document: Document


def create_partitions(
    name: TableName, partitions: Sequence[NewPartition], *, call: Call, desk: CatalogDesk
) -> list[Failure]:
    """Add partitions; each that cannot be is reported while the others are added.

    Raises:
        NotFound: the table is not there for the caller.
        Refused: the caller holds neither INSERT nor ALTER on it.
    """

    def create(change: Change, table: SeenTable, new: NewPartition) -> None:
        if change.lake.partition(name, new.values) is not None:
            raise Conflict("Partition already exists.", code="already_exists")
        document = {**_checked(table, new), _CREATED: change.now}
        change.lake.put_partition(name, new.values, document)

    with _changing(name, [one.values for one in partitions], _ADDS, call, desk) as (change, table):
        return _each(partitions, lambda new: create(change, table, new), lambda new: new.values)


def update_partitions(
    name: TableName,
    entries: Sequence[tuple[Values, NewPartition]],
    *,
    call: Call,
    desk: CatalogDesk,
) -> list[Failure]:
    """Replace partitions, under the same values.

    Raises:
        As `create_partitions`.
    """

    def update(change: Change, table: SeenTable, values: Values, new: NewPartition) -> None:
        if list(new.values or values) != list(values):
            raise UsageError("The values of a partition cannot be changed.")
        before = change.lake.partition(name, values)
        if before is None:
            raise NotFound("Cannot find partition.")
        document = _checked(table, NewPartition(values, new.document))
        created = before.get(_CREATED, change.now)
        change.lake.put_partition(name, values, {**document, _CREATED: created})

    with _changing(name, [values for values, _ in entries], _ADDS, call, desk) as (change, table):
        return _each(
            entries,
            lambda entry: update(change, table, *entry),
            lambda entry: entry[0],
        )


def delete_partitions(
    name: TableName, every: Sequence[Values], *, call: Call, desk: CatalogDesk
) -> list[Failure]:
    """Remove partitions. Files stay.

    Raises:
        NotFound: the table is not there for the caller.
        Refused: the caller holds neither DELETE nor ALTER on it.
    """

    def delete(change: Change, values: Values) -> None:
        if change.lake.partition(name, values) is None:
            raise NotFound("Cannot find partition.")
        change.lake.remove_partition(name, values)

    with _changing(name, every, _REMOVES, call, desk) as (change, _):
        return _each(every, lambda values: delete(change, values), lambda values: values)


@contextmanager
def _changing(
    name: TableName,
    every: Sequence[Values],
    either: tuple[Permission, Permission],
    call: Call,
    desk: CatalogDesk,
) -> Iterator[tuple[Change, SeenTable]]:
    values = json.dumps([list(one) for one in every])
    with changing(
        call,
        desk.access,
        said_table(name),
        asked={"partitions": len(every)},
        sensitive={"values": values},
    ) as change:
        table = known_table(change.lake, change.authority, name)
        if not table.allows(*either):
            raise insufficient(either[0].value.title(), name.table)
        yield change, table


def _each(
    items: Sequence[Any], do: Callable[[Any], None], values: Callable[[Any], Values]
) -> list[Failure]:
    failures = []
    for item in items:
        try:
            do(item)
        except (Conflict, NotFound, UsageError) as error:
            failures.append(Failure(values(item), error))
    return failures


def _checked(table: SeenTable, new: NewPartition) -> Mapping[str, Any]:
    keys = partition_keys(table)
    if len(new.values) != len(keys) or not keys:
        raise UsageError("The number of partition keys do not match the number of partition values")
    document = dict(new.document)
    descriptor = tidied_descriptor(document.get("StorageDescriptor"))
    if descriptor is not None:
        document["StorageDescriptor"] = descriptor
        for given in (descriptor.get("Location", ""), *descriptor.get("AdditionalLocations", ())):
            if given and not is_under(given, table.record.location):
                raise UsageError("A partition lies under its table's location.")
    return document
