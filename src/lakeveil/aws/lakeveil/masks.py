"""GrantMasked: SELECT through a mask, which Lake Formation's API has no field for."""

from __future__ import annotations

from lakeveil.aws.lakeformation.shapes import resource_of
from lakeveil.aws.lakeveil.shapes import Desks, Shape, mask_of, mask_shape
from lakeveil.core.access.grants import Grant
from lakeveil.core.access.permissions import Permission
from lakeveil.flows import change_grants
from lakeveil.flows.asked_grants import Asked
from lakeveil.flows.change_access import Call


def grant_masked(call: Call, params: Shape, desks: Desks) -> Shape:
    """GrantMasked."""
    expires = params.get("ExpiresAt")
    asked = Asked(
        principal=params["Principal"],
        resource=resource_of(params["Resource"], call.who.account),
        permissions=frozenset({Permission.SELECT}),
        expires_at=expires.timestamp() if expires else None,
        reason=params.get("Reason", ""),
    )
    made = change_grants.grant_masked(asked, mask_of(params["Mask"]), call=call, desk=desks.access)
    return {"Grants": [_grant_shape(one) for one in made]}


def _grant_shape(grant: Grant) -> Shape:
    return {
        "GrantId": grant.id,
        "Principal": grant.principal,
        "Mask": mask_shape(grant.mask) if grant.mask else None,
        "ExpiresAt": grant.expires_at,
    }
