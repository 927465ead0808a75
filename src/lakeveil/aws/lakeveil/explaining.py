"""ExplainAccess: why somebody sees something, or does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lakeveil.aws.lakeveil.shapes import (
    Desks,
    Shape,
    catalog_of,
    cells_shape,
    first,
    mask_shape,
    table_of,
    table_shape,
)
from lakeveil.core.access.changing.change_calls import commands
from lakeveil.core.access.changing.change_space import EVERY_KIND, ChangeKind
from lakeveil.core.access.changing.change_words import resource_in_words, words
from lakeveil.core.access.changing.changes import LakeState
from lakeveil.core.access.explaining.explain import (
    Contributing,
    EffectiveTag,
    Explanation,
    Failing,
    Obstacle,
    ObstacleKind,
)
from lakeveil.core.access.explaining.fixes import Fix
from lakeveil.errors import UsageError
from lakeveil.flows.change_access import Call
from lakeveil.flows.explain_access import Why, WhyDatabase, why, why_database


def explain_access(call: Call, params: Shape, desks: Desks) -> Shape:
    """ExplainAccess: of a database, a table, or one column."""
    desk = desks.requests
    about = params.get("Principal", call.who.arn)
    groups = params.get("Groups", ())
    if "TableName" not in params:
        if "ColumnName" in params:
            raise UsageError("ColumnName takes a TableName")
        return _database_shape(
            why_database(
                call.who,
                about,
                catalog_of(params, call.who.account),
                params["DatabaseName"].lower(),
                lake=desk.lake,
                people=desk.people,
                clock=desk.clock,
                groups=groups,
                kept=desk.kept,
            ),
            catalog_of(params, call.who.account),
        )
    column = params.get("ColumnName")
    answer = why(
        call.who,
        about,
        table_of(params, call.who.account),
        column.lower() if column else None,
        lake=desk.lake,
        people=desk.people,
        clock=desk.clock,
        groups=groups,
        kinds=EVERY_KIND - {ChangeKind[name] for name in params.get("LeaveOut", ())},
        kept=desk.kept,
    )
    return _table_shape(answer, one=column is not None)


def _database_shape(answer: WhyDatabase, account: str) -> Shape:
    return {
        "Principal": answer.principal.arn,
        "CatalogId": account,
        "DatabaseName": answer.database,
        "Permissions": sorted(answer.permissions),
        "Tables": [
            {
                "TableName": one.table.table,
                "Visible": one.visible,
                "Masked": one.masked,
                "Hidden": one.hidden,
            }
            for one in answer.tables
        ],
    }


def _table_shape(answer: Why, *, one: bool) -> Shape:
    shape: dict[str, Any] = {
        "Principal": answer.principal.arn,
        **table_shape(answer.record.table.name),
        "Everything": answer.everything,
        # Of a table with a thousand columns and many grants the rest would be without end.
        "Columns": [
            _column_shape(each, each.failing if one else each.failing[:1])
            for each in answer.columns
        ],
    }
    if answer.columns:
        some = answer.columns[0]
        shape |= {
            "KnowsOfTable": some.exists,
            "Governed": some.governed,
            "HasDataAccess": some.has_data_access,
            "ImplicitRights": some.implicit,
        }
    if answer.state is not None:
        state = answer.state
        shape["Changes"] = [_change_shape(fix, state) for fix in answer.fixes]
    return shape


def _column_shape(one: Explanation, failing: Sequence[Failing]) -> Shape:
    return {
        "Name": one.column,
        "Outcome": one.outcome.name,
        "Rows": one.rows.text(),
        "WinningMask": mask_shape(one.masks[0][0]) if one.masks else None,
        "Masks": [{"Mask": mask_shape(mask), "Rows": rows.text()} for mask, rows in one.masks],
        "Tags": [_tag_shape(tag) for tag in one.tags],
        "Grants": [_grant_shape(grant) for grant in one.contributing],
        "FailingGrants": [_failing_shape(each) for each in failing],
    }


def _tag_shape(tag: EffectiveTag) -> Shape:
    return {
        "Key": tag.key,
        "Value": tag.value,
        "Layer": tag.layer.upper(),
        "Defined": tag.defined,
        "SetBy": (tag.set_by.principal or None) if tag.set_by else None,
        "SetAt": tag.set_by.at if tag.set_by else None,
    }


def _grant_shape(grant: Contributing) -> Shape:
    return {
        "GrantId": grant.grant,
        "Via": grant.via,
        "Mask": mask_shape(grant.mask) if grant.mask else None,
        "UnfitForType": grant.unfit_for or None,
        "FilterName": grant.filter or None,
    }


def _failing_shape(one: Failing) -> Shape:
    return {
        "GrantId": one.grant.id,
        "Principal": one.grant.principal,
        "On": resource_in_words(one.grant.resource),
        "Obstacles": [_obstacle_shape(obstacle) for obstacle in one.obstacles],
    }


def _obstacle_shape(obstacle: Obstacle) -> Shape:
    return {
        "Kind": obstacle.kind.name,
        "Key": obstacle.key or None,
        "Needs": sorted(obstacle.needs) or None,
        "Has": obstacle.has,
        "Name": obstacle.name or None,
        "At": obstacle.at if obstacle.kind is ObstacleKind.EXPIRED else None,
    }


def _change_shape(fix: Fix, state: LakeState) -> Shape:
    return {
        "Steps": [
            {"Description": words(step, state), "Commands": commands(step, state)}
            for step in fix.changes
        ],
        "CellsToOthers": fix.others,
        "CellsBeyond": fix.beyond,
        "CellsLost": fix.lost,
        "Exposes": cells_shape(first(fix.exposure.gains)) if fix.exposure else [],
        "Takes": cells_shape(first(fix.exposure.losses)) if fix.exposure else [],
    }
