"""Athena's shapes and our values: query executions, workgroups, columns, errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lakeveil.aws.protocol import AwsError
from lakeveil.core.query.execution import QueryExecution, QueryState, ResultColumn
from lakeveil.core.query.failures import ErrorKind, QueryFailure
from lakeveil.core.query.workgroups import DataLimit, Workgroup
from lakeveil.errors import Conflict, LakeveilError, NotFound, Refused, UsageError
from lakeveil.flows.refusals import NO_RIGHT_TO_CALL
from lakeveil.ports.queries import NamedQuery, PreparedStatement
from lakeveil.sql.types import column_info

Shape = Mapping[str, Any]

CATALOG = "AwsDataCatalog"
ENGINE = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}
_CATEGORY = {
    ErrorKind.INTERNAL_ERROR: 1,
    ErrorKind.USER_ERROR: 2,
    ErrorKind.INSUFFICIENT_RESOURCES: 3,
    ErrorKind.EXTERNAL: 3,
}
"""Athena's: 1 system, 2 user, 3 other."""
_PASSING = frozenset({ErrorKind.INTERNAL_ERROR, ErrorKind.INSUFFICIENT_RESOURCES})
"""What may be gone by the next try."""
_GENERIC_TYPE = 9999
_TOO_MANY = "too_many_requests"


def execution_shape(execution: QueryExecution) -> dict[str, Any]:
    """A `QueryExecution`."""
    statistics = execution.statistics
    context = {
        **({"Database": execution.database} if execution.database else {}),
        **({"Catalog": execution.catalog} if execution.catalog else {}),
    }
    return {
        "QueryExecutionId": execution.id,
        "Query": execution.sql,
        "StatementType": execution.statement.value,
        "SubstatementType": execution.substatement or None,
        "ResultConfiguration": {"OutputLocation": execution.output} if execution.output else {},
        "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": False}},
        "QueryExecutionContext": context,
        "Status": _status(execution),
        "Statistics": {
            "EngineExecutionTimeInMillis": _ms(statistics.engine_s),
            "DataScannedInBytes": statistics.scanned_bytes,
            "DataManifestLocation": execution.manifest or None,
            "TotalExecutionTimeInMillis": _ms(statistics.total_s),
            "QueryQueueTimeInMillis": _ms(statistics.queued_s),
            "ServicePreProcessingTimeInMillis": 0,
            "QueryPlanningTimeInMillis": _ms(statistics.planning_s),
            "ServiceProcessingTimeInMillis": _ms(statistics.writing_s),
            "ResultReuseInformation": {"ReusedPreviousResult": False},
        },
        "WorkGroup": execution.workgroup,
        "EngineVersion": ENGINE,
        "ExecutionParameters": list(execution.parameters) or None,
    }


def _status(execution: QueryExecution) -> dict[str, Any]:
    status: dict[str, Any] = {
        "State": execution.state.value,
        "SubmissionDateTime": execution.submitted_at,
        "CompletionDateTime": execution.completed_at,
    }
    if execution.failure:
        status["StateChangeReason"] = execution.failure.text
    if execution.failure and execution.state is QueryState.FAILED:
        status["AthenaError"] = _athena_error(execution.failure)
    return status


def _athena_error(failure: QueryFailure) -> dict[str, Any]:
    return {
        "ErrorCategory": _CATEGORY[failure.name.kind],
        "ErrorType": _GENERIC_TYPE,
        "Retryable": failure.name.kind in _PASSING,
        "ErrorMessage": failure.text,
    }


def column_shape(column: ResultColumn) -> dict[str, Any]:
    """A `ColumnInfo` of a result."""
    described = column_info(column.type)
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": column.name,
        "Label": column.name,
        "Type": described.type,
        "Precision": described.precision,
        "Scale": described.scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": described.case_sensitive,
    }


def workgroup_shape(workgroup: Workgroup) -> dict[str, Any]:
    """A `WorkGroup`."""
    return {
        "Name": workgroup.name,
        "State": _state(workgroup),
        "Description": workgroup.description,
        "CreationTime": workgroup.created_at or None,
        "Configuration": {
            "ResultConfiguration": {"OutputLocation": workgroup.output} if workgroup.output else {},
            "EnforceWorkGroupConfiguration": workgroup.enforced,
            "PublishCloudWatchMetricsEnabled": workgroup.publish_metrics,
            "BytesScannedCutoffPerQuery": workgroup.bytes_cutoff,
            "RequesterPaysEnabled": False,
            "EngineVersion": ENGINE,
            "AdditionalConfiguration": _additional(workgroup),
        },
    }


