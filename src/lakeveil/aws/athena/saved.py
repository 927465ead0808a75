"""Named queries and prepared statements."""

from __future__ import annotations

from dataclasses import replace

from lakeveil.aws.athena.executions import AthenaDesk
from lakeveil.aws.athena.shapes import Shape, named_shape, prepared_shape
from lakeveil.aws.paging import page
from lakeveil.core.query.workgroups import PRIMARY
from lakeveil.errors import NotFound, UsageError
from lakeveil.flows.change_access import Call
from lakeveil.flows.change_workgroups import (
    known_statement,
    known_workgroup,
    prepare,
    save_query,
)
from lakeveil.flows.query_desk import workgroup_arn
from lakeveil.ports.queries import NamedQuery, PreparedStatement

PAGE = 50


def create_named_query(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """CreateNamedQuery."""
    saved = save_query(
        NamedQuery(
            id="",
            account=call.who.account,
            workgroup=params.get("WorkGroup", PRIMARY),
            name=params["Name"],
            database=params["Database"],
            sql=params["QueryString"],
            description=params.get("Description", ""),
        ),
        call=call,
        desk=desk.queries,
    )
    return {"NamedQueryId": saved.id}


def get_named_query(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """GetNamedQuery."""
    return {"NamedQuery": named_shape(_named(params["NamedQueryId"], call, desk))}


def batch_get_named_query(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """BatchGetNamedQuery."""
    found, missing = [], []
    for query_id in params["NamedQueryIds"]:
        try:
            found.append(named_shape(_named(query_id, call, desk)))
        except NotFound:
            missing.append(
                {
                    "NamedQueryId": query_id,
                    "ErrorCode": "INVALID_INPUT",
                    "ErrorMessage": f"NamedQuery {query_id} was not found",
                }
            )
    return {"NamedQueries": found, "UnprocessedNamedQueryIds": missing}


def update_named_query(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """UpdateNamedQuery."""
    before = _named(params["NamedQueryId"], call, desk)
    save_query(
        replace(
            before,
            name=params["Name"],
            sql=params["QueryString"],
            description=params.get("Description", before.description),
        ),
        call=call,
        desk=desk.queries,
    )
    return {}


def delete_named_query(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """DeleteNamedQuery."""
    found = _named(params["NamedQueryId"], call, desk)
    desk.queries.workgroups.remove_named(call.who.account, found.id)
    return {}


def list_named_queries(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """ListNamedQueries: ids of a workgroup's."""
    workgroup = known_workgroup(params.get("WorkGroup", PRIMARY), call=call, desk=desk.queries)
    found, token = page(
        desk.queries.workgroups.named_in(call.who.account, workgroup.name),
        lambda one: (one.name, one.id),
        params,
        asker=f"ListNamedQueries {call.who.caller_arn}",
        size=PAGE,
    )
    return {"NamedQueryIds": [one.id for one in found], **token}


def create_prepared_statement(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """CreatePreparedStatement."""
    prepare(_statement(call, params), new=True, call=call, desk=desk.queries)
    return {}


def update_prepared_statement(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """UpdatePreparedStatement."""
    prepare(_statement(call, params), new=False, call=call, desk=desk.queries)
    return {}


def get_prepared_statement(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """GetPreparedStatement."""
    found = known_statement(
        params["StatementName"], params["WorkGroup"], call=call, desk=desk.queries
    )
    return {"PreparedStatement": prepared_shape(found)}


def batch_get_prepared_statement(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """BatchGetPreparedStatement."""
    found, missing = [], []
    for name in params["PreparedStatementNames"]:
        try:
            one = known_statement(name, params["WorkGroup"], call=call, desk=desk.queries)
        except NotFound as error:
            missing.append(
                {
                    "StatementName": name,
                    "ErrorCode": "STATEMENT_NOT_FOUND",
                    "ErrorMessage": error.what,
                }
            )
        else:
            found.append(prepared_shape(one))
    return {"PreparedStatements": found, "UnprocessedPreparedStatementNames": missing}


def list_prepared_statements(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """ListPreparedStatements."""
    workgroup = known_workgroup(params["WorkGroup"], call=call, desk=desk.queries)
    found, token = page(
        desk.queries.workgroups.prepared_in(call.who.account, workgroup.name),
        lambda one: (one.name,),
        params,
        asker=f"ListPreparedStatements {call.who.caller_arn}",
        size=PAGE,
    )
    return {
        "PreparedStatements": [
            {"StatementName": one.name, "LastModifiedTime": one.changed_at} for one in found
        ],
        **token,
    }


def delete_prepared_statement(call: Call, params: Shape, desk: AthenaDesk) -> Shape:
    """DeletePreparedStatement."""
    found = known_statement(
        params["StatementName"], params["WorkGroup"], call=call, desk=desk.queries
    )
    desk.queries.workgroups.remove_prepared(call.who.account, found.workgroup, found.name)
    return {}


def _statement(call: Call, params: Shape) -> PreparedStatement:
    if not params["QueryStatement"].strip():
        raise UsageError("A prepared statement has a query.")
    return PreparedStatement(
        account=call.who.account,
        workgroup=params["WorkGroup"],
        name=params["StatementName"],
        sql=params["QueryStatement"],
        description=params.get("Description", ""),
    )


def _named(query_id: str, call: Call, desk: AthenaDesk) -> NamedQuery:
    """A saved query. One in a workgroup that is not the caller's to use is not there for them."""
    found = desk.queries.workgroups.named(call.who.account, query_id)
    if found is not None:
        arn = workgroup_arn(desk.queries, found.account, found.workgroup)
        if call.who.rights.allows(call.action, arn):
            return found
    raise NotFound(f"NamedQuery {query_id} was not found")
