"""Granting, revoking, and listing permissions.

Masks and expiry have no field in the API. A grant through a mask is listed without permissions,
since an AWS client must not take it for SELECT; that and an expiry are told in
`AdditionalDetails.ResourceShare`, as `mask:last-four` and `expires:2026-12-31T00:00:00Z`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lakeveil.aws.lakeformation.shapes import (
    Shape,
    account_of,
    aws_error,
    location_of,
    permissions_of,
    principal_of,
    principal_shape,
    refuse_unserved,
    resource_of,
    resource_shape,
)
from lakeveil.aws.paging import page
from lakeveil.aws.shapes import iso8601
from lakeveil.core.access.governing.authority import Authority
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
)
from lakeveil.errors import LakeveilError, UsageError
from lakeveil.flows.asked_grants import NOT_GOVERNED, Asked
from lakeveil.flows.change_access import AccessDesk, Call, looking
from lakeveil.flows.change_grants import grant, revoke
from lakeveil.flows.look_at_grants import Listed, grants_for_path, grants_shown, order
from lakeveil.flows.look_at_permissions import effective

MAX_ENTRIES = 20
PAGE = 100

Change = Callable[[Asked, Call, AccessDesk], object]


def grant_permissions(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """GrantPermissions."""
    grant(_asked(params, account_of(params, call.who.account)), call=call, desk=desk)
    return {}


def revoke_permissions(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """RevokePermissions."""
    revoke(_asked(params, account_of(params, call.who.account)), call=call, desk=desk)
    return {}


def batch_grant_permissions(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """BatchGrantPermissions: each entry stands for itself."""
    return _batch(lambda asked: grant(asked, call=call, desk=desk), call, params)


def batch_revoke_permissions(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """BatchRevokePermissions: each entry stands for itself."""
    return _batch(lambda asked: revoke(asked, call=call, desk=desk), call, params)


def list_permissions(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """ListPermissions: grants that were made; of a principal on a resource what they amount to."""
    account = account_of(params, call.who.account)
    principal = principal_of(params["Principal"]) if "Principal" in params else None
    resource = resource_of(params["Resource"], account) if "Resource" in params else None
    # One look for all of them: each grant by name has its table looked up.
    with desk.lake.looking() as lake:
        authority = Authority(who=call.who, policy=lake.policy(), now=desk.clock.now())
        if principal == NOT_GOVERNED:
            entries: list[Listed] = []
        elif principal and resource:
            entries = effective(
                lake, authority, principal=principal, resource=resource, directory=desk.directory
            )
        else:
            entries = grants_shown(
                lake,
                authority,
                account=account if "CatalogId" in params else None,
                principal=principal,
                resource=resource,
                with_filters=_is_true(params.get("IncludeRelated", "FALSE")),
            )
    if "ResourceType" in params:
        wanted = _KINDS[params["ResourceType"]]
        entries = [entry for entry in entries if wanted(entry.resource)]
    found, token = page(
        list(enumerate(entries)),
        lambda numbered: (*order(numbered[1]), 0 if numbered[1].id else numbered[0]),
        params,
        asker=f"ListPermissions {call.who.caller_arn}",
        size=PAGE,
    )
    shown = [_shape(entry) for _, entry in found]
    return {"PrincipalResourcePermissions": shown, **token}


def get_effective_permissions_for_path(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """GetEffectivePermissionsForPath."""
    entries = grants_for_path(
        desk.lake,
        looking(call.who, desk),
        account_of(params, call.who.account),
        location_of(params["ResourceArn"]),
    )
    found, token = page(
        entries,
        order,
        params,
        asker=f"GetEffectivePermissionsForPath {call.who.caller_arn}",
        size=PAGE,
    )
    return {"Permissions": [_shape(entry) for entry in found], **token}


def _asked(params: Shape, account: str) -> Asked:
    refuse_unserved(params, "Condition")
    for member in ("Principal", "Resource"):
        if member not in params:
            raise UsageError(f"{member} is missing.")
    return Asked(
        principal=principal_of(params["Principal"]),
        resource=resource_of(params["Resource"], account),
        permissions=permissions_of(params.get("Permissions", ())),
        grantable=permissions_of(params.get("PermissionsWithGrantOption", ())),
    )


def _batch(change: Callable[[Asked], object], call: Call, params: Shape) -> Shape:
    account = account_of(params, call.who.account)
    entries: Sequence[Shape] = params["Entries"]
    if len(entries) > MAX_ENTRIES:
        raise UsageError(f"A batch has at most {MAX_ENTRIES} entries.")
    if len({entry["Id"] for entry in entries}) < len(entries):
        raise UsageError("Each entry of a batch has an Id of its own.")
    failures = []
    for entry in entries:
        try:
            change(_asked(entry, account))
        except LakeveilError as error:
            answer = aws_error(error, ())
            if answer is None:
                raise
            said = {"ErrorCode": answer.code, "ErrorMessage": answer.message}
            failures.append({"RequestEntry": entry, "Error": said})
    return {"Failures": failures}


def _shape(entry: Listed) -> dict[str, Any]:
    ours = [f"mask:{entry.mask}"] if entry.mask else []
    if entry.expires_at is not None:
        ours.append(f"expires:{iso8601(entry.expires_at)}")
    return {
        "Principal": principal_shape(entry.principal),
        "Resource": resource_shape(entry.resource),
        "Permissions": sorted(entry.permissions),
        "PermissionsWithGrantOption": sorted(entry.grantable),
        "AdditionalDetails": {"ResourceShare": ours} if ours else None,
        "LastUpdated": entry.granted_at if entry.id else None,
        "LastUpdatedBy": entry.granted_by or None,
    }


def _is_true(text: str) -> bool:
    if text.upper() not in {"TRUE", "FALSE"}:
        raise UsageError("IncludeRelated is either TRUE or FALSE.")
    return text.upper() == "TRUE"


def _is(*types: type) -> Callable[[Resource], bool]:
    return lambda resource: isinstance(resource, types)


def _is_policy(kind: PolicyKind) -> Callable[[Resource], bool]:
    return lambda resource: isinstance(resource, TagPolicy) and resource.kind is kind


_KINDS: Mapping[str, Callable[[Resource], bool]] = {
    "ANY_RESOURCE": _is(),
    "CATALOG": _is(OnCatalog),
    "DATABASE": _is(OnDatabase),
    "TABLE": _is(OnTable, OnColumns, OnFilter),
    "DATA_LOCATION": _is(OnLocation),
    "LF_TAG": _is(OnTag),
    "LF_TAG_POLICY": _is(TagPolicy),
    "LF_TAG_POLICY_DATABASE": _is_policy(PolicyKind.DATABASE),
    "LF_TAG_POLICY_TABLE": _is_policy(PolicyKind.TABLE),
    "LF_NAMED_TAG_EXPRESSION": _is(OnExpression),
    "USER_DEFINED_FUNCTION": _is(),
}
