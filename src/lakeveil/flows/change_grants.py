"""Granting and revoking.

Whoever grants must hold what it grants with the grant option, be the owner, or administer the
account whose resource it is; see `core.access.governing.granting`. Two grants of the same principal
on the same resource are one. Beyond what Lake Formation has, a grant may go through a mask, and may
expire.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from lakeveil.core.access.governing.granting import WRITES, is_column_limited, passable_on
from lakeveil.core.access.governing.holdings import Plan, granted, revoked
from lakeveil.core.access.governing.resource_document import resource_document
from lakeveil.core.access.grants import (
    Grant,
    OnColumns,
    OnFilter,
    OnTable,
    OnTag,
    Resource,
    TableName,
    TagPolicy,
    valid_permissions,
)
from lakeveil.core.access.masks import Mask
from lakeveil.core.access.permissions import Permission, Permissions, expanded
from lakeveil.core.audit import Json
from lakeveil.errors import Refused, UsageError
from lakeveil.flows.asked_grants import Asked, canonical, checked, invalid, not_there
from lakeveil.flows.change_access import AccessDesk, Call, Change, changing
from lakeveil.flows.known_resources import known_resource

MAX_POLICIES = 50
"""Grants by tag expression to one principal."""
MAX_FILTERS = 100
"""Filters of one table that one principal may select through."""


def grant(asked: Asked, *, call: Call, desk: AccessDesk) -> tuple[Grant, ...]:
    """Grant permissions; what the principal holds on the resource already is merged with them.

    Returns:
        The grants that were written.

    Raises:
        UsageError: it cannot be granted to anybody, or to this principal; or a limit.
        NotFound: the resource is not there for the caller.
        Refused: the caller may not pass that on.
    """
    asked = checked(asked, call.who.account)
    there = desk.directory.knows(asked.principal)
    with changing(call, desk, _words(asked.resource), asked=asked.document()) as change:
        _check_expiry(asked, change.now)
        _check_authority(asked, change)
        if not there:
            # Who there is, is told to nobody who may not grant.
            raise not_there(asked.principal)
        _check_limits(asked, change)
        new = Grant(
            id="",
            account=call.who.account,
            principal=asked.principal,
            resource=asked.resource,
            permissions=asked.permissions,
            grantable=asked.grantable,
            mask=asked.mask,
            expires_at=asked.expires_at,
            granted_by=call.who.arn,
            granted_at=change.now,
            reason=asked.reason,
        )
        theirs = _held(asked.principal, call.who.account, change)
        plan = granted(new, theirs)
        return _carry_out(plan, theirs, change)


def grant_masked(asked: Asked, mask: Mask, *, call: Call, desk: AccessDesk) -> tuple[Grant, ...]:
    """Grant SELECT through a mask, which has no field in Lake Formation's API.

    Raises:
        As `grant`.
    """
    return grant(replace(asked, mask=mask), call=call, desk=desk)


def grant_until(
    asked: Asked, expires_at: float, *, call: Call, desk: AccessDesk
) -> tuple[Grant, ...]:
    """Grant for a time (UTC seconds), after which it is as if nothing had been granted.

    Raises:
        As `grant`.
    """
    return grant(replace(asked, expires_at=expires_at), call=call, desk=desk)


def revoke(asked: Asked, *, call: Call, desk: AccessDesk) -> None:
    """Revoke permissions, or their grant option; the rest of what is held stays.

    An account revokes what it recorded itself. A share that a producer takes back takes with it
    whatever the consumer's account passed on of it.

    Raises:
        UsageError: the principal does not hold all of that; nothing is revoked then.
        NotFound: the resource is not there for the caller.
        Refused: the caller may not pass that on, so it may not revoke it either.
    """
    if not asked.permissions | asked.grantable:
        raise invalid("it names no permission")
    asked = replace(asked, principal=canonical(asked.principal))
    with changing(call, desk, _words(asked.resource), asked=asked.document()) as change:
        if not change.authority.administers(call.who.account):
            # An administrator may take back what its account recorded, also on what is gone.
            _check_authority(asked, change)
        theirs = _held(asked.principal, call.who.account, change)
        plan, missing = revoked(asked.resource, asked.permissions, asked.grantable, theirs)
        if missing:
            raise _not_revoked(asked, missing, theirs)
        _carry_out(plan, theirs, change)


def _carry_out(plan: Plan, theirs: Iterable[Grant], change: Change) -> tuple[Grant, ...]:
    changed = {*plan.remove, *(grant.id for grant in plan.put)}
    change.said["before"] = [_document(grant) for grant in theirs if grant.id in changed]
    for number in plan.remove:
        change.lake.remove_grant(number)
    written = tuple(change.lake.put_grant(grant) for grant in plan.put)
    change.said["after"] = [_document(grant) for grant in written]
    return written


def _check_expiry(asked: Asked, now: float) -> None:
    if asked.expires_at is not None and asked.expires_at <= now:
        raise invalid("it has expired already")


def _check_authority(asked: Asked, change: Change) -> None:
    resource, authority = asked.resource, change.authority
    facts = known_resource(change.lake, authority, resource)
    able = expanded(passable_on(resource, facts, authority), valid_permissions(resource))
    wanted = _all_of(asked.permissions | asked.grantable, valid_permissions(resource))
    if not wanted <= able:
        raise Refused(
            "Resource does not exist or requester is not authorized to access requested "
            "permissions.",
            code="insufficient_permissions",
        )


def _check_limits(asked: Asked, change: Change) -> None:
    resource = asked.resource
    theirs = [g for g in _held(asked.principal, None, change) if g.live(change.now)]
    others = [g.resource for g in theirs if g.resource != resource]
    if isinstance(resource, TagPolicy):
        policies = sum(1 for on in others if isinstance(on, TagPolicy))
        if policies >= MAX_POLICIES:
            raise _limit(f"a principal has at most {MAX_POLICIES} grants by tag expression")
    if isinstance(resource, OnFilter):
        same = (resource.account, resource.database, resource.table)
        filters = sum(
            1
            for on in others
            if isinstance(on, OnFilter) and (on.account, on.database, on.table) == same
        )
        if filters >= MAX_FILTERS:
            raise _limit(f"a principal selects through at most {MAX_FILTERS} filters of a table")
    if asked.mask is None:
        _check_column_limit(asked, theirs, change)


def _check_column_limit(asked: Asked, theirs: list[Grant], change: Change) -> None:
    """Nobody who may select only some columns writes the table, whichever was granted first."""
    on = asked.resource
    if not isinstance(on, OnTable | OnColumns) or on.table is None:
        return
    record = change.lake.table(TableName(on.account, on.database, on.table))
    if record is None:
        return
    new = Grant(
        id="",
        account=change.authority.who.account,
        principal=asked.principal,
        resource=on,
        permissions=asked.permissions,
        grantable=asked.grantable,
    )
    after = [*theirs, new]
    writes = any(
        expanded(g.permissions, valid_permissions(g.resource)) & WRITES
        for g in after
        if isinstance(g.resource, OnTable)
        and (g.resource.account, g.resource.database) == (on.account, on.database)
        and g.resource.table in {None, on.table}
    )
    if writes and is_column_limited(asked.principal, record.table, after, change.now):
        raise invalid("who may select only some columns cannot have ALTER, DROP, DELETE or INSERT")


def _held(principal: str, account: str | None, change: Change) -> list[Grant]:
    """A principal's grants, those that one account recorded or all."""
    return [
        grant
        for grant in change.authority.policy.grants_to({principal})
        if account is None or grant.account == account
    ]


