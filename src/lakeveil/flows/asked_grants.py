"""What a grant asks for, and whether it could be granted to anybody.

All of this is known without the state of the lake: which permissions go with which resource, who
can be a grantee, and what may leave an account or be passed on in another. Rules are Lake
Formation's (developer guide, "Lake Formation permissions reference", "Cross-account data sharing").
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from lakeveil.core.access.governing.resource_document import resource_document
from lakeveil.core.access.governing.tag_rights import ABROAD
from lakeveil.core.access.grants import (
    OnCatalog,
    OnColumns,
    OnDatabase,
    OnExpression,
    OnFilter,
    OnLocation,
    OnTable,
    OnTag,
    PolicyKind,
    Resource,
    TagPolicy,
    valid_permissions,
)
from lakeveil.core.access.masks import Mask
from lakeveil.core.access.permissions import NOTHING, Permission, Permissions
from lakeveil.core.audit import Json
from lakeveil.core.identity.arns import Kind, is_valid_principal, parse
from lakeveil.errors import UsageError

MAX_EXPRESSION_BYTES = 900
"""Of an expression in a grant; a larger one is saved and named."""

NOT_GOVERNED = "IAM_ALLOWED_PRINCIPALS"
_NOBODY = frozenset({Kind.ACCOUNT, Kind.ORGANISATION, Kind.ORGANISATIONAL_UNIT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A grant or revocation as it is asked for; names and tags are folded already.

    In a revocation `grantable` are the grant options to take, and mask and expiry say nothing.
    """

    principal: str
    resource: Resource
    permissions: Permissions
    grantable: Permissions = NOTHING
    mask: Mask | None = None
    expires_at: float | None = None
    reason: str = ""

    def document(self) -> dict[str, Json]:
        """As it goes on record."""
        return {
            "principal": self.principal,
            "resource": resource_document(self.resource),
            "permissions": sorted(self.permissions),
            "grantable": sorted(self.grantable),
            "mask": str(self.mask) if self.mask else None,
            "expires_at": self.expires_at,
            "reason": self.reason,
        }


def checked(asked: Asked, account: str) -> Asked:
    """What is asked, as it can be recorded by an account; its principal in the one form.

    Whether the principal is there is not looked at: that is told only to those who may grant.

    Raises:
        UsageError: nobody could grant that, whatever the state of the lake.
    """
    asked = replace(asked, principal=canonical(asked.principal))
    if asked.principal == NOT_GOVERNED:
        raise UsageError(
            "Invalid principal: IAM_ALLOWED_PRINCIPALS stands for everybody, and nothing here is "
            "open to everybody. Grant to `ACCOUNT:IAMPrincipals` for all of one account."
        )
    if not is_valid_principal(asked.principal):
        raise not_there(asked.principal)
    identifier = parse(asked.principal)
    _check_permissions(asked)
    _check_mask_and_expiry(asked)
    _check_expression_size(asked)
    if account != asked.resource.account:
        _check_passed_on(asked, identifier.kind, identifier.account, account)
    elif identifier.kind in _NOBODY or identifier.account != asked.resource.account:
        _check_share(asked, identifier.kind, identifier.account)
    return asked


def _check_permissions(asked: Asked) -> None:
    valid = valid_permissions(asked.resource)
    if isinstance(asked.resource, OnDatabase | OnTable | TagPolicy):
        valid |= {Permission.ALL}
    wrong = (asked.permissions | asked.grantable) - valid
    if wrong:
        raise invalid(f"{', '.join(sorted(wrong))} cannot be granted on this resource")
    if not asked.permissions:
        raise invalid("it names no permission")
    if not asked.grantable <= _spelled(asked):
        raise invalid("the grant option is for permissions that are granted")
    if isinstance(asked.resource, OnColumns):
        if not asked.resource.named:
            raise invalid("it names no column")
        if asked.resource.excluding and asked.grantable:
            raise invalid("SELECT with the grant option takes a list of columns to include")


def _check_expression_size(asked: Asked) -> None:
    if not isinstance(asked.resource, TagPolicy) or asked.resource.expression is None:
        return
    terms = asked.resource.expression.terms
    size = sum(len(key.encode()) + sum(len(v.encode()) for v in values) for key, values in terms)
    if size > MAX_EXPRESSION_BYTES:
        raise UsageError(
            f"The expression takes {size} bytes; in a grant it has at most {MAX_EXPRESSION_BYTES}. "
            "Save it with CreateLFTagExpression and grant by its name."
        )


def _check_passed_on(asked: Asked, kind: Kind, home: str, account: str) -> None:
    """What an account may do with what another one shared with it."""
    if kind in _NOBODY or home != account:
        raise invalid("what another account shares is passed on within one's own account only")
    if asked.grantable:
        raise invalid("what another account shares is passed on without the grant option")
    on = asked.resource
    if isinstance(on, OnDatabase | OnCatalog | OnExpression | OnLocation) or (
        isinstance(on, TagPolicy) and on.kind is PolicyKind.DATABASE
    ):
        raise invalid("the account that owns it grants this to your principals itself")


def _check_share(asked: Asked, kind: Kind, home: str) -> None:
    """What an account may give to others."""
    if kind is Kind.ACCOUNT and home == asked.resource.account:
        raise invalid("an account's own principals are named one by one, or as `IAMPrincipals`")
    if isinstance(asked.resource, OnCatalog | OnExpression):
        raise invalid("this cannot be granted to other accounts")
    if isinstance(asked.resource, OnTag):
        if not asked.permissions <= ABROAD:
            raise invalid("on tags other accounts are granted only DESCRIBE and ASSOCIATE")
        if kind in _NOBODY and asked.grantable != asked.permissions:
            raise invalid("on tags other accounts are granted with the grant option")


def _check_mask_and_expiry(asked: Asked) -> None:
    if asked.expires_at is not None and not math.isfinite(asked.expires_at):
        raise invalid("it expires at no time")
    if asked.mask is not None:
        masked = isinstance(asked.resource, OnTable | OnColumns | OnFilter) or (
            isinstance(asked.resource, TagPolicy) and asked.resource.kind is PolicyKind.TABLE
        )
        if not masked or asked.permissions != {Permission.SELECT} or asked.grantable:
            raise invalid("through a mask only SELECT on data is granted, without grant option")


def canonical(principal: str) -> str:
    """An account is named by its digits; `arn:aws:iam::123456789012:root` means the same."""
    if not is_valid_principal(principal):
        return principal
    identifier = parse(principal)
    return identifier.account if identifier.kind is Kind.ACCOUNT else principal


def not_there(principal: str) -> UsageError:
    """The refusal of a grant to nobody."""
    return UsageError(f"Invalid principal: `{principal[:255]}` is not there.")


def invalid(why: str) -> UsageError:
    """The refusal of a grant or revocation that makes no sense."""
    return UsageError(f"Permissions modification is invalid: {why}.", code="invalid_grant")


def _spelled(asked: Asked) -> Permissions:
    if Permission.ALL in asked.permissions:
        return valid_permissions(asked.resource) | {Permission.ALL}
    return asked.permissions
