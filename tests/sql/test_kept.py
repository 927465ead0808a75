"""A check that was made before counts only while the catalog answers as it did."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lakeveil.core.access.grants import TableName
from lakeveil.core.query.failures import QueryError
from lakeveil.sql.guard import check_query
from lakeveil.sql.kept import LONGEST, Kept
from lakeveil.sql.parse import parse
from lakeveil.sql.relations import Relation, RelationColumn
from tests.sql.lake import NOW, OneCatalog

SQL = "SELECT a FROM t WHERE a > 17"
T = TableName("1", "tpc", "t")


def _catalog(*columns: str, kind: str = "bigint", iceberg: bool = False) -> OneCatalog:
    shown = tuple(RelationColumn(name, kind) for name in columns)
    return OneCatalog({("tpc", "t"): Relation(name=T, columns=shown, iceberg=iceberg)})


def _check(sql: str, catalog: OneCatalog, *parameters: str, now: float = NOW) -> object:
    return check_query(sql, catalog=catalog, database="tpc", parameters=parameters, now=now)


def test_the_same_question_over_an_equal_catalog_is_checked_once() -> None:
    first = _check(SQL, _catalog("a", "b"))
    assert _check(SQL, _catalog("a", "b")) is first


@pytest.mark.parametrize(
    "later",
    [
        lambda: _catalog("a"),
        lambda: _catalog("a", "b", "c"),
        lambda: _catalog("a", "b", kind="int"),
        lambda: _catalog("a", "b", iceberg=True),
    ],
)
def test_a_catalog_that_answers_otherwise_is_checked_against(
    later: Callable[[], OneCatalog],
) -> None:
    first = _check(SQL, _catalog("a", "b"))
    found = _check(SQL, later())
    assert found is not first
    assert found == _check(SQL + " ", later())


def test_a_column_or_table_that_is_gone_is_not_found_whatever_was_checked_before() -> None:
    _check(SQL, _catalog("a", "b"))
    with pytest.raises(QueryError, match="COLUMN_NOT_FOUND"):
        _check(SQL, _catalog("b"))
    with pytest.raises(QueryError, match="_NOT_FOUND"):
        _check(SQL, OneCatalog({}))


def test_what_was_refused_is_allowed_once_it_is() -> None:
    with pytest.raises(QueryError):
        _check("SELECT c FROM t", _catalog("a"))
    assert _check("SELECT c FROM t", _catalog("a", "c"))


def test_parameters_and_databases_are_part_of_the_question() -> None:
    sql = "SELECT a FROM t WHERE a > ?"
    catalog = _catalog("a", "b")
    assert _check(sql, catalog, "1") != _check(sql, catalog, "2")
    with pytest.raises(QueryError):
        check_query(SQL, catalog=catalog, database="other", now=NOW)


def test_texts_that_differ_in_case_alone_are_not_the_same() -> None:
    catalog = _catalog("a", kind="string")
    upper, lower = (_check(f"SELECT a FROM t WHERE a = '{x}'", catalog) for x in ("X", "x"))
    assert upper != lower


def test_time_travel_counts_from_now_each_time() -> None:
    sql = "SELECT a FROM t FOR TIMESTAMP AS OF current_timestamp"
    catalog = _catalog("a", iceberg=True)
    assert _check(sql, catalog, now=NOW) != _check(sql, catalog, now=NOW + 60)


def test_very_long_texts_are_not_kept() -> None:
    sql = f"SELECT a FROM t -- {'x' * LONGEST}"
    assert parse(sql) is not parse(sql)
    assert parse(SQL) is parse(SQL)
    # What writes is read anew each time: its tree is built upon.
    assert parse("DELETE FROM t") is not parse("DELETE FROM t")


def test_those_used_least_recently_go_first() -> None:
    kept: Kept[int] = Kept(2)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (1, None, 3)
