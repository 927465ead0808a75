"""Opening sessions: a caller becomes a role, a token's bearer becomes a role, a user gets one.

Each story decides, puts the intent on record, and only then makes the key: a session that is not
on record does not exist. Refusals are on record, too, those of strangers within bounds. Two must
agree before somebody becomes a role: the role's trust, and the caller's own rights (IAM asks for
both across accounts; here it always does, so that a trust policy alone never widens what a user may
do).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lakeveil.core.audit import AuditEvent, AuditOutcome
from lakeveil.core.identity import arns, trust
from lakeveil.core.identity.directory import (
    DEEPEST_CHAIN,
    DEFAULT_SESSION_S,
    DEFAULT_USER_SESSION_S,
    LONGEST_CHAINED_S,
    LONGEST_USER_SESSION_S,
    SHORTEST_SESSION_S,
    IssuedKey,
    Role,
    Session,
)
from lakeveil.core.identity.principal import Principal, principal_of_session
from lakeveil.core.identity.rights import from_policy_document
from lakeveil.core.identity.web_identity import WebIdentity
from lakeveil.errors import LakeveilError, NotFound, Refused, UsageError
from lakeveil.flows.refusals import Refusals
from lakeveil.ports import Clock
from lakeveil.ports.audit import AuditLog
from lakeveil.ports.identity import KeyMint, Roles, Sessions, TokenVerifier

MAX_SESSION_POLICY = 2048
"""Characters, as in STS; more is "packed policy too large"."""

ANONYMOUS = "anonymous"
_GET_SESSION_TOKEN = "sts:GetSessionToken"  # noqa: S105 - an action's name
_SESSION_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{2,64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The session somebody asks for. `duration_s` None is the default."""

    role_arn: str
    session_name: str
    duration_s: int | None = None
    policy: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A session that was opened, with its key."""

    key: IssuedKey
    session: Session
    role_id: str = ""
    """Of a role's session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, with the key the request was signed with."""

    principal: Principal
    access_key_id: str
    request_id: str = ""
    source_ip: str = ""


def assume_role(
    caller: Caller,
    wanted: Wanted,
    *,
    roles: Roles,
    sessions: Sessions,
    mint: KeyMint,
    audit: AuditLog,
    clock: Clock,
) -> Opened:
    """Let a user or a role's session become a role.

    Raises:
        Refused: `access_denied`; whether there is such a role is not told.
        UsageError: a duration, name or session policy that is not valid.
    """
    event = _event(caller, trust.ASSUME, wanted.role_arn, wanted.session_name)
    try:
        account, name = _parse_role(wanted.role_arn)
        role = _check_caller(caller.principal, _find(roles, account, name), wanted)
        parent = sessions.find(caller.access_key_id)
        chained = parent is not None and bool(parent.role)
        session = replace(
            _session(role, wanted, chained=chained, now=clock.now()),
            parent=caller.access_key_id,
            depth=1 if parent is None else parent.depth + 1,
        )
        if session.depth > DEEPEST_CHAIN:
            raise _denied(caller.principal.caller_arn, trust.ASSUME, wanted.role_arn)
    except LakeveilError as error:
        audit.record(_refusal(event, error))
        raise
    who = principal_of_session(role, session)
    return _open(session, who, event, sessions=sessions, mint=mint, audit=audit, role=role)


