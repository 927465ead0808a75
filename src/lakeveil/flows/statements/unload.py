"""UNLOAD: a query's rows as files at a place of the caller's own.

They leave the lake with this, so the place is one that the caller could have written to without us,
and never among the lake's data. Files are listed in a manifest beside the result.
"""

from __future__ import annotations

from dataclasses import replace

from lakeveil.core.query.execution import ResultColumn
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.flows.own_locations import WRITE
from lakeveil.flows.run_query import Asked, Took, govern, reading
from lakeveil.flows.statements.answers import Answer, wrote
from lakeveil.flows.statements.desk import StatementDesk
from lakeveil.flows.statements.destinations import check_empty, check_own_place, location_of
from lakeveil.flows.statements.manifests import manifest_location
from lakeveil.flows.statements.on_record import writing
from lakeveil.flows.statements.result_shape import (
    check_names,
    check_partitioned_last,
    file_properties,
)
from lakeveil.sql.statements import Unload

_PROPERTIES = frozenset({"format", "compression", "field_delimiter", "partitioned_by"})


def unload(statement: Unload, asked: Asked, desk: StatementDesk) -> Answer:
    """UNLOAD (query) TO location.

    Raises:
        QueryError: the query may not run; INVALID_TABLE_PROPERTY; or something lies there already.
        Refused: the caller may not write to the location, or it is among the lake's data.
    """
    took = Took()
    if unknown := sorted(statement.properties.keys() - _PROPERTIES):
        raise QueryError(
            ErrorName.INVALID_TABLE_PROPERTY, f"UNLOAD property '{unknown[0]}' is not supported"
        )
    if "format" not in statement.properties:
        raise QueryError(ErrorName.INVALID_TABLE_PROPERTY, "UNLOAD needs the property 'format'")
    form = file_properties(statement.properties)
    location = location_of(statement.location)
    check_own_place(location, (WRITE,), asked)
    governed = govern(statement.query, asked)
    names = check_names(governed.checked.columns)
    check_partitioned_last(names, form.partitioned_by)
    check_empty(location, empty=desk.files.is_empty(location))
    columns = [
        ResultColumn(name, column.type)
        for name, column in zip(names, governed.checked.columns, strict=True)
    ]
    with writing(location, asked) as said, reading(governed, asked, took) as running:
        written = desk.files.write_files(
            location,
            columns,
            running.batches(),
            format=form.format,
            compression=form.compression,
            partition_by=form.partitioned_by,
            field_delimiter=form.delimiter,
        )
        said |= {"files": len(written.files), "rows": written.rows}
        scanned = running.statistics().scanned_bytes
    files = [file.location for file in written.files]
    manifest = manifest_location(asked.execution)

    def undo() -> None:
        desk.files.remove([*files, manifest])

    try:
        desk.results.write_manifest(manifest, files)
    except BaseException:
        desk.files.remove(files)
        raise
    execution = replace(asked.execution, manifest=manifest)
    return wrote(
        execution, took, asked, rows=written.rows, size=written.bytes, scanned=scanned, undo=undo
    )
