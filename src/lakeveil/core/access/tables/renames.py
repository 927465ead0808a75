"""Columns that were renamed: what names them goes along, and whatever is in doubt closes.

Iceberg numbers its columns, so a catalog can tell a renamed column from a dropped one beside a new
one. Grants, filters and tags name columns by name; left alone, a rename would move a grant on `id`
to whichever column is called `id` now, and take the exclusion of `ip_address` off the column that
is called `address` from then on.

- A list of named columns follows the columns, and loses a name that another column took.
- A list of excluded columns only grows.
- Explicit tags follow the column: one that takes over a name does not get the tags left there.
- A row filter is written anew; one that would look at another column than before is removed.
- A column that was dropped and comes back is a renamed one, from the name that it bore last. If its
  number was given before anybody looked, or its name became another column's since, nobody knows
  what it carried: it stays closed until somebody tags it.

Hive-style tables have no numbers. There, what is added in the change in which a column of its own
tags vanishes is in doubt, and stays closed until somebody tags it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from lakeveil.core.access.grants import DataCellsFilter, Grant, OnColumns, TableName
from lakeveil.core.access.lake import Policy
from lakeveil.core.access.tables.row_filter import (
    MAX_CHARACTERS,
    And,
    Not,
    Or,
    RowFilter,
    canonical,
    columns_of,
    parse,
)
from lakeveil.core.access.tags import WITHHELD
from lakeveil.errors import UsageError

MOST_FORMER = 4_000
"""Columns that are gone and still known; of more, the oldest come back as unknown ones."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """What is known of a table's columns: name -> number.

    `columns` are those that it has. `former` are those that are gone, by the name that each bore
    last, unless another column took it. Numbers up to `last` have been given to some column.
    """

    columns: Mapping[str, int]
    former: Mapping[str, int]
    last: int

    @property
    def known(self) -> Mapping[str, int]:
        """Every column of which it is known what names it."""
        return {**self.former, **self.columns}

    def unknown(self, after: Mapping[str, int]) -> frozenset[str]:
        """Columns that come back, and of which nobody knows what they carried."""
        numbers = frozenset(self.known.values())
        return frozenset(
            name for name, number in after.items() if number <= self.last and number not in numbers
        )

    def followed(self, after: Mapping[str, int], last: int) -> Numbers:
        """The same once the table has other columns."""
        numbers = frozenset(after.values())
        gone = {
            name: number
            for name, number in self.known.items()
            if number not in numbers and name not in after
        }
        newest = sorted(gone.items(), key=lambda one: one[1])[-MOST_FORMER:]
        return Numbers(after, dict(newest), max(self.last, last, *numbers))


@dataclass(frozen=True, slots=True)
class Renames:
    """A table's columns before and after a change, name -> number."""

    before: Mapping[str, int]
    after: Mapping[str, int]

    @property
    def moved(self) -> dict[str, str]:
        """The columns that are called otherwise now: name before -> name now."""
        names = {number: name for name, number in self.after.items()}
        return {
            name: names[number]
            for name, number in self.before.items()
            if number in names and names[number] != name
        }

    @property
    def taken(self) -> frozenset[str]:
        """Names that other columns bear now than before, or that were nobody's before."""
        return frozenset(
            name for name, number in self.after.items() if self.before.get(name) != number
        )

    def __bool__(self) -> bool:
        """Whether any name means something else now."""
        return bool(self.taken)


@dataclass(frozen=True, slots=True)
class Carried:
    """What is to be written, and what is to be removed, so that names mean what they did."""

    grants: tuple[Grant, ...] = ()
    filters: tuple[DataCellsFilter, ...] = ()
    gone_grants: tuple[str, ...] = ()
    gone_filters: tuple[str, ...] = ()


def carried(policy: Policy, table: TableName, renames: Renames) -> Carried:
    """Which grants on columns of a table, and which of its filters, a rename changes.

    Raises:
        UsageError: a row filter would be too long with the new names.
    """
    grants, gone = [], []
    for grant in policy.grants:
        on = grant.resource
        if not isinstance(on, OnColumns) or _name(on) != table:
            continue
        named = _names(on.named, renames, excluding=on.excluding)
        if not named:
            gone.append(grant.id)
        elif named != on.named:
            grants.append(replace(grant, resource=replace(on, named=named)))
    filters, gone_filters = [], []
    for (of, name), found in policy.filters.items():
        if of == table:
            renamed = _filter(found, renames)
            if renamed is None:
                gone_filters.append(name)
            elif renamed != found:
                filters.append(renamed)
    return Carried(tuple(grants), tuple(filters), tuple(gone), tuple(gone_filters))