def assume_role_with_web_identity(
    token: str,
    wanted: Wanted,
    *,
    roles: Roles,
    sessions: Sessions,
    tokens: TokenVerifier,
    mint: KeyMint,
    audit: AuditLog,
    refusals: Refusals,
    clock: Clock,
    request_id: str = "",
    source_ip: str = "",
) -> tuple[Opened, WebIdentity]:
    """Let the bearer of an issuer's token become a role that trusts the issuer for its claims.

    Raises:
        Refused: `invalid_token`, `token_expired`, or `access_denied` where the role does not
            trust it; whether there is such a role is not told.
        UsageError: a duration, name or session policy that is not valid.
        Unavailable: the issuer's keys cannot be read.
    """
    event = AuditEvent(
        principal=ANONYMOUS,
        action=trust.ASSUME_WITH_TOKEN,
        outcome=AuditOutcome.ALLOWED,
        resource=wanted.role_arn,
        request_id=request_id,
        source_ip=source_ip,
        detail={"session_name": wanted.session_name},
    )
    subject = ANONYMOUS
    try:
        # The account says whose issuers count, so a role that does not exist is told last.
        account, name = _parse_role(wanted.role_arn)
        subject = account
        bearer = tokens.verify(token, account=account)
        event = replace(
            event,
            principal=arns.federated_user_arn(account, bearer.issuer.name, bearer.subject),
            account=account,
            detail={**event.detail, "issuer": bearer.issuer.url, "identities": bearer.identities},
        )
        subject = event.principal
        role = _check_bearer(bearer, _find(roles, account, name))
        session = replace(
            _session(role, wanted, chained=False, now=clock.now()),
            issuer=bearer.issuer.name,
            identities=bearer.identities,
        )
    except LakeveilError as error:
        refusals.record(_refusal(event, error), subject=subject)
        raise
    who = principal_of_session(role, session)
    opened = _open(session, who, event, sessions=sessions, mint=mint, audit=audit, role=role)
    return opened, bearer


def get_session_token(
    caller: Caller,
    *,
    duration_s: int | None,
    sessions: Sessions,
    mint: KeyMint,
    audit: AuditLog,
    clock: Clock,
) -> Opened:
    """Give a user a temporary key of its own, with the user's rights.

    Raises:
        Refused: `access_denied` for whoever calls with a session.
        UsageError: a duration that is not valid.
    """
    event = _event(caller, _GET_SESSION_TOKEN, caller.principal.arn, "")
    try:
        if caller.principal.session_arn or sessions.find(caller.access_key_id) is not None:
            raise Refused(
                "Cannot call GetSessionToken with session credentials",
                why="a session cannot prolong itself",
                fix="call it with the user's own key",
                code="access_denied",
            )
        now = clock.now()
        lasts = DEFAULT_USER_SESSION_S if duration_s is None else duration_s
        _check_duration(lasts, LONGEST_USER_SESSION_S)
        identifier = arns.parse(caller.principal.arn)
        session = Session(
            key_id="",
            account=identifier.account,
            user=identifier.name,
            parent=caller.access_key_id,
            issued_at=now,
            expires_at=now + lasts,
        )
    except LakeveilError as error:
        audit.record(_refusal(event, error))
        raise
    return _open(session, caller.principal, event, sessions=sessions, mint=mint, audit=audit)


def _open(
    session: Session,
    who: Principal,
    event: AuditEvent,
    *,
    sessions: Sessions,
    mint: KeyMint,
    audit: AuditLog,
    role: Role | None = None,
) -> Opened:
    intent = audit.intend(event)
    try:
        key = mint.mint(session, who)
        ends = session.expires_at if key.expires_at is None else key.expires_at
        session = replace(
            session, key_id=key.access_key_id, expires_at=min(session.expires_at, ends)
        )
        sessions.open(session, key)
        try:
            mint.let_in(key, who)
        except Exception:
            sessions.revoke(key.access_key_id)
            raise
    except Exception as error:
        code = error.code if isinstance(error, LakeveilError) else "internal_error"
        audit.complete(intent, outcome=AuditOutcome.FAILED, error_code=code)
        raise
    audit.complete(
        intent,
        outcome=AuditOutcome.DONE,
        detail={"access_key": key.access_key_id, "expires_at": session.expires_at},
    )
    return Opened(key=key, session=session, role_id=role.id if role else "")


def _session(role: Role, wanted: Wanted, *, chained: bool, now: float) -> Session:
    longest = min(role.max_session_s, LONGEST_CHAINED_S) if chained else role.max_session_s
    lasts = DEFAULT_SESSION_S if wanted.duration_s is None else wanted.duration_s
    _check_duration(lasts, longest, chained=chained)
    _check_session_name(wanted.session_name)
    if wanted.policy:
        if len(wanted.policy) > MAX_SESSION_POLICY:
            raise UsageError(
                "the session policy is too large",
                why=f"it has more than {MAX_SESSION_POLICY} characters",
                fix="allow less with it",
                code="packed_policy_too_large",
            )
        from_policy_document(wanted.policy)
    return Session(
        key_id="",
        account=role.account,
        role=role.name,
        name=wanted.session_name,
        policy=wanted.policy,
        tags=dict(wanted.tags),
        issued_at=now,
        expires_at=now + lasts,
    )


