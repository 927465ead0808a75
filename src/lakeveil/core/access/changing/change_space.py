"""Every change that could be suggested to show a column to somebody, as data.

`change_space` is all of it. `relevant_changes` is what can matter for one column, and tests hold
the search over the second against brute force over the first. Not in either: what would make
somebody administrator, and anything that only closes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

from lakeveil.core.access.changing.changes import (
    AddGrant,
    Change,
    ExtendGrant,
    JoinGroup,
    LakeState,
    RegisterLocation,
    RemoveTag,
    SetTag,
    TagPlace,
    WidenExpression,
    WidenGrant,
)
from lakeveil.core.access.grants import (
    Grant,
    OnColumns,
    OnDatabase,
    OnTable,
    PolicyKind,
    TableName,
    TagPolicy,
)
from lakeveil.core.access.guards import shown
from lakeveil.core.access.lake import Policy, Table
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import ANY, Expression, Tags
from lakeveil.core.identity import arns
from lakeveil.core.identity.principal import Principal

EXTENSION_S = 30 * 86_400.0
"""For how long from now an expired grant is suggested to count again."""


class ChangeKind(StrEnum):
    """The kinds of suggestions, in the order in which equal ones are ranked."""

    EXTEND = "extend"
    """Let an expired grant of the principal count again."""
    GRANT_COLUMN = "grant-column"
    """Grant SELECT on a column by name."""
    REGISTER = "register"
    """Register the table's location."""
    JOIN = "join"
    """Make the principal member of a group of its account."""
    WIDEN = "widen"
    """Let one of the principal's grants by tags take one more value of a key that it names."""
    GRANT_TAGS = "grant-tags"
    """Grant SELECT by an expression: a saved one, one that some grant uses, or exactly the tags of
    the column that is asked for."""
    SET_TAG = "set-tag"
    """Set a value of the ontology on a column, table or database."""
    REMOVE_TAG = "remove-tag"
    """Remove what is set there, so that the inherited value shows."""
    WIDEN_EXPRESSION = "widen-expression"
    """Let a saved expression that a grant of the principal names take one more value."""


EVERY_KIND = frozenset(ChangeKind)
_RANK = {kind: number for number, kind in enumerate(ChangeKind)}


def kind_of(change: Change) -> ChangeKind | None:  # noqa: PLR0911 - one for each kind
    """Which kind of suggestion a change is; None for those that only close."""
    match change:
        case SetTag():
            return ChangeKind.SET_TAG
        case RemoveTag():
            return ChangeKind.REMOVE_TAG
        case AddGrant(grant=grant):
            by_tags = isinstance(grant.resource, TagPolicy)
            return ChangeKind.GRANT_TAGS if by_tags else ChangeKind.GRANT_COLUMN
        case WidenGrant():
            return ChangeKind.WIDEN
        case WidenExpression():
            return ChangeKind.WIDEN_EXPRESSION
        case ExtendGrant():
            return ChangeKind.EXTEND
        case JoinGroup():
            return ChangeKind.JOIN
        case RegisterLocation():
            return ChangeKind.REGISTER
        case _:
            return None


def change_space(
    who: Principal, table: TableName, column: str, state: LakeState, *, now: float
) -> Iterator[Change]:
    """Every single change that could be suggested in a state, whether it helps or not.

    The column that is asked for matters for one thing only: a grant by exactly its tags.
    """
    for one in state.tables.values():
        database = OnDatabase(one.name.account, one.name.database)
        yield from _tag_changes(database, one.tags.database, state.policy)
        on_table = OnTable(one.name.account, one.name.database, one.name.table)
        yield from _tag_changes(on_table, one.tags.table, state.policy)
        for each in one.columns:
            place = _on_column(one.name, each.name)
            yield from _tag_changes(place, one.tags.columns.get(each.name, {}), state.policy)
            yield AddGrant(_grant(who, place))
        if not one.governed:
            yield RegisterLocation(one.name)
    for policy in _tag_policies(state.tables[table], column, state):
        yield AddGrant(_grant(who, policy))
    for grant in state.policy.grants_to(speaking_for(who, state.policy)):
        yield from _grant_changes(grant, state.policy, now)
    for group in joinable(who, state):
        yield JoinGroup(who.arn, group)


def relevant_changes(
    who: Principal, table: TableName, column: str, state: LakeState, *, now: float
) -> list[Change]:
    """Those of the space that can help to show the column, each once.

    A tag's value that no expression names matches nothing, so setting it never helps; neither does
    a tag beside the way to the column, nor a group without a grant in the table's account.
    """
    found = state.tables[table]
    wanted = _wanted_values(who, found, column, state)
    place = _on_column(table, column)
    layers: list[tuple[TagPlace, Tags]] = [
        (OnDatabase(table.account, table.database), found.tags.database),
        (OnTable(table.account, table.database, table.table), found.tags.table),
        (place, found.tags.columns.get(column, {})),
    ]
    changes: list[Change] = [
        change
        for on, tags in layers
        for change in _tag_changes(on, tags, state.policy)
        if isinstance(change, RemoveTag)
        or wanted.get(change.key, frozenset()) & {change.value, ANY}
    ]
    changes.append(AddGrant(_grant(who, place)))
    if not found.governed:
        changes.append(RegisterLocation(table))
    changes += [AddGrant(_grant(who, one)) for one in _tag_policies(found, column, state)]
    for grant in state.policy.grants_to(speaking_for(who, state.policy)):
        if grant.resource.account == table.account:
            changes += _grant_changes(grant, state.policy, now)
    named = {g.principal for g in state.policy.grants if g.resource.account == table.account}
    named.add(found.owner)
    changes += [JoinGroup(who.arn, one) for one in joinable(who, state) if one in named]
    return list(dict.fromkeys(changes))


