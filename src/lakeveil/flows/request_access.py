"""Asking for access, answering, and breaking the glass.

A request can be made for what one may know of, and no more: for the rest there is nothing to ask
for. Whoever answers is shown first what an approval exposes, and says that number when approving;
where it is another by then, nothing is granted. Everything is on record before and after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lakeveil.core.access.changing.changes import AddGrant
from lakeveil.core.access.changing.exposure import Exposure
from lakeveil.core.access.explaining.access_requests import (
    BREAK_GLASS,
    LISTED_S,
    AccessRequest,
    Approvers,
    RequestState,
    approved,
    check_reason,
    denied,
    emergency,
    grant_of,
    requester_of,
    withdrawn,
)
from lakeveil.core.access.explaining.askers import Asker, administers, views
from lakeveil.core.access.explaining.weighing import Weighing
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.lake import Policy
from lakeveil.core.audit import Json
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import Conflict, NotFound, Refused
from lakeveil.flows.explain_access import found_table, no_column
from lakeveil.flows.request_desk import (
    RequestDesk,
    approvers_of,
    on_record,
    standing_in,
    write_grant,
)
from lakeveil.flows.whole_lake import everybody, whole_lake

MAX_PENDING = 50
"""Of one requester: a queue that somebody floods is one that nobody reads."""

_LISTED = frozenset({RequestState.PENDING, RequestState.EMERGENCY})

REQUEST, APPROVE, DENY, WITHDRAW = (
    f"lakeveil:{verb}AccessRequest" for verb in ("Create", "Approve", "Deny", "Withdraw")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A request as whoever answers it sees it: who may, and what an approval exposes."""

    request: AccessRequest
    approvers: Approvers
    exposure: Exposure

    @property
    def cells(self) -> int:
        """The number to say when approving: cells that show more afterwards."""
        return len(self.exposure.gains)


def request_access(
    who: Principal, name: TableName, columns: Sequence[str], reason: str, *, desk: RequestDesk
) -> AccessRequest:
    """Ask for SELECT on columns of a table; without any, on all that one may know of.

    Asking again for the same while it is pending gives the same request.

    Raises:
        NotFound: there is no such table or column, or none for the asker.
        UsageError: no reason is given.
        Refused: too many requests of the same principal are pending.
    """
    wanted = _new(who, name, columns, check_reason(reason), desk)
    mine = [one.at(desk.clock.now()) for one in desk.requests.of_requester(wanted.requester)]
    pending = [one for one in mine if one.state is RequestState.PENDING]
    for one in pending:
        if (one.table, one.columns) == (wanted.table, wanted.columns):
            return one
    if len(pending) >= MAX_PENDING:
        raise Refused(
            f"{MAX_PENDING} of your requests wait for an answer",
            why="more would not be read",
            fix="withdraw some of them",
            code="too_many_requests",
        )
    with on_record(who, REQUEST, wanted, desk, {"reason": wanted.reason}) as said:
        kept = desk.requests.add(wanted)
        said["request"] = kept.id
    return kept


def requests_for(
    asker: Asker, account: str, *, desk: RequestDesk, every: bool = True
) -> list[AccessRequest]:
    """The requests in an account that the asker made, may answer, or may look at.

    Without `every`, those that wait for an answer and those of an emergency, until `LISTED_S` after
    they ended.
    """
    now, policy = desk.clock.now(), desk.lake.policy()
    kept = (
        desk.requests.of_account(account)
        if every
        else desk.requests.of_account(account, states=_LISTED, since=now - LISTED_S)
    )
    found = [one.at(now) for one in kept]
    if views(asker, account, policy):
        return found
    return [
        one
        for one in found
        if isinstance(asker, Principal)
        and (one.is_of(asker) or _may_answer(asker, one, desk, policy, now))
    ]


def preview(asker: Asker, request_id: str, *, desk: RequestDesk) -> Preview:
    """What approving a request exposes, for who may answer it.

    Raises:
        NotFound: there is no such request, or none for the asker to answer.
    """
    request = _found(request_id, desk)
    policy, now = desk.lake.policy(), desk.clock.now()
    may = _approvers(request, desk, policy, now)
    if may is None or not _answers(asker, request, may, policy):
        raise _no_request(request_id)
    return Preview(request=request, approvers=may, exposure=_exposure(request, desk))


def approve(
    asker: Asker,
    request_id: str,
    *,
    days: int,
    cells: int,
    desk: RequestDesk,
) -> AccessRequest:
    """Approve a request for some days; `cells` is what its preview said that it exposes.

    Raises:
        NotFound: there is no such request, or none for the asker.
        Refused: it is the asker's own, and they are neither owner nor administrator.
        Conflict: it is answered already, or it exposes something else by now.
        UsageError: the days are out of range.
    """
    seen = preview(asker, request_id, desk=desk)
    request = seen.request
    with on_record(
        asker, APPROVE, request, desk, {"request": request.id, "days": days, "cells": cells}
    ) as said:
        if seen.cells != cells:
            raise Conflict(
                f"request `{request.id}` would now expose {seen.cells} cells, not {cells}",
                why="the lake has changed since you looked",
                fix=f"lakeveil access requests {request.id}",
                code="exposure_changed",
            )
        if request.state is RequestState.APPROVED and not request.grant:
            answer = request
        else:
            answer = _as_approver(asker, request, seen.approvers, days, desk)
            desk.requests.replace(request, answer)
        said["own"] = answer.own
        return write_grant(asker, request, answer, desk, said)


