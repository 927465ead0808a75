"""What somebody may do with a resource, whichever grants, tags or roles of theirs make it so.

It is told from the same decision that reading goes through, so a permission is never listed that
would not hold, nor SELECT on a column that is shown only masked or in some rows.
"""

from __future__ import annotations

from collections.abc import Iterator

from lakeveil.core.access.deciding.decide import passable
from lakeveil.core.access.governing.authority import Authority, shows_all
from lakeveil.core.access.governing.tag_rights import covers
from lakeveil.core.access.grants import (
    OnCatalog,
    OnColumns,
    OnDatabase,
    OnExpression,
    OnTable,
    OnTag,
    Resource,
    TableName,
)
from lakeveil.core.access.lake import Table
from lakeveil.core.access.permissions import NOTHING, Permission, Permissions
from lakeveil.core.identity.arns import account_of
from lakeveil.core.identity.principal import Principal
from lakeveil.errors import Refused
from lakeveil.flows.change_access import Directory
from lakeveil.flows.known_resources import known_resource
from lakeveil.flows.look_at_grants import Listed, is_filter_of
from lakeveil.ports.lake import LakeReader

_SELECT = frozenset({Permission.SELECT})


def effective(
    lake: LakeReader,
    authority: Authority,
    *,
    principal: str,
    resource: Resource,
    directory: Directory,
) -> list[Listed]:
    """What a principal may do with a resource, whichever grants make it so.

    SELECT of a table is told for its columns: for all of them, or for those that are shown unmasked
    in every row. Filters are listed as themselves.

    Raises:
        NotFound: the resource is not there, for the caller or at all.
        Refused: it is about somebody else, and the caller administers nothing here.
    """
    known_resource(lake, authority, resource)
    # Asked before the directory is: whether somebody is there is not told either.
    may_see = authority.views(resource.account) or authority.views(account_of(principal))
    if principal != authority.who.arn and not may_see:
        raise Refused(
            "Resource does not exist or requester is not authorized to access requested "
            "permissions.",
            code="insufficient_permissions",
        )
    theirs = _authority_of(authority, principal, directory)
    return [entry for entry in _effective(lake, theirs, resource, principal) if entry.permissions]


def _effective(
    lake: LakeReader, theirs: Authority, resource: Resource, principal: str
) -> Iterator[Listed]:
    def entry(on: Resource, held: Permissions, passed: Permissions = NOTHING) -> Listed:
        return Listed(principal=principal, resource=on, permissions=held, grantable=passed & held)

    match resource:
        case OnCatalog() | OnDatabase() | OnExpression():
            yield entry(resource, *_held(lake, theirs, resource))
        case (
            OnTable(account=account, database=database, table=str(name))
            | OnColumns(account=account, database=database, table=name)
        ):
            record_of_table = lake.table(TableName(account, database, name))
            if record_of_table is not None:
                for on, held, passed in _of_table(theirs, record_of_table.table, resource):
                    yield entry(on, held, passed)
        case OnTag(account=account, key=key, values=values):
            rights = theirs.tag(account, key)
            held = frozenset(p for p, given in rights.held.items() if covers(given, values))
            yield entry(resource, held, rights.passable(values))
        case _:
            for grant in theirs.grants():
                if grant.resource == resource:
                    yield entry(resource, grant.permissions, grant.grantable)


def _held(
    lake: LakeReader, theirs: Authority, resource: OnCatalog | OnDatabase | OnExpression
) -> tuple[Permissions, Permissions]:
    match resource:
        case OnCatalog(account=account):
            return theirs.catalog(account)
        case OnExpression(account=account, name=name):
            return theirs.expression(account, name)
        case OnDatabase(account=account, database=name):
            record = lake.database(account, name)
            return theirs.database(record.database) if record else (NOTHING, NOTHING)


def _of_table(
    theirs: Authority, table: Table, resource: OnTable | OnColumns
) -> Iterator[tuple[Resource, Permissions, Permissions]]:
    decision = theirs.decision(table)
    if not decision.exists:
        return
    passed = passable(theirs.who, table, theirs.policy, now=theirs.now)
    name = table.name
    if isinstance(resource, OnTable):
        yield resource, decision.permissions - _SELECT, passed.permissions - _SELECT
    asked = {column.name for column in table.columns}
    if isinstance(resource, OnColumns):
        asked = asked - resource.named if resource.excluding else asked & resource.named
    plain = frozenset(c.name for c in decision.columns if c.name in asked and c.visible.every)
    if plain:
        option = _SELECT if all(shows_all(passed, column) for column in plain) else NOTHING
        all_of_them = len(plain) == len(table.columns)
        columns = OnColumns(
            name.account,
            name.database,
            name.table,
            frozenset() if all_of_them else plain,
            excluding=all_of_them,
        )
        yield columns, _SELECT, option
    if isinstance(resource, OnTable):
        for grant in theirs.grants():
            if is_filter_of(grant.resource, name):
                yield grant.resource, grant.permissions, grant.grantable


def _authority_of(authority: Authority, principal: str, directory: Directory) -> Authority:
    """The authority of somebody else, as far as the directory knows who speaks for them."""
    if principal == authority.who.arn:
        return authority
    who = Principal(
        arn=principal,
        account=account_of(principal),
        identities=directory.identities_of(principal) | {principal},
    )
    return Authority(who=who, policy=authority.policy, now=authority.now)
