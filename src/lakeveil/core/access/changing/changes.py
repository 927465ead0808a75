"""Changes to who may see what, as data: what one is, and what the lake is after it.

`Change` is the whole space in which the smallest fix is searched (`fixes.py`), and what a proposed
change is written as when its effect is asked for beforehand (`exposure.py`). Applying one makes a
new state and leaves the old one alone; nothing is carried out here.

A change that does not fit the state (a tag of a table that is gone, another ontology's value) is
refused, never skipped: an effect that is not shown would be one that nobody weighed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from lakeveil.core.access.grants import (
    Grant,
    OnColumns,
    OnDatabase,
    OnTable,
    TableName,
    TagPolicy,
)
from lakeveil.core.access.lake import Policy, Table
from lakeveil.core.access.tags import Expression, TagLayers, Tags
from lakeveil.core.identity import arns
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import NotFound, UsageError

TagPlace = OnDatabase | OnTable | OnColumns
"""Where a tag is set: a database, one table, or one column of it."""


@dataclass(frozen=True, kw_only=True)
class LakeState:
    """All that decisions are made of: tables, the policy over them, and who there is."""

    tables: Mapping[TableName, Table]
    policy: Policy
    principals: Mapping[str, Principal]
    """By ARN."""

    @classmethod
    def of(
        cls, tables: Iterable[Table], policy: Policy, principals: Iterable[Principal]
    ) -> LakeState:
        """The state of these tables and principals."""
        return cls(
            tables={table.name: table for table in tables},
            policy=policy,
            principals={who.arn: who for who in principals},
        )

    @cached_property
    def groups(self) -> frozenset[str]:
        """Identifiers that more than one principal can hold, as far as anything names them."""
        settings = self.policy.settings.values()
        named = {grant.principal for grant in self.policy.grants}
        for one in settings:
            named |= one.administrators | one.read_only_administrators
        for who in self.principals.values():
            named |= who.identities
        return frozenset(name for name in named if _is_group(name))


@dataclass(frozen=True, slots=True)
class SetTag:
    """A tag's value at a place becomes this one; whatever was set there for the key goes."""

    place: TagPlace
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class RemoveTag:
    """What is set at a place for a key goes; the inherited value shows again."""

    place: TagPlace
    key: str


@dataclass(frozen=True, slots=True)
class AddGrant:
    """A new grant."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class RemoveGrant:
    """A grant goes. Never suggested: it can only close."""

    grant: str


@dataclass(frozen=True, slots=True)
class WidenGrant:
    """A grant by tags takes one value of a key more."""

    grant: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class WidenExpression:
    """A saved expression takes one value of a key more, and every grant that names it with it."""

    account: str
    name: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class ExtendGrant:
    """A grant counts until this time (UTC seconds) instead."""

    grant: str
    until: float


@dataclass(frozen=True, slots=True)
class JoinGroup:
    """A principal becomes member of a group."""

    principal: str
    group: str


@dataclass(frozen=True, slots=True)
class LeaveGroup:
    """A principal leaves a group. Never suggested: it can only close."""

    principal: str
    group: str


@dataclass(frozen=True, slots=True)
class RegisterLocation:
    """The location of a table is registered, so that grants on it count."""

    table: TableName


Change = (
    SetTag
    | RemoveTag
    | AddGrant
    | RemoveGrant
    | WidenGrant
    | WidenExpression
    | ExtendGrant
    | JoinGroup
    | LeaveGroup
    | RegisterLocation
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What a change replaces; None stays as it is."""

    tables: Mapping[TableName, Table] | None = None
    policy: Policy | None = None
    principals: Mapping[str, Principal] = field(default_factory=dict)


def apply(change: Change, state: LakeState) -> LakeState:
    """The state after a change. What it does not touch is the same object as before.

    Raises:
        NotFound: what it is about is not there.
        UsageError: it asks for something that the ontology or the grant does not have.
    """
    parts = _parts(change, state)
    return LakeState(
        tables=state.tables if parts.tables is None else {**state.tables, **parts.tables},
        policy=parts.policy or state.policy,
        principals={**state.principals, **parts.principals}
        if parts.principals
        else state.principals,
    )


def apply_all(changes: Iterable[Change], state: LakeState) -> LakeState:
    """The state after several changes, in their order."""
    for change in changes:
        state = apply(change, state)
    return state


