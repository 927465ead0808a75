"""OPTIMIZE and VACUUM, of Iceberg tables: fewer files, and less of the past.

OPTIMIZE writes all files of a table anew, so it takes what a change of rows takes. VACUUM forgets
what the table was before; it takes DELETE, and leaves whatever lies there of other tables.
"""

from __future__ import annotations

from lakeveil.core.access.permissions import Permission
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.flows.catalog_desk import said_table
from lakeveil.flows.change_access import insufficient
from lakeveil.flows.run_query import Asked, Took
from lakeveil.flows.statements.answers import Answer, wrote
from lakeveil.flows.statements.desk import StatementDesk
from lakeveil.flows.statements.destinations import tables_touching
from lakeveil.flows.statements.naming import known
from lakeveil.flows.statements.on_record import writing
from lakeveil.flows.statements.rewrite import (
    columns_of,
    quoted,
    rewritable,
    rewrite,
    source_of,
)
from lakeveil.sql.statements import Optimize, Vacuum

DEFAULT_AGE_S = 432_000
"""Athena's `vacuum_max_snapshot_age_seconds`."""
_AGE, _KEEP = "history.expire.max-snapshot-age-ms", "history.expire.min-snapshots-to-keep"


def optimize(statement: Optimize, asked: Asked, desk: StatementDesk) -> Answer:
    """OPTIMIZE ... REWRITE DATA USING BIN_PACK; a table of one file without deletes is left alone.

    Raises:
        As `rewrite.rewritable`; NOT_SUPPORTED with WHERE.
    """
    took = Took()
    if statement.where is not None:
        raise QueryError(ErrorName.NOT_SUPPORTED, "OPTIMIZE is of whole tables here")
    needed = (Permission.DELETE, Permission.INSERT)
    found = rewritable(statement.table, *needed, asked=asked)
    groups = desk.planner.plan(found.record).groups
    deletes = any(
        group.position_deletes or group.deleted_rows or group.equality_deletes for group in groups
    )
    if sum(len(group.files) for group in groups) <= 1 and not deletes:
        return wrote(asked.execution, took, asked, rows=0, size=0, scanned=0)
    alias = found.name.table
    listed = ", ".join(f"{quoted(alias)}.{quoted(name)}" for name in columns_of(found))
    query = f"SELECT {listed} FROM {source_of(found, alias)}"  # noqa: S608 - is checked
    return rewrite(found, query, took, changed=0, asked=asked, desk=desk)


def vacuum(statement: Vacuum, asked: Asked, desk: StatementDesk) -> Answer:
    """VACUUM: snapshots older than the table's properties say are forgotten.

    Raises:
        QueryError: TABLE_NOT_FOUND; NOT_SUPPORTED, it is not Iceberg's.
        Refused: the caller lacks DELETE.
    """
    took = Took()
    found = known(statement.table, asked)
    if not found.allows(Permission.DELETE):
        raise insufficient("Delete", found.name.table)
    if not found.record.metadata_location:
        raise QueryError(ErrorName.NOT_SUPPORTED, "VACUUM is for Iceberg tables only")
    properties = desk.catalog.iceberg.read(found.record.metadata_location).properties
    age_s = int(properties.get(_AGE, DEFAULT_AGE_S * 1000)) / 1000
    others = tables_touching(asked.desk.catalog.lake, found)
    with writing(said_table(found.name), asked) as said:
        gone = desk.iceberg.expire(
            found.name,
            older_than=desk.clock.now() - age_s,
            keep=max(1, int(properties.get(_KEEP, 1))),
            besides=others,
        )
        said |= {"snapshots": gone.snapshots, "files": gone.files}
    return wrote(asked.execution, took, asked, rows=0, size=0, scanned=0)
