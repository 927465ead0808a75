"""What requests for access are made and answered with: records, approvers, and the one grant.

An approval is kept before its grant is written, so that of two who answer at once one is told. If
we die between, the request says `approved` without a grant, and approving once more finishes it.
The right to answer is checked once more inside the transaction that writes the grant.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from lakeveil.core.access.explaining.access_requests import (
    AccessRequest,
    Approvers,
    RequestState,
    approvers,
    check_breaks_glass,
    grant_of,
    mark,
)
from lakeveil.core.access.explaining.askers import Asker
from lakeveil.core.access.explaining.explain import explain
from lakeveil.core.access.lake import Policy
from lakeveil.core.audit import AuditEvent, AuditOutcome, Json
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import Conflict, LakeveilError, NotFound, Refused
from lakeveil.ports import Clock
from lakeveil.ports.access_requests import AccessRequests, People
from lakeveil.ports.audit import AuditLog
from lakeveil.ports.lake import Lake, LakeReader
from lakeveil.ports.whole_lake import WholeLakes


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDesk:
    """What requests are made and answered with.

    `operator` is who types for whoever asks, where that is somebody else; it goes on record.
    `kept` has the whole lake ready; without it, it is read anew for each question that needs it.
    """

    lake: Lake
    people: People
    requests: AccessRequests
    audit: AuditLog
    clock: Clock
    operator: str = ""
    kept: WholeLakes | None = None


def approvers_of(
    request: AccessRequest,
    requester: Principal | None,
    lake: LakeReader,
    policy: Policy,
    now: float,
) -> Approvers | None:
    """Who may answer a request; None where the table, a column, or whoever asked is gone."""
    record = lake.table(request.table)
    if record is None or requester is None:
        return None
    table = record.table
    if not set(request.columns) <= {column.name for column in table.columns}:
        return None
    reasons = (explain(requester, table, column, policy, now=now) for column in request.columns)
    return approvers(table, tuple(reasons), policy)


def standing_in(asker: Asker, may: Approvers) -> tuple[Principal, Approvers]:
    """The asker as somebody who answers; the operator counts as an administrator."""
    if isinstance(asker, Principal):
        return asker, may
    who = Principal(arn=asker.arn, account="", identities=frozenset({asker.arn}))
    return who, replace(may, administrators=may.administrators | {asker.arn})


def write_grant(
    asker: Asker,
    before: AccessRequest,
    answer: AccessRequest,
    desk: RequestDesk,
    said: dict[str, Json],
) -> AccessRequest:
    """Write the grant of an answer, once; where that is refused, the answer is taken back.

    Raises:
        NotFound: the table or a column is gone.
        Refused: the asker may no longer answer.
        Conflict: the approval has ended already.
    """
    requester = desk.people.principal(answer.requester)
    try:
        with desk.lake.changing() as lake:
            policy = lake.policy()
            _check_still(asker, answer, requester, lake, policy, desk.clock.now())
            known = [one for one in policy.grants if one.reason.startswith(mark(answer.id))]
            grant = known[0] if known else lake.put_grant(grant_of(answer))
    except LakeveilError:
        if before.state is RequestState.PENDING:
            desk.requests.replace(answer, before)
        raise
    done = replace(answer, grant=grant.id)
    desk.requests.replace(answer, done)
    said["grant"] = grant.id
    return done


def _check_still(  # noqa: PLR0917 - one call
    asker: Asker,
    answer: AccessRequest,
    requester: Principal | None,
    lake: LakeReader,
    policy: Policy,
    now: float,
) -> None:
    may = approvers_of(answer, requester, lake, policy, now)
    if may is None:
        raise NotFound(f"`{answer.table}` or who asked for it is not there any more")
    if answer.until is None or answer.until <= now:
        raise Conflict(f"the approval of request `{answer.id}` has ended already")
    if answer.state is RequestState.EMERGENCY and isinstance(asker, Principal):
        check_breaks_glass(asker, answer.table, policy)
        return
    who, allowed = standing_in(asker, may)
    own = answer.is_of(who)
    if not (allowed.include_for_itself(who) if own else allowed.include(who)):
        raise Refused("you may not answer this request any more", code="not_an_approver")


@contextmanager
def on_record(
    asker: Asker,
    action: str,
    request: AccessRequest,
    desk: RequestDesk,
    told: dict[str, Json],
) -> Iterator[dict[str, Json]]:
    """Put a step on record before and after; what the body adds is told with its completion."""
    intent = desk.audit.intend(
        AuditEvent(
            principal=asker.arn,
            action=action,
            outcome=AuditOutcome.ALLOWED,
            session=asker.session_arn if isinstance(asker, Principal) else "",
            account=request.table.account,
            resource=f"{request.table}",
            after={"columns": request.columns, "for": request.requester},
            detail=told | ({"operator": desk.operator} if desk.operator else {}),
        )
    )
    said: dict[str, Json] = {}
    try:
        yield said
    except (Refused, NotFound) as error:
        desk.audit.complete(intent, outcome=AuditOutcome.REFUSED, error_code=error.code)
        raise
    except BaseException as error:
        code = error.code if isinstance(error, LakeveilError) else type(error).__name__
        desk.audit.complete(intent, outcome=AuditOutcome.FAILED, error_code=code)
        raise
    desk.audit.complete(intent, outcome=AuditOutcome.DONE, detail=said)