def _parts(change: Change, state: LakeState) -> _Parts:  # noqa: PLR0911 - one for each change
    policy = state.policy
    match change:
        case SetTag() | RemoveTag():
            return _Parts(tables=_tagged(change, state))
        case AddGrant(grant=grant):
            return _Parts(policy=replace(policy, grants=(*policy.grants, grant)))
        case RemoveGrant(grant=name):
            find_grant(name, policy)
            kept = tuple(grant for grant in policy.grants if grant.id != name)
            return _Parts(policy=replace(policy, grants=kept))
        case WidenGrant():
            return _Parts(policy=_with(_widened(change, policy), policy))
        case WidenExpression():
            return _Parts(policy=_wider_expression(change, policy))
        case ExtendGrant(grant=name, until=until):
            return _Parts(policy=_with(replace(find_grant(name, policy), expires_at=until), policy))
        case JoinGroup(principal=arn, group=group):
            who = _principal(arn, state)
            joined = replace(who, identities=who.identities | {group})
            return _Parts(principals={arn: joined})
        case LeaveGroup(principal=arn, group=group):
            who = _principal(arn, state)
            left = replace(who, identities=who.identities - {group})
            return _Parts(principals={arn: left})
        case RegisterLocation(table=name):
            table = _table(name, state)
            return _Parts(tables={name: replace(table, governed=True)})


def _tagged(change: SetTag | RemoveTag, state: LakeState) -> dict[TableName, Table]:
    place = change.place
    if isinstance(change, SetTag):
        known = state.policy.tags.get((place.account, change.key))
        if known is None or change.value not in known.values:
            raise UsageError(
                f"`{change.key}={change.value}` is not a tag",
                why=f"account {place.account} defines no such key and value",
                fix="define it first",
            )
    if isinstance(place, OnDatabase):
        return {
            name: replace(table, tags=_on_database(change, table.tags))
            for name, table in state.tables.items()
            if (name.account, name.database) == (place.account, place.database)
        }
    table = _table(TableName(place.account, place.database, place.table or ""), state)
    if isinstance(place, OnTable):
        return {table.name: replace(table, tags=_on_table(change, table.tags))}
    (column,) = place.named
    if column not in {one.name for one in table.columns}:
        raise NotFound(f"`{table.name}` has no column `{column}`")
    return {table.name: replace(table, tags=_on_column(change, column, table.tags))}


def _on_database(change: SetTag | RemoveTag, layers: TagLayers) -> TagLayers:
    return replace(layers, database=_changed(change, layers.database))


def _on_table(change: SetTag | RemoveTag, layers: TagLayers) -> TagLayers:
    return replace(layers, table=_changed(change, layers.table))


def _on_column(change: SetTag | RemoveTag, column: str, layers: TagLayers) -> TagLayers:
    after = _changed(change, layers.columns.get(column, {}))
    others = {name: tags for name, tags in layers.columns.items() if name != column}
    return replace(layers, columns={**others, column: after} if after else others)


def _changed(change: SetTag | RemoveTag, tags: Tags) -> dict[str, str]:
    others = {key: value for key, value in tags.items() if key != change.key}
    return {**others, change.key: change.value} if isinstance(change, SetTag) else others


def _widened(change: WidenGrant, policy: Policy) -> Grant:
    grant = find_grant(change.grant, policy)
    where = grant.resource
    if not isinstance(where, TagPolicy) or where.expression is None:
        raise UsageError(
            f"grant `{grant.id}` has no expression of its own",
            why="it names a resource, or a saved expression",
            fix="widen the saved expression, or add a grant",
        )
    wider = _wider(where.expression, change.key, change.value)
    return replace(grant, resource=replace(where, expression=wider))


def _wider_expression(change: WidenExpression, policy: Policy) -> Policy:
    name = (change.account, change.name)
    if name not in policy.expressions:
        raise NotFound(f"account {change.account} has no expression `{change.name}`")
    saved = policy.expressions[name]
    wider = replace(saved, body=_wider(saved.body, change.key, change.value))
    return replace(policy, expressions={**policy.expressions, name: wider})


def _wider(expression: Expression, key: str, value: str) -> Expression:
    terms = dict(expression.terms)
    if key not in terms:
        # One key more would narrow it.
        raise UsageError(f"the expression `{expression}` does not name `{key}`")
    return Expression.of({**terms, key: terms[key] | {value}})


def _with(changed: Grant, policy: Policy) -> Policy:
    grants = tuple(changed if grant.id == changed.id else grant for grant in policy.grants)
    return replace(policy, grants=grants)


def find_grant(name: str, policy: Policy) -> Grant:
    """A grant by its id.

    Raises:
        NotFound: there is none.
    """
    for grant in policy.grants:
        if grant.id == name:
            return grant
    raise NotFound(f"there is no grant `{name}`")


def _table(name: TableName, state: LakeState) -> Table:
    if name not in state.tables:
        raise NotFound(f"there is no table `{name}`")
    return state.tables[name]


def _principal(arn: str, state: LakeState) -> Principal:
    if arn not in state.principals:
        raise NotFound(f"`{arn}` is not known")
    return state.principals[arn]


def _is_group(identifier: str) -> bool:
    try:
        return arns.parse(identifier).kind in {arns.Kind.GROUP, arns.Kind.FEDERATED_GROUP}
    except UsageError:
        return False
