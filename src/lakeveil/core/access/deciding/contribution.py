"""What one grant adds on one table. The decision is nothing but the union of these.

A grant by tags looks at the effective tags of each column. If it matches them all it counts as
one on the table; if only some, no more than SELECT on those and DESCRIBE is left of it (Lake
Formation developer guide, "Lake Formation tag-based access control": a partial match does not
grant ALTER, DROP, INSERT or DELETE).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lakeveil.core.access.grants import (
    DataCellsFilter,
    Grant,
    OnColumns,
    OnFilter,
    OnTable,
    PolicyKind,
    TagPolicy,
)
from lakeveil.core.access.lake import Policy, Table
from lakeveil.core.access.masks import Mask
from lakeveil.core.access.permissions import (
    NOTHING,
    ON_COLUMNS,
    ON_TABLE,
    READS,
    Permission,
    Permissions,
    expanded,
)
from lakeveil.core.access.rows import ALL, Rows
from lakeveil.core.access.tags import matches

Shown = Mapping[Mask | None, Rows]
"""Through which mask (None: through none) which rows of a column are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """Permissions on the table, those that may be passed on, and what is shown of each column."""

    permissions: Permissions
    grantable: Permissions = NOTHING
    cells: Mapping[str, Shown] = field(default_factory=dict)

    def passable(self) -> Contribution:
        """What of it the holder may pass on."""
        return Contribution(
            permissions=self.grantable,
            grantable=self.grantable,
            cells=self.cells if Permission.SELECT in self.grantable else {},
        )


def contribution(grant: Grant, table: Table, policy: Policy) -> Contribution | None:
    """What a grant adds on a table, whoever holds it; None where it is about something else."""
    where = grant.resource
    if where.account != table.name.account:
        return None
    if isinstance(where, TagPolicy):
        by_tags = where.kind is PolicyKind.TABLE
        return _by_tags(grant, where, table, policy) if by_tags else None
    if isinstance(where, OnTable | OnColumns | OnFilter):
        here = where.database == table.name.database and where.table in {None, table.name.table}
        return _by_name(grant, where, table, policy) if here else None
    return None


def matching_columns(where: TagPolicy, table: Table, policy: Policy) -> list[str]:
    """The columns whose effective tags a tag policy matches, in the table's order."""
    expression = policy.expression_of(where)
    if expression is None:
        return []
    keys = policy.defined_keys(where.account)
    of_table = table.tags.of_table()
    if not table.tags.columns:
        every = matches(expression, of_table, keys)
        return [column.name for column in table.columns] if every else []
    return [
        column.name
        for column in table.columns
        if matches(expression, {**of_table, **table.tags.columns.get(column.name, {})}, keys)
    ]


def _by_tags(grant: Grant, where: TagPolicy, table: Table, policy: Policy) -> Contribution | None:
    columns = matching_columns(where, table, policy)
    if columns and len(columns) == len(table.columns):
        return _on_whole_table(grant, table)
    if columns:
        return _on_columns(grant, columns, ALL)
    expression = policy.expression_of(where)
    keys = policy.defined_keys(where.account)
    # The table itself matches, though each of its columns was overridden: it may be known of.
    known = grant.mask is None and _allowed(grant)[0]
    if expression and known and matches(expression, table.tags.of_table(), keys):
        return Contribution(permissions=frozenset({Permission.DESCRIBE}))
    return None


def _by_name(
    grant: Grant, where: OnTable | OnColumns | OnFilter, table: Table, policy: Policy
) -> Contribution | None:
    match where:
        case OnTable():
            return _on_whole_table(grant, table)
        case OnColumns(named=named, excluding=excluding):
            return _on_columns(grant, _picked(table, named, excluding=excluding), ALL)
        case OnFilter(name=name):
            found = policy.filters.get((table.name, name))
            return _through_filter(grant, table, found) if found else None


def _on_whole_table(grant: Grant, table: Table) -> Contribution | None:
    if grant.mask is not None:
        return _on_columns(grant, [column.name for column in table.columns], ALL)
    permissions, grantable = _allowed(grant)
    if not permissions:
        return None
    selects = Permission.SELECT in permissions
    return Contribution(
        permissions=permissions,
        grantable=grantable,
        cells={column.name: {None: ALL} for column in table.columns} if selects else {},
    )


def _on_columns(grant: Grant, columns: Iterable[str], rows: Rows) -> Contribution | None:
    """SELECT on some columns, or DESCRIBE alone where the grant does not select."""
    permissions, grantable = _allowed(grant)
    selects = Permission.SELECT in permissions
    if not permissions or (grant.mask is not None and not selects):
        return None
    cells: dict[str, Shown] = {}
    if selects:
        cells = {column: {grant.mask: rows} for column in columns}
        if not cells:
            return None
    return Contribution(permissions=permissions & READS, grantable=grantable & READS, cells=cells)


def _allowed(grant: Grant) -> tuple[Permissions, Permissions]:
    """What a grant allows on a table, and what of that may be passed on."""
    # DESCRIBE and DROP on a data cells filter are about the filter itself.
    valid = ON_COLUMNS if isinstance(grant.resource, OnColumns | OnFilter) else ON_TABLE
    permissions = expanded(expanded(grant.permissions, valid), ON_TABLE)
    grantable = expanded(expanded(grant.grantable, valid), ON_TABLE)
    # A mask cannot be passed on.
    return permissions, NOTHING if grant.mask is not None else permissions & grantable


def _through_filter(grant: Grant, table: Table, found: DataCellsFilter) -> Contribution | None:
    rows = ALL if found.rows is None else Rows.where(found.rows)
    return _on_columns(grant, _picked(table, found.named, excluding=found.excluding), rows)


def _picked(table: Table, named: frozenset[str], *, excluding: bool) -> list[str]:
    return [column.name for column in table.columns if (column.name in named) != excluding]
