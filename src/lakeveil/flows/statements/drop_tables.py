"""DROP TABLE, and what becomes of the files.

As in Athena: a table over files leaves them, and an Iceberg table takes its own along (user guide,
"Dropping Iceberg tables"). Here that is one which a statement made, as nothing else can be sure
that its files are the table's alone. They stay, too, where another table lies in its location or
around it, and where the caller may drop the table and not delete from it.
"""

from __future__ import annotations

from lakeveil.core.access.permissions import Permission
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.flows.catalog_desk import SeenTable, said_table
from lakeveil.flows.change_tables import delete_table
from lakeveil.flows.own_locations import REMOVE, allows_below
from lakeveil.flows.run_query import Asked
from lakeveil.flows.statements.answers import Answer, done
from lakeveil.flows.statements.desk import StatementDesk
from lakeveil.flows.statements.destinations import tables_touching
from lakeveil.flows.statements.iceberg_tables import MANAGED
from lakeveil.flows.statements.naming import known
from lakeveil.flows.statements.on_record import writing
from lakeveil.flows.statements.refused import about_table, not_found
from lakeveil.flows.statements.show import is_view
from lakeveil.sql.statements import DropTable


def drop_table(statement: DropTable, asked: Asked, desk: StatementDesk) -> Answer:
    """DROP TABLE.

    Raises:
        QueryError: TABLE_NOT_FOUND, or it is a view.
        Refused: the caller lacks DROP.
    """
    try:
        _drop(statement, asked, desk)
    except QueryError as error:
        if not (statement.if_exists and not_found(error)):
            raise
    return done(asked)


def _drop(statement: DropTable, asked: Asked, desk: StatementDesk) -> None:
    found = known(statement.table, asked)
    if is_view(found):
        raise QueryError(ErrorName.NOT_SUPPORTED, f"{found.name} is a view. Use DROP VIEW.")
    # Listed while the table is there: no other can begin at its location, so all of them are its.
    files = desk.files.files_under(found.record.location) if _goes(found, asked) else []
    with about_table(found.name, statement.table):
        delete_table(found.name, call=asked.call, desk=asked.desk.catalog)
    if files:
        with writing(said_table(found.name), asked, said={"removes": len(files)}):
            desk.files.remove(files)


def _goes(found: SeenTable, asked: Asked) -> bool:
    record = found.record
    if not (record.metadata_location and record.document.get(MANAGED) is True):
        return False
    if not found.allows(Permission.DROP) or not found.allows(Permission.DELETE):
        return False
    if not record.table.governed and not allows_below(
        asked.who.rights, REMOVE, record.location, asked.execution.id
    ):
        return False
    return not tables_touching(asked.desk.catalog.lake, found)
