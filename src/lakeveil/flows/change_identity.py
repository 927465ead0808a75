"""Changing accounts, users, groups, roles, keys and issuers: on record before and after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lakeveil.core.audit import AuditEvent, AuditOutcome, Json
from lakeveil.errors import LakeveilError
from lakeveil.ports.audit import AuditLog


class Change:
    """A change that is being made; `became` is what to remember of its result, no secret."""

    def __init__(self) -> None:
        self.became: dict[str, Json] = {}


@contextmanager
def change_identity(
    *,
    by: str,
    action: str,
    resource: str,
    audit: AuditLog,
    account: str = "",
    access_key: str = "",
    after: Json = None,
) -> Iterator[Change]:
    """Make one change inside; it is on record even if we die in the middle.

    `by` is the ARN of who makes it, or the name of the user of this machine. `action` is IAM's
    (`iam:CreateUser`). What is raised inside ends up as the outcome and goes on.

    Raises:
        Unavailable: the audit log does not answer; then nothing was changed.
    """
    intent = audit.intend(
        AuditEvent(
            principal=by,
            action=action,
            outcome=AuditOutcome.ALLOWED,
            account=account,
            access_key=access_key,
            resource=resource,
            after=after,
        )
    )
    change = Change()
    try:
        yield change
    except BaseException as error:
        code = error.code if isinstance(error, LakeveilError) else "internal_error"
        audit.complete(intent, outcome=AuditOutcome.FAILED, error_code=code)
        raise
    audit.complete(intent, outcome=AuditOutcome.DONE, detail=change.became)