def _tag_changes(place: TagPlace, there: Tags, policy: Policy) -> Iterator[SetTag | RemoveTag]:
    for (account, key), tag in policy.tags.items():
        if account == place.account:
            for value in sorted(tag.values - {there.get(key)}):
                yield SetTag(place, key, value)
    for key in shown(there):
        yield RemoveTag(place, key)


def _grant_changes(grant: Grant, policy: Policy, now: float) -> Iterator[Change]:
    if not grant.live(now):
        yield ExtendGrant(grant.id, now + EXTENSION_S)
    where = grant.resource
    if not isinstance(where, TagPolicy) or where.kind is not PolicyKind.TABLE:
        return
    expression = policy.expression_of(where)
    for key, values in expression.terms if expression else ():
        tag = policy.tags.get((where.account, key))
        if tag is None or ANY in values:
            continue
        for value in sorted(tag.values - values):
            if where.name is None:
                yield WidenGrant(grant.id, key, value)
            else:
                yield WidenExpression(where.account, where.name, key, value)


def _tag_policies(table: Table, column: str, state: LakeState) -> Iterator[TagPolicy]:
    """What could be granted by tags in the table's account."""
    account, policy = table.name.account, state.policy
    for owner, name in sorted(policy.expressions):
        if owner == account:
            yield TagPolicy(account, PolicyKind.TABLE, name=name)
    used = [
        grant.resource.expression
        for grant in policy.grants
        if isinstance(grant.resource, TagPolicy)
        and grant.resource.kind is PolicyKind.TABLE
        and grant.resource.account == account
        and grant.resource.expression is not None
    ]
    defined = policy.defined_keys(account)
    carried = shown(table.tags.of_column(column))
    exact = {k: {v} for k, v in carried.items() if k in defined}
    if exact:
        used.append(Expression.of(exact))
    for expression in dict.fromkeys(used):
        yield TagPolicy(account, PolicyKind.TABLE, expression=expression)


def _wanted_values(
    who: Principal, table: Table, column: str, state: LakeState
) -> Mapping[str, frozenset[str]]:
    """Per key, the values that some expression names which speaks for the principal, or could."""
    found: dict[str, frozenset[str]] = {}
    policies = list(_tag_policies(table, column, state))
    policies += [
        grant.resource for grant in state.policy.grants if isinstance(grant.resource, TagPolicy)
    ]
    for policy in policies:
        expression = state.policy.expression_of(policy)
        for key, values in expression.terms if expression else ():
            found[key] = found.get(key, frozenset()) | values
    # A grant that is widened first names what it did not.
    for grant in state.policy.grants_to(speaking_for(who, state.policy)):
        for change in _grant_changes(grant, state.policy, 0.0):
            if isinstance(change, WidenGrant | WidenExpression):
                found[change.key] = found.get(change.key, frozenset()) | {change.value}
    return found


def speaking_for(who: Principal, policy: Policy) -> frozenset[str]:
    """Whom grants name that matter for a principal: shares with its account limit the others."""
    return who.identities | {who.account} | policy.settings_of(who.account).organisations


def joinable(who: Principal, state: LakeState) -> Iterator[str]:
    """The groups that a principal could be made member of: its account's, none of rulers."""
    rulers = {
        name
        for settings in state.policy.settings.values()
        for name in settings.administrators | settings.read_only_administrators
    }
    for group in sorted(state.groups - who.identities - rulers):
        if arns.account_of(group) == who.account:
            yield group


def _grant(who: Principal, on: OnColumns | TagPolicy) -> Grant:
    return Grant(
        id="",
        account=on.account,
        principal=who.arn,
        resource=on,
        permissions=frozenset({Permission.SELECT}),
    )


def _on_column(table: TableName, column: str) -> OnColumns:
    return OnColumns(table.account, table.database, table.table, frozenset({column}))


def order_of(change: Change) -> tuple[int, str]:
    """A fixed order of changes, by kind first."""
    kind = kind_of(change)
    return (len(_RANK) if kind is None else _RANK[kind], _spelled(change))


def _spelled(change: Change) -> str:
    # Sets print in no fixed order: what tells two changes of a kind apart, spelled out.
    match change:
        case SetTag(place=place, key=key, value=value):
            return f"{_place(place)} {key}={value}"
        case RemoveTag(place=place, key=key):
            return f"{_place(place)} {key}"
        case AddGrant(grant=grant) if isinstance(grant.resource, TagPolicy):
            return f"{grant.resource.name or ''} {grant.resource.expression or ''}"
        case AddGrant(grant=grant) if isinstance(grant.resource, OnColumns):
            return _place(grant.resource)
        case _:
            return str(change)


def _place(place: TagPlace) -> str:
    match place:
        case OnDatabase(account=account, database=database):
            return f"{account} {database}"
        case OnTable(account=account, database=database, table=table):
            return f"{account} {database} {table}"
        case OnColumns(account=account, database=database, table=table, named=named):
            return f"{account} {database} {table} {' '.join(sorted(named))}"