def carried_tags(
    explicit: Mapping[str, Mapping[str, str]], renames: Renames
) -> dict[str, Mapping[str, str]]:
    """The explicit tags of each column that is called otherwise now, by its new name.

    They replace all that is left at that name. The old name keeps its tags: a column that is given
    it later is as closed as this one was.
    """
    return {new: explicit.get(old, {}) for old, new in renames.moved.items()}


def withheld(unknown: Iterable[str], keys: Iterable[str]) -> dict[str, Mapping[str, str]]:
    """What columns carry of which nobody knows what they carried: nothing of any of these keys."""
    return {column: dict.fromkeys(sorted(keys), WITHHELD) for column in sorted(unknown)}


def in_doubt(
    before: Iterable[str], after: Iterable[str], explicit: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """What added columns carry where columns of their own tags vanished in the same change.

    Without numbers nobody can tell `address`, which is `ip_address` by another name, from a column
    that is new. Each added one then carries nothing of the keys that the vanished ones carried,
    not even what it would inherit, until somebody tags it. Column -> key -> `WITHHELD`.
    """
    there, left = frozenset(before), frozenset(after)
    keys = {key for column in there - left for key in explicit.get(column, {})}
    closed = dict.fromkeys(sorted(keys), WITHHELD)
    # Also where tags wait for one of that name: this may be another column.
    return {column: dict(closed) for column in sorted(left - there)} if closed else {}


def excluded_too(
    policy: Policy, table: TableName, before: Iterable[str], after: Iterable[str]
) -> Carried:
    """The lists that exclude a column which vanished, with the added ones on them, too."""
    there, left = frozenset(before), frozenset(after)
    vanished, added = there - left, left - there
    return _excluded(policy, table, added, lambda named: bool(named & vanished))


def unknown_excluded(policy: Policy, table: TableName, unknown: frozenset[str]) -> Carried:
    """Every list that excludes columns of a table, with the unknown ones on it, too."""
    return _excluded(policy, table, unknown, lambda named: not named >= unknown)


def _excluded(
    policy: Policy,
    table: TableName,
    added: frozenset[str],
    concerned: Callable[[frozenset[str]], bool],
) -> Carried:
    if not added:
        return Carried()
    grants = [
        replace(grant, resource=replace(on, named=on.named | added))
        for grant in policy.grants
        if isinstance(on := grant.resource, OnColumns)
        and _name(on) == table
        and on.excluding
        and concerned(on.named)
    ]
    filters = [
        replace(found, named=found.named | added)
        for (of, _), found in policy.filters.items()
        if of == table and found.excluding and concerned(found.named)
    ]
    return Carried(tuple(grants), tuple(filters))


def _name(on: OnColumns) -> TableName:
    return TableName(on.account, on.database, on.table)


def _names(named: Iterable[str], renames: Renames, *, excluding: bool) -> frozenset[str]:
    names, moved = frozenset(named), renames.moved
    follow = frozenset(moved[name] for name in names if name in moved)
    if excluding:
        return names | follow
    return frozenset(n for n in names if n not in renames.taken and n not in moved) | follow


def _filter(found: DataCellsFilter, renames: Renames) -> DataCellsFilter | None:
    named = _names(found.named, renames, excluding=found.excluding)
    if not named and not found.excluding:
        return None
    if found.rows is None:
        return replace(found, named=named)
    expression, moved = parse(found.rows), renames.moved
    used = columns_of(expression)
    if used & (renames.taken - moved.keys()):
        return None
    rows = canonical(_renamed(expression, moved)) if used & moved.keys() else found.rows
    if len(rows) > MAX_CHARACTERS:
        raise UsageError(
            f"a column cannot be renamed, as filter `{found.name}` would be too long",
            why=f"it has {len(rows)} characters with the new name; {MAX_CHARACTERS} are the most",
            fix="shorten the filter, or choose a shorter name",
            code="filter_too_long",
        )
    return replace(found, named=named, rows=rows)


def _renamed(expression: RowFilter, names: Mapping[str, str]) -> RowFilter:
    match expression:
        case And(parts) | Or(parts):
            return replace(expression, parts=tuple(_renamed(part, names) for part in parts))
        case Not(operand):
            return Not(_renamed(operand, names))
        case _:
            return replace(expression, column=names.get(expression.column, expression.column))
