"""What a principal may do with a database, and with a catalog."""

from __future__ import annotations

from collections.abc import Iterator

from lakeveil.core.access.deciding.decide import identities_towards
from lakeveil.core.access.grants import (
    Grant,
    OnCatalog,
    OnColumns,
    OnDatabase,
    OnFilter,
    OnTable,
    PolicyKind,
    TagPolicy,
    valid_permissions,
)
from lakeveil.core.access.lake import Database, Policy
from lakeveil.core.access.permissions import (
    NOTHING,
    ON_CATALOG,
    ON_DATABASE,
    Permission,
    Permissions,
    expanded,
)
from lakeveil.core.access.tags import matches
from lakeveil.core.identity.principal import Principal

EVERYTHING: Permissions = frozenset({Permission.ALL})


def database_permissions(
    who: Principal, database: Database, policy: Policy, *, now: float
) -> tuple[Permissions, Permissions]:
    """What a principal may do with a database, and which of that it may pass on.

    Grants on tables by tags say nothing about their database: that takes a grant of its own,
    which is why a consumer has two rules. A grant on a named table lets its holder, within the
    same account, see that the database is there.
    """
    held, passable = NOTHING, NOTHING
    if who.account == database.account:
        settings = policy.settings_of(database.account)
        if who.identities & (settings.administrators | settings.read_only_administrators):
            held |= {Permission.DESCRIBE}
    if database.owner and database.owner in who.identities:
        held, passable = held | ON_DATABASE, ON_DATABASE
    for grant in _recorded_there(who, database.account, policy, now):
        if _is_about(grant, database, policy):
            allowed = expanded(grant.permissions, ON_DATABASE)
            held |= allowed
            passable |= allowed & expanded(grant.grantable, ON_DATABASE)
        elif who.account == database.account and _names_a_table_of(grant, database):
            held |= {Permission.DESCRIBE}
    return held, passable


def catalog_permissions(
    who: Principal, account: str, policy: Policy, *, now: float
) -> tuple[Permissions, Permissions]:
    """What a principal may do with an account's catalog, and which of that it may pass on."""
    if who.account == account and who.identities & policy.settings_of(account).administrators:
        return ON_CATALOG, ON_CATALOG
    held, passable = NOTHING, NOTHING
    for grant in _recorded_there(who, account, policy, now):
        if grant.resource == OnCatalog(account):
            allowed = expanded(grant.permissions, ON_CATALOG)
            held |= allowed
            passable |= allowed & expanded(grant.grantable, ON_CATALOG)
    return held, passable


def _recorded_there(who: Principal, account: str, policy: Policy, now: float) -> Iterator[Grant]:
    # What a consumer's account records about another's databases opens nothing: seeing them
    # takes a share of the producer's own.
    for grant in policy.grants_to(identities_towards(who, account, policy)):
        if grant.account == account and grant.live(now) and grant.mask is None:
            yield grant


def _is_about(grant: Grant, database: Database, policy: Policy) -> bool:
    where = grant.resource
    if where == OnDatabase(database.account, database.name):
        return True
    if (
        not isinstance(where, TagPolicy)
        or where.kind is not PolicyKind.DATABASE
        or where.account != database.account
    ):
        return False
    expression = policy.expression_of(where)
    return expression is not None and matches(
        expression, database.effective_tags(), policy.defined_keys(database.account)
    )


def _names_a_table_of(grant: Grant, database: Database) -> bool:
    where = grant.resource
    return (
        isinstance(where, OnTable | OnColumns | OnFilter)
        and (where.account, where.database) == (database.account, database.name)
        and bool(expanded(grant.permissions, valid_permissions(where)))
    )