def deny(asker: Asker, request_id: str, reason: str, *, desk: RequestDesk) -> AccessRequest:
    """Deny a request.

    Raises:
        NotFound: there is no such request, or none for the asker.
        Refused: it is the asker's own, and they are neither owner nor administrator.
        Conflict: it is answered already.
        UsageError: no reason is given.
    """
    request = _found(request_id, desk)
    policy, now = desk.lake.policy(), desk.clock.now()
    may = _approvers(request, desk, policy, now)
    if may is None or not _answers(asker, request, may, policy):
        raise _no_request(request_id)
    with on_record(asker, DENY, request, desk, {"request": request.id, "reason": reason}):
        who, allowed = standing_in(asker, may)
        answer = denied(request, who, allowed, reason=reason, now=now)
        desk.requests.replace(request, answer)
    return answer


def withdraw(who: Principal, request_id: str, *, desk: RequestDesk) -> AccessRequest:
    """Take one's own request back.

    Raises:
        NotFound: there is no such request of the asker's.
        Conflict: it is answered already.
    """
    request = _found(request_id, desk)
    if not request.is_of(who):
        raise _no_request(request_id)
    with on_record(who, WITHDRAW, request, desk, {"request": request.id}):
        answer = withdrawn(request, who, now=desk.clock.now())
        desk.requests.replace(request, answer)
    return answer


def break_glass(
    who: Principal,
    name: TableName,
    columns: Sequence[str],
    reason: str,
    *,
    seconds: float,
    desk: RequestDesk,
) -> AccessRequest:
    """Open columns to oneself at once, for at most four hours, in an emergency.

    Raises:
        Refused: the principal may not break the glass there; that is on record, too.
        NotFound: there is no such table or column, or none for the asker.
        UsageError: no reason is given, or it is for too long.
    """
    wanted = _new(who, name, columns, check_reason(reason), desk)
    told: dict[str, Json] = {"emergency": True, "reason": wanted.reason, "seconds": seconds}
    with on_record(who, BREAK_GLASS, wanted, desk, told) as said:
        policy, now = desk.lake.policy(), desk.clock.now()
        answer = desk.requests.add(emergency(wanted, who, policy, seconds=seconds, now=now))
        said |= {"request": answer.id, "until": answer.until}
        return write_grant(who, answer, answer, desk, said)


def _new(
    who: Principal, name: TableName, columns: Sequence[str], reason: str, desk: RequestDesk
) -> AccessRequest:
    now = desk.clock.now()
    found = found_table(who, name, lake=desk.lake, policy=desk.lake.policy(), now=now)
    for column in columns:
        if column not in found.columns:
            raise no_column(name, column)
    wanted = set(columns or found.columns)
    return AccessRequest(
        id="",
        requester=requester_of(who),
        requester_account=who.account,
        table=name,
        columns=tuple(one for one in found.columns if one in wanted),
        reason=reason,
        asked_at=now,
    )


def _as_approver(
    asker: Asker, request: AccessRequest, may: Approvers, days: int, desk: RequestDesk
) -> AccessRequest:
    who, allowed = standing_in(asker, may)
    return approved(request, who, allowed, days=days, now=desk.clock.now())


def _exposure(request: AccessRequest, desk: RequestDesk) -> Exposure:
    now = desk.clock.now()
    # As if it were approved now: what matters is which cells open, not until when.
    asked = replace(request, state=RequestState.APPROVED, until=now + 1.0)
    change = AddGrant(replace(grant_of(asked), id="proposed"))
    with whole_lake(desk.lake, desk.people, kept=desk.kept) as whole:
        principals = everybody(whole.policy, desk.people)
        who = principals.get(request.requester) or desk.people.principal(request.requester)
        if who is not None:
            principals[who.arn] = who
        return Weighing(whole, principals, now=now).exposed([change])


def _approvers(
    request: AccessRequest, desk: RequestDesk, policy: Policy, now: float
) -> Approvers | None:
    requester = desk.people.principal(request.requester)
    return approvers_of(request, requester, desk.lake, policy, now)


def _may_answer(
    asker: Asker, request: AccessRequest, desk: RequestDesk, policy: Policy, now: float
) -> bool:
    may = _approvers(request, desk, policy, now)
    return may is not None and _answers(asker, request, may, policy)


def _answers(asker: Asker, request: AccessRequest, may: Approvers, policy: Policy) -> bool:
    if administers(asker, request.table.account, policy):
        return True
    return isinstance(asker, Principal) and (may.include(asker) or request.is_of(asker))


def _found(request_id: str, desk: RequestDesk) -> AccessRequest:
    request = desk.requests.find(request_id)
    if request is None:
        raise _no_request(request_id)
    return request


def _no_request(request_id: str) -> NotFound:
    return NotFound(
        f"there is no request `{request_id}`",
        why="it does not exist, or is not yours to answer",
        fix="lakeveil access requests",
    )
