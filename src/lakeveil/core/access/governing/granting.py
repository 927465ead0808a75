"""Which permissions on a resource somebody may pass on, and which grants cannot be.

What an account was given by another it passes on to its own principals, through one of its
administrators and without a further grant option (Lake Formation developer guide, "Cross-account
data sharing"). A tag policy is passed on as a whole: only with the complete same expression.
"""

from __future__ import annotations

from dataclasses import dataclass

from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.governing.tag_rights import ABROAD, allows_all
from lakeveil.core.access.grants import (
    Grant,
    OnCatalog,
    OnColumns,
    OnDatabase,
    OnExpression,
    OnFilter,
    OnLocation,
    OnTable,
    OnTag,
    PolicyKind,
    Resource,
    TagPolicy,
    valid_permissions,
)
from lakeveil.core.access.lake import Database, Table
from lakeveil.core.access.permissions import (
    NOTHING,
    ON_FILTER,
    ON_LOCATION,
    ON_TABLE,
    Permission,
    Permissions,
    expanded,
)

WRITES: Permissions = ON_TABLE - {Permission.SELECT, Permission.DESCRIBE}
"""What cannot be limited to columns: nobody who may read only some of them is granted it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The things a resource names, as they were looked up; None where it names none."""

    database: Database | None = None
    table: Table | None = None


def passable_on(resource: Resource, facts: Facts, authority: Authority) -> Permissions:
    """Which permissions on a resource a principal may grant to others, or revoke from them."""
    if authority.administers(resource.account):
        return valid_permissions(resource)
    if authority.who.account != resource.account:
        if not authority.administers(authority.who.account):
            return NOTHING
        return _shared_with_account(resource, facts, authority.for_its_account())
    return _held_with_option(resource, facts, authority)


def _held_with_option(resource: Resource, facts: Facts, authority: Authority) -> Permissions:
    match resource:
        case OnCatalog(account=account):
            return authority.catalog(account)[1]
        case OnDatabase():
            return authority.database(facts.database)[1] if facts.database else NOTHING
        case OnTable() | OnColumns() | OnFilter():
            return _on_table(resource, facts.table, authority)
        case _:
            return _of_tags_or_location(resource, authority)


def _of_tags_or_location(
    resource: OnLocation | OnTag | OnExpression | TagPolicy, authority: Authority
) -> Permissions:
    account = resource.account
    match resource:
        case OnLocation(location=location):
            return ON_LOCATION if authority.location(account, location)[1] else NOTHING
        case OnTag(key=key, values=values):
            return authority.tag(account, key).passable(values)
        case OnExpression(name=name):
            return authority.expression(account, name)[1]
        case TagPolicy():
            return _by_tags(resource, authority)


def _shared_with_account(resource: Resource, facts: Facts, account: Authority) -> Permissions:
    match resource:
        case OnTable() | OnColumns():
            return _on_table(resource, facts.table, account)
        case OnFilter():
            return _on_table(resource, facts.table, account) & {Permission.SELECT}
        case OnTag(account=home, key=key, values=values):
            return account.tag(home, key).passable(values) & ABROAD
        case TagPolicy(kind=PolicyKind.TABLE):
            expression = account.policy.expression_of(resource)
            if expression is not None and allows_all(
                account.who,
                resource.account,
                Permission.DESCRIBE,
                expression,
                account.policy,
                now=account.now,
            ):
                return ON_TABLE
            return _same_resource(resource, account)
        case _:
            return NOTHING


def _on_table(
    resource: OnTable | OnColumns | OnFilter, table: Table | None, authority: Authority
) -> Permissions:
    if table is None:
        # Every table of a database: only who was given just that, with the grant option.
        return _same_resource(resource, authority)
    if isinstance(resource, OnColumns):
        every = frozenset(column.name for column in table.columns)
        picked = every - resource.named if resource.excluding else resource.named
        selects = authority.selects_to_pass_on(table, picked)
        return frozenset({Permission.SELECT}) if selects else NOTHING
    whole = authority.passable_on_table(table)
    if isinstance(resource, OnTable):
        return whole
    return ON_FILTER if Permission.SELECT in whole else _same_resource(resource, authority)


def _same_resource(resource: Resource, authority: Authority) -> Permissions:
    found = NOTHING
    for grant in authority.grants():
        if grant.resource == resource and grant.account == resource.account:
            found |= expanded(grant.grantable, valid_permissions(resource))
    return found


def _by_tags(where: TagPolicy, authority: Authority) -> Permissions:
    expression = authority.policy.expression_of(where)
    if expression is None:
        return NOTHING
    named = where.name is not None and (
        Permission.GRANT_WITH_LF_TAG_EXPRESSION
        in authority.expression(where.account, where.name)[0]
    )
    if named or allows_all(
        authority.who,
        where.account,
        Permission.GRANT_WITH_LF_TAG_EXPRESSION,
        expression,
        authority.policy,
        now=authority.now,
    ):
        return valid_permissions(where)
    return _same_resource(where, authority)


def is_column_limited(principal: str, table: Table, grants: list[Grant], now: float) -> bool:
    """Whether a principal's named grants let it select some columns of a table, but not all."""
    name = table.name
    limited = whole = False
    for grant in grants:
        on = grant.resource
        if grant.principal != principal or not grant.live(now) or on.account != name.account:
            continue
        selects = bool(grant.permissions & {Permission.SELECT, Permission.ALL}) and not grant.mask
        if not selects or not isinstance(on, OnTable | OnColumns) or on.database != name.database:
            continue
        if isinstance(on, OnTable):
            whole = whole or on.table in {None, name.table}
        elif on.table == name.table:
            limited = True
    return limited and not whole
