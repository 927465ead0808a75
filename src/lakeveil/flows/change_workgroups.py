"""Changing workgroups and what is saved in them: on record, by those whose rights allow it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from lakeveil.core.access.locations import normalised
from lakeveil.core.audit import AuditOutcome, Json
from lakeveil.core.query.workgroups import MIN_BYTES_CUTOFF, PRIMARY, Workgroup
from lakeveil.errors import LakeveilError, NotFound, UsageError
from lakeveil.flows.change_access import Call
from lakeveil.flows.query_desk import QueryDesk, workgroup_arn
from lakeveil.ports.queries import NamedQuery, PreparedStatement

MAX_TAGS = 50
_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")
_STATEMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_@:]{0,255}")


def create_workgroup(workgroup: Workgroup, *, call: Call, desk: QueryDesk) -> None:
    """Make a workgroup.

    Raises:
        UsageError: a name, location, limit or tag that cannot be.
        Conflict: there is one of that name.
    """
    with _recorded(workgroup.name, call, desk, asked=_said(workgroup)):
        desk.workgroups.create(replace(_checked(workgroup), created_at=desk.clock.now()))


def update_workgroup(workgroup: Workgroup, *, call: Call, desk: QueryDesk) -> None:
    """Replace a workgroup's settings.

    Raises:
        UsageError: a location, limit or tag that cannot be.
    """
    with _recorded(workgroup.name, call, desk, asked=_said(workgroup)):
        desk.workgroups.put(_checked(workgroup))


def delete_workgroup(name: str, *, everything: bool, call: Call, desk: QueryDesk) -> None:
    """Remove a workgroup; with `everything` what is saved in it as well.

    Raises:
        UsageError: it is `primary`.
        NotFound: there is none.
        Conflict: something is saved in it.
    """
    if name == PRIMARY:
        raise UsageError("The primary workgroup cannot be deleted.")
    known_workgroup(name, call=call, desk=desk)
    with _recorded(name, call, desk):
        desk.workgroups.remove(call.who.account, name, everything=everything)


def known_workgroup(name: str, *, call: Call, desk: QueryDesk) -> Workgroup:
    """A workgroup of the caller's account.

    Raises:
        NotFound: there is none.
    """
    found = desk.workgroups.get(call.who.account, name)
    if found is None:
        raise NotFound(f"WorkGroup {name} is not found.", code="workgroup_not_found")
    return found


def save_query(query: NamedQuery, *, call: Call, desk: QueryDesk) -> NamedQuery:
    """Save a query under a name; one without an id is new.

    Raises:
        NotFound: there is no such workgroup.
    """
    known_workgroup(query.workgroup, call=call, desk=desk)
    kept = query if query.id else replace(query, id=str(uuid.uuid4()), created_at=desk.clock.now())
    desk.workgroups.put_named(kept)
    return kept


def prepare(statement: PreparedStatement, *, new: bool, call: Call, desk: QueryDesk) -> None:
    """Keep a prepared statement.

    Raises:
        UsageError: its name cannot be.
        NotFound: there is no such workgroup, or no such statement to replace.
        Conflict: it is `new`, and there is one of that name.
    """
    if not _STATEMENT.fullmatch(statement.name):
        raise UsageError(
            f"`{statement.name[:255]}` is no name of a prepared statement",
            why="names begin with a letter or `_`, and have letters, digits, `_`, `@` and `:`",
        )
    known_workgroup(statement.workgroup, call=call, desk=desk)
    if not new:
        known_statement(statement.name, statement.workgroup, call=call, desk=desk)
    desk.workgroups.put_prepared(replace(statement, changed_at=desk.clock.now()), new=new)


def known_statement(name: str, workgroup: str, *, call: Call, desk: QueryDesk) -> PreparedStatement:
    """A prepared statement.

    Raises:
        NotFound: there is none.
    """
    found = desk.workgroups.prepared(call.who.account, workgroup, name)
    if found is None:
        raise NotFound(f"PreparedStatement {name} was not found in workGroup {workgroup}")
    return found


def _checked(workgroup: Workgroup) -> Workgroup:
    if not _NAME.fullmatch(workgroup.name):
        raise UsageError(
            f"`{workgroup.name[:128]}` is no workgroup's name",
            why="names have 1 to 128 letters, digits, `.`, `_` and `-`",
        )
    if workgroup.output:
        location = normalised(workgroup.output)
        if not location or not workgroup.output.startswith("s3://"):
            raise UsageError(
                f"OutputLocation `{workgroup.output[:255]}` is not s3://bucket/prefix/"
            )
        workgroup = replace(workgroup, output=f"{location}/")
    if workgroup.bytes_cutoff is not None and workgroup.bytes_cutoff < MIN_BYTES_CUTOFF:
        raise UsageError(f"BytesScannedCutoffPerQuery is at least {MIN_BYTES_CUTOFF}.")
    if len(workgroup.tags) > MAX_TAGS:
        raise UsageError(f"A workgroup has at most {MAX_TAGS} tags.")
    return workgroup


def _said(workgroup: Workgroup) -> dict[str, Json]:
    return {
        "enabled": workgroup.enabled,
        "output": workgroup.output,
        "enforced": workgroup.enforced,
        "bytes_cutoff": workgroup.bytes_cutoff,
        "limits": [[one.bytes, one.period_s] for one in workgroup.limits],
        "strict": workgroup.strict,
        "tags": dict(workgroup.tags),
    }


@contextmanager
def _recorded(
    name: str, call: Call, desk: QueryDesk, *, asked: Mapping[str, Json] | None = None
) -> Iterator[None]:
    arn = workgroup_arn(desk, call.who.account, name)
    intent = desk.catalog.audit.intend(call.event(AuditOutcome.ALLOWED, arn, asked=asked))
    try:
        yield
    except BaseException as error:
        code = error.code if isinstance(error, LakeveilError) else type(error).__name__
        desk.catalog.audit.complete(intent, outcome=AuditOutcome.FAILED, error_code=code)
        raise
    desk.catalog.audit.complete(intent, outcome=AuditOutcome.DONE)
