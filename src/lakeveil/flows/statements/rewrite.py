"""Changing rows of an Iceberg table: the files that hold them are written anew, as one commit.

Who does that reads every cell of the table and writes all of it back, so they must be allowed to
read all of it: a row or a value that was hidden from them would be lost. What becomes of the rows
is told by a query, which the guard checks like any other, and it must be about the very state that
the commit replaces. All files of the table are written anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from lakeveil.core.access.permissions import Permission
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.flows.catalog_desk import SeenTable, said_table
from lakeveil.flows.change_access import insufficient
from lakeveil.flows.run_query import Asked, Governed, Took, govern, reading
from lakeveil.flows.statements.answers import Answer, wrote
from lakeveil.flows.statements.desk import StatementDesk
from lakeveil.flows.statements.destinations import check_own_table
from lakeveil.flows.statements.insert import check_closed
from lakeveil.flows.statements.naming import known
from lakeveil.flows.statements.on_record import writing
from lakeveil.ports.engine import Scan
from lakeveil.ports.iceberg_writer import IcebergWritten
from lakeveil.sql.statements import Condition, TableRef


def rewritable(ref: TableRef, *needed: Permission, asked: Asked) -> SeenTable:
    """An Iceberg table that the caller may read all of, and change.

    Raises:
        QueryError: TABLE_NOT_FOUND; NOT_SUPPORTED, it is not Iceberg's.
        Refused: the caller lacks one of `needed`, or may not read every cell.
    """
    found = known(ref, asked)
    for permission in needed:
        if not found.allows(permission):
            raise insufficient(permission.value.title(), found.name.table)
    if not found.record.metadata_location:
        raise QueryError(
            ErrorName.NOT_SUPPORTED, "Modifying rows is supported for Iceberg tables only"
        )
    if not found.data.full_read:
        raise insufficient("Select", f"every cell of {found.name.table}")
    check_own_table(found, asked)
    return found


def rewrite(
    found: SeenTable, query: str, took: Took, *, changed: int, asked: Asked, desk: StatementDesk
) -> Answer:
    """Replace all rows of a table by those of a query over it.

    Raises:
        QueryError: PERMISSION_DENIED, a column would show what it is given to more than its
            sources do; TRANSACTION_CONFLICT, the table was changed meanwhile.
    """
    asked = without_parameters(asked)
    names = columns_of(found)
    governed = govern(query, asked)
    _check_same_state(found, governed)
    check_closed(found, names, governed, asked)
    scan = desk.planner.plan(found.record)
    with (
        writing(said_table(found.name), asked, said={"rows": changed}) as said,
        reading(governed, asked, took) as running,
    ):
        left = _replaced(found, scan, names, running.batches(), desk)
        said["snapshot"] = str(left.snapshot_id)
        scanned = running.statistics().scanned_bytes
    return wrote(asked.execution, took, asked, rows=changed, size=left.bytes, scanned=scanned)


def counted(query: str, asked: Asked, took: Took) -> list[int]:
    """The numbers of a query's only row.

    Raises:
        QueryError: it may not run.
    """
    asked = without_parameters(asked)
    with reading(govern(query, asked), asked, took) as running:
        rows = [tuple(row.values()) for batch in running.batches() for row in batch.to_pylist()]
    return [int(value) for value in rows[0]]


def columns_of(found: SeenTable) -> list[str]:
    """A table's columns, in order."""
    return [column.name for column in found.record.table.columns]


def source_of(found: SeenTable, alias: str) -> str:
    """A table as it stands after FROM."""
    return f"{quoted(found.name.database)}.{quoted(found.name.table)} AS {quoted(alias)}"


def text_of(condition: Condition, asked: Asked) -> str:
    """An expression as a text of its own, with the values of its question marks."""
    if asked.execution.parameters:
        return str(condition.tree.sql(dialect="trino", comments=False))
    return f"{condition.text}\n"


def holds(condition: Condition | None, asked: Asked) -> str:
    """A condition that is true or false: what is unknown is false."""
    return "true" if condition is None else f"COALESCE(({text_of(condition, asked)}), false)"


def quoted(name: str) -> str:
    """A name as SQL has it."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def without_parameters(asked: Asked) -> Asked:
    """The same, for queries into which the values are written already."""
    return replace(asked, execution=replace(asked.execution, parameters=()))


def _replaced(
    found: SeenTable, scan: Scan, names: Sequence[str], batches: Iterator[Any], desk: StatementDesk
) -> IcebergWritten:
    files = [file.location for group in scan.groups for file in group.files]
    if not files:
        return desk.iceberg.append(found.name, batches, columns=names)
    _, snapshot, _ = scan.snapshot.split(":")
    return desk.iceberg.overwrite_files(
        found.name,
        removed=files,
        batches=batches,
        columns=names,
        snapshot_id=int(snapshot),
    )


def _check_same_state(found: SeenTable, governed: Governed) -> None:
    for used in governed.tables.values():
        same = used.record.metadata_location == found.record.metadata_location
        if used.name == found.name and not same:
            raise QueryError(
                ErrorName.TRANSACTION_CONFLICT, "The table was changed meanwhile. Try again."
            )
