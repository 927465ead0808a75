"""Registered locations, and the credentials that are not vended for them yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lakeveil.aws.lakeformation.shapes import (
    Shape,
    location_arn,
    location_of,
    permissions_of,
    refuse_unserved,
)
from lakeveil.aws.paging import page
from lakeveil.core.access.grants import TableName
from lakeveil.errors import NotFound, UsageError
from lakeveil.flows.change_access import AccessDesk, Call, looking
from lakeveil.flows.change_settings import deregister, register, update_location
from lakeveil.flows.vend_access import refuse_location_credentials, refuse_table_credentials
from lakeveil.ports.lake import Location

PAGE = 100
_ARN_PARTS = 6
_UNSERVED = ("WithFederation", "HybridAccessEnabled", "WithPrivilegedAccess")


def register_resource(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """RegisterResource: the role is kept and shown, and used for nothing."""
    refuse_unserved(params, *_UNSERVED)
    _check_owner(params, call)
    role = params.get("RoleArn", "")
    if bool(role) == bool(params.get("UseServiceLinkedRole")):
        raise UsageError("Give either RoleArn, or UseServiceLinkedRole.")
    linked = (
        f"arn:aws:iam::{call.who.account}:role/aws-service-role/lakeformation.amazonaws.com/"
        "AWSServiceRoleForLakeFormationDataAccess"
    )
    register(location_of(params["ResourceArn"]), role or linked, call=call, desk=desk)
    return {}


def update_resource(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """UpdateResource."""
    refuse_unserved(params, *_UNSERVED)
    _check_owner(params, call)
    update_location(location_of(params["ResourceArn"]), params["RoleArn"], call=call, desk=desk)
    return {}


def deregister_resource(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """DeregisterResource."""
    deregister(location_of(params["ResourceArn"]), call=call, desk=desk)
    return {}


def describe_resource(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """DescribeResource."""
    place = location_of(params["ResourceArn"])
    for found in _visible(call, desk):
        if found.location == place:
            return {"ResourceInfo": _shape(found)}
    raise NotFound("Resource is not registered.")


def list_resources(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """ListResources: those that the caller may keep data at; administrators see all."""
    conditions: Sequence[Shape] = params.get("FilterConditionList", ())
    listed = [
        found
        for found in sorted(_visible(call, desk), key=lambda one: one.location)
        if all(_meets(found, condition) for condition in conditions)
    ]
    found, token = page(
        listed,
        lambda one: (one.location,),
        params,
        asker=f"ListResources {call.who.caller_arn}",
        size=PAGE,
    )
    return {"ResourceInfoList": [_shape(one) for one in found], **token}


def get_temporary_glue_table_credentials(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """GetTemporaryGlueTableCredentials: always refused."""
    permissions_of(params.get("Permissions", ()))
    refuse_table_credentials(_table(params["TableArn"]), call=call, desk=desk)


def get_temporary_glue_partition_credentials(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """GetTemporaryGluePartitionCredentials: always refused."""
    return get_temporary_glue_table_credentials(call, params, desk)


def get_temporary_data_location_credentials(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """GetTemporaryDataLocationCredentials: always refused."""
    places = [location_of(_as_arn(path)) for path in params.get("DataLocations", ())]
    refuse_location_credentials(places, call=call, desk=desk)


def _visible(call: Call, desk: AccessDesk) -> list[Location]:
    authority, account = looking(call.who, desk), call.who.account
    return [
        found
        for found in desk.lake.locations(account)
        if authority.views(account) or authority.location(account, found.location)[0]
    ]


def _check_owner(params: Shape, call: Call) -> None:
    if params.get("ExpectedResourceOwnerAccount", call.who.account) != call.who.account:
        raise UsageError("ExpectedResourceOwnerAccount is not the account that registers.")


def _table(arn: str) -> TableName:
    parts = arn.split(":", _ARN_PARTS - 1)
    named = parts[-1].split("/")
    if (
        len(parts) != _ARN_PARTS
        or parts[0] != "arn"
        or parts[2] != "glue"
        or named[0] != "table"
        or len(named) != 3  # noqa: PLR2004 - table/DATABASE/NAME
        or not all(named)
    ):
        raise UsageError("TableArn is invalid: write it as arn:aws:glue:REGION:ACCOUNT:table/D/T.")
    return TableName(parts[4], named[1].lower(), named[2].lower())


def _as_arn(path: str) -> str:
    return f"arn:aws:s3:::{path.removeprefix('s3://')}" if path.startswith("s3://") else path


def _meets(found: Location, condition: Shape) -> bool:
    field, operator = condition.get("Field", ""), condition.get("ComparisonOperator", "")
    values = condition.get("StringValueList", [])
    texts = {"RESOURCE_ARN": location_arn(found.location), "ROLE_ARN": found.role}
    if field not in texts or operator not in _COMPARISONS or not values:
        raise UsageError(
            "A filter compares RESOURCE_ARN or ROLE_ARN by EQ, NE, CONTAINS, NOT_CONTAINS, "
            "BEGINS_WITH or IN with at least one value."
        )
    return _COMPARISONS[operator](texts[field], values)


_COMPARISONS: Mapping[str, Callable[[str, Sequence[str]], bool]] = {
    "EQ": lambda text, values: text == values[0],
    "NE": lambda text, values: text != values[0],
    "CONTAINS": lambda text, values: values[0] in text,
    "NOT_CONTAINS": lambda text, values: values[0] not in text,
    "BEGINS_WITH": lambda text, values: text.startswith(values[0]),
    "IN": lambda text, values: text in values,
}


def _shape(found: Location) -> dict[str, Any]:
    return {
        "ResourceArn": location_arn(found.location),
        "RoleArn": found.role,
        "LastModified": found.registered_at,
        "WithFederation": False,
        "HybridAccessEnabled": False,
        "WithPrivilegedAccess": False,
    }