def _all_of(permissions: Permissions, valid: Permissions) -> Permissions:
    return valid if Permission.ALL in permissions else permissions


def _not_revoked(asked: Asked, missing: Permissions, theirs: Iterable[Grant]) -> UsageError:
    held = [grant for grant in theirs if type(grant.resource) is type(asked.resource)]
    if isinstance(asked.resource, OnTag):
        why = "Revoking Tag permissions on Tags that grantee does not have permissions on."
    elif not held:
        why = "Grantee has no permissions and no grantable permissions on resource."
    else:
        why = f"Grantee does not have:[{', '.join(sorted(missing))}]"
    return UsageError(f"No permissions revoked. {why}", code="not_granted")


def _limit(rule: str) -> UsageError:
    return UsageError(f"Resource number limit exceeded: {rule}.", code="limit_exceeded")


def _words(resource: Resource) -> str:
    document = resource_document(resource)
    return " ".join(f"{key}={value}" for key, value in document.items() if isinstance(value, str))


def _document(grant: Grant) -> Json:
    return {
        "id": grant.id,
        "resource": resource_document(grant.resource),
        "permissions": sorted(grant.permissions),
        "grantable": sorted(grant.grantable),
        "mask": str(grant.mask) if grant.mask else None,
        "expires_at": grant.expires_at,
    }
