"""Query executions: start, look, results, stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lakeveil.aws.athena.shapes import Shape, column_shape, execution_shape
from lakeveil.core.query.execution import QueryExecution, StatementType
from lakeveil.core.query.workgroups import PRIMARY
from lakeveil.errors import NotFound, Refused, UsageError
from lakeveil.flows.change_access import Call
from lakeveil.flows.look_at_queries import own_queries, own_query, read_result, stop_query
from lakeveil.flows.query_desk import QueryDesk
from lakeveil.flows.start_query import QueryRequest, start_query

PAGE = 50
RESULT_PAGE = 1000
CATALOGS = frozenset({"", "awsdatacatalog"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AthenaDesk:
    """What Athena's operations work on. `submit` hands a queued query to who runs it."""

    queries: QueryDesk
    submit: Callable[[str, str], None]


def start_query_execution(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """StartQueryExecution."""
    context = params.get("QueryExecutionContext", {})
    if context.get("Catalog", "").lower() not in CATALOGS:
        raise UsageError(f"Catalog {context['Catalog'][:255]} is not found.")
    result = params.get("ResultConfiguration", {})
    if result.get("AclConfiguration") or result.get("EncryptionConfiguration"):
        raise UsageError("Encryption and ACLs of results are the store's to set, by bucket.")
    started = start_query(
        QueryRequest(
            sql=params["QueryString"],
            workgroup=params.get("WorkGroup", PRIMARY),
            database=context.get("Database", ""),
            catalog=context.get("Catalog", ""),
            output=result.get("OutputLocation", ""),
            parameters=tuple(params.get("ExecutionParameters", ())),
            client_token=params.get("ClientRequestToken", ""),
        ),
        call=call,
        desk=desk.queries,
    )
    desk.submit(started.account, started.id)
    return {"QueryExecutionId": started.id}


def get_query_execution(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """GetQueryExecution."""
    found = own_query(params["QueryExecutionId"], call.action, call=call, desk=desk.queries)
    return {"QueryExecution": execution_shape(found)}


def batch_get_query_execution(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """BatchGetQueryExecution: those that are the caller's; the others are told as not there."""
    found: list[Shape] = []
    missing: list[Shape] = []
    for query_id in params["QueryExecutionIds"]:
        try:
            one = own_query(query_id, call.action, call=call, desk=desk.queries)
        except (NotFound, Refused):
            missing.append(
                {
                    "QueryExecutionId": query_id,
                    "ErrorCode": "INVALID_INPUT",
                    "ErrorMessage": f"QueryExecution {query_id} was not found",
                }
            )
        else:
            found.append(execution_shape(one))
    return {"QueryExecutions": found, "UnprocessedQueryExecutionIds": missing}


def list_query_executions(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """ListQueryExecutions: the caller's own. The token is the last id of the page before."""
    size = int(params.get("MaxResults", PAGE))
    ids = own_queries(
        params.get("WorkGroup", PRIMARY),
        before=params.get("NextToken") or None,
        limit=size,
        call=call,
        desk=desk.queries,
    )
    return {
        "QueryExecutionIds": ids,
        **({"NextToken": ids[-1]} if len(ids) == size else {}),
    }


def stop_query_execution(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """StopQueryExecution."""
    stop_query(params["QueryExecutionId"], call=call, desk=desk.queries)
    return {}


def get_query_results(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """GetQueryResults: the first page of a SELECT begins with the columns' names, as Athena's."""
    if params.get("QueryResultType", "DATA_ROWS") != "DATA_ROWS":
        raise UsageError("There is no manifest of this result; its rows are.")
    found, page = read_result(
        params["QueryExecutionId"],
        start=_start(params.get("NextToken", "")),
        limit=int(params.get("MaxResults", RESULT_PAGE)),
        call=call,
        desk=desk.queries,
    )
    rows = [{"Data": [_datum(value) for value in row]} for row in page.rows]
    return {
        "UpdateCount": found.update_count or 0,
        "ResultSet": {
            "Rows": rows,
            "ResultSetMetadata": {"ColumnInfo": [column_shape(one) for one in found.columns]},
        },
        **({"NextToken": str(page.next)} if page.next is not None else {}),
    }


def get_query_runtime_statistics(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """GetQueryRuntimeStatistics."""
    found: QueryExecution = own_query(
        params["QueryExecutionId"], call.action, call=call, desk=desk.queries
    )
    took = found.statistics
    shape = execution_shape(found)["Statistics"]
    timeline = {
        name: shape[name]
        for name in (
            "QueryQueueTimeInMillis",
            "ServicePreProcessingTimeInMillis",
            "QueryPlanningTimeInMillis",
            "EngineExecutionTimeInMillis",
            "ServiceProcessingTimeInMillis",
            "TotalExecutionTimeInMillis",
        )
    }
    rows = {
        "InputBytes": took.scanned_bytes,
        "OutputBytes": took.result_bytes,
        "OutputRows": took.result_rows,
    }
    data = found.statement is StatementType.DML
    return {"QueryRuntimeStatistics": {"Timeline": timeline, **({"Rows": rows} if data else {})}}


def _datum(value: str | None) -> dict[str, str]:
    return {} if value is None else {"VarCharValue": value}


def _start(token: str) -> int:
    if not token:
        return 0
    if not token.isascii() or not token.isdigit() or len(token) > 18:  # noqa: PLR2004
        raise UsageError("NextToken is invalid, or belongs to another request.")
    return int(token)
