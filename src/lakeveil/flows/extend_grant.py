"""Letting a grant count until another time: what an administrator does with one that ends."""

from __future__ import annotations

from dataclasses import replace

from lakeveil.core.access.changing.changes import find_grant
from lakeveil.core.access.explaining.askers import Asker, administers
from lakeveil.core.access.grants import Grant
from lakeveil.core.access.lake import Policy
from lakeveil.core.audit import AuditEvent, AuditOutcome
from lakeveil.errors import LakeveilError, NotFound, Refused, UsageError
from lakeveil.ports import Clock
from lakeveil.ports.audit import AuditLog
from lakeveil.ports.lake import Lake

ACTION = "lakeveil:ExtendGrant"


def extend_grant(
    asker: Asker, grant_id: str, *, until: float, lake: Lake, audit: AuditLog, clock: Clock
) -> Grant:
    """Let a grant count until a time (UTC seconds), longer or shorter than it did.

    Raises:
        NotFound: there is no such grant in an account that the asker administers.
        UsageError: the time is over already.
    """
    if until <= clock.now():
        raise UsageError(
            "the new end is over already",
            why="a grant that ended is one that counts for nothing",
            fix="revoke it instead",
        )
    event = AuditEvent(
        principal=asker.arn,
        action=ACTION,
        outcome=AuditOutcome.ALLOWED,
        resource=f"grant {grant_id}",
        after={"until": until},
    )
    intent = audit.intend(event)
    try:
        with lake.changing() as writer:
            policy = writer.policy()
            grant = _grant_to_extend(asker, grant_id, policy)
            before = grant.expires_at
            changed = writer.put_grant(replace(grant, expires_at=until))
    except (Refused, NotFound) as error:
        audit.complete(intent, outcome=AuditOutcome.REFUSED, error_code=error.code)
        raise
    except BaseException as error:
        code = error.code if isinstance(error, LakeveilError) else type(error).__name__
        audit.complete(intent, outcome=AuditOutcome.FAILED, error_code=code)
        raise
    audit.complete(intent, outcome=AuditOutcome.DONE, detail={"ended": before})
    return changed


def _grant_to_extend(asker: Asker, grant_id: str, policy: Policy) -> Grant:
    grant = find_grant(grant_id, policy)
    if not administers(asker, grant.account, policy):
        raise NotFound(f"there is no grant `{grant_id}`")
    return grant
