"""Athena as far as it is served here: which operation is which function, and who may call it.

Every call passes the gate first: the caller's own rights must allow `athena:OPERATION` on what it
is about, as in AWS (service authorization reference, "Actions, resources, and condition keys for
Amazon Athena"). What is in the tables, the decision says; what is in a workgroup, its rights.
Notebooks, capacity reservations and federated catalogs are not served.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lakeveil.aws.athena import executions, metadata, saved, workgroups
from lakeveil.aws.athena.executions import AthenaDesk
from lakeveil.aws.athena.shapes import CATALOG, Shape, athena_error
from lakeveil.aws.protocol import AwsError, Operation, Service, load_model
from lakeveil.aws.sigv4 import Caller
from lakeveil.core.audit import AuditOutcome
from lakeveil.core.identity.principal import Principal
from lakeveil.core.query.workgroups import PRIMARY
from lakeveil.errors import LakeveilError
from lakeveil.flows.change_access import Call
from lakeveil.flows.query_desk import QueryDesk
from lakeveil.flows.refusals import NO_RIGHT_TO_CALL, Refusals

Handler = Callable[[Call, Shape, AthenaDesk], Shape]

CHANGES: Mapping[str, Handler] = {
    "StartQueryExecution": executions.start_query_execution,
    "StopQueryExecution": executions.stop_query_execution,
    "CreateWorkGroup": workgroups.create_work_group,
    "UpdateWorkGroup": workgroups.update_work_group,
    "DeleteWorkGroup": workgroups.delete_work_group,
    "TagResource": workgroups.tag_resource,
    "UntagResource": workgroups.untag_resource,
    "CreateNamedQuery": saved.create_named_query,
    "UpdateNamedQuery": saved.update_named_query,
    "DeleteNamedQuery": saved.delete_named_query,
    "CreatePreparedStatement": saved.create_prepared_statement,
    "UpdatePreparedStatement": saved.update_prepared_statement,
    "DeletePreparedStatement": saved.delete_prepared_statement,
}
READS: Mapping[str, Handler] = {
    "GetQueryExecution": executions.get_query_execution,
    "BatchGetQueryExecution": executions.batch_get_query_execution,
    "ListQueryExecutions": executions.list_query_executions,
    "GetQueryResults": executions.get_query_results,
    "GetQueryRuntimeStatistics": executions.get_query_runtime_statistics,
    "GetWorkGroup": workgroups.get_work_group,
    "ListWorkGroups": workgroups.list_work_groups,
    "ListEngineVersions": workgroups.list_engine_versions,
    "ListTagsForResource": workgroups.list_tags_for_resource,
    "GetNamedQuery": saved.get_named_query,
    "BatchGetNamedQuery": saved.batch_get_named_query,
    "ListNamedQueries": saved.list_named_queries,
    "GetPreparedStatement": saved.get_prepared_statement,
    "BatchGetPreparedStatement": saved.batch_get_prepared_statement,
    "ListPreparedStatements": saved.list_prepared_statements,
    "ListDataCatalogs": metadata.list_data_catalogs,
    "GetDataCatalog": metadata.get_data_catalog,
    "ListDatabases": metadata.list_databases,
    "GetDatabase": metadata.get_database,
    "ListTableMetadata": metadata.list_table_metadata,
    "GetTableMetadata": metadata.get_table_metadata,
}
_BY_QUERY = frozenset(
    {
        "StopQueryExecution",
        "GetQueryExecution",
        "BatchGetQueryExecution",
        "GetQueryResults",
        "GetQueryRuntimeStatistics",
        "GetNamedQuery",
        "BatchGetNamedQuery",
        "UpdateNamedQuery",
        "DeleteNamedQuery",
    }
)
"""They name a query: the right on its workgroup is asked where the query is looked up."""
_GENERAL = frozenset({"ListWorkGroups", "ListDataCatalogs", "ListEngineVersions"})
"""About no resource; asked for on `*`."""
_CATALOG = frozenset(
    {"GetDataCatalog", "ListDatabases", "GetDatabase", "ListTableMetadata", "GetTableMetadata"}
)


def athena(
    *,
    queries: QueryDesk,
    submit: Callable[[str, str], None],
    who: Callable[[Caller], Principal],
) -> Service:
    """The service over one lake. `who` raises `Refused` for a key that is no longer good.

    `submit` is given the account and id of each query that was put on record.
    """
    desk = AthenaDesk(queries=queries, submit=submit)
    refusals = Refusals(audit=queries.catalog.audit, clock=queries.clock)

    def gate(caller: Caller, operation: str, params: Mapping[str, Any]) -> None:
        principal = _principal(who, caller)
        action = f"athena:{operation}"
        for resource in _resources(operation, params, principal, queries):
            if principal.rights.allows(action, resource):
                continue
            if operation in CHANGES:
                event = _call(principal, caller, operation).event(
                    AuditOutcome.REFUSED, resource, error_code=NO_RIGHT_TO_CALL
                )
                refusals.record(event, subject=caller.access_key)
            raise AwsError(
                "AccessDeniedException",
                f"User: {principal.caller_arn} is not authorized to perform: {action} on "
                f"resource: {resource}",
            )

    def operation(name: str, handler: Handler) -> Operation:
        def run(caller: Caller, params: Mapping[str, Any]) -> Mapping[str, Any]:
            call = _call(_principal(who, caller), caller, name)
            try:
                return handler(call, params, desk)
            except LakeveilError as error:
                answer = athena_error(error, name)
                if answer is None:
                    raise
                raise answer from error

        return run

    return Service(
        model=load_model("athena"),
        operations={name: operation(name, h) for name, h in {**CHANGES, **READS}.items()},
        reads=frozenset(READS),
        gate=gate,
        invalid_input_code="InvalidRequestException",
        internal_code="InternalServerException",
        throttling_code="TooManyRequestsException",
        threads=8,
        waiting=64,
    )


def _resources(
    operation: str, params: Mapping[str, Any], who: Principal, queries: QueryDesk
) -> Iterator[str]:
    """The ARNs that a caller's own rights must allow the operation on."""
    account = who.account
    prefix = f"arn:aws:athena:{queries.region}:{account}"
    if operation in _BY_QUERY:
        # Whoever may do it in no workgroup learns that, and not which queries there are.
        groups = [f"{prefix}:workgroup/{one.name}" for one in queries.workgroups.all(account)]
        if not any(who.rights.allows(f"athena:{operation}", group) for group in groups):
            yield f"{prefix}:workgroup/{PRIMARY}"
        return
    if operation in _GENERAL:
        yield "*"
    elif operation in _CATALOG:
        named = str(params.get("CatalogName") or params.get("Name"))
        # In other letters it would slip past a statement about it.
        yield f"{prefix}:datacatalog/{CATALOG if named.lower() == CATALOG.lower() else named}"
    elif "ResourceARN" in params:
        # Never the ARN as it was written: in other letters it would slip past a statement.
        try:
            name = workgroups.workgroup_of_arn(params["ResourceARN"], account)
        except LakeveilError as error:
            raise AwsError("ResourceNotFoundException", error.what) from error
        yield f"{prefix}:workgroup/{name}"
    else:
        named = params.get("WorkGroup") or params.get("Name") or PRIMARY
        of_workgroup = operation == "CreateWorkGroup" or "WorkGroup" in params
        yield f"{prefix}:workgroup/{named if of_workgroup else PRIMARY}"


def _call(principal: Principal, caller: Caller, operation: str) -> Call:
    return Call(
        who=principal,
        action=f"athena:{operation}",
        access_key=caller.access_key,
        request_id=caller.request_id,
        source_ip=caller.source_ip,
    )


def _principal(who: Callable[[Caller], Principal], caller: Caller) -> Principal:
    try:
        return who(caller)
    except LakeveilError as error:
        if athena_error(error, "") is None:
            raise
        raise AwsError("AccessDeniedException", error.what) from error
