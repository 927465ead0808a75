"""Asking for access and answering: the states of a request, and who may answer it.

```
ask -> PENDING -> approve -> APPROVED (a grant that ends)
               -> deny    -> DENIED
               -> withdraw, by whoever asked -> WITHDRAWN
               after `ANSWER_WITHIN_S` without an answer: LAPSED
break the glass -> EMERGENCY (a grant of at most four hours, without asking)
```
Whoever created the LF-Tag that stands in the way may pass on everything tagged with it (Lake
Formation developer guide, "Lake Formation permissions reference": the creator of a tag holds
GRANT_WITH_LF_TAG_EXPRESSION on it), so a request for a column that carries the tag goes to them and
to the table's owner; administrators answer everything. Nobody answers their own request but owner
and administrators, who could grant it to themselves anyway; that is on record.
Times are UTC seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from lakeveil.core.access.explaining.explain import Explanation, ObstacleKind
from lakeveil.core.access.grants import Grant, OnColumns, TableName
from lakeveil.core.access.lake import Policy, Table
from lakeveil.core.access.permissions import Permission
from lakeveil.core.identity import arns
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import Conflict, Refused, UsageError

DAY_S = 86_400.0
ANSWER_WITHIN_S = 30 * DAY_S
"""A request that nobody answered for so long is void: what it was about may be another thing."""
LISTED_S = 7 * DAY_S
"""How long one that has ended is listed with those that have not."""
DEFAULT_DAYS = 7
MAX_DAYS = 90
MAX_EMERGENCY_S = 4 * 3_600.0
MAX_REASON = 1_000
BREAK_GLASS = "lakeveil:BreakGlass"
"""The right to open something in an emergency, on `arn:aws:lakeveil::ACCOUNT:table/DB/TABLE`.
Administrators need none."""


class RequestState(StrEnum):
    """Where a request stands."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    EMERGENCY = "emergency"
    LAPSED = "lapsed"
    """Never stored: what a pending one becomes by waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRequest:
    """A request for SELECT on some columns of a table.

    `columns` are those that were asked for, by name: an approval never covers one that is added
    later. `grant` is the id of the grant that an approval became; empty until it is there.
    """

    id: str
    requester: str
    """Whom an approval is granted to: see `requester_of`."""
    requester_account: str
    table: TableName
    columns: tuple[str, ...]
    reason: str
    asked_at: float
    state: RequestState = RequestState.PENDING
    answered_by: str = ""
    answered_at: float | None = None
    answer: str = ""
    """Why it was denied."""
    until: float | None = None
    """When the grant ends."""
    grant: str = ""
    own: bool = False
    """Whoever asked has answered, as owner or administrator."""

    def is_of(self, who: Principal) -> bool:
        """Whether somebody asked for this themselves."""
        return self.requester in who.identities | {who.arn}

    @property
    def ends_at(self) -> float:
        """When it ends, or ended: by its answer, with its grant, or for want of an answer."""
        match self.state:
            case RequestState.APPROVED | RequestState.EMERGENCY if self.until is not None:
                return self.until
            case RequestState.DENIED | RequestState.WITHDRAWN if self.answered_at is not None:
                return self.answered_at
            case _:
                return self.asked_at + ANSWER_WITHIN_S

    def at(self, now: float) -> AccessRequest:
        """The request as it stands at a time: one that waited too long has lapsed."""
        if self.state is RequestState.PENDING and now >= self.asked_at + ANSWER_WITHIN_S:
            return replace(self, state=RequestState.LAPSED)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvers:
    """Who may answer a request. Identifiers; all of them count, administrators always."""

    of_tags: frozenset[str]
    owner: str
    administrators: frozenset[str]

    @property
    def asked(self) -> frozenset[str]:
        """To whom a request is brought: the owners of tag and table, else the administrators."""
        owners = self.of_tags | ({self.owner} if self.owner else frozenset())
        return owners or self.administrators

    def include(self, who: Principal) -> bool:
        """Whether a principal may answer."""
        return bool(who.identities & (self.asked | self.administrators))

    def include_for_itself(self, who: Principal) -> bool:
        """Whether a principal may answer its own request."""
        return bool(who.identities & self.administrators) or (
            bool(self.owner) and self.owner in who.identities
        )


def requester_of(who: Principal) -> str:
    """The identifier that a principal asks under: the narrowest that names it.

    Who came as somebody of an issuer into a role asks for that person, not for all of the role.
    """
    persons = [one for one in who.identities if _names_a_person(one)]
    return persons[0] if len(persons) == 1 else who.arn


def approvers(table: Table, explanations: tuple[Explanation, ...], policy: Policy) -> Approvers:
    """Who may answer a request for the columns that these explanations are about.

    The creator of a tag counts only where their tag stands in the way of every column: they could
    not pass on the others.
    """
    account = table.name.account
    creators: frozenset[str] | None = None
    for why in explanations:
        nearest = why.nearest
        keys = {
            obstacle.key
            for obstacle in (nearest.obstacles if nearest else ())
            if obstacle.kind is ObstacleKind.TAG and obstacle.has is not None
        }
        here = frozenset(policy.tags[account, key].created_by for key in keys) - {""}
        creators = here if creators is None else creators & here
    return Approvers(
        of_tags=creators or frozenset(),
        owner=table.owner,
        administrators=policy.settings_of(account).administrators,
    )


def check_reason(reason: str) -> str:
    """A reason as it is kept.

    Raises:
        UsageError: there is none, or it is too long.
    """
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON:
        raise UsageError(
            "the reason is missing" if not reason else "the reason is too long",
            why=f"whoever answers, and whoever looks later, reads it: 1 to {MAX_REASON} characters",
            fix="say in a sentence what it is for",
        )
    return reason


def approved(
    request: AccessRequest, who: Principal, may: Approvers, *, days: int, now: float
) -> AccessRequest:
    """The request, approved for some days.

    Raises:
        Refused: it is not theirs to answer.
        Conflict: it was answered, withdrawn, or has lapsed.
        UsageError: the days are not 1 to `MAX_DAYS`.
    """
    if not 1 <= days <= MAX_DAYS:
        raise UsageError(
            f"{days} days are not possible",
            why=f"what is asked for and approved ends after 1 to {MAX_DAYS} days",
            fix=f"--days {DEFAULT_DAYS}",
        )
    return replace(
        _answered(request, who, may, now),
        state=RequestState.APPROVED,
        until=now + days * DAY_S,
    )


def denied(
    request: AccessRequest, who: Principal, may: Approvers, *, reason: str, now: float
) -> AccessRequest:
    """The request, denied.

    Raises:
        Refused: it is not theirs to answer.
        Conflict: it was answered, withdrawn, or has lapsed.
        UsageError: no reason is given.
    """
    answer = check_reason(reason)
    return replace(_answered(request, who, may, now), state=RequestState.DENIED, answer=answer)


def withdrawn(request: AccessRequest, who: Principal, *, now: float) -> AccessRequest:
    """The request, taken back by whoever made it.

    Raises:
        Refused: it is somebody else's.
        Conflict: it was answered, withdrawn, or has lapsed.
    """
    if not request.is_of(who):
        raise Refused(
            f"request `{request.id}` is not yours",
            why="only who asked can withdraw",
            fix="deny it, if you may answer it",
        )
    _check_pending(request, now)
    return replace(
        request, state=RequestState.WITHDRAWN, answered_by=who.arn, answered_at=now, own=True
    )


def emergency(
    request: AccessRequest, who: Principal, policy: Policy, *, seconds: float, now: float
) -> AccessRequest:
    """A request that grants itself: for who may break the glass, and not for long.

    Raises:
        Refused: the principal is neither an administrator there nor has the right `BREAK_GLASS`.
        UsageError: it is for longer than `MAX_EMERGENCY_S`.
    """
    if not 0 < seconds <= MAX_EMERGENCY_S:
        raise UsageError(
            f"{seconds / 3600:g} hours are not possible",
            why=f"an emergency ends after {MAX_EMERGENCY_S / 3600:g} hours at the latest",
            fix="ask for access in the ordinary way, too",
        )
    check_breaks_glass(who, request.table, policy)
    return replace(
        request,
        state=RequestState.EMERGENCY,
        answered_by=who.arn,
        answered_at=now,
        until=now + seconds,
        own=True,
    )


def check_breaks_glass(who: Principal, table: TableName, policy: Policy) -> None:
    """Refuse who may not open a table in an emergency.

    Nobody of another account may: their rights were given by that account.

    Raises:
        Refused: the principal is neither an administrator there nor has the right `BREAK_GLASS`.
    """
    arn = f"arn:aws:lakeveil::{table.account}:table/{table.database}/{table.table}"
    administers = bool(who.identities & policy.settings_of(table.account).administrators)
    if who.account != table.account or not (administers or who.rights.allows(BREAK_GLASS, arn)):
        raise Refused(
            "you may not break the glass",
            why=f"that takes an administrator of the lake, or the right {BREAK_GLASS}",
            fix="lakeveil access request",
            code="break_glass_refused",
        )


def grant_of(request: AccessRequest) -> Grant:
    """The grant that an approved request becomes; its id is not given yet.

    Raises:
        Refused: it was not approved.
    """
    if request.state not in {RequestState.APPROVED, RequestState.EMERGENCY} or not request.until:
        raise Refused(
            f"request `{request.id}` was not approved", why=f"it is {request.state.value}"
        )
    name = request.table
    return Grant(
        id="",
        account=name.account,
        principal=request.requester,
        resource=OnColumns(name.account, name.database, name.table, frozenset(request.columns)),
        permissions=frozenset({Permission.SELECT}),
        expires_at=request.until,
        granted_by=request.answered_by,
        granted_at=request.answered_at or 0.0,
        reason=f"{mark(request.id)} {request.reason}",
    )


def mark(request: str) -> str:
    """How a grant's reason begins that a request became."""
    return f"request {request}:"


def _names_a_person(identifier: str) -> bool:
    try:
        return arns.parse(identifier).kind is arns.Kind.FEDERATED_USER
    except UsageError:
        return False


def _answered(request: AccessRequest, who: Principal, may: Approvers, now: float) -> AccessRequest:
    own = request.is_of(who)
    if not (may.include_for_itself(who) if own else may.include(who)):
        raise Refused(
            f"request `{request.id}` is not yours to answer",
            why="it is your own" if own else "you own neither the tag in the way nor the table",
            fix="its owner or an administrator can answer it",
            code="not_an_approver",
        )
    _check_pending(request, now)
    return replace(request, answered_by=who.arn, answered_at=now, own=own)


def _check_pending(request: AccessRequest, now: float) -> None:
    state = request.at(now).state
    if state is not RequestState.PENDING:
        raise Conflict(
            f"request `{request.id}` is {state.value}",
            why="it can be answered once"
            if state is not RequestState.LAPSED
            else f"nobody answered for {ANSWER_WITHIN_S / DAY_S:g} days",
            fix="lakeveil access request, to ask anew",
        )
