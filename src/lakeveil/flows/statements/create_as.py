"""CREATE TABLE AS: a table of what its creator may read, as closed as what it is made of.

The query runs as any other, governed; its rows become files at a place that was checked before
anything was read. The table is entered when its files are complete, and tagged in the same
transaction, so it is never there without its tags. Its creator owns it.

A place of the creator's own need not be registered: then nobody but its owner learns that the
table is there, whatever grants say, and its files were theirs to read and write all along. That is
what clients rely on that make a table for each query and drop it again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from lakeveil.core.access.grants import TableName
from lakeveil.core.access.tables.table_document import columns_in, tidied
from lakeveil.core.audit import Json
from lakeveil.core.query.execution import ResultColumn
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.flows.catalog_desk import looking_at, refusals_on_record, said_table
from lakeveil.flows.change_access import changing
from lakeveil.flows.change_catalog import check_name
from lakeveil.flows.change_tables import delete_table, new_record
from lakeveil.flows.run_query import Asked, Governed, Took, govern, reading
from lakeveil.flows.statements.answers import Answer, done, wrote
from lakeveil.flows.statements.derive import Origins, inherit, origins_of
from lakeveil.flows.statements.desk import StatementDesk
from lakeveil.flows.statements.destinations import check_empty, check_table_place, location_of
from lakeveil.flows.statements.hive_formats import JSON, PARQUET, TEXT, Format, descriptor
from lakeveil.flows.statements.iceberg_tables import (
    NewIceberg,
    create_iceberg,
    iceberg_properties,
)
from lakeveil.flows.statements.manifests import manifest_location, tables_location
from lakeveil.flows.statements.naming import table_of
from lakeveil.flows.statements.on_record import writing
from lakeveil.flows.statements.refused import about_table, already_there, exists
from lakeveil.flows.statements.result_shape import (
    FileProperties,
    check_names,
    check_partitioned_last,
    file_properties,
    kept_columns,
)
from lakeveil.flows.statements.transforms import transform_of
from lakeveil.ports.table_writer import Written
from lakeveil.sql.statements import CreateTableAs

_HIVE = frozenset(
    {
        "external_location", "format", "write_compression", "parquet_compression", "compression",
        "orc_compression", "partitioned_by", "field_delimiter", "table_type", "is_external",
    }
)  # fmt: skip
_ICEBERG = frozenset(
    {"table_type", "location", "is_external", "format", "write_compression", "partitioning",
     "vacuum_min_snapshots_to_keep", "vacuum_max_snapshot_age_seconds",
     "optimize_rewrite_data_file_threshold", "optimize_rewrite_delete_file_threshold"}
)  # fmt: skip
_NOTHING = Written(files=(), rows=0, bytes=0)
_FORMATS: dict[str, Format] = {"parquet": PARQUET, "json": JSON, "textfile": TEXT}
"""Formats that can be read again here; a table of another one would be of no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _New:
    """A table under way."""

    name: TableName
    location: str
    columns: tuple[tuple[ResultColumn, str], ...]
    origins: Origins

    @property
    def names(self) -> list[str]:
        """The names of its columns."""
        return [column.name for column, _ in self.columns]


def create_table_as(statement: CreateTableAs, asked: Asked, desk: StatementDesk) -> Answer:
    """CREATE TABLE AS, of Hive's kind or Iceberg's.

    Raises:
        QueryError: the query may not run; TABLE_ALREADY_EXISTS, INVALID_TABLE_PROPERTY; or
            something lies at the location already.
        Refused: the caller lacks CREATE_TABLE, or may not write to the location.
    """
    table_type = str(statement.properties.get("table_type", "hive")).lower()
    iceberg = table_type == "iceberg"
    known = _ICEBERG if iceberg else _HIVE
    unknown = sorted(name for name in statement.properties if name not in known)
    if unknown or table_type not in {"hive", "iceberg"}:
        raise QueryError(
            ErrorName.INVALID_TABLE_PROPERTY,
            f"Table property '{unknown[0] if unknown else 'table_type'}' is not supported",
        )
    create = _iceberg if iceberg else _hive
    try:
        return create(statement, asked, desk)
    except QueryError as error:
        if statement.if_not_exists and already_there(error):
            return done(asked)
        raise


def _hive(statement: CreateTableAs, asked: Asked, desk: StatementDesk) -> Answer:
    took = Took()
    form = file_properties(statement.properties, formats=frozenset(_FORMATS))
    location = _location(statement, "external_location", asked)
    new, governed = _planned(statement, location, asked)
    check_partitioned_last(new.names, form.partitioned_by)
    _check(new, statement, asked)
    check_empty(location, empty=desk.files.is_empty(location))
    written, scanned = _NOTHING, 0
    if statement.with_data:
        written, scanned = _write(new, form, governed, took, asked=asked, desk=desk)
    files = [one.location for one in written.files]
    manifest = manifest_location(asked.execution, tables=True)
    entered = False
    try:
        with about_table(new.name, statement.table):
            _enter(new, form, written, asked)
        entered = True
        desk.results.write_manifest(manifest, files)
    except BaseException:
        if entered:
            _drop(new, asked)
        desk.files.remove(files)
        raise

    def undo() -> None:
        _drop(new, asked)
        desk.files.remove([*files, manifest])

    execution = replace(asked.execution, manifest=manifest)
    return wrote(
        execution, took, asked, rows=written.rows, size=written.bytes, scanned=scanned, undo=undo
    )


