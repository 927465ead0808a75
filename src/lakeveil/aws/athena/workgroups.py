"""Workgroups and their tags."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lakeveil.aws.athena.executions import AthenaDesk
from lakeveil.aws.athena.shapes import (
    ENGINE,
    Shape,
    additional_of,
    workgroup_shape,
    workgroup_summary,
)
from lakeveil.aws.paging import page
from lakeveil.core.query.workgroups import PRIMARY, Workgroup
from lakeveil.errors import NotFound, UsageError
from lakeveil.flows.change_access import Call
from lakeveil.flows.change_workgroups import (
    create_workgroup,
    delete_workgroup,
    known_workgroup,
    update_workgroup,
)
from lakeveil.flows.query_desk import workgroup_arn

PAGE = 50
_UNSERVED = (
    "ManagedQueryResultsConfiguration",
    "ManagedQueryResultsConfigurationUpdates",
    "CustomerContentEncryptionConfiguration",
    "EnableMinimumEncryptionConfiguration",
    "IdentityCenterConfiguration",
    "QueryResultsS3AccessGrantsConfiguration",
    "MonitoringConfiguration",
    "EngineConfiguration",
    "RequesterPaysEnabled",
    "ExecutionRole",
)
"""What Athena's configuration can say and nothing here would keep: refused, not left out."""


def create_work_group(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """CreateWorkGroup."""
    given = params.get("Configuration", {})
    _check_served(given)
    result = given.get("ResultConfiguration", {})
    _check_result(result)
    strict, limits = additional_of(given.get("AdditionalConfiguration", ""))
    create_workgroup(
        Workgroup(
            account=call.who.account,
            name=params["Name"],
            description=params.get("Description", ""),
            output=result.get("OutputLocation", ""),
            enforced=given.get("EnforceWorkGroupConfiguration", True),
            bytes_cutoff=given.get("BytesScannedCutoffPerQuery"),
            publish_metrics=given.get("PublishCloudWatchMetricsEnabled", True),
            strict=strict,
            limits=limits,
            tags=_tags(params.get("Tags", ())),
        ),
        call=call,
        desk=desk.queries,
    )
    return {}


def update_work_group(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """UpdateWorkGroup."""
    before = known_workgroup(params["WorkGroup"], call=call, desk=desk.queries)
    given = params.get("ConfigurationUpdates", {})
    _check_served(given)
    result = given.get("ResultConfigurationUpdates", {})
    _check_result(result)
    changed: dict[str, Any] = {}
    for member, name in _PLAIN.items():
        if member in given:
            changed[name] = given[member]
    if given.get("RemoveBytesScannedCutoffPerQuery"):
        changed["bytes_cutoff"] = None
    if "OutputLocation" in result or result.get("RemoveOutputLocation"):
        changed["output"] = result.get("OutputLocation", "")
    if "AdditionalConfiguration" in given:
        changed["strict"], changed["limits"] = additional_of(given["AdditionalConfiguration"])
    if "Description" in params:
        changed["description"] = params["Description"]
    if "State" in params:
        changed["enabled"] = params["State"] == "ENABLED"
    update_workgroup(replace(before, **changed), call=call, desk=desk.queries)
    return {}


_PLAIN = {
    "EnforceWorkGroupConfiguration": "enforced",
    "PublishCloudWatchMetricsEnabled": "publish_metrics",
    "BytesScannedCutoffPerQuery": "bytes_cutoff",
}


def delete_work_group(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """DeleteWorkGroup."""
    delete_workgroup(
        params["WorkGroup"],
        everything=bool(params.get("RecursiveDeleteOption")),
        call=call,
        desk=desk.queries,
    )
    return {}


def get_work_group(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """GetWorkGroup."""
    found = known_workgroup(params["WorkGroup"], call=call, desk=desk.queries)
    return {"WorkGroup": workgroup_shape(found)}


def list_work_groups(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """ListWorkGroups: those of the account that the caller may look at one by one."""
    found, token = page(
        (
            one
            for one in desk.queries.workgroups.all(call.who.account)
            if call.who.rights.allows(
                "athena:GetWorkGroup", workgroup_arn(desk.queries, one.account, one.name)
            )
        ),
        lambda one: (one.name,),
        params,
        asker=f"ListWorkGroups {call.who.caller_arn}",
        size=PAGE,
    )
    return {"WorkGroups": [workgroup_summary(one) for one in found], **token}


def list_engine_versions(_call: Call, _params: Shape, _desk: AthenaDesk) -> Shape:
    """ListEngineVersions."""
    return {"EngineVersions": [ENGINE]}


def tag_resource(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """TagResource."""
    before = _tagged(call, params, desk)
    tags = {**before.tags, **_tags(params["Tags"])}
    update_workgroup(replace(before, tags=tags), call=call, desk=desk.queries)
    return {}


def untag_resource(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """UntagResource."""
    before = _tagged(call, params, desk)
    gone = set(params["TagKeys"])
    tags = {key: value for key, value in before.tags.items() if key not in gone}
    update_workgroup(replace(before, tags=tags), call=call, desk=desk.queries)
    return {}


def list_tags_for_resource(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """ListTagsForResource."""
    tags = _tagged(call, params, desk).tags
    return {"Tags": [{"Key": key, "Value": tags[key]} for key in sorted(tags)]}


def workgroup_of_arn(arn: str, account: str) -> str:
    """The workgroup that an ARN names.

    Raises:
        NotFound: it names none of the account's.
    """
    parts = arn.split(":", 5)
    kind, _, name = parts[-1].partition("/")
    if len(parts) != 6 or parts[2] != "athena" or parts[4] != account or kind != "workgroup":  # noqa: PLR2004
        raise NotFound(f"{arn[:255]} is no workgroup of this account's.")
    return name


def _tagged(call: Call, params: Shape, desk: AthenaDesk) -> Workgroup:
    name = workgroup_of_arn(params["ResourceARN"], call.who.account)
    return known_workgroup(name or PRIMARY, call=call, desk=desk.queries)


def _tags(shapes: Any) -> dict[str, str]:
    return {one.get("Key", ""): one.get("Value", "") for one in shapes}


def _check_served(given: Shape) -> None:
    for member in _UNSERVED:
        value = given.get(member)
        if value and value != {"Enabled": False}:
            raise UsageError(f"{member} is not supported by Lakeveil.")


def _check_result(given: Shape) -> None:
    if given.get("EncryptionConfiguration") or given.get("AclConfiguration"):
        raise UsageError("Encryption and ACLs of results are the store's to set, by bucket.")
