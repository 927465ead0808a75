"""MERGE INTO an Iceberg table (`rewrite`).

The new rows are those of the table that nothing matches, those that something matches as the first
WHEN that fits leaves them, and what is inserted. As in Trino, no row of the table may be matched by
two of the source.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lakeveil.core.access.permissions import Permission
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.flows.catalog_desk import SeenTable
from lakeveil.flows.run_query import Asked, Took
from lakeveil.flows.statements.answers import Answer, wrote
from lakeveil.flows.statements.change_rows import typed_values
from lakeveil.flows.statements.desk import StatementDesk
from lakeveil.flows.statements.rewrite import (
    columns_of,
    counted,
    holds,
    quoted,
    rewritable,
    rewrite,
    source_of,
    text_of,
)
from lakeveil.sql.statements import Condition, Merge, MergeCase
from lakeveil.sql.types import hive_to_trino

_NEEDED = {
    "delete": (Permission.DELETE,),
    "update": (Permission.DELETE, Permission.INSERT),
    "insert": (Permission.INSERT,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Merging:
    """The parts of the queries, as texts."""

    found: SeenTable
    alias: str
    target: str
    source: str
    on: str
    cases: tuple[MergeCase, ...]
    asked: Asked

    @property
    def matched(self) -> list[MergeCase]:
        """What is done about rows of the table that something matches."""
        return [case for case in self.cases if case.matched]

    @property
    def inserted(self) -> list[MergeCase]:
        """What is done about rows of the source that match nothing."""
        return [case for case in self.cases if not case.matched]


def merge(statement: Merge, asked: Asked, desk: StatementDesk) -> Answer:
    """MERGE INTO.

    Raises:
        As `rewrite.rewritable` and `rewrite.rewrite`; QueryError also where a value does not fit
            its column, or a row is matched twice.
    """
    took = Took()
    needed = {one for case in statement.cases for one in _NEEDED[case.action]}
    found = rewritable(statement.table, *sorted(needed), asked=asked)
    alias = statement.alias or found.name.table
    merging = _Merging(
        found=found,
        alias=alias,
        target=source_of(found, alias),
        source=text_of(statement.source, asked),
        on=holds(statement.on, asked),
        cases=statement.cases,
        asked=asked,
    )
    query = " UNION ALL ".join(_parts(merging))
    changed = _changed(merging, took)
    if not changed:
        return wrote(asked.execution, took, asked, rows=0, size=0, scanned=0)
    return rewrite(found, query, took, changed=changed, asked=asked, desk=desk)


def _changed(merging: _Merging, took: Took) -> int:
    matches = f"FROM {merging.target} JOIN {merging.source} ON {merging.on}"
    some = " OR ".join(holds(case.condition, merging.asked) for case in merging.matched) or "false"
    new = " OR ".join(holds(case.condition, merging.asked) for case in merging.inserted) or "false"
    twice, once, changed, added = counted(
        f"SELECT (SELECT count(*) {matches}) AS a, "  # noqa: S608 - is checked
        f"(SELECT count(*) FROM {merging.target} WHERE {_exists_source(merging)}) AS b, "
        f"(SELECT count(*) {matches} WHERE {some}) AS c, "
        f"(SELECT count(*) FROM {merging.source} WHERE NOT {_exists_target(merging)} "
        f"AND ({new})) AS d",
        merging.asked,
        took,
    )
    if twice != once:
        raise QueryError(
            ErrorName.GENERIC_USER_ERROR,
            "One MERGE target table row matched more than one source row",
        )
    return changed + added


def _parts(merging: _Merging) -> Iterator[str]:
    names = columns_of(merging.found)
    there = ", ".join(f"{quoted(merging.alias)}.{quoted(name)} AS {quoted(name)}" for name in names)
    yield f"SELECT {there} FROM {merging.target} WHERE NOT {_exists_source(merging)}"  # noqa: S608 - is checked
    if merging.matched:
        yield _left_of_matched(merging, names)
    else:
        yield f"SELECT {there} FROM {merging.target} WHERE {_exists_source(merging)}"  # noqa: S608 - is checked
    before: list[str] = []
    for case in merging.inserted:
        condition = holds(case.condition, merging.asked)
        yield _insert(merging, case, names, [condition, *(f"NOT {one}" for one in before)])
        before.append(condition)


def _left_of_matched(merging: _Merging, names: list[str]) -> str:
    matches = f"FROM {merging.target} JOIN {merging.source} ON {merging.on}"
    cases = [
        (holds(case.condition, merging.asked), case, _values(merging, case, matches))
        for case in merging.matched
    ]
    shown = []
    for name in names:
        there = f"{quoted(merging.alias)}.{quoted(name)}"
        whens = " ".join(f"WHEN {when} THEN {new.get(name, there)}" for when, _, new in cases)
        shown.append(f"CASE {whens} ELSE {there} END AS {quoted(name)}")
    gone = " ".join(
        f"WHEN {when} THEN {'true' if case.action == 'delete' else 'false'}"
        for when, case, _ in cases
    )
    return f"SELECT {', '.join(shown)} {matches} WHERE NOT (CASE {gone} ELSE false END)"


def _insert(merging: _Merging, case: MergeCase, names: list[str], conditions: list[str]) -> str:
    given = case.columns or tuple(names)
    if len(given) != len(case.values):
        raise QueryError(
            ErrorName.MISMATCHED_COLUMN_ALIASES,
            "Insert query has mismatched column counts",
        )
    origin = f"FROM {merging.source}"
    new = typed_values(merging.found, _paired(given, case.values), origin, merging.asked)
    kinds = {column.name: column.type for column in merging.found.record.table.columns}
    shown = ", ".join(f"{new.get(name) or _null(kinds[name])} AS {quoted(name)}" for name in names)
    where = " AND ".join([f"NOT {_exists_target(merging)}", *conditions])
    return f"SELECT {shown} {origin} WHERE {where}"


def _values(merging: _Merging, case: MergeCase, origin: str) -> dict[str, str]:
    if case.action == "delete":
        return {}
    return typed_values(merging.found, _paired(case.columns, case.values), origin, merging.asked)


def _paired(columns: tuple[str, ...], values: tuple[Condition, ...]) -> dict[str, Condition]:
    return dict(zip((column.lower() for column in columns), values, strict=True))


def _null(kind: str) -> str:
    return f"CAST(NULL AS {hive_to_trino(kind)})"


def _exists_source(merging: _Merging) -> str:
    return f"EXISTS (SELECT 1 FROM {merging.source} WHERE {merging.on})"  # noqa: S608 - is checked


def _exists_target(merging: _Merging) -> str:
    return f"EXISTS (SELECT 1 FROM {merging.target} WHERE {merging.on})"  # noqa: S608 - is checked
