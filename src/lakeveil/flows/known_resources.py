"""Looking up what somebody asks about: what it may not know of is not there.

There is one answer for what is absent and what is hidden, so that asking tells nothing. Every flow
that names a thing looks it up here first, before it says whether the caller may do what it asks.
"""

from __future__ import annotations

from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.governing.granting import Facts
from lakeveil.core.access.grants import (
    DataCellsFilter,
    OnCatalog,
    OnColumns,
    OnDatabase,
    OnExpression,
    OnFilter,
    OnLocation,
    OnTable,
    OnTag,
    Resource,
    TableName,
    TagPolicy,
)
from lakeveil.core.access.lake import Database, Table
from lakeveil.core.access.locations import is_under
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tables.row_filter import columns_of, parse
from lakeveil.core.access.tags import ANY, Expression, LFTag, SavedExpression
from lakeveil.errors import NotFound, UsageError
from lakeveil.ports.lake import LakeReader

NO_TAG = "Tag or tag value does not exist."


def known_resource(lake: LakeReader, authority: Authority, resource: Resource) -> Facts:
    """Look up everything that a resource names.

    Returns:
        The database or table among it.

    Raises:
        NotFound: something is not there, or not for the caller.
        UsageError: a column is not.
    """
    account = resource.account
    match resource:
        case OnDatabase() | OnTable() | OnColumns() | OnFilter():
            return _facts(lake, authority, resource)
        case OnCatalog():
            _require("Catalog", there=authority.who.account == account)
        case OnTag(key=key, values=values):
            tag = known_tag(authority, account, key)
            if not values - {ANY} <= authority.tag(account, key).known(tag.values):
                raise NotFound(NO_TAG)
        case OnExpression(name=name):
            known_expression(authority, account, name)
        case OnLocation(location=location):
            governed = any(is_under(location, one.location) for one in lake.locations(account))
            held = authority.location(account, location)[0]
            _require("Location", there=governed and held)
        case TagPolicy():
            _known_policy(authority, resource)
    return Facts()


def known_database(lake: LakeReader, authority: Authority, account: str, name: str) -> Database:
    """A database that the caller may know of.

    Raises:
        NotFound: there is none, or none for the caller.
    """
    record = lake.database(account, name)
    if record is None or not authority.knows_database(record.database):
        raise NotFound("Database not found.")
    return record.database


def known_table(lake: LakeReader, authority: Authority, name: TableName) -> Table:
    """A table that the caller may know of.

    Raises:
        NotFound: there is none, or none for the caller.
    """
    record = lake.table(name)
    if record is None or not authority.knows_table(record.table):
        raise NotFound("Table not found.")
    return record.table


def check_columns(authority: Authority, table: Table, columns: frozenset[str]) -> None:
    """Refuse columns that are not there, or not for the caller: there is one answer for both.

    Raises:
        UsageError: with the columns as they were asked for.
    """
    unknown = sorted(columns - set(authority.known_columns(table)))
    if unknown:
        raise UsageError(
            "Permissions modification is invalid: cannot grant/revoke permission on "
            f"non-existent column `{unknown[0]}`."
        )


def known_filter(
    lake: LakeReader, authority: Authority, table: TableName, name: str
) -> DataCellsFilter:
    """A filter whose definition the caller may see.

    Raises:
        NotFound: there is none, or none for the caller.
    """
    for found in filters_of(authority, known_table(lake, authority, table)):
        if found.name == name:
            return found
    raise NotFound("Data cells filter not found.")


def filters_of(authority: Authority, table: Table) -> list[DataCellsFilter]:
    """A table's filters, those whose definition the caller may see, by name.

    Whoever was granted DESCRIBE on one sees it only if it knows of every column that it names: the
    columns that a filter leaves out would else be told.
    """
    theirs = sorted(
        (f for (name, _), f in authority.policy.filters.items() if name == table.name),
        key=lambda f: f.name,
    )
    if authority.views(table.name.account) or authority.may_change_filters(table):
        return theirs
    known = frozenset(authority.known_columns(table))
    return [f for f in theirs if authority.filter(f) and _named(f) <= known]


def known_tag(authority: Authority, account: str, key: str) -> LFTag:
    """A tag that the caller may know of, with all of its values.

    Raises:
        NotFound: there is none, or none for the caller.
    """
    tag = authority.policy.tags.get((account, key))
    if tag is None or not authority.tag(account, key).known(tag.values):
        raise NotFound(NO_TAG)
    return tag


def check_expression(authority: Authority, account: str, body: Expression) -> None:
    """Refuse an expression over tags or values that are not there, or not for the caller.

    Raises:
        NotFound: a key or a value of it.
    """
    for key, values in body.terms:
        tag = authority.policy.tags.get((account, key))
        known = authority.tag(account, key).known(tag.values) if tag else frozenset()
        if not known or not values - {ANY} <= known:
            raise NotFound(NO_TAG)


def known_expression(authority: Authority, account: str, name: str) -> SavedExpression:
    """A saved expression that the caller may know of.

    Raises:
        NotFound: there is none, or none for the caller.
    """
    saved = authority.policy.expressions.get((account, name))
    if saved is None or Permission.DESCRIBE not in authority.expression(account, name)[0]:
        raise NotFound("LF-Tag expression not found.")
    return saved


def _facts(
    lake: LakeReader, authority: Authority, resource: OnDatabase | OnTable | OnColumns | OnFilter
) -> Facts:
    account, database = resource.account, resource.database
    if isinstance(resource, OnDatabase) or resource.table is None:
        return Facts(database=known_database(lake, authority, account, database))
    name = TableName(account, database, resource.table)
    table = known_table(lake, authority, name)
    if isinstance(resource, OnColumns):
        check_columns(authority, table, resource.named)
    if isinstance(resource, OnFilter) and not _was_given(authority, resource):
        known_filter(lake, authority, name, resource.name)
    return Facts(table=table)


def _known_policy(authority: Authority, policy: TagPolicy) -> None:
    # Whoever was given a policy may name it, though its tags were not shown to them.
    if _was_given(authority, policy):
        return
    if policy.name is not None:
        known_expression(authority, policy.account, policy.name)
    if policy.expression is not None:
        check_expression(authority, policy.account, policy.expression)


def _was_given(authority: Authority, resource: Resource) -> bool:
    return any(grant.resource == resource for grant in authority.grants())


def _named(found: DataCellsFilter) -> frozenset[str]:
    return found.named | (columns_of(parse(found.rows)) if found.rows else frozenset())


def _require(what: str, *, there: bool) -> None:
    if not there:
        raise NotFound(f"{what} not found.")
