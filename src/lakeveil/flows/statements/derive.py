"""Tags of tables and views that are made of others, and of what is written into one that is there.

What is made carries, column by column, the tags that all its sources have in common, and nothing of
those in which they differ (`core.access.deriving`). A column that names no source, such as a count,
stands for everything that its query reads. Tags are those that the query was checked against and
those of the moment in which it is written, so that what was closed meanwhile counts.

Nothing of this asks whether the creator may assign tags: it closes what would otherwise be open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lakeveil.core.access.deriving import derived_tags, opened_keys
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.guards import shown
from lakeveil.core.access.lake import Table
from lakeveil.core.access.tags import Tags
from lakeveil.core.audit import Json
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.errors import NotFound
from lakeveil.flows.change_access import Change
from lakeveil.flows.iceberg_rows import SYSTEM
from lakeveil.flows.run_query import Governed
from lakeveil.ports.lake import Assignment, LakeReader, Place

WHOLE_TABLE = ""
"""Stands where a column's name does: the tags of the table itself."""

Source = tuple[TableName, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """What a result is made of: the sources of each column, and the tables as they were read."""

    columns: tuple[frozenset[Source], ...]
    tables: Mapping[TableName, Table]

    def tags(self, column: int, lake: LakeReader) -> list[Tags]:
        """The tags of a column's sources, as they were read and as they are now."""
        found: list[Tags] = []
        for name, source in sorted(self.columns[column]):
            found.append(_tags(self.tables[name], source))
            record = lake.table(name)
            if record is not None:
                found.append(_tags(record.table, source))
        return found


def origins_of(governed: Governed) -> Origins:
    """What a checked query's result is made of.

    Raises:
        QueryError: a source that the query does not read; it cannot be.
    """
    tables = {found.name: found.record.table for found in governed.tables.values()}
    for view in governed.checked.views:
        # What tells of the catalog itself carries no tag, so what is made of it shows by none.
        tables[view] = governed.views.get(view, Table(name=view, columns=()))
    everything: frozenset[Source] = frozenset(
        (used.relation.name, column)
        for used in governed.checked.relations
        for column in (*used.columns, WHOLE_TABLE)
    )
    columns = tuple(column.sources or everything for column in governed.checked.columns)
    if any(name not in tables for sources in columns for name, _ in sources):
        raise QueryError(ErrorName.GENERIC_INTERNAL_ERROR, "The query's sources are unclear.")
    return Origins(columns=columns, tables=tables)


def inherit(change: Change, name: TableName, columns: Sequence[str], origins: Origins) -> None:
    """Tag a table's columns by what they are made of, in the transaction that writes the table.

    What the table or one of its columns carries already counts like what it inherits: a key that
    the sources lack is withheld.

    Raises:
        NotFound: the table is not there.
    """
    record = change.lake.table(name)
    if record is None:
        raise NotFound(f"Table {name.table} not found.")
    told: dict[str, Json] = {}
    withheld: dict[str, Json] = {}
    for place, column in enumerate(columns):
        tags = derived_tags(origins.tags(place, change.lake), record.table.tags.of_column(column))
        for key, value in tags.items():
            change.lake.assign(
                Assignment(
                    place=Place(name.account, name.database, name.table, column),
                    key=key,
                    value=value,
                    set_by=SYSTEM,
                    set_at=change.now,
                )
            )
        open_ = dict(shown(tags))
        if open_:
            told[column] = open_
        if len(open_) < len(tags):
            withheld[column] = sorted(tags.keys() - open_.keys())
    change.said["derived"] = {"tags": told, "withheld": withheld}


def check_not_opened(
    target: Table,
    columns: Sequence[str],
    origins: Origins,
    *,
    lake: LakeReader,
    administers: bool,
) -> None:
    """Refuse to write into columns that are open to more than what is written.

    `columns` are the target's, in the order of the result. Whoever administers the account may
    tag either side as they like, and so may write.

    Raises:
        QueryError: PERMISSION_DENIED, a column carries a tag that one of its sources does not.
    """
    if administers:
        return
    for place, column in enumerate(columns):
        keys = opened_keys(target.tags.of_column(column), origins.tags(place, lake))
        if keys:
            raise QueryError(
                ErrorName.PERMISSION_DENIED,
                f"Access Denied: Cannot write into column '{column}' of {target.name}: it may be "
                f"open to more than what it is made of. Its tags differ in {', '.join(keys)}. An "
                "administrator tags them alike, or writes it.",
            )


def _tags(table: Table, source: str) -> Tags:
    return table.tags.of_table() if source == WHOLE_TABLE else table.tags.of_column(source)
