"""Asking for access and answering: requests, and the glass that can be broken."""

from __future__ import annotations

from lakeveil.aws.lakeveil.shapes import (
    PAGE,
    Desks,
    Shape,
    catalog_of,
    cells_shape,
    columns_of,
    table_of,
    table_shape,
)
from lakeveil.aws.paging import page
from lakeveil.core.access.explaining.access_requests import DEFAULT_DAYS, AccessRequest
from lakeveil.flows import request_access as flow
from lakeveil.flows.change_access import Call

EMERGENCY_S = 3_600
"""How long broken glass lets somebody in, where they do not say."""


def request_access(call: Call, params: Shape, desks: Desks) -> Shape:
    """RequestAccess."""
    made = flow.request_access(
        call.who,
        table_of(params, call.who.account),
        columns_of(params),
        params["Reason"],
        desk=desks.requests,
    )
    return {"Request": _request_shape(made)}


def list_access_requests(call: Call, params: Shape, desks: Desks) -> Shape:
    """ListAccessRequests: the caller's own, those it may answer, all for who views everything."""
    account, states = catalog_of(params, call.who.account), params.get("States")
    found = [
        one
        for one in flow.requests_for(call.who, account, desk=desks.requests)
        if not states or one.state.name in states
    ]
    requests, token = page(
        sorted(found, key=_key),
        _key,
        params,
        asker=f"{call.action} {call.who.caller_arn}",
        size=PAGE,
    )
    return {"Requests": [_request_shape(one) for one in requests], **token}


def describe_access_request(call: Call, params: Shape, desks: Desks) -> Shape:
    """DescribeAccessRequest: with what approving it exposes."""
    seen = flow.preview(call.who, params["RequestId"], desk=desks.requests)
    return {
        "Request": _request_shape(seen.request.at(desks.requests.clock.now())),
        "AskedOf": sorted(seen.approvers.asked),
        "Cells": seen.cells,
        "Exposes": cells_shape(seen.exposure.gains),
    }


def approve_access_request(call: Call, params: Shape, desks: Desks) -> Shape:
    """ApproveAccessRequest: only while it exposes what its description said."""
    done = flow.approve(
        call.who,
        params["RequestId"],
        days=params.get("Days", DEFAULT_DAYS),
        cells=params["Cells"],
        desk=desks.requests,
    )
    return {"Request": _request_shape(done)}


def deny_access_request(call: Call, params: Shape, desks: Desks) -> Shape:
    """DenyAccessRequest."""
    done = flow.deny(call.who, params["RequestId"], params["Reason"], desk=desks.requests)
    return {"Request": _request_shape(done)}


def withdraw_access_request(call: Call, params: Shape, desks: Desks) -> Shape:
    """WithdrawAccessRequest."""
    done = flow.withdraw(call.who, params["RequestId"], desk=desks.requests)
    return {"Request": _request_shape(done)}


def break_glass(call: Call, params: Shape, desks: Desks) -> Shape:
    """BreakGlass: for the caller alone."""
    done = flow.break_glass(
        call.who,
        table_of(params, call.who.account),
        columns_of(params),
        params["Reason"],
        seconds=params.get("DurationSeconds", EMERGENCY_S),
        desk=desks.requests,
    )
    return {"Request": _request_shape(done)}


def _key(one: AccessRequest) -> tuple[int, str]:
    return int(one.asked_at * 1_000), one.id


def _request_shape(one: AccessRequest) -> Shape:
    return {
        "RequestId": one.id,
        "State": one.state.name,
        "Requester": one.requester,
        **table_shape(one.table),
        "ColumnNames": one.columns,
        "Reason": one.reason,
        "RequestedAt": one.asked_at,
        "AnsweredBy": one.answered_by or None,
        "AnsweredAt": one.answered_at,
        "Answer": one.answer or None,
        "ExpiresAt": one.until,
        "GrantId": one.grant or None,
        "Own": one.own,
    }