def _write(
    new: _New,
    form: FileProperties,
    governed: Governed,
    took: Took,
    *,
    asked: Asked,
    desk: StatementDesk,
) -> tuple[Written, int]:
    with (
        writing(new.location, asked, said={"table": str(new.name)}) as said,
        reading(governed, asked, took) as running,
    ):
        written = desk.files.write_files(
            new.location,
            [column for column, _ in new.columns],
            running.batches(),
            format=form.format,
            compression=form.compression,
            partition_by=form.partitioned_by,
            field_delimiter=form.delimiter,
        )
        said |= {"files": len(written.files), "rows": written.rows}
        return written, running.statistics().scanned_bytes


def _iceberg(statement: CreateTableAs, asked: Asked, desk: StatementDesk) -> Answer:
    took = Took()
    new, governed = _planned(statement, _location(statement, "location", asked), asked)
    table = _iceberg_table(new, statement)
    _check(new, statement, asked)
    check_empty(new.location, empty=desk.files.is_empty(new.location))
    with about_table(new.name, statement.table):
        create_iceberg(
            table,
            check=lambda lake, authority, place: check_table_place(
                lake, authority, new.name, place, asked
            ),
            asked=asked,
            origins=new.origins,
        )

    def undo() -> None:
        if _drop(new, asked):
            desk.files.remove_under(new.location)

    rows = size = scanned = 0
    try:
        if statement.with_data:
            with (
                writing(said_table(new.name), asked) as said,
                reading(governed, asked, took) as running,
            ):
                left = desk.iceberg.append(new.name, running.batches(), columns=new.names)
                rows, size = left.rows, left.bytes
                said["rows"] = rows
                scanned = running.statistics().scanned_bytes
    except BaseException:
        undo()
        raise
    return wrote(asked.execution, took, asked, rows=rows, size=size, scanned=scanned, undo=undo)


def _iceberg_table(new: _New, statement: CreateTableAs) -> NewIceberg:
    properties = {
        name: str(value)
        for name, value in statement.properties.items()
        if name not in {"location", "is_external", "partitioning", "table_type"}
    }
    by = statement.properties.get("partitioning", ())
    return NewIceberg(
        name=new.name,
        columns=tuple((column.name, kind) for column, kind in new.columns),
        location=new.location,
        transforms=[transform_of(one) for one in (by if isinstance(by, tuple) else (str(by),))],
        properties=iceberg_properties(properties),
    )


def _planned(statement: CreateTableAs, location: str, asked: Asked) -> tuple[_New, Governed]:
    name = table_of(statement.table, asked)
    name = replace(name, table=check_name(name.table))
    governed = govern(statement.query, asked)
    names = check_names(governed.checked.columns)
    new = _New(
        name=name,
        location=location,
        columns=kept_columns(names, governed.checked.columns),
        origins=origins_of(governed),
    )
    return new, governed


def _location(statement: CreateTableAs, member: str, asked: Asked) -> str:
    given = statement.properties.get(member)
    if given is None:
        if member == "location":
            raise QueryError(
                ErrorName.INVALID_TABLE_PROPERTY, "An Iceberg table needs the property 'location'"
            )
        return tables_location(asked.execution)
    if member == "external_location" and asked.workgroup.enforced and asked.workgroup.output:
        raise QueryError(
            ErrorName.INVALID_TABLE_PROPERTY,
            "The Create Table As Select query failed because it was submitted with an "
            "'external_location' property to an Athena Workgroup that enforces a centralized "
            "output location for all queries. Please remove the 'external_location' property and "
            "resubmit the query.",
        )
    return location_of(str(given))


def _check(new: _New, statement: CreateTableAs, asked: Asked) -> None:
    """Whether the table may be made there, before anything is read or written."""
    desk = asked.desk.catalog
    with (
        about_table(new.name, statement.table),
        refusals_on_record(asked.call, desk, said_table(new.name)),
        desk.lake.looking() as lake,
    ):
        authority = looking_at(lake, asked.who, desk)
        check_table_place(lake, authority, new.name, new.location, asked)


def _enter(new: _New, form: FileProperties, written: Written, asked: Asked) -> None:
    inside = len(new.columns) - len(form.partitioned_by)
    shapes = [{"Name": column.name, "Type": kind} for column, kind in new.columns]
    extra = {"field.delim": form.delimiter} if form.delimiter else {}
    stored = descriptor(_FORMATS[form.format], shapes[:inside], new.location, **extra)
    document = tidied(
        {
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {
                "EXTERNAL": "TRUE",
                "classification": _FORMATS[form.format].classification,
                "presto_query_id": asked.execution.id,
            },
            "StorageDescriptor": stored,
            "PartitionKeys": shapes[inside:],
        }
    )
    said: dict[str, Json] = {"location": new.location, "files": len(written.files)}
    with changing(
        asked.call, asked.desk.catalog.access, said_table(new.name), asked=said
    ) as change:
        check_table_place(change.lake, change.authority, new.name, new.location, asked)
        if change.lake.table(new.name) is not None:
            raise exists(new.name)
        columns = columns_in(document)
        change.lake.put_table(
            new_record(new.name, columns, document, location=new.location, change=change)
        )
        for values, folder in _partitions(written).items():
            partition: dict[str, Any] = {
                "StorageDescriptor": {**stored, "Location": folder},
                "CreationTime": change.now,
            }
            change.lake.put_partition(new.name, values, partition)
        inherit(change, new.name, new.names, new.origins)


def _partitions(written: Written) -> dict[tuple[str, ...], str]:
    return {
        file.partition_values: file.location.rpartition("/")[0]
        for file in written.files
        if file.partition_values
    }


def _drop(new: _New, asked: Asked) -> bool:
    """Drop the table that was made here; False where another one has its name by now."""
    record = asked.desk.catalog.lake.table(new.name)
    if record is None or (record.location, record.table.owner) != (new.location, asked.who.arn):
        return False
    delete_table(new.name, call=asked.call, desk=asked.desk.catalog)
    return True
