"""Partitions by SQL: ADD, DROP, SET LOCATION, and MSCK REPAIR TABLE, which finds them itself.

They go through the flows of the catalog: adding takes INSERT, removing takes DELETE, ALTER stands
for either. Values are data, so what is told of them is told to who sees them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tables.partition_paths import partition_path, partition_values
from lakeveil.core.access.tables.partitions import NULL, sees_partition
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.errors import Conflict, NotFound
from lakeveil.flows.catalog_desk import SeenTable
from lakeveil.flows.change_access import insufficient
from lakeveil.flows.change_partitions import (
    Failure,
    NewPartition,
    create_partitions,
    delete_partitions,
    update_partitions,
)
from lakeveil.flows.read_catalog import partition_keys, read_partition, read_partitions
from lakeveil.flows.run_query import Asked
from lakeveil.flows.statements.answers import Answer, Line, done, said
from lakeveil.flows.statements.desk import StatementDesk
from lakeveil.flows.statements.naming import known
from lakeveil.flows.statements.refused import about_table
from lakeveil.sql.statements import (
    AddPartitions,
    DropPartitions,
    MsckRepair,
    PartitionSpec,
    SetLocation,
    TableRef,
)

MOST_FOLDERS = 100_000
_AT_ONCE = 100

Values = tuple[str, ...]


def add_partitions(statement: AddPartitions, asked: Asked) -> Answer:
    """ADD PARTITION; without a LOCATION it lies where Hive would put it.

    Raises:
        QueryError: ALREADY_EXISTS, one of them is there; the others are added.
        Refused: the caller holds neither INSERT nor ALTER.
    """
    found = _partitioned(statement.table, asked, Permission.INSERT)
    new = [_new(found, _every_value(found, one), one.location) for one in statement.partitions]
    with about_table(found.name, statement.table):
        failures = create_partitions(found.name, new, call=asked.call, desk=asked.desk.catalog)
    _raise_first(failures, but=Conflict if statement.if_not_exists else None)
    return done(asked)


def drop_partitions(statement: DropPartitions, asked: Asked) -> Answer:
    """DROP PARTITION; one that names some of the keys drops those that the caller sees.

    Raises:
        QueryError: NOT_FOUND, there is none such.
        Refused: the caller holds neither DELETE nor ALTER.
    """
    found = _partitioned(statement.table, asked, Permission.DELETE)
    gone: dict[Values, None] = {}
    for spec in statement.partitions:
        dropped = list(_fitting(found, spec, asked))
        if not dropped and not statement.if_exists:
            raise QueryError(ErrorName.NOT_FOUND, "Partition not found")
        gone |= dict.fromkeys(dropped)
    with about_table(found.name, statement.table):
        failures = delete_partitions(
            found.name, list(gone), call=asked.call, desk=asked.desk.catalog
        )
    _raise_first(failures, but=NotFound if statement.if_exists else None)
    return done(asked)


def set_partition_location(statement: SetLocation, spec: PartitionSpec, asked: Asked) -> Answer:
    """PARTITION ... SET LOCATION, under the table's own.

    Raises:
        QueryError: NOT_FOUND, the caller sees no such partition.
        Refused: the caller holds neither INSERT nor ALTER.
    """
    found = _partitioned(statement.table, asked, Permission.INSERT)
    values = _every_value(found, spec)
    with about_table(found.name, statement.table):
        before = read_partition(found.name, values, who=asked.who, desk=asked.desk.catalog)
        stored = {
            **before.document.get("StorageDescriptor", {}), "Location": statement.location
        }  # fmt: skip
        new = NewPartition(values, {**before.document, "StorageDescriptor": stored})
        failures = update_partitions(
            found.name, [(values, new)], call=asked.call, desk=asked.desk.catalog
        )
    _raise_first(failures)
    return done(asked)


def repair(statement: MsckRepair, asked: Asked, desk: StatementDesk) -> Answer:
    """MSCK REPAIR TABLE: the folders `key=value` below the table's location become partitions.

    Raises:
        Refused: the caller holds neither INSERT nor ALTER.
        UsageError: there are too many folders.
    """
    found = _partitioned(statement.table, asked, Permission.INSERT)
    names = [key.name for key in partition_keys(found)]
    paths = desk.folders.folders(found.record.location, depth=len(names), most=MOST_FOLDERS)
    there = {values for values, _ in asked.desk.catalog.lake.partitions(found.name)}
    new: dict[Values, str] = {}
    for path in paths:
        values = partition_values(names, path)
        if values is not None and values not in there:
            new.setdefault(values, f"{found.record.location}/{path}")
    every = [_new(found, values, location) for values, location in new.items()]
    for start in range(0, len(every), _AT_ONCE):
        with about_table(found.name, statement.table):
            failures = create_partitions(
                found.name, every[start : start + _AT_ONCE], call=asked.call, desk=desk.catalog
            )
        # Somebody else may have added one meanwhile.
        _raise_first(failures, but=Conflict)
    return said(("result",), _told(found, list(new)), asked)


def _told(found: SeenTable, added: Sequence[Values]) -> Iterator[Line]:
    keys = partition_keys(found)
    names = [key.name for key in keys]
    shown = [values for values in added if sees_partition(found.data, keys, values)]
    if shown:
        paths = "\t".join(f"{found.name.table}:{partition_path(names, values)}" for values in shown)
        yield [f"Partitions not in metastore:\t{paths}"]
    for values in shown:
        path = partition_path(names, values)
        yield [f"Repair: Added partition to metastore {found.name.table}:{path}"]


def _partitioned(ref: TableRef, asked: Asked, needed: Permission) -> SeenTable:
    found = known(ref, asked)
    if not found.allows(needed, Permission.ALTER):
        raise insufficient(needed.value.title(), found.name.table)
    keys = {key.name for key in partition_keys(found)}
    if found.record.metadata_location or not keys or not keys <= set(found.view.known):
        raise QueryError(ErrorName.NOT_SUPPORTED, f"Table {found.name} is not a partitioned table")
    return found


def _every_value(found: SeenTable, spec: PartitionSpec) -> Values:
    given = {name.lower(): value for name, value in spec.values}
    names = [key.name for key in partition_keys(found)]
    if given.keys() != set(names):
        raise QueryError(
            ErrorName.INVALID_ARGUMENTS,
            f"A partition of {found.name} has a value for each of: {', '.join(names)}",
        )
    return tuple(given[name] for name in names)


def _fitting(found: SeenTable, spec: PartitionSpec, asked: Asked) -> Iterator[Values]:
    given = {name.lower(): value for name, value in spec.values}
    names = [key.name for key in partition_keys(found)]
    if not given.keys() <= set(names):
        raise QueryError(
            ErrorName.INVALID_ARGUMENTS,
            f"{found.name} is partitioned by: {', '.join(names)}",
        )
    for one in read_partitions(found.name, who=asked.who, desk=asked.desk.catalog):
        values = dict(zip(names, one.values, strict=True))
        if all(values[name] == value for name, value in given.items()):
            yield one.values


def _new(found: SeenTable, values: Values, location: str) -> NewPartition:
    table: Mapping[str, Any] = found.record.document.get("StorageDescriptor", {})
    names = [key.name for key in partition_keys(found)]
    place = location or f"{found.record.location}/{partition_path(names, values)}"
    kept = tuple(value or NULL for value in values)
    return NewPartition(kept, {"StorageDescriptor": {**table, "Location": place}})


def _raise_first(failures: Sequence[Failure], *, but: type[Exception] | None = None) -> None:
    for failure in failures:
        if but is None or not isinstance(failure.error, but):
            if isinstance(failure.error, Conflict):
                raise QueryError(ErrorName.ALREADY_EXISTS, "Partition already exists")
            raise failure.error
