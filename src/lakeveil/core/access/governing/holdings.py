"""What a principal holds on a resource: how a grant adds to it, and a revocation takes from it.

A grant to somebody who holds something there already is merged with it, and part of a grant can be
revoked: some of its permissions, its grant option, some of its columns or of a tag's values. A
revocation takes from every grant on the resource, those with a mask and those that expire, too.
What is worked out here are the grants to write and those to remove; nothing else changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lakeveil.core.access.grants import Grant, OnColumns, OnTag, Resource, valid_permissions
from lakeveil.core.access.permissions import NOTHING, Permission, Permissions, expanded
from lakeveil.core.access.tags import ANY

_WHOLE = ""
"""Stands for the resource itself, where it has no parts."""

Part = tuple[Permissions, Permissions]
"""Permissions, and those of them with the grant option."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Grants to write (an empty id: a new one), and the ids of those to remove."""

    put: tuple[Grant, ...] = ()
    remove: tuple[str, ...] = ()


def granted(new: Grant, grants: Iterable[Grant]) -> Plan:
    """What changes when a grant is made in the presence of others."""
    family = [grant for grant in grants if _kin(grant, new)]
    held = _parts(family)
    for part in _split(new.resource)[1]:
        before, option = held.get(part, (NOTHING, NOTHING))
        held[part] = (
            _plain(before | new.permissions),
            _plain(option | new.grantable),
        )
    return _settled(family, held, new)


def revoked(
    resource: Resource,
    permissions: Permissions,
    grantable: Permissions,
    grants: Sequence[Grant],
) -> tuple[Plan, Permissions]:
    """What changes when permissions and grant options are revoked from one principal's grants.

    Returns:
        The changes, and those permissions that nothing was revoked of.
    """
    base, parts = _split(resource)
    asked, valid = permissions | grantable, valid_permissions(resource)
    every = isinstance(resource, OnTag) and ANY in parts
    plans: list[Plan] = []
    met: dict[Permission, set[str]] = defaultdict(set)
    for family in _families(base, grants):
        held = _parts(family)
        # A single value cannot be taken out of `*`.
        for part in held.keys() & (held if every else parts):
            before, option = held.pop(part)
            for permission in _met(before, permissions, valid) | _met(option, grantable, valid):
                met[permission].add(part)
            left = _without(before, permissions, valid)
            if left:
                passed = _within(_without(option, asked, valid), left, valid)
                held[part] = (left, passed)
        plans.append(_settled(family, held, family[0]))
    missing = frozenset(p for p in asked if not (met[p] if every else met[p] >= parts))
    return (
        Plan(
            tuple(grant for plan in plans for grant in plan.put),
            tuple(number for plan in plans for number in plan.remove),
        ),
        missing,
    )


def _families(base: Resource, grants: Iterable[Grant]) -> list[list[Grant]]:
    families: dict[tuple[object, object], list[Grant]] = defaultdict(list)
    for grant in grants:
        if _split(grant.resource)[0] == base:
            families[grant.mask, grant.expires_at].append(grant)
    return list(families.values())


def _kin(one: Grant, other: Grant) -> bool:
    return (one.account, one.principal, one.mask, one.expires_at, _split(one.resource)[0]) == (
        other.account,
        other.principal,
        other.mask,
        other.expires_at,
        _split(other.resource)[0],
    )


def _split(resource: Resource) -> tuple[Resource, frozenset[str]]:
    """A resource without its parts, and the parts: columns by name, or values of a tag."""
    if isinstance(resource, OnColumns) and not resource.excluding:
        return replace(resource, named=frozenset()), resource.named
    if isinstance(resource, OnTag):
        return replace(resource, values=frozenset()), resource.values
    return resource, frozenset({_WHOLE})


def _joined(base: Resource, parts: frozenset[str]) -> Resource:
    if isinstance(base, OnColumns) and not base.excluding:
        return replace(base, named=parts)
    return replace(base, values=parts) if isinstance(base, OnTag) else base


def _parts(family: Iterable[Grant]) -> dict[str, Part]:
    held: dict[str, Part] = {}
    for grant in family:
        for part in _split(grant.resource)[1]:
            permissions, grantable = held.get(part, (NOTHING, NOTHING))
            held[part] = (permissions | grant.permissions, grantable | grant.grantable)
    return held


def _settled(family: Sequence[Grant], held: Mapping[str, Part], like: Grant) -> Plan:
    """The changes from a family of grants to one that says what is `held`."""
    groups: dict[Part, set[str]] = defaultdict(set)
    for part, both in held.items():
        groups[both].add(part)
    base = _split(like.resource)[0]
    wanted = {
        (_joined(base, frozenset(parts)), permissions, grantable)
        for (permissions, grantable), parts in groups.items()
    }
    as_it_is = {(g.resource, g.permissions, g.grantable) for g in family}
    gone = [g for g in family if (g.resource, g.permissions, g.grantable) not in wanted]
    put: list[Grant] = []
    for resource, permissions, grantable in sorted(wanted - as_it_is, key=repr):
        put.append(
            replace(
                like,
                id=gone.pop(0).id if gone else "",
                resource=resource,
                permissions=permissions,
                grantable=grantable,
            )
        )
    return Plan(tuple(put), tuple(grant.id for grant in gone))


def _plain(permissions: Permissions) -> Permissions:
    everything = frozenset({Permission.ALL})
    return everything if Permission.ALL in permissions else permissions


def _spelled(permissions: Permissions, valid: Permissions) -> Permissions:
    return valid if Permission.ALL in permissions else permissions


def _met(held: Permissions, asked: Permissions, valid: Permissions) -> Permissions:
    if not held:
        return NOTHING
    return asked & (_spelled(held, valid) | {Permission.ALL})


def _without(before: Permissions, taken: Permissions, valid: Permissions) -> Permissions:
    if not taken:
        return before
    if Permission.ALL in taken:
        return NOTHING
    if not _spelled(before, valid) & taken:
        return before
    return _spelled(before, valid) - taken


def _within(grantable: Permissions, permissions: Permissions, valid: Permissions) -> Permissions:
    """What may be passed on is never more than what is held."""
    if Permission.ALL in permissions or not grantable:
        return grantable
    return _spelled(grantable, valid) & expanded(permissions, valid)
