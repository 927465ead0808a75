"""INSERT INTO a table of Hive's kind or Iceberg's.

It takes INSERT on the table. Columns that are hidden from the writer are not there for them, and
get NULL. What is written must not be more closed than the column that it goes into: otherwise a
write would show to others what a grant keeps from them (`derive.check_not_opened`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tables.partition_paths import partition_path
from lakeveil.core.query.execution import ResultColumn
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.flows.catalog_desk import SeenTable, known_table, looking_at, said_table
from lakeveil.flows.change_access import changing, insufficient
from lakeveil.flows.run_query import Asked, Governed, Took, reading
from lakeveil.flows.statements.answers import Answer, wrote
from lakeveil.flows.statements.arrange import arranged
from lakeveil.flows.statements.derive import check_not_opened, origins_of
from lakeveil.flows.statements.desk import StatementDesk
from lakeveil.flows.statements.destinations import check_own_table
from lakeveil.flows.statements.manifests import manifest_location
from lakeveil.flows.statements.naming import known
from lakeveil.flows.statements.on_record import writing
from lakeveil.flows.statements.show import is_view
from lakeveil.ports.table_writer import Written
from lakeveil.sql.statements import Insert
from lakeveil.sql.types import hive_to_trino

_FORMATS = {
    "parquethiveserde": "parquet",
    "jsonserde": "json",
    "openxjsonserde": "json",
    "lazysimpleserde": "textfile",
}


def insert(statement: Insert, asked: Asked, desk: StatementDesk) -> Answer:
    """INSERT INTO.

    Raises:
        QueryError: the query may not run, or does not fit; PERMISSION_DENIED, a column would show
            what it is given to more than its sources do.
        Refused: the caller lacks INSERT.
    """
    took = Took()
    found = writable(statement, asked)
    target = [
        (column.name, column.type)
        for column in found.record.table.columns
        if column.name in found.view.known
    ]
    governed, _ = arranged(statement.query, statement.columns, target, asked)
    check_closed(found, [name for name, _ in target], governed, asked)
    if found.record.metadata_location:
        return _iceberg(found, [name for name, _ in target], governed, took, asked=asked, desk=desk)
    return _hive(found, target, governed, took, asked=asked, desk=desk)


def writable(statement: Insert, asked: Asked) -> SeenTable:
    """A table that the caller may write rows into.

    Raises:
        QueryError: TABLE_NOT_FOUND, or it is a view.
        Refused: the caller lacks INSERT.
    """
    found = known(statement.table, asked)
    if not found.allows(Permission.INSERT):
        raise insufficient("Insert", found.name.table)
    if is_view(found):
        raise QueryError(
            ErrorName.NOT_SUPPORTED, f"Inserting into views is not supported: {found.name}"
        )
    check_own_table(found, asked)
    return found


def check_closed(
    found: SeenTable, columns: Sequence[str], governed: Governed, asked: Asked
) -> None:
    """Refuse to write what is more closed than where it goes.

    Raises:
        QueryError: PERMISSION_DENIED.
    """
    if not governed.checked.relations:
        return
    desk = asked.desk.catalog
    with desk.lake.looking() as lake:
        authority = looking_at(lake, asked.who, desk)
        check_not_opened(
            known_table(lake, authority, found.name).record.table,
            columns,
            origins_of(governed),
            lake=lake,
            administers=authority.administers(found.name.account),
        )


def _iceberg(
    found: SeenTable,
    names: list[str],
    governed: Governed,
    took: Took,
    *,
    asked: Asked,
    desk: StatementDesk,
) -> Answer:
    with (
        writing(said_table(found.name), asked) as said,
        reading(governed, asked, took) as running,
    ):
        left = desk.iceberg.append(found.name, running.batches(), columns=names)
        said |= {"rows": left.rows, "snapshot": str(left.snapshot_id)}
        scanned = running.statistics().scanned_bytes
    # What is committed stays: others may have built on it.
    return wrote(asked.execution, took, asked, rows=left.rows, size=left.bytes, scanned=scanned)


def _hive(
    found: SeenTable,
    target: list[tuple[str, str]],
    governed: Governed,
    took: Took,
    *,
    asked: Asked,
    desk: StatementDesk,
) -> Answer:
    form, delimiter = _format(found)
    if form == "textfile" and found.view.hidden:
        # Lines have no names: what is hidden would get the values of what is not.
        raise insufficient("Insert", found.name.table)
    columns = [ResultColumn(name, hive_to_trino(kind)) for name, kind in target]
    keys = [column.name for column in found.record.table.columns if column.partition]
    if not set(keys) <= {name for name, _ in target}:
        raise insufficient("Insert", found.name.table)
    if not found.record.location:
        raise QueryError(ErrorName.NOT_SUPPORTED, f"Table {found.name} has no location")
    with (
        writing(said_table(found.name), asked) as said,
        reading(governed, asked, took) as running,
    ):
        written = desk.files.write_files(
            found.record.location,
            columns,
            running.batches(),
            format=form,
            partition_by=keys,
            field_delimiter=delimiter,
        )
        said |= {"files": len(written.files), "rows": written.rows}
        scanned = running.statistics().scanned_bytes
    files = [file.location for file in written.files]
    manifest = manifest_location(asked.execution)

    def undo() -> None:
        desk.files.remove([*files, manifest])

    try:
        _add_partitions(found, keys, written, asked)
        desk.results.write_manifest(manifest, files)
    except BaseException:
        desk.files.remove(files)
        raise
    execution = replace(asked.execution, manifest=manifest)
    return wrote(
        execution, took, asked, rows=written.rows, size=written.bytes, scanned=scanned, undo=undo
    )


def _add_partitions(found: SeenTable, keys: Sequence[str], written: Written, asked: Asked) -> None:
    every = {file.partition_values for file in written.files}
    if not keys or not every:
        return
    name = found.name
    stored = found.record.document.get("StorageDescriptor", {})
    with changing(
        asked.call, asked.desk.catalog.access, said_table(name), asked={"partitions": len(every)}
    ) as change:
        table = known_table(change.lake, change.authority, name)
        if not table.allows(Permission.INSERT) or table.record.location != found.record.location:
            raise insufficient("Insert", name.table)
        for values in sorted(every):
            place = f"{found.record.location}/{partition_path(keys, values)}"
            before = change.lake.partition(name, values)
            if before is None:
                document = {
                    "StorageDescriptor": {**stored, "Location": place},
                    "CreationTime": change.now,
                }
                change.lake.put_partition(name, values, document)
            elif before.get("StorageDescriptor", {}).get("Location", place).rstrip("/") != place:
                raise QueryError(
                    ErrorName.NOT_SUPPORTED,
                    "A partition that was moved from its usual place is not written to",
                )


def _format(found: SeenTable) -> tuple[str, str]:
    serde = found.record.document.get("StorageDescriptor", {}).get("SerdeInfo", {})
    short = str(serde.get("SerializationLibrary", "")).rpartition(".")[2].lower()
    if short not in _FORMATS:
        raise QueryError(
            ErrorName.NOT_SUPPORTED, f"Inserting into the format of {found.name} is not supported"
        )
    return _FORMATS[short], str(serde.get("Parameters", {}).get("field.delim", ""))
