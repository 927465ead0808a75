"""Saved LF-Tag expressions."""

from __future__ import annotations

from typing import Any

from lakeveil.aws.lakeformation.shapes import Shape, account_of, expression, expression_shape
from lakeveil.aws.paging import page
from lakeveil.core.access.tags import SavedExpression
from lakeveil.flows.change_access import AccessDesk, Call, looking
from lakeveil.flows.change_tags import delete_expression, save_expression, update_expression
from lakeveil.flows.known_resources import known_expression
from lakeveil.flows.look_at_tags import visible_expressions

PAGE = 100


def create_lf_tag_expression(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """CreateLFTagExpression."""
    save_expression(
        account_of(params, call.who.account),
        params["Name"],
        expression(params["Expression"]),
        description=params.get("Description", ""),
        call=call,
        desk=desk,
    )
    return {}


def get_lf_tag_expression(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """GetLFTagExpression."""
    account = account_of(params, call.who.account)
    return _shape(known_expression(looking(call.who, desk), account, params["Name"]))


def update_lf_tag_expression(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """UpdateLFTagExpression: every grant that names it moves with it."""
    update_expression(
        account_of(params, call.who.account),
        params["Name"],
        expression(params["Expression"]),
        description=params.get("Description"),
        call=call,
        desk=desk,
    )
    return {}


def delete_lf_tag_expression(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """DeleteLFTagExpression: the grants that name it go with it."""
    delete_expression(account_of(params, call.who.account), params["Name"], call=call, desk=desk)
    return {}


def list_lf_tag_expressions(call: Call, params: Shape, desk: AccessDesk) -> Shape:
    """ListLFTagExpressions."""
    account = account_of(params, call.who.account)
    found, token = page(
        visible_expressions(looking(call.who, desk), account),
        lambda saved: (saved.name,),
        params,
        asker=f"ListLFTagExpressions {call.who.caller_arn}",
        size=PAGE,
    )
    return {"LFTagExpressions": [_shape(saved) for saved in found], **token}


def _shape(saved: SavedExpression) -> dict[str, Any]:
    return {
        "Name": saved.name,
        "Description": saved.description,
        "CatalogId": saved.account,
        "Expression": expression_shape(saved.body),
    }
