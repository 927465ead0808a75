"""Lake Formation as far as it is served here: which operation is which function.

Every call passes the gate first: the caller's own rights must allow `lakeformation:OPERATION` on
its catalog. What it may do there beyond that, grants say, and flows check. That a change was
refused at the gate is on record, as is every change. Transactions, governed
table objects, query planning, opt-ins, identity centre and federation are not served.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lakeveil.aws.lakeformation import (
    expressions,
    filters,
    grants,
    locations,
    search,
    settings,
    tags,
)
from lakeveil.aws.lakeformation.shapes import Shape, aws_error
from lakeveil.aws.protocol import AwsError, Operation, Service, load_model
from lakeveil.aws.sigv4 import Caller
from lakeveil.core.audit import AuditOutcome
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import LakeveilError
from lakeveil.flows.change_access import AccessDesk, Call, Directory
from lakeveil.flows.refusals import NO_RIGHT_TO_CALL, Refusals
from lakeveil.ports import Clock
from lakeveil.ports.audit import AuditLog
from lakeveil.ports.lake import Lake

Handler = Callable[[Call, Shape, AccessDesk], Shape]

CHANGES: Mapping[str, Handler] = {
    "CreateLFTag": tags.create_lf_tag,
    "UpdateLFTag": tags.update_lf_tag,
    "DeleteLFTag": tags.delete_lf_tag,
    "AddLFTagsToResource": tags.add_lf_tags_to_resource,
    "RemoveLFTagsFromResource": tags.remove_lf_tags_from_resource,
    "CreateLFTagExpression": expressions.create_lf_tag_expression,
    "UpdateLFTagExpression": expressions.update_lf_tag_expression,
    "DeleteLFTagExpression": expressions.delete_lf_tag_expression,
    "GrantPermissions": grants.grant_permissions,
    "RevokePermissions": grants.revoke_permissions,
    "BatchGrantPermissions": grants.batch_grant_permissions,
    "BatchRevokePermissions": grants.batch_revoke_permissions,
    "PutDataLakeSettings": settings.put_data_lake_settings,
    "RegisterResource": locations.register_resource,
    "UpdateResource": locations.update_resource,
    "DeregisterResource": locations.deregister_resource,
    "CreateDataCellsFilter": filters.create_data_cells_filter,
    "UpdateDataCellsFilter": filters.update_data_cells_filter,
    "DeleteDataCellsFilter": filters.delete_data_cells_filter,
}
READS: Mapping[str, Handler] = {
    "GetLFTag": tags.get_lf_tag,
    "ListLFTags": tags.list_lf_tags,
    "GetResourceLFTags": tags.get_resource_lf_tags,
    "GetLFTagExpression": expressions.get_lf_tag_expression,
    "ListLFTagExpressions": expressions.list_lf_tag_expressions,
    "SearchDatabasesByLFTags": search.search_databases_by_lf_tags,
    "SearchTablesByLFTags": search.search_tables_by_lf_tags,
    "ListPermissions": grants.list_permissions,
    "GetEffectivePermissionsForPath": grants.get_effective_permissions_for_path,
    "GetDataLakeSettings": settings.get_data_lake_settings,
    "GetDataLakePrincipal": settings.get_data_lake_principal,
    "DescribeResource": locations.describe_resource,
    "ListResources": locations.list_resources,
    "GetDataCellsFilter": filters.get_data_cells_filter,
    "ListDataCellsFilter": filters.list_data_cells_filter,
    "GetTemporaryGlueTableCredentials": locations.get_temporary_glue_table_credentials,
    "GetTemporaryGluePartitionCredentials": locations.get_temporary_glue_partition_credentials,
    "GetTemporaryDataLocationCredentials": locations.get_temporary_data_location_credentials,
}


def lakeformation(
    *,
    lake: Lake,
    who: Callable[[Caller], Principal],
    audit: AuditLog,
    directory: Directory,
    clock: Clock,
) -> Service:
    """The service over one lake. `who` raises `Refused` for a key that is no longer good."""
    desk = AccessDesk(lake=lake, audit=audit, directory=directory, clock=clock)
    refusals = Refusals(audit=audit, clock=clock)
    model = load_model("lakeformation")

    def call_of(caller: Caller, operation: str) -> Call:
        return Call(
            who=_principal(who, caller),
            action=f"lakeformation:{operation}",
            access_key=caller.access_key,
            request_id=caller.request_id,
            source_ip=caller.source_ip,
        )

    def gate(caller: Caller, operation: str, _params: Mapping[str, Any]) -> None:
        call = call_of(caller, operation)
        account = call.who.account
        catalog = f"arn:aws:lakeformation:{caller.region}:{account}:catalog:{account}"
        if call.who.rights.allows(call.action, catalog):
            return
        if operation in CHANGES:
            event = call.event(AuditOutcome.REFUSED, catalog, error_code=NO_RIGHT_TO_CALL)
            refusals.record(event, subject=caller.access_key)
        raise AwsError(
            "AccessDeniedException",
            f"User: {call.who.caller_arn} is not authorized to perform: {call.action} on "
            f"resource: {catalog}",
        )

    def operation(name: str, handler: Handler) -> Operation:
        modelled = [shape.name for shape in model.operation_model(name).error_shapes]

        def run(caller: Caller, params: Mapping[str, Any]) -> Mapping[str, Any]:
            call = call_of(caller, name)
            try:
                return handler(call, params, desk)
            except LakeveilError as error:
                answer = aws_error(error, modelled)
                if answer is None:
                    raise
                raise answer from error

        return run

    return Service(
        model=model,
        operations={name: operation(name, h) for name, h in {**CHANGES, **READS}.items()},
        reads=frozenset(READS),
        gate=gate,
        invalid_input_code="InvalidInputException",
        internal_code="InternalServiceException",
        throttling_code="ThrottledException",
    )


def _principal(who: Callable[[Caller], Principal], caller: Caller) -> Principal:
    try:
        return who(caller)
    except LakeveilError as error:
        answer = aws_error(error, ())
        if answer is None:
            raise
        raise AwsError("AccessDeniedException", error.what) from error
