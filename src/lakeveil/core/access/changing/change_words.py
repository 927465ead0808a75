"""Changes in words, one line each, for whoever has to decide about them."""

from __future__ import annotations

from datetime import UTC, datetime

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
from lakeveil.core.identity import arns
from lakeveil.errors import UsageError


def spoken(identifier: str) -> str:
    """A principal's identifier as people say it.

    >>> spoken("arn:aws:iam::123456789012:group/analysts")
    'group analysts'
    """
    try:
        found = arns.parse(identifier)
    except UsageError:
        return identifier
    match found.kind:
        case arns.Kind.USER | arns.Kind.FEDERATED_USER:
            return found.name
        case arns.Kind.ACCOUNT:
            return f"account {found.account}"
        case arns.Kind.IAM_PRINCIPALS:
            return f"everybody in account {found.account}"
        case arns.Kind.FEDERATED_GROUP:
            return f"group {found.name}"
        case _:
            return f"{found.kind.value} {found.name}"


def words(change: Change, state: LakeState) -> str:  # noqa: C901, PLR0911 - one for each change
    """What a change does, in one line."""
    match change:
        case SetTag(place=place, key=key, value=value):
            return f"set {key}={value} on {place_in_words(place)}"
        case RemoveTag(place=place, key=key):
            return f"remove {key} from {place_in_words(place)}"
        case AddGrant(grant=grant):
            what = f"{_permissions(grant)} on {resource_in_words(grant.resource)}"
            return f"grant {spoken(grant.principal)} {what}"
        case RemoveGrant(grant=name):
            return f"revoke grant {name}"
        case WidenGrant(grant=name, key=key, value=value):
            holder = spoken(find_grant(name, state.policy).principal)
            return f"let grant {name} of {holder} take {key}={value}, too"
        case WidenExpression(name=name, key=key, value=value):
            return f"let expression {name} take {key}={value}, too"
        case ExtendGrant(grant=name, until=until):
            holder = spoken(find_grant(name, state.policy).principal)
            return f"extend grant {name} of {holder} until {day(until)}"
        case JoinGroup(principal=arn, group=group):
            return f"add {spoken(arn)} to {spoken(group)}"
        case LeaveGroup(principal=arn, group=group):
            return f"remove {spoken(arn)} from {spoken(group)}"
        case RegisterLocation(table=table):
            return f"register the location of {table}"


def day(at: float) -> str:
    """The day of a time (UTC seconds), as `2026-03-02`."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def _permissions(grant: Grant) -> str:
    through = f" through mask {grant.mask}" if grant.mask else ""
    return ", ".join(sorted(grant.permissions)) + through


def resource_in_words(resource: Resource) -> str:  # noqa: PLR0911 - one for each resource
    """What a grant is on."""
    match resource:
        case OnDatabase() | OnTable():
            return place_in_words(resource)
        case OnColumns(named=named, excluding=False) if len(named) == 1:
            return f"{resource.database}.{resource.table}.{min(named)} by name"
        case OnColumns(named=named, excluding=excluding):
            these = ", ".join(sorted(named))
            which = f"every column but {these}" if excluding else these
            return f"{which} of {resource.database}.{resource.table} by name"
        case OnFilter(name=name):
            return f"filter {name} of {resource.database}.{resource.table}"
        case TagPolicy(name=str(name)):
            return f"everything that expression {name} matches"
        case TagPolicy(expression=expression):
            return f"everything with {expression}"
        case _:
            return type(resource).__name__


def place_in_words(place: TagPlace) -> str:
    """Where a tag sits."""
    match place:
        case OnDatabase(database=database):
            return f"database {database}"
        case OnTable(database=database, table=None):
            return f"every table of {database}"
        case OnTable(database=database, table=table):
            return f"table {database}.{table}"
        case OnColumns(database=database, table=table, named=named):
            return f"column {database}.{table}.{min(named)}"
