"""PREPARE, EXECUTE and DEALLOCATE: statements that are kept in a workgroup under a name.

Each takes the right to the call that does the same (Athena user guide, "Use prepared statements").
What is executed is read anew with its values bound, and then checked like any other statement: it
is kept as text, and nothing of who prepared it counts.
"""

from __future__ import annotations

from dataclasses import replace

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.errors import NotFound
from lakeveil.flows import change_workgroups
from lakeveil.flows.change_workgroups import known_statement
from lakeveil.flows.run_query import Asked
from lakeveil.flows.start_query import require_workgroup_right
from lakeveil.flows.statements.answers import Answer, done
from lakeveil.ports.queries import PreparedStatement
from lakeveil.sql.parse import parse
from lakeveil.sql.statements import Deallocate, Execute, Prepare, Statement


def prepare(statement: Prepare, asked: Asked) -> Answer:
    """PREPARE; one of that name is replaced.

    Raises:
        UsageError: its name cannot be.
        Refused: the caller may not keep statements in the workgroup.
    """
    require_workgroup_right(
        asked.workgroup.name, "athena:CreatePreparedStatement", call=asked.call, desk=asked.desk
    )
    kept = PreparedStatement(
        account=asked.who.account,
        workgroup=asked.workgroup.name,
        name=statement.name,
        sql=statement.sql,
    )
    change_workgroups.prepare(
        kept, new=not _is_there(kept, asked), call=asked.call, desk=asked.desk
    )
    return done(asked)


def executed(statement: Execute, asked: Asked) -> tuple[Statement, Asked]:
    """What EXECUTE stands for: the statement with its values, and who asks for it.

    Raises:
        QueryError: there is none of that name; INVALID_PARAMETER_USAGE, the values do not fit.
    """
    require_workgroup_right(
        asked.workgroup.name, "athena:GetPreparedStatement", call=asked.call, desk=asked.desk
    )
    found = parse(_known(statement.name, asked).sql, statement.parameters)
    if isinstance(found, Execute | Prepare | Deallocate):
        raise QueryError(ErrorName.NOT_SUPPORTED, "A prepared statement is none of these itself")
    execution = replace(asked.execution, parameters=statement.parameters)
    return found, replace(asked, execution=execution)


def deallocate(statement: Deallocate, asked: Asked) -> Answer:
    """DEALLOCATE PREPARE.

    Raises:
        QueryError: there is none of that name.
    """
    require_workgroup_right(
        asked.workgroup.name, "athena:DeletePreparedStatement", call=asked.call, desk=asked.desk
    )
    _known(statement.name, asked)
    asked.desk.workgroups.remove_prepared(asked.who.account, asked.workgroup.name, statement.name)
    return done(asked)


def _known(name: str, asked: Asked) -> PreparedStatement:
    try:
        return known_statement(name, asked.workgroup.name, call=asked.call, desk=asked.desk)
    except NotFound:
        raise QueryError(
            ErrorName.NOT_FOUND, f"Prepared statement not found: {name[:255]}"
        ) from None


def _is_there(kept: PreparedStatement, asked: Asked) -> bool:
    found = asked.desk.workgroups.prepared(kept.account, kept.workgroup, kept.name)
    return found is not None
