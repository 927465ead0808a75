"""A small lake under a real policy: what its principal can name, and a copy of what it may see.

`Lake.relations` are made as the product makes them, from `decide`. `permitted` is worked out
without any of that SQL: row by row in Python, from the decision and the meaning of row filters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from lakeveil.core.access.deciding.decide import decide
from lakeveil.core.access.deciding.decision import ColumnDecision, Decision
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.lake import Policy, Table
from lakeveil.core.access.masks import Mask, MaskKind, fitted
from lakeveil.core.access.rows import Rows
from lakeveil.core.access.tables import row_filter, row_filter_rows
from lakeveil.core.identity.principal import Principal
from lakeveil.ports.engine import EngineRelation, Scan, ScanColumn, ScanFile, ScanFormat
from lakeveil.sql.governed import governed_view, shown_type
from lakeveil.sql.governed_view import GovernedView
from lakeveil.sql.relations import (
    NO_CONDITIONS,
    CheckedQuery,
    Relation,
    RelationColumn,
    UsedRelation,
)

HOME = "111111111111"
NOW = 1_790_000_000.0
SALT = "CANARY_SALT"
KEY = hashlib.sha256(b"lakeveil mask\0" + SALT.encode()).hexdigest()
"""What masks are made with; it must show nowhere."""


def principal(name: str) -> Principal:
    """A user of the lake's account."""
    arn = f"arn:aws:iam::{HOME}:user/{name}"
    return Principal(arn=arn, account=HOME, identities=frozenset({arn, f"{HOME}:IAMPrincipals"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A table or view with all of its rows, as its files hold them."""

    table: Table
    rows: Sequence[Mapping[str, Any]] = ()
    view: str | None = None
    iceberg: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedLake:
    """Tables, a policy, and who asks. Implements `sql.relations.Catalog`."""

    stored: Sequence[Stored]
    policy: Policy
    who: Principal
    decisions: dict[TableName, Decision] = field(default_factory=dict)

    def relation(
        self,
        database: str,
        table: str,
        *,
        where: Mapping[str, str] = NO_CONDITIONS,  # noqa: ARG002 - only what tells of the catalog
    ) -> Relation | None:
        """What the principal may know of a table."""
        found = self.found(TableName(HOME, database, table))
        return None if found is None else self._relation(found)

    def has_database(self, database: str) -> bool:
        """Whether it may know of one of its tables."""
        return any(
            one.table.name.database == database and self.decision(one).exists for one in self.stored
        )

    def found(self, name: TableName) -> Stored | None:
        """A table that exists for the principal."""
        for one in self.stored:
            if one.table.name == name and self.decision(one).shown():
                return one
        return None

    def decision(self, one: Stored) -> Decision:
        """What the principal may see of it."""
        name = one.table.name
        if name not in self.decisions:
            self.decisions[name] = decide(self.who, one.table, self.policy, now=NOW)
        return self.decisions[name]

    def view(self, used: UsedRelation) -> GovernedView:
        """As the product narrows it: what may be seen, and of that what is read."""
        one = self.found(used.relation.name)
        assert one is not None
        listed = [(column.name, column.type) for column in one.table.columns]
        whole = governed_view(self.decision(one), listed, salt=SALT)
        columns = {name: sql for name, sql in whole.columns.items() if name in used.columns}
        return GovernedView(columns=columns or {"_none": "1"}, where=whole.where)

    def engine_relation(self, used: UsedRelation, files: Sequence[ScanFile]) -> EngineRelation:
        """The relation of a job."""
        one = self.found(used.relation.name)
        assert one is not None
        return EngineRelation(alias=used.alias, scan=scan_of(one, files), view=self.view(used))

    def permitted(self, one: Stored) -> list[dict[str, Any]]:
        """Its rows as the principal may see them."""
        decision = self.decision(one)
        types = {column.name: column.type for column in one.table.columns}
        return [
            {c.name: cell(c, row, types) for c in decision.shown()}
            for row in one.rows
            if holds(decision.rows, row, types)
        ]

    def types(self, one: Stored) -> dict[str, str]:
        """Of the columns as they are shown, Hive's spelling."""
        types = {column.name: column.type for column in one.table.columns}
        return {c.name: shown_type(c, types[c.name]) for c in self.decision(one).shown()}

    def used(self, checked: CheckedQuery) -> Iterator[tuple[UsedRelation, Stored]]:
        """The tables of a query."""
        for used in checked.relations:
            one = self.found(used.relation.name)
            assert one is not None
            yield used, one

    def _relation(self, one: Stored) -> Relation:
        return Relation(
            name=one.table.name,
            columns=tuple(RelationColumn(n, kind) for n, kind in self.types(one).items()),
            view=one.view,
            view_database=one.table.name.database if one.view else "",
            iceberg=one.iceberg,
        )


def scan_of(one: Stored, files: Sequence[ScanFile]) -> Scan:
    """All of a table."""
    from lakeveil.ports.engine import FileGroup

    return Scan(
        format=ScanFormat.PARQUET,
        columns=tuple(ScanColumn(name=c.name, type=c.type) for c in one.table.columns),
        groups=(FileGroup(files=tuple(files)),),
        snapshot=str(one.table.name),
    )


def holds(rows: Rows, row: Mapping[str, Any], types: Mapping[str, str]) -> bool:
    """Whether a row is among those."""
    return any(
        all(row_filter_rows.evaluate(_parsed(text, types), row) is True for text in clause)
        for clause in rows.clauses
    )


def _parsed(text: str, types: Mapping[str, str]) -> row_filter.RowFilter:
    tree = row_filter.parse(text)
    row_filter_rows.check(tree, types)
    return tree


def cell(column: ColumnDecision, row: Mapping[str, Any], types: Mapping[str, str]) -> Any:
    """A cell as it is shown."""
    value, kind = row[column.name], types[column.name]
    if holds(column.visible, row, types):
        return value
    for mask, rows in column.masked:
        if holds(rows, row, types):
            beside = shown_type(column, kind)
            return masked(value, fitted(mask, kind), text_shown=beside == "string")
    return None


def masked(value: Any, mask: Mask, *, text_shown: bool = True) -> Any:
    """What a mask makes of a value."""
    if mask.kind is MaskKind.FIXED:
        return mask.value
    if value is None or mask.kind is MaskKind.NULL:
        return None
    if mask.kind is MaskKind.YEAR:
        assert isinstance(value, date)
        return value.replace(month=1, day=1)
    if mask.kind is MaskKind.LAST_FOUR:
        return value[-4:] if len(value) >= 4 else None
    if not text_shown:
        return None
    base = {str: "text", int: "integer", date: "date"}[type(value)]
    said = f"{base}:{value}"
    inner = hashlib.sha256((KEY + said).encode()).hexdigest()
    return hashlib.sha256((KEY + inner).encode()).hexdigest()
