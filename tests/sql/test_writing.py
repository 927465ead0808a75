"""DELETE, UPDATE and MERGE as queries: what a table has afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.guard import check_query
from lakeveil.sql.parse import parse
from lakeveil.sql.statements import Delete, Merge, Query, Update
from lakeveil.sql.writing import (
    kept_rows,
    merged_rows,
    most_matches,
    touched_rows,
    updated_rows,
)
from tests.sql.lake import LAKE, NOW, rows_of

COLUMNS = ("city", "country")


def _rows(query: Query) -> list[tuple[Any, ...]]:
    return rows_of(check_query(query, catalog=LAKE, database="db", now=NOW))


@pytest.mark.parametrize(
    ("sql", "left", "gone"),
    [
        ("DELETE FROM cities WHERE country = 'no'", ["Bern", "Rome"], 1),
        ("DELETE FROM db.cities c WHERE c.city IN (SELECT city FROM events)", ["Bern"], 2),
        ("DELETE FROM cities WHERE NULL", ["Bern", "Oslo", "Rome"], 0),
        ("DELETE FROM cities", [], 3),
    ],
)
def test_a_delete_leaves_the_rows_for_which_it_is_not_true(
    sql: str, left: list[str], gone: int
) -> None:
    statement = parse(sql)
    assert isinstance(statement, Delete)
    assert sorted(city for city, _ in _rows(kept_rows(statement, COLUMNS))) == left
    assert _rows(touched_rows(statement)) == [(gone,)]


def test_an_update_changes_the_rows_for_which_it_is_true() -> None:
    statement = parse(
        "UPDATE cities c SET country = upper(c.country), city = country WHERE c.city <> 'Bern'"
    )
    assert isinstance(statement, Update)
    assert sorted(_rows(updated_rows(statement, COLUMNS))) == [
        ("Bern", "ch"),
        ("it", "IT"),
        ("no", "NO"),
    ]
    assert _rows(touched_rows(statement)) == [(2,)]


def test_an_update_without_condition_changes_all() -> None:
    statement = parse("UPDATE cities SET country = NULL")
    assert isinstance(statement, Update)
    assert {country for _, country in _rows(updated_rows(statement, COLUMNS))} == {None}


MERGE = (
    "MERGE INTO cities t USING (SELECT * FROM (VALUES ('Oslo', 'NO'), ('Rome', NULL), "
    "('Lima', 'pe'), ('None', NULL)) AS v(city, country)) s ON t.city = s.city "
)


@pytest.mark.parametrize(
    ("cases", "left"),
    [
        ("WHEN MATCHED THEN DELETE", [("Bern", "ch")]),
        (
            (
                "WHEN MATCHED AND s.country IS NULL THEN DELETE "
                "WHEN MATCHED THEN UPDATE SET country = s.country "
                "WHEN NOT MATCHED AND s.country IS NOT NULL THEN INSERT (country, city) "
                "VALUES (s.country, concat(s.city, '!'))"
            ),
            [("Bern", "ch"), ("Lima!", "pe"), ("Oslo", "NO")],
        ),
        (
            (
                "WHEN MATCHED AND t.city = 'Oslo' THEN UPDATE SET city = 'Bergen' "
                "WHEN MATCHED THEN DELETE"
            ),
            [("Bergen", "no"), ("Bern", "ch")],
        ),
        (
            (
                "WHEN NOT MATCHED AND s.city = 'Lima' THEN INSERT VALUES ('a', 'b') "
                "WHEN NOT MATCHED THEN INSERT (city) VALUES (s.city)"
            ),
            [("Bern", "ch"), ("None", None), ("Oslo", "no"), ("Rome", "it"), ("a", "b")],
        ),
    ],
)
def test_a_merge_takes_the_first_case_that_applies(
    cases: str, left: list[tuple[str, str | None]]
) -> None:
    statement = parse(MERGE + cases)
    assert isinstance(statement, Merge)
    assert sorted(_rows(merged_rows(statement, COLUMNS))) == left


@pytest.mark.parametrize(("source", "most"), [("events", 2), ("cities", 1), ("seen", 1)])
def test_a_merge_can_tell_that_rows_would_change_twice(source: str, most: int) -> None:
    statement = parse(
        f"MERGE INTO cities t USING {source} s ON t.city = s.city WHEN MATCHED THEN DELETE"
    )
    assert isinstance(statement, Merge)
    assert _rows(most_matches(statement)) == [(most,)]


def test_a_column_that_is_not_there_is_not_set() -> None:
    statement = parse("UPDATE cities SET hidden = 1")
    assert isinstance(statement, Update)
    with pytest.raises(QueryError) as refused:
        updated_rows(statement, COLUMNS)
    assert refused.value.failure.name is ErrorName.COLUMN_NOT_FOUND


def test_what_a_write_reads_is_checked_as_a_query_is() -> None:
    statement = parse("DELETE FROM cities WHERE city = read_text('/etc/passwd')")
    assert isinstance(statement, Delete)
    with pytest.raises(QueryError):
        _rows(kept_rows(statement, COLUMNS))
