"""The Glue Data Catalog as far as it is served here: which operation is which function.

Every call passes the gate first: the caller's own rights must allow `glue:OPERATION` on the catalog
and on the database and table that it names, as in AWS (Glue developer guide, "Specifying Glue
resource ARNs"). What is there for the caller beyond that, the decision says, and flows ask it.
Crawlers, jobs, connections, the schema registry and views of several dialects are not served.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any, ParamSpec, TypeVar

from lakeveil.aws.glue import databases, partitions, search, tables, unfiltered, versions
from lakeveil.aws.glue.shapes import Shape, account_of, aws_error
from lakeveil.aws.protocol import AwsError, Operation, Service, load_model
from lakeveil.aws.sigv4 import Caller
from lakeveil.core.audit import AuditOutcome
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import LakeveilError
from lakeveil.flows.catalog_desk import CatalogDesk
from lakeveil.flows.change_access import Call
from lakeveil.flows.refusals import NO_RIGHT_TO_CALL, Refusals
from lakeveil.ports import Clock
from lakeveil.ports.audit import AuditLog
from lakeveil.ports.iceberg import IcebergCatalog
from lakeveil.ports.lake import Lake

P = ParamSpec("P")
T = TypeVar("T")

Handler = Callable[[Call, Shape, CatalogDesk], Shape]

CHANGES: Mapping[str, Handler] = {
    "CreateDatabase": databases.create_a_database,
    "UpdateDatabase": databases.update_a_database,
    "DeleteDatabase": databases.delete_a_database,
    "TagResource": databases.tag_resource,
    "UntagResource": databases.untag_resource,
    "CreateTable": tables.create_a_table,
    "UpdateTable": tables.update_a_table,
    "DeleteTable": tables.delete_a_table,
    "BatchDeleteTable": tables.batch_delete_table,
    "DeleteTableVersion": versions.delete_a_table_version,
    "BatchDeleteTableVersion": versions.batch_delete_table_version,
    "CreatePartition": partitions.create_partition,
    "BatchCreatePartition": partitions.batch_create_partition,
    "UpdatePartition": partitions.update_partition,
    "BatchUpdatePartition": partitions.batch_update_partition,
    "DeletePartition": partitions.delete_partition,
    "BatchDeletePartition": partitions.batch_delete_partition,
}
READS: Mapping[str, Handler] = {
    "GetDatabase": databases.get_database,
    "GetDatabases": databases.get_databases,
    "GetTags": databases.get_tags,
    "GetCatalogImportStatus": databases.get_catalog_import_status,
    "GetUserDefinedFunctions": databases.get_user_defined_functions,
    "GetTable": tables.get_table,
    "GetTables": tables.get_tables,
    "SearchTables": search.search_tables,
    "GetTableVersion": versions.get_table_version,
    "GetTableVersions": versions.get_table_versions,
    "GetPartition": partitions.get_partition,
    "GetPartitions": partitions.get_partitions,
    "BatchGetPartition": partitions.batch_get_partition,
    "GetPartitionIndexes": partitions.get_partition_indexes,
}
WHOLE: Mapping[str, Callable[..., Shape]] = {
    "GetUnfilteredTableMetadata": unfiltered.get_unfiltered_table_metadata,
    "GetUnfilteredPartitionsMetadata": unfiltered.get_unfiltered_partitions_metadata,
    "GetUnfilteredPartitionMetadata": unfiltered.get_unfiltered_partition_metadata,
}
"""For query engines that are trusted to filter, and nobody else."""


def glue(
    *,
    lake: Lake,
    iceberg: IcebergCatalog,
    who: Callable[[Caller], Principal],
    audit: AuditLog,
    clock: Clock,
    region: str,
    trusted_engines: Collection[str] = frozenset(),
) -> Service:
    """The service over one lake. `who` raises `Refused` for a key that is no longer good.

    `region` is the one in ARNs; `trusted_engines` are the ARNs of principals that filter whole
    tables themselves.
    """
    desk = CatalogDesk(lake=lake, iceberg=iceberg, audit=audit, clock=clock)
    refusals = Refusals(audit=audit, clock=clock)
    model = load_model("glue")
    whole = {
        name: partial(h, trusted_engines=frozenset(trusted_engines)) for name, h in WHOLE.items()
    }
    reads: dict[str, Handler] = {**READS, **whole}

    def gate(caller: Caller, operation: str, params: Mapping[str, Any]) -> None:
        principal, action = _principal(who, caller), f"glue:{operation}"
        for resource in _resources(operation, params, principal.account, region):
            if not principal.rights.allows(action, resource):
                if operation in CHANGES:
                    refusals.record(
                        _call(principal, caller, operation).event(
                            AuditOutcome.REFUSED, resource, error_code=NO_RIGHT_TO_CALL
                        ),
                        subject=caller.access_key,
                    )
                raise AwsError(
                    "AccessDeniedException",
                    f"User: {principal.caller_arn} is not authorized to perform: {action} on "
                    f"resource: {resource}",
                )

    def operation(name: str, handler: Handler) -> Operation:
        modelled = [shape.name for shape in model.operation_model(name).error_shapes]

        def run(caller: Caller, params: Mapping[str, Any]) -> Mapping[str, Any]:
            call = _call(_principal(who, caller), caller, name)
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
        operations={name: operation(name, h) for name, h in {**CHANGES, **reads}.items()},
        reads=frozenset(reads),
        gate=gate,
        invalid_input_code="InvalidInputException",
        internal_code="InternalServiceException",
        throttling_code="ThrottlingException",
    )


def _call(principal: Principal, caller: Caller, operation: str) -> Call:
    return Call(
        who=principal,
        action=f"glue:{operation}",
        access_key=caller.access_key,
        request_id=caller.request_id,
        source_ip=caller.source_ip,
    )


def _resources(
    operation: str, params: Mapping[str, Any], caller_account: str, region: str
) -> Iterator[str]:
    """The ARNs that a caller's own rights must allow the operation on, all of them."""
    # Never the ARN as it was written: in other letters it would slip past a statement about it.
    named = _valid(databases.database_of_arn, params) if "ResourceArn" in params else None
    account = named[0] if named else _valid(account_of, params, caller_account)
    prefix = f"arn:aws:glue:{region}:{account}"
    yield f"{prefix}:catalog"
    given = params.get("DatabaseInput", {}).get("Name") or params.get("DatabaseName")
    of_database = operation in {"GetDatabase", "UpdateDatabase", "DeleteDatabase"}
    database = params["Name"] if of_database else named[1] if named else given
    if not database:
        return
    yield f"{prefix}:database/{database.lower()}"
    for table in _tables(params) if not of_database else ():
        yield f"{prefix}:table/{database.lower()}/{table.lower()}"


def _tables(params: Mapping[str, Any]) -> list[str]:
    named = [params[key] for key in ("TableName", "Name") if key in params]
    if "TableInput" in params:
        named.append(params["TableInput"]["Name"])
    return [*named, *params.get("TablesToDelete", ())]


def _valid(read: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return read(*args, **kwargs)
    except LakeveilError as error:
        raise AwsError("InvalidInputException", error.what) from error


def _principal(who: Callable[[Caller], Principal], caller: Caller) -> Principal:
    try:
        return who(caller)
    except LakeveilError as error:
        if aws_error(error, ()) is None:
            raise
        raise AwsError("AccessDeniedException", error.what) from error
