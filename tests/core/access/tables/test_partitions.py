"""Partitions: what an expression selects, and who sees which values."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.core.access.deciding.decision import ColumnDecision, Decision
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.lake import Column
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.core.access.rows import ALL, Rows
from lakeveil.core.access.tables.partitions import NULL, sees_partition, selection
from lakeveil.errors import UsageError

KEYS = (
    Column("region", "string", partition=True),
    Column("year", "int", partition=True),
    Column("day", "date", partition=True),
    Column("rate", "decimal(4,2)", partition=True),
    Column("at", "timestamp", partition=True),
)
ROW = ("eu", "2026", "2026-01-31", "1.50", "2026-01-31 12:00:00")


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "  ",
        "region = 'eu'",
        "REGION = 'eu' AND year = 2026",
        "year = '2026'",
        "(region = 'us' OR year > 2025) AND NOT day < '2026-01-31'",
        "region IN ('us', 'eu')",
        "region LIKE 'e%'",
        "region <> 'us'",
        "year BETWEEN 2025 AND 2027",
        "day = DATE '2026-01-31'",
        "rate = 1.5",
        "at >= '2026-01-31 11:59:59'",
        "region IS NOT NULL",
    ],
)
def test_an_expression_selects_by_the_types_of_keys(expression: str) -> None:
    assert selection(expression, KEYS)(ROW)


@pytest.mark.parametrize(
    "expression",
    ["region = 'EU'", "year < 2026", "day > '2026-01-31'", "region IS NULL", "NOT year = 2026"],
)
def test_what_does_not_match_is_not_selected(expression: str) -> None:
    assert not selection(expression, KEYS)(ROW)


@pytest.mark.parametrize(
    "expression",
    [
        "spend = 1",
        "region = 1",
        "year = 'many'",
        "year = 1.5",
        "day = 2026",
        "day = 'today'",
        "year LIKE '20%'",
        "substr(region, 1, 1) = 'e'",
        "region = 'eu'; drop",
        "region = year",
        "region",
        "at = '2026-01-31T12:00:00+01:00'",
        "year = '\u0662'",
    ],
)
def test_what_is_not_evaluated_is_refused(expression: str) -> None:
    with pytest.raises(UsageError, match="Unsupported expression"):
        selection(expression, KEYS)


def test_nothing_is_selected_by_a_value_that_is_none() -> None:
    keys = (KEYS[0], KEYS[1])
    assert not selection("year <> 2026", keys)(("eu", NULL))
    assert not selection("year <> 2026", keys)(("eu", "many"))
    assert selection("year IS NULL AND region = 'eu'", keys)(("eu", NULL))


@given(
    st.lists(st.tuples(st.sampled_from(["eu", "us", "", "e_"]), st.integers(-3, 3)), max_size=8),
    st.sampled_from(["region = 'eu'", "region LIKE 'e%'", "region IN ('us', '')"]),
    st.sampled_from(["year > 0", "year BETWEEN -1 AND 2", "NOT year <> 1", "year IN (1, 2)"]),
    st.sampled_from(["AND", "OR", "AND NOT", "OR NOT"]),
)
def test_it_selects_what_a_database_selects(
    rows: list[tuple[str, int]], one: str, other: str, word: str
) -> None:
    expression = f"{one} {word} ({other})"
    with sqlite3.connect(":memory:") as database:
        database.execute("PRAGMA case_sensitive_like = ON")
        database.execute("CREATE TABLE p (region TEXT, year INTEGER)")
        database.executemany("INSERT INTO p VALUES (?, ?)", rows)
        expected = database.execute(f"SELECT * FROM p WHERE {expression}").fetchall()
    database.close()

    fits = selection(expression, KEYS[:2])

    assert [row for row in rows if fits((row[0], str(row[1])))] == expected


def decision(**columns: ColumnDecision) -> Decision:
    return Decision(table=TableName("1", "d", "t"), columns=tuple(columns.values()))


def column(name: str, visible: Rows = ALL, *, masked: bool = False) -> ColumnDecision:
    masks = ((Mask(MaskKind.HASH), ALL),) if masked else ()
    return ColumnDecision(name=name, visible=visible, masked=masks)


def test_a_partition_is_there_for_whoever_sees_all_of_its_values() -> None:
    keys, none = KEYS[:2], Rows(frozenset())
    seen = decision(a=column("region"), b=column("year"))

    assert sees_partition(seen, keys, ("eu", "2026"))
    assert not sees_partition(seen, keys, ("eu",))
    for hidden in (column("year", none), column("year", none, masked=True)):
        assert not sees_partition(decision(a=column("region"), b=hidden), keys, ("eu", "2026"))


@pytest.mark.parametrize(
    ("rows", "seen"),
    [
        ("region = 'eu'", True),
        ("region = 'us'", False),
        # Whether the partition has such a row, a listing cannot tell.
        ("spend < 10", False),
        ("region = 'eu' AND spend < 10", False),
        ("region = ", False),
    ],
)
def test_where_rows_are_limited_the_limit_decides_about_values(rows: str, *, seen: bool) -> None:
    limited = Rows.where(rows)
    found = decision(a=column("region", limited), b=column("year", limited))

    assert sees_partition(found, KEYS[:2], ("eu", "2026")) is seen
