"""Changes as the commands that carry them out.

A command is either a call of Lake Formation's API as any client can make it, or one of our own
where AWS has none: groups of the directory, and grants that end. Nothing is run here.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lakeveil.core.access.changing.change_words import day, place_in_words
from lakeveil.core.access.changing.changes import (
    AddGrant,
    Change,
    ExtendGrant,
    JoinGroup,
    LakeState,
    LeaveGroup,
    RegisterLocation,
    RemoveGrant,
    RemoveTag,
    SetTag,
    TagPlace,
    WidenExpression,
    WidenGrant,
    apply,
    find_grant,
)
from lakeveil.core.access.grants import (
    Grant,
    OnColumns,
    OnDatabase,
    OnFilter,
    OnTable,
    Resource,
    TagPolicy,
)
from lakeveil.core.access.tags import Expression
from lakeveil.core.identity import arns
from lakeveil.errors import UsageError

Members = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """One call of Lake Formation's API, as its model has it (`GrantPermissions`)."""

    operation: str
    members: Members

    def command(self) -> str:
        """The call as a line for a shell."""
        dashed = "".join(f"-{c.lower()}" if c.isupper() else c for c in self.operation).lstrip("-")
        dashed = dashed.replace("-l-f-", "-lf-")
        members = json.dumps(self.members, sort_keys=True, ensure_ascii=False)
        return f"aws lakeformation {dashed} --cli-input-json {shlex.quote(members)}"


def commands(
    change: Change, state: LakeState, locations: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """The commands that carry a change out, in order.

    `locations` tells the location of tables (`database.table` -> `s3://bucket/prefix`).
    """
    match change:
        case JoinGroup() | LeaveGroup():
            return (_membership(change),)
        case ExtendGrant(grant=name, until=until):
            return (f"lakeveil access extend {name} --until {day(until)}",)
        case _:
            made = tuple(call.command() for call in calls(change, state, locations))
            return made or ("# no client can say this: grant anew, with its end and mask",)


def calls(  # noqa: PLR0911 - one for each change
    change: Change, state: LakeState, locations: Mapping[str, str] | None = None
) -> tuple[ApiCall, ...]:
    """The calls of Lake Formation's API that carry a change out; none where it has no such call."""
    match change:
        case SetTag(place=place, key=key, value=value):
            return (_tagging("AddLFTagsToResource", place, key, [value]),)
        case RemoveTag(place=place, key=key):
            return (_tagging("RemoveLFTagsFromResource", place, key, [_value(place, key, state)]),)
        case AddGrant(grant=grant):
            return (_granting("GrantPermissions", grant),)
        case RemoveGrant(grant=name):
            return (_granting("RevokePermissions", find_grant(name, state.policy)),)
        case WidenGrant(grant=name):
            # The API cannot alter a grant. The wider one first: nobody loses what they had.
            # Nor can it say that a grant ends or masks: the wider one would do neither.
            narrow, wide = (
                find_grant(name, state.policy),
                find_grant(name, apply(change, state).policy),
            )
            if narrow.mask or narrow.expires_at is not None:
                return ()
            return (
                _granting("GrantPermissions", wide),
                _granting("RevokePermissions", narrow),
            )
        case WidenExpression(account=account, name=name):
            saved = apply(change, state).policy.expressions[account, name]
            return (
                ApiCall(
                    operation="UpdateLFTagExpression",
                    members={
                        "CatalogId": account,
                        "Name": name,
                        "Expression": _expression(saved.body),
                    },
                ),
            )
        case RegisterLocation(table=table):
            location = (locations or {}).get(str(table), f"s3://LOCATION-OF-{table}")
            arn = f"arn:aws:s3:::{location.removeprefix('s3://').rstrip('/')}"
            return (
                ApiCall(
                    operation="RegisterResource",
                    members={"ResourceArn": arn, "UseServiceLinkedRole": True},
                ),
            )
        case _:
            return ()


def resource_members(resource: Resource) -> Members:
    """A resource as a member of the API's `Resource` union.

    Raises:
        UsageError: nothing is granted on it here.
    """
    match resource:
        case OnDatabase(account=account, database=name):
            return {"Database": {"CatalogId": account, "Name": name}}
        case OnTable(account=account, database=database, table=name):
            which: Members = {"TableWildcard": {}} if name is None else {"Name": name}
            return {"Table": {"CatalogId": account, "DatabaseName": database, **which}}
        case OnColumns(named=named, excluding=excluding):
            columns: Members = (
                {"ColumnWildcard": {"ExcludedColumnNames": sorted(named)}}
                if excluding
                else {"ColumnNames": sorted(named)}
            )
            return {
                "TableWithColumns": {
                    "CatalogId": resource.account,
                    "DatabaseName": resource.database,
                    "Name": resource.table,
                    **columns,
                }
            }
        case OnFilter(account=account, database=database, table=table, name=name):
            return {
                "DataCellsFilter": {
                    "TableCatalogId": account,
                    "DatabaseName": database,
                    "TableName": table,
                    "Name": name,
                }
            }
        case TagPolicy(account=account, kind=kind, expression=expression, name=name):
            body: Members = (
                {"ExpressionName": name}
                if expression is None
                else {"Expression": _expression(expression)}
            )
            return {"LFTagPolicy": {"CatalogId": account, "ResourceType": kind.value, **body}}
        case _:
            raise UsageError(f"`{type(resource).__name__}` is no resource of these changes")


def _granting(operation: str, grant: Grant) -> ApiCall:
    members: dict[str, Any] = {
        "CatalogId": grant.account,
        "Principal": {"DataLakePrincipalIdentifier": grant.principal},
        "Resource": resource_members(grant.resource),
        "Permissions": sorted(grant.permissions),
    }
    if grant.grantable:
        members["PermissionsWithGrantOption"] = sorted(grant.grantable)
    return ApiCall(operation=operation, members=members)


def _tagging(operation: str, place: TagPlace, key: str, values: list[str]) -> ApiCall:
    tag = {"CatalogId": place.account, "TagKey": key, "TagValues": values}
    members = {"CatalogId": place.account, "Resource": resource_members(place), "LFTags": [tag]}
    return ApiCall(operation=operation, members=members)


def _value(place: TagPlace, key: str, state: LakeState) -> str:
    for name, table in state.tables.items():
        if (name.account, name.database) != (place.account, place.database):
            continue
        layers = table.tags
        match place:
            case OnDatabase():
                return layers.database[key]
            case OnTable(table=wanted) if wanted == name.table:
                return layers.table[key]
            case OnColumns(table=wanted, named=named) if wanted == name.table:
                return layers.columns[min(named)][key]
    raise UsageError(f"`{key}` is not set on {place_in_words(place)}")


def _expression(expression: Expression) -> list[Members]:
    return [{"TagKey": key, "TagValues": values} for key, values in expression.as_dict().items()]


def _membership(change: JoinGroup | LeaveGroup) -> str:
    group, who = arns.parse(change.group), arns.parse(change.principal)
    joins = isinstance(change, JoinGroup)
    if group.kind is arns.Kind.GROUP and who.kind is arns.Kind.USER:
        verb = "add" if joins else "remove"
        words = [group.name, who.name, "--account", who.account]
        return f"lakeveil identity group {verb} {shlex.join(words)}"
    # Groups of an issuer are in its tokens, and a role is in none.
    verb, to = ("add", "to") if joins else ("remove", "from")
    return f"# {verb} {who.name} {to} {group.name} at {group.provider or 'its issuer'}"
