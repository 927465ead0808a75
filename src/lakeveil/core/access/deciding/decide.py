"""The decision: what a principal may see of one table, and which grants made it so.

The rule is a union: whatever any live grant to any identity of the principal allows. What nothing
allows stays hidden, so every doubt (a missing tag, a deleted expression, an unregistered location,
an expired grant) hides. There is no input or output here and no clock; all facts are arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lakeveil.core.access.deciding.contribution import Contribution, Shown, contribution
from lakeveil.core.access.deciding.decision import (
    ADMINISTRATOR,
    OWNER,
    READ_ONLY_ADMINISTRATOR,
    Decision,
)
from lakeveil.core.access.deciding.union import Union
from lakeveil.core.access.grants import Grant, OnTag, TagPolicy
from lakeveil.core.access.lake import Policy, Table
from lakeveil.core.access.permissions import ON_TABLE, Permission, expanded
from lakeveil.core.access.rows import ALL
from lakeveil.core.access.tags import ANY
from lakeveil.core.identity.principal import Principal


def decide(who: Principal, table: Table, policy: Policy, *, now: float) -> Decision:
    """What a principal may see of a table at a time (UTC seconds)."""
    total = Union()
    for reason, part in _parts(who, table, policy, now):
        total.add(reason, part)
    return total.decision(table)


def passable(who: Principal, table: Table, policy: Policy, *, now: float) -> Contribution:
    """What a principal may pass on: permissions of the whole table, and cells of its columns."""
    total = Union()
    for reason, part in _parts(who, table, policy, now):
        total.add(reason, part.passable())
    return total.contribution()


def identities_towards(who: Principal, account: str, policy: Policy) -> frozenset[str]:
    """Every identifier that speaks for a principal in front of an account's resources.

    What is shared with an account as a whole speaks for its administrators, who pass it on.
    """
    if who.account == account or not is_administrator(who, policy):
        return who.identities
    return who.identities | {who.account} | policy.settings_of(who.account).organisations


def is_administrator(who: Principal, policy: Policy) -> bool:
    """Whether a principal is a data lake administrator of its own account."""
    return bool(who.identities & policy.settings_of(who.account).administrators)


def _parts(
    who: Principal, table: Table, policy: Policy, now: float
) -> Iterator[tuple[str, Contribution]]:
    yield from implicit(who, table, policy)
    if not table.governed:
        return
    for grant, limit in _speaking(who, table, policy, now):
        part = contribution(grant, table, policy)
        if part is not None and limit is not None:
            part = limit.within(part)
        if part is not None:
            yield grant.id, part


def implicit(who: Principal, table: Table, policy: Policy) -> Iterator[tuple[str, Contribution]]:
    """What a principal holds without any grant: as administrator, and as owner."""
    home = table.name.account
    if who.account == home:
        settings = policy.settings_of(home)
        describe = Contribution(permissions=frozenset({Permission.DESCRIBE}))
        if who.identities & settings.administrators:
            yield ADMINISTRATOR, describe
        if who.identities & settings.read_only_administrators:
            yield READ_ONLY_ADMINISTRATOR, describe
    if table.owner and table.owner in who.identities:
        every = expanded(frozenset({Permission.ALL}), ON_TABLE)
        cells: dict[str, Shown] = {column.name: {None: ALL} for column in table.columns}
        yield OWNER, Contribution(permissions=every, grantable=every, cells=cells)


def _speaking(
    who: Principal, table: Table, policy: Policy, now: float
) -> Iterator[tuple[Grant, Union | None]]:
    """The live grants that speak for a principal, each with what it is limited to.

    A grant that the principal's own account recorded on another account's table passes on what
    was shared; it never reaches further than that share does now.
    """
    home = table.name.account
    for grant in policy.grants_to(identities_towards(who, home, policy)):
        if not grant.live(now):
            continue
        if grant.account == home:
            yield grant, None
        elif grant.account == who.account:
            yield grant, shared_with(who.account, grant, table, policy, now)


def shared_with(account: str, passing_on: Grant, table: Table, policy: Policy, now: float) -> Union:
    """What an account was given of a table and may pass on with this grant."""
    identities = {account, *policy.settings_of(account).organisations}
    shares = [
        grant
        for grant in policy.grants_to(identities)
        if grant.account == table.name.account and grant.live(now)
    ]
    # With DESCRIBE on all the tags that it names, a tag policy needs no grant option to cascade
    # what was shared by tags.
    freely = describes_all(passing_on, shares, policy)
    total = Union()
    for share in shares:
        part = contribution(share, table, policy)
        if part is not None:
            by_tags = isinstance(share.resource, TagPolicy)
            total.add(share.id, part if freely and by_tags else part.passable())
    return total


def describes_all(passing_on: Grant, shares: Iterable[Grant], policy: Policy) -> bool:
    """Whether an account may describe every tag and value that a tag policy names."""
    where = passing_on.resource
    expression = policy.expression_of(where) if isinstance(where, TagPolicy) else None
    return expression is not None and all(
        _describes(key, values, where.account, shares) for key, values in expression.terms
    )


def _describes(key: str, values: frozenset[str], account: str, shares: Iterable[Grant]) -> bool:
    known: set[str] = set()
    for share in shares:
        on = share.resource
        if (
            isinstance(on, OnTag)
            and (on.account, on.key) == (account, key)
            and Permission.DESCRIBE in share.permissions
        ):
            known |= on.values
    return ANY in known or values <= known
