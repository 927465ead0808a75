"""Looking at tags: the ontology, what carries which, and what a search by tags finds.

Everybody sees the tags they hold some permission on, with those of its values alone, and on the
databases, tables and columns that they may know of. A tag that only a hidden column carries neither
shows nor lets its table be found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from lakeveil.core.access.governing.authority import Authority
from lakeveil.core.access.governing.tag_rights import TagRights
from lakeveil.core.access.guards import shown as carried
from lakeveil.core.access.lake import Database, Table
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import Expression, LFTag, SavedExpression, Tags, matches
from lakeveil.flows.known_resources import check_expression
from lakeveil.ports.lake import LakeReader


@dataclass(frozen=True, slots=True, kw_only=True)
class TagsShown:
    """The tags of a database, or of a table on its three layers, as one caller sees them.

    `columns` are those that carry something, in the table's order.
    """

    database: Tags = field(default_factory=dict)
    table: Tags = field(default_factory=dict)
    columns: Mapping[str, Tags] = field(default_factory=dict)


def visible_tag(authority: Authority, tag: LFTag) -> LFTag | None:
    """A tag with the values that the caller may know of; None where there is none of them."""
    known = authority.tag(tag.account, tag.key).known(tag.values)
    return replace(tag, values=known) if known else None


def visible_tags(
    authority: Authority, *, account: str, own: bool = True, foreign: bool = False
) -> list[LFTag]:
    """The tags of an account, or those that others shared with the caller's, or both."""
    found = [
        visible_tag(authority, tag)
        for (owner, _), tag in sorted(authority.policy.tags.items())
        if (own and owner == account) or (foreign and owner != authority.who.account)
    ]
    return [tag for tag in found if tag is not None]


def visible_expressions(authority: Authority, account: str) -> list[SavedExpression]:
    """The saved expressions that the caller may know of, by name."""
    return [
        saved
        for (owner, name), saved in sorted(authority.policy.expressions.items())
        if owner == account and Permission.DESCRIBE in authority.expression(account, name)[0]
    ]


def tags_of_database(authority: Authority, database: Database, *, assigned: bool) -> TagsShown:
    """A database's tags: those `assigned` to it alone, or all that hold for it."""
    tags = database.tags if assigned else database.effective_tags()
    return TagsShown(database=_Known(authority, database.account).of(tags))


def tags_of_table(
    authority: Authority,
    table: Table,
    *,
    assigned: bool,
    columns: Collection[str] | None = None,
) -> TagsShown:
    """A table's tags on all layers, those of `columns` or of all that the caller may know of."""
    known, layers = _Known(authority, table.name.account), table.tags
    shown = [name for name in authority.known_columns(table) if columns is None or name in columns]
    of_columns = {
        name: known.of(layers.columns.get(name, {}) if assigned else layers.of_column(name))
        for name in shown
    }
    return TagsShown(
        database=known.of(layers.database if assigned else layers.of_database()),
        table=known.of(layers.table if assigned else layers.of_table()),
        columns={name: tags for name, tags in of_columns.items() if tags},
    )


def search_databases(
    lake: LakeReader, authority: Authority, account: str, expression: Expression
) -> Iterator[tuple[Database, TagsShown]]:
    """The databases that the caller may know of and whose tags match, by name.

    Raises:
        NotFound: a tag or value of the expression is not there for the caller.
    """
    check_expression(authority, account, expression)
    keys = authority.policy.defined_keys(account)
    for record in lake.databases(account):
        database = record.database
        tags = database.effective_tags()
        if matches(expression, tags, keys) and authority.knows_database(database):
            yield database, tags_of_database(authority, database, assigned=False)


def search_tables(
    lake: LakeReader, authority: Authority, account: str, expression: Expression
) -> Iterator[tuple[Table, TagsShown]]:
    """The tables that the caller may know of and whose tags match, or those of a known column.

    Raises:
        NotFound: a tag or value of the expression is not there for the caller.
    """
    check_expression(authority, account, expression)
    keys = authority.policy.defined_keys(account)
    for record in lake.tables(account):
        table = record.table
        if not authority.knows_table(table):
            continue
        layers = table.tags
        if matches(expression, layers.of_table(), keys) or any(
            matches(expression, layers.of_column(column), keys)
            for column in authority.known_columns(table)
        ):
            yield table, tags_of_table(authority, table, assigned=False)


class _Known:
    """Leaves of some tags those that a caller may know of. Lives as long as one look takes."""

    def __init__(self, authority: Authority, account: str) -> None:
        self._authority = authority
        self._account = account
        self._rights: dict[str, TagRights] = {}

    def of(self, tags: Tags) -> dict[str, str]:
        """The known ones, in order of their keys."""
        every = sorted(carried(tags).items())
        return {key: value for key, value in every if self._knows(key, value)}

    def _knows(self, key: str, value: str) -> bool:
        if key not in self._rights:
            self._rights[key] = self._authority.tag(self._account, key)
        return bool(self._rights[key].known(frozenset({value})))