def workgroup_summary(workgroup: Workgroup) -> dict[str, Any]:
    """A `WorkGroupSummary`."""
    return {
        "Name": workgroup.name,
        "State": _state(workgroup),
        "Description": workgroup.description,
        "CreationTime": workgroup.created_at or None,
        "EngineVersion": ENGINE,
    }


def _state(workgroup: Workgroup) -> str:
    return "ENABLED" if workgroup.enabled else "DISABLED"


def _additional(workgroup: Workgroup) -> str | None:
    limits = [{"bytes": one.bytes, "period_s": one.period_s} for one in workgroup.limits]
    said = {
        **({"strict": True} if workgroup.strict else {}),
        **({"data_limits": limits} if limits else {}),
    }
    return json.dumps(said) if said else None


def additional_of(text: str) -> tuple[bool, tuple[DataLimit, ...]]:
    """What `AdditionalConfiguration` says: whether strict, and the workgroup's data limits.

    Athena keeps a JSON text for its notebooks there; here it holds what Athena's API has no member
    for: `{"strict": true, "data_limits": [{"bytes": 10000000000, "period_s": 86400}]}`.

    Raises:
        UsageError: it is no such text.
    """
    strict = False
    limits: tuple[DataLimit, ...] = ()
    try:
        said = json.loads(text) if text else {}
        strict = said.pop("strict", False)
        limits = tuple(
            DataLimit(bytes=int(one["bytes"]), period_s=int(one["period_s"]))
            for one in said.pop("data_limits", [])
        )
        good = isinstance(strict, bool) and not said
        good = good and all(one.bytes > 0 and one.period_s > 0 for one in limits)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        good = False
    if not good:
        raise UsageError(
            "AdditionalConfiguration is not understood.",
            fix='write it as {"strict": true, "data_limits": [{"bytes": 1, "period_s": 86400}]}',
        )
    return strict, limits


def named_shape(query: NamedQuery) -> dict[str, Any]:
    """A `NamedQuery`."""
    return {
        "Name": query.name,
        "Description": query.description or None,
        "Database": query.database,
        "QueryString": query.sql,
        "NamedQueryId": query.id,
        "WorkGroup": query.workgroup,
    }


def prepared_shape(statement: PreparedStatement) -> dict[str, Any]:
    """A `PreparedStatement`."""
    return {
        "StatementName": statement.name,
        "QueryStatement": statement.sql,
        "WorkGroupName": statement.workgroup,
        "Description": statement.description or None,
        "LastModifiedTime": statement.changed_at,
    }


def athena_error(error: LakeveilError, operation: str) -> AwsError | None:
    """What the API answers for one of our errors; None where we are at fault ourselves."""
    message = " ".join(
        part for part in (error.what, error.why and f"({error.why})", error.fix) if part
    )
    match error:
        case Refused(code=code) if code == _TOO_MANY:
            return AwsError("TooManyRequestsException", message, members={"Reason": code.upper()})
        case Refused(code=code) if code == NO_RIGHT_TO_CALL:
            return AwsError("AccessDeniedException", error.what)
        case NotFound() if operation in _HAS_NOT_FOUND:
            return AwsError("ResourceNotFoundException", message)
        case NotFound() if operation in _HAS_METADATA:
            return AwsError("MetadataException", f"{message} ({_NOT_IN_GLUE})")
        case UsageError() | NotFound() | Refused() | Conflict():
            return AwsError(
                "InvalidRequestException",
                message,
                members={"AthenaErrorCode": "INVALID_INPUT"},
            )
        case _:
            return None


_HAS_NOT_FOUND = {"GetPreparedStatement", "UpdatePreparedStatement", "DeletePreparedStatement",
                  "TagResource", "UntagResource", "ListTagsForResource"}  # fmt: skip
_NOT_IN_GLUE = (
    "Service: AmazonDataCatalog; Status Code: 400; Error Code: EntityNotFoundException; Proxy: null"
)
"""How Athena tells whose error it passes on. PyAthena knows by it that a table is not there."""
_HAS_METADATA = {"GetDatabase", "ListDatabases", "GetTableMetadata", "ListTableMetadata"}


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
