"""Taking a query: into which workgroup, where its result will lie, and whether all that may be.

Nothing is read yet. What the service writes on somebody's behalf is first checked against what that
one could write without it: a result goes only where its principal may put objects, and never under
a location of the lake, where it would become somebody's table.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

from lakeveil.core.access.locations import is_under, normalised
from lakeveil.core.audit import AuditOutcome
from lakeveil.core.query.execution import QueryExecution, QueryState, speaks_for
from lakeveil.core.query.result_forms import CSV, JSON_LINES
from lakeveil.core.query.workgroups import PRIMARY, DataLimit, Workgroup
from lakeveil.errors import NotFound, Refused, UsageError
from lakeveil.flows.change_access import Call
from lakeveil.flows.own_locations import WRITE, may_deny, object_arn
from lakeveil.flows.query_desk import QueryDesk, workgroup_arn
from lakeveil.flows.refusals import NO_RIGHT_TO_CALL

START = "athena:StartQueryExecution"
MAX_SQL_BYTES = 262_144
"""Athena's limit for a statement."""

_TOKEN = re.compile(r"[!-~]{32,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRequest:
    """What is asked. `output` is where the caller wants its result, empty for the workgroup's.

    With `typed` its rows keep their types (`result_forms.JSON_LINES`), else they are Athena's CSV.
    """

    sql: str
    workgroup: str = PRIMARY
    database: str = ""
    catalog: str = ""
    output: str = ""
    parameters: tuple[str, ...] = ()
    client_token: str = ""
    typed: bool = False


def start_query(request: QueryRequest, *, call: Call, desk: QueryDesk) -> QueryExecution:
    """Put a query on record as queued; the same client token gives the same query.

    Raises:
        UsageError: it is too long, the workgroup is off, or there is no place for its result.
        NotFound: there is no such workgroup.
        Refused: the caller may not use the workgroup, or not write where the result would go.
        Conflict: the client token belongs to another request.
    """
    workgroup = usable_workgroup(request.workgroup, START, call=call, desk=desk)
    if not request.sql.strip() or len(request.sql.encode()) > MAX_SQL_BYTES:
        raise UsageError(f"Query strings have 1 to {MAX_SQL_BYTES} bytes.", code="query_length")
    if request.client_token and not _TOKEN.fullmatch(request.client_token):
        raise UsageError("ClientRequestToken has 32 to 128 characters.", code="client_token")
    queued = desk.log.in_state(call.who.account, workgroup.name, (QueryState.QUEUED,))
    if queued >= desk.waiting:
        raise Refused(
            "Too many queries are waiting.",
            why=f"{queued} are queued in workgroup {workgroup.name}",
            fix="try again when some of them have run",
            code="too_many_requests",
        )
    query_id = str(uuid.uuid4())
    prefix = result_prefix(request.output, workgroup)
    output = f"{prefix}{query_id}{JSON_LINES if request.typed else CSV}"
    check_may_write(output, call=call, desk=desk)
    return desk.log.add(
        QueryExecution(
            id=query_id,
            account=call.who.account,
            workgroup=workgroup.name,
            principal=call.who.arn,
            session=call.who.caller_arn,
            speaks_for=speaks_for(call.who.identities),
            access_key=call.access_key,
            sql=request.sql,
            parameters=request.parameters,
            database=request.database.lower(),
            catalog=request.catalog,
            output=output,
            client_token=request.client_token,
            submitted_at=desk.clock.now(),
            server=desk.server,
        )
    )


def usable_workgroup(name: str, action: str, *, call: Call, desk: QueryDesk) -> Workgroup:
    """A workgroup that the caller may use, and that is on.

    Raises:
        Refused: the caller may not call `action` on it, whether there is one or not.
        NotFound: there is none.
        UsageError: it is switched off, or its limit is reached.
    """
    require_workgroup_right(name, action, call=call, desk=desk)
    found = desk.workgroups.get(call.who.account, name)
    if found is None:
        raise NotFound(f"WorkGroup {name} is not found.", code="workgroup_not_found")
    if not found.enabled:
        raise UsageError(f"WorkGroup {name} is disabled.", code="workgroup_disabled")
    for limit in found.limits:
        if scanned_within(limit, found, desk) >= limit.bytes:
            raise UsageError(
                f"WorkGroup {name} has reached its data usage limit of {limit.bytes} bytes.",
                why=f"that is what its queries may scan in {limit.period_s} seconds",
                fix="wait, or have the limit raised",
                code="workgroup_limit",
            )
    return found


def require_workgroup_right(name: str, action: str, *, call: Call, desk: QueryDesk) -> None:
    """Refuse whoever's rights do not allow an action on a workgroup; that goes on record.

    Raises:
        Refused: they do not.
    """
    arn = workgroup_arn(desk, call.who.account, name)
    if call.who.rights.allows(action, arn):
        return
    desk.catalog.audit.record(call.event(AuditOutcome.REFUSED, arn, error_code=NO_RIGHT_TO_CALL))
    raise Refused(
        f"User: {call.who.caller_arn} is not authorized to perform: {action} on resource: {arn}",
        code=NO_RIGHT_TO_CALL,
    )


def scanned_within(limit: DataLimit, workgroup: Workgroup, desk: QueryDesk) -> int:
    """Bytes that a workgroup has scanned in the period of a limit that runs now.

    Periods are counted from the epoch, so a day is a day of UTC.
    """
    now = desk.clock.now()
    since = now - now % limit.period_s
    return desk.log.scanned_since(workgroup.account, workgroup.name, since)


def result_prefix(wanted: str, workgroup: Workgroup) -> str:
    """Where results go: the workgroup's place, or the caller's where the workgroup allows it.

    Raises:
        UsageError: there is none, or it is no location.
    """
    chosen = workgroup.output if workgroup.enforced and workgroup.output else ""
    chosen = chosen or wanted or workgroup.output
    if not chosen:
        raise UsageError(
            "No output location provided. An output location is required either through the "
            "Workgroup result configuration setting or as an API input.",
            code="no_output_location",
        )
    location = normalised(chosen)
    if not location or not chosen.startswith("s3://"):
        raise UsageError(
            f"outputLocation is not a valid S3 path: {chosen[:255]}", code="bad_output"
        )
    return f"{location}/"


def check_may_write(location: str, *, call: Call, desk: QueryDesk) -> None:
    """Refuse to write an object for somebody who could not write it.

    Raises:
        Refused: their rights do not allow it, or it would lie among the lake's data.
    """
    arn = object_arn(location)
    # What belongs to the result lies beside it, under names that begin like its own.
    beginning = arn.rpartition(".")[0]
    rights = call.who.rights
    allowed = rights.allows(WRITE, arn) and not may_deny(rights, WRITE, beginning)
    inside = any(
        is_under(location, one.location) or is_under(one.location, location)
        for one in desk.catalog.lake.locations()
    )
    if allowed and not inside:
        return
    desk.catalog.audit.record(
        call.event(AuditOutcome.REFUSED, arn, error_code="output_not_allowed")
    )
    if inside:
        raise Refused(
            "The output location lies among the lake's data.",
            why="a result there would be read as part of a table",
            fix="choose a location that is not registered with the lake",
            code="output_not_allowed",
        )
    raise Refused(
        "Access denied when writing output to the given location.",
        why=f"{call.who.caller_arn} may not put objects there",
        fix="choose an output location of your own, or your workgroup's",
        code="output_not_allowed",
    )
