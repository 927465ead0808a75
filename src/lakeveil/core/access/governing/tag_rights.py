"""What a principal may do with a tag of an ontology, and with a saved expression.

Permissions on a tag are for some of its values, or for `*`, all of them. Whoever created a tag, and
a data lake administrator, may alter and drop it and grant with it without any grant. Only the
creator may assign it, too: an administrator first grants that to itself (Lake Formation developer
guide, "Adding LF-Tag creators"). From another account a tag can be described and assigned, no
more, and an account passes on no more than it was given with the grant option.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lakeveil.core.access.deciding.decide import identities_towards, is_administrator
from lakeveil.core.access.grants import Grant, OnExpression, OnTag
from lakeveil.core.access.lake import Policy
from lakeveil.core.access.permissions import NOTHING, ON_EXPRESSION, ON_TAG, Permission, Permissions
from lakeveil.core.access.tags import ANY, Expression
from lakeveil.core.identity.principal import Principal

Values = frozenset[str]
EVERY: Values = frozenset({ANY})
ABROAD: Permissions = frozenset({Permission.DESCRIBE, Permission.ASSOCIATE})
"""All that another account can be given on a tag or hand on."""


@dataclass(frozen=True, slots=True)
class TagRights:
    """For each permission the values it is held for, and those it may be passed on for."""

    held: Mapping[Permission, Values] = field(default_factory=dict)
    grantable: Mapping[Permission, Values] = field(default_factory=dict)

    def allow(self, permission: Permission, values: Iterable[str]) -> bool:
        """Whether the permission is held for all these values."""
        return covers(self.held.get(permission, frozenset()), values)

    def passable(self, values: Iterable[str]) -> Permissions:
        """The permissions that may be passed on for all these values."""
        wanted = frozenset(values)
        return frozenset(p for p, given in self.grantable.items() if covers(given, wanted))

    def known(self, values: Values) -> Values:
        """Those of a tag's values that the holder may know of."""
        return shared(self.held.get(Permission.DESCRIBE, frozenset()), values)


def covers(given: Values, values: Iterable[str]) -> bool:
    """Whether `given` values include all others; only `*` includes `*`."""
    return ANY in given or frozenset(values) <= given


def shared(one: Values, other: Values) -> Values:
    """The values that both include."""
    if ANY in one:
        return other
    return one if ANY in other else one & other


def tag_rights(who: Principal, account: str, key: str, policy: Policy, *, now: float) -> TagRights:
    """What a principal may do with a tag; nothing where there is no such tag."""
    tag = policy.tags.get((account, key))
    if tag is None:
        return TagRights()
    held: dict[Permission, Values] = {}
    passable: dict[Permission, Values] = {}
    at_home = who.account == account
    settings = policy.settings_of(account)
    if at_home and tag.created_by in who.identities:
        _add(held, ON_TAG, EVERY)
        _add(passable, ON_TAG, EVERY)
    if at_home and who.identities & settings.administrators:
        _add(held, ON_TAG - {Permission.ASSOCIATE}, EVERY)
        _add(passable, ON_TAG, EVERY)
    if at_home and who.identities & settings.read_only_administrators:
        _add(held, {Permission.DESCRIBE}, EVERY)
    for grant, values in _on_tag(who, account, key, policy, now):
        _add(held, grant.permissions & ON_TAG, values)
        if values and grant.account == account:
            _add(passable, grant.grantable & ON_TAG, values)
    return TagRights(held, passable)


def as_account(account: str, policy: Policy) -> Principal:
    """An account as a whole, with all that was shared with it."""
    return Principal(
        arn=account,
        account=account,
        identities=frozenset({account}) | policy.settings_of(account).organisations,
    )


def allows_all(
    who: Principal,
    account: str,
    permission: Permission,
    expression: Expression,
    policy: Policy,
    *,
    now: float,
) -> bool:
    """Whether a permission is held on every key and value of an expression."""
    return all(
        tag_rights(who, account, key, policy, now=now).allow(permission, values)
        for key, values in expression.terms
    )


def expression_rights(
    who: Principal, account: str, name: str, policy: Policy, *, now: float
) -> tuple[Permissions, Permissions]:
    """What a principal may do with a saved expression, and which of that it may pass on."""
    if (account, name) not in policy.expressions or who.account != account:
        return NOTHING, NOTHING
    if is_administrator(who, policy):
        return ON_EXPRESSION, ON_EXPRESSION
    held, passable = NOTHING, NOTHING
    if who.identities & policy.settings_of(account).read_only_administrators:
        held |= {Permission.DESCRIBE}
    for grant in policy.grants_to(who.identities):
        if grant.resource == OnExpression(account, name) and grant.live(now):
            held |= grant.permissions & ON_EXPRESSION
            passable |= grant.grantable & ON_EXPRESSION
    return (held | {Permission.DESCRIBE} if held else held), passable


def _on_tag(
    who: Principal, account: str, key: str, policy: Policy, now: float
) -> Iterator[tuple[Grant, Values]]:
    for grant in policy.grants_to(identities_towards(who, account, policy)):
        on = grant.resource
        if not isinstance(on, OnTag) or (on.account, on.key) != (account, key):
            continue
        if not grant.live(now):
            continue
        if grant.account == account:
            yield grant, on.values
        elif grant.account == who.account and grant.permissions <= ABROAD:
            # Passed on by our own account, as far as it still has that itself.
            ours = tag_rights(as_account(who.account, policy), account, key, policy, now=now)
            left = on.values
            for permission in grant.permissions:
                left = shared(left, ours.grantable.get(permission, frozenset()))
            yield grant, left


def _add(to: dict[Permission, Values], permissions: Iterable[Permission], values: Values) -> None:
    granted = frozenset(permissions)
    if not values or not granted:
        return
    # Whatever one may do with a value, one may know that it is there.
    for permission in granted | {Permission.DESCRIBE}:
        to[permission] = to.get(permission, frozenset()) | values