def _check_caller(who: Principal, role: Role | None, wanted: Wanted) -> Role:
    """The role, where both agree: what the caller may call, and whom the role trusts."""
    needed = [trust.ASSUME, trust.TAG] if wanted.tags else [trust.ASSUME]
    for action in needed:
        if not who.rights.allows(action, wanted.role_arn):
            raise _denied(who.caller_arn, action, wanted.role_arn)
    if role is None or not trust.from_trust_document(role.trust).admits(
        who, tagging=bool(wanted.tags)
    ):
        raise _denied(who.caller_arn, needed[-1], wanted.role_arn)
    return role


def _check_bearer(bearer: WebIdentity, role: Role | None) -> Role:
    if role is None or not trust.from_trust_document(role.trust).admits_token(
        bearer.issuer.arn, bearer.claims
    ):
        raise Refused(
            f"Not authorized to perform {trust.ASSUME_WITH_TOKEN}",
            why="the role does not trust this token",
            fix="ask whoever keeps the role's trust policy",
            code="access_denied",
        )
    return role


def _check_duration(lasts: int, longest: int, *, chained: bool = False) -> None:
    if SHORTEST_SESSION_S <= lasts <= longest:
        return
    if lasts < SHORTEST_SESSION_S:
        what = f"The requested DurationSeconds is less than {SHORTEST_SESSION_S}"
    elif chained and lasts > LONGEST_CHAINED_S:
        what = (
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining"
        )
    else:
        what = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role"
    raise UsageError(
        what,
        why=f"a session here may last {SHORTEST_SESSION_S} to {longest} seconds",
        fix="ask for a shorter one",
        code="validation",
    )


def _check_session_name(name: str) -> None:
    if not _SESSION_NAME.fullmatch(name):
        raise UsageError(
            "The RoleSessionName is not valid",
            why="it becomes part of an ARN",
            fix="use 2 to 64 letters, digits and `_+=,.@-`",
            code="validation",
        )


def _parse_role(role_arn: str) -> tuple[str, str]:
    """Account and name of the role.

    Raises:
        UsageError: it is no role's ARN.
    """
    try:
        identifier = arns.parse(role_arn)
    except UsageError:
        identifier = None
    if identifier is None or identifier.kind is not arns.Kind.ROLE:
        raise UsageError(
            f"`{role_arn[: arns.MAX_IDENTIFIER]}` is invalid",
            why="it is no role's ARN",
            fix="write it as `arn:aws:iam::123456789012:role/NAME`",
            code="validation",
        )
    return identifier.account, identifier.name


def _find(roles: Roles, account: str, name: str) -> Role | None:
    try:
        return roles.role(account, name)
    except NotFound:
        return None


def _event(caller: Caller, action: str, resource: str, session_name: str) -> AuditEvent:
    return AuditEvent(
        principal=caller.principal.arn,
        session=caller.principal.session_arn,
        access_key=caller.access_key_id,
        account=caller.principal.account,
        action=action,
        outcome=AuditOutcome.ALLOWED,
        resource=resource,
        request_id=caller.request_id,
        source_ip=caller.source_ip,
        detail={"session_name": session_name} if session_name else {},
    )


def _refusal(event: AuditEvent, error: LakeveilError) -> AuditEvent:
    refused = isinstance(error, Refused | UsageError)
    outcome = AuditOutcome.REFUSED if refused else AuditOutcome.FAILED
    return replace(event, outcome=outcome, error_code=error.code)


def _denied(caller_arn: str, action: str, role_arn: str) -> Refused:
    return Refused(
        f"User: {caller_arn} is not authorized to perform: {action} on resource: {role_arn}",
        why="the role does not trust the caller, or the caller's own rights do not allow it",
        fix="ask for both",
        code="access_denied",
    )
