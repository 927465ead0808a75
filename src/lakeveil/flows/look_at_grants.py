"""Looking at the grants that were made.

Administrators, read-only ones too, see every grant that their account recorded; owners those on
what is theirs, where they ask about it; everybody those to themselves. A grant to oneself does not
show what it names and hides: the columns it leaves out, or a table whose data lies under no
registered location.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from lakeveil.core.access.deciding.contribution import contribution
from lakeveil.core.access.deciding.decide import identities_towards
from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.grants import (
    Grant,
    OnColumns,
    OnDatabase,
    OnFilter,
    OnLocation,
    OnTable,
    Resource,
    TableName,
)
from lakeveil.core.access.lake import Table
from lakeveil.core.access.locations import is_under, normalised
from lakeveil.core.access.masks import Mask
from lakeveil.core.access.permissions import NOTHING, Permission, Permissions
from lakeveil.errors import NotFound, UsageError
from lakeveil.flows.known_resources import known_table
from lakeveil.ports.lake import LakeReader

_SELECT = frozenset({Permission.SELECT})
_WRITES = frozenset({Permission.INSERT, Permission.DELETE, Permission.ALTER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A grant, or with an empty `id` something that several amount to.

    Through a `mask` no permission of Lake Formation's is held: `permissions` is empty then.
    """

    principal: str
    resource: Resource
    permissions: Permissions
    grantable: Permissions = NOTHING
    id: str = ""
    mask: Mask | None = None
    expires_at: float | None = None
    granted_by: str = ""
    granted_at: float = 0.0


def grants_shown(
    lake: LakeReader,
    authority: Authority,
    *,
    account: str | None = None,
    principal: str | None = None,
    resource: Resource | None = None,
    with_filters: bool = False,
) -> list[Listed]:
    """The live grants that the caller may see, in the order they were made.

    Of one `account` that recorded them; without one its own, and others' to the caller. To one
    `principal`. On one `resource`: a table stands for its columns, too, and `with_filters` for its
    data cells filters.
    """
    is_owner = resource is not None and _owns(lake, authority, resource)
    asked_for = (
        grant
        for grant in sorted(authority.policy.grants, key=order)
        if grant.live(authority.now)
        and (account is None or grant.account == account)
        and (principal is None or grant.principal == principal)
        and (resource is None or _is_on(grant.resource, resource, with_filters=with_filters))
    )
    shown = (_shown(lake, authority, grant, is_owner=is_owner) for grant in asked_for)
    return [entry for entry in shown if entry is not None]


def order(grant: Grant | Listed) -> tuple[int, str]:
    """In which they were made: ids are numbers behind a letter."""
    return len(grant.id), grant.id


def grants_for_path(
    lake: LakeReader, authority: Authority, account: str, path: str
) -> list[Listed]:
    """The grants on the location, and those that open something of a table that lies there.

    Raises:
        UsageError: the path is none.
        NotFound: nothing lies there that the caller may know of.
    """
    place = normalised(path)
    if not place:
        raise UsageError(f"`{path[:255]}` is no location.")
    grants = [g for g in sorted(authority.policy.grants, key=order) if g.live(authority.now)]
    found: dict[str, Listed] = {}
    for grant in grants:
        on = grant.resource
        if isinstance(on, OnLocation) and on.account == account and is_under(place, on.location):
            _keep(found, _shown(lake, authority, grant, is_owner=False))
    for table in _tables_at(lake, account, place):
        if _knows_path(authority, table):
            is_owner = table.owner in authority.who.identities
            for grant in grants:
                if contribution(grant, table, authority.policy) is not None:
                    _keep(found, _shown(lake, authority, grant, is_owner=is_owner))
    registered = any(is_under(place, known.location) for known in lake.locations(account))
    if not found and not (registered and authority.views(account)):
        raise NotFound("Resource is not registered.")
    return sorted(found.values(), key=order)


def _shown(
    lake: LakeReader, authority: Authority, grant: Grant, *, is_owner: bool
) -> Listed | None:
    """A grant as the caller may see it, be it the owner of the thing or not; None for neither."""
    administers = authority.views(grant.account)
    mine = grant.principal in identities_towards(authority.who, "", authority.policy)
    # What a consumer's account passes on is its own business, even where the table is not.
    owns = is_owner and grant.account == grant.resource.account
    if not (administers or mine or owns):
        return None
    resource: Resource | None = grant.resource
    if not authority.views(grant.resource.account):
        resource = _without_what_is_hidden(lake, authority, grant.resource)
    if resource is None:
        return None
    return Listed(
        id=grant.id,
        principal=grant.principal,
        resource=resource,
        permissions=NOTHING if grant.mask else grant.permissions,
        grantable=NOTHING if grant.mask else grant.grantable,
        mask=grant.mask,
        expires_at=grant.expires_at,
        granted_by=grant.granted_by,
        granted_at=grant.granted_at,
    )


def _without_what_is_hidden(
    lake: LakeReader, authority: Authority, resource: Resource
) -> Resource | None:
    if not isinstance(resource, OnTable | OnColumns | OnFilter) or resource.table is None:
        return resource
    try:
        table = known_table(
            lake, authority, TableName(resource.account, resource.database, resource.table)
        )
    except NotFound:
        return None
    if isinstance(resource, OnColumns):
        named = resource.named & set(authority.known_columns(table))
        return replace(resource, named=named) if named or resource.excluding else None
    return resource


def _owns(lake: LakeReader, authority: Authority, resource: Resource) -> bool:
    owner = ""
    match resource:
        case OnDatabase(account=account, database=name):
            record = lake.database(account, name)
            owner = record.database.owner if record else ""
        case (
            OnTable(account=account, database=database, table=str(name))
            | OnFilter(account=account, database=database, table=name)
            | OnColumns(account=account, database=database, table=name)
        ):
            found = lake.table(TableName(account, database, name))
            owner = found.table.owner if found else ""
        case _:
            pass
    return bool(owner) and owner in authority.who.identities


def _is_on(on: Resource, asked: Resource, *, with_filters: bool) -> bool:
    if on == asked:
        return True
    if not isinstance(asked, OnTable) or asked.table is None:
        return False
    name = TableName(asked.account, asked.database, asked.table)
    if isinstance(on, OnColumns):
        return TableName(on.account, on.database, on.table) == name
    return with_filters and is_filter_of(on, name)


def is_filter_of(on: Resource, name: TableName) -> bool:
    """Whether a resource is a data cells filter of a table."""
    return isinstance(on, OnFilter) and TableName(on.account, on.database, on.table) == name


def _tables_at(lake: LakeReader, account: str, place: str) -> Iterator[Table]:
    for record in lake.tables(account):
        if is_under(record.location, place) or is_under(place, record.location):
            yield record.table


def _knows_path(authority: Authority, table: Table) -> bool:
    """Whether the caller may know where a table's data lies: who sees a part of it may not.

    It is the rule by which the catalog shows paths.
    """
    if authority.views(table.name.account) or table.owner in authority.who.identities:
        return authority.knows_table(table)
    decision = authority.decision(table)
    writes = not decision.permissions.isdisjoint(_WRITES)
    return decision.exists and (decision.full_read or writes)


def _keep(found: dict[str, Listed], shown: Listed | None) -> None:
    if shown is not None:
        found[shown.id] = shown
