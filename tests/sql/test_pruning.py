"""Partitions that a query cannot want: fewer are read, and never one too few."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeveil.sql.pruning import unwanted
from lakeveil.sql.relations import Condition
from tests.sql.lake import catalog, checked, relation

PARTS = relation("parts", "n:bigint day:date hour:int region:string")
OTHER = relation("other", "region:string")
LAKE = catalog(PARTS, OTHER)
TYPES = {"day": "date", "hour": "int", "region": "string"}


def wanted(sql: str) -> list[set[Condition]]:
    """What is wanted of `parts`, in each place."""
    found = checked(sql, catalog=LAKE).relations
    return [set(one) for used in found if used.relation is PARTS for one in used.wanted]


@pytest.mark.parametrize(
    ("where", "conditions"),
    [
        ("region = 'eu'", {Condition("region", "=", ("eu",))}),
        ("'eu' < parts.region", {Condition("region", ">", ("eu",))}),
        (
            "hour IN (1, -2) AND n > 5",
            {Condition("hour", "in", (1, -2)), Condition("n", ">", (5,))},
        ),
        (
            "(day BETWEEN DATE '2026-01-01' AND DATE '2026-01-31')",
            {
                Condition("day", ">=", (date(2026, 1, 1),)),
                Condition("day", "<=", (date(2026, 1, 31),)),
            },
        ),
        ("region = 'eu' OR hour = 1", set()),
        ("NOT region = 'eu'", set()),
        ("region <> 'eu'", set()),
        ("region = lower('EU')", set()),
        ("region IN ('eu', lower('US'))", set()),
        ("lower(region) = 'eu'", set()),
        ("region = NULL", set()),
        ("hour = 1.0", set()),
        ("region IS NULL", set()),
        ("region IN (SELECT region FROM other)", set()),
    ],
)
def test_only_plain_conditions_that_every_row_fulfils_count(
    where: str, conditions: set[Condition]
) -> None:
    assert wanted(f"SELECT n FROM parts WHERE {where}") == [conditions]


def test_each_place_has_its_own_conditions() -> None:
    eu = {Condition("region", "=", ("eu",))}
    both = "SELECT a.n FROM parts a LEFT JOIN parts b ON a.n = b.n WHERE a.region = 'eu'"
    assert sorted(wanted(both), key=len) == [set(), eu]
    assert wanted("SELECT n FROM parts WHERE region = 'eu' UNION SELECT n FROM parts") == [
        eu,
        set(),
    ]
    assert wanted("SELECT p.n FROM other o JOIN parts p ON true WHERE p.region = 'eu'") == [eu]
    inner = "SELECT 1 FROM other o WHERE EXISTS (SELECT 1 FROM parts WHERE region = 'eu')"
    assert wanted(inner) == [eu]
    assert wanted("SELECT n FROM (SELECT * FROM parts) WHERE region = 'eu'") == [set()]
    # What is sampled is sampled before it is filtered, so nothing can be told of it.
    assert wanted("SELECT n FROM parts TABLESAMPLE BERNOULLI (50) WHERE region = 'eu'") == []


@pytest.mark.parametrize(
    ("condition", "values", "left_out"),
    [
        (Condition("region", "=", ("eu",)), {"region": "us"}, True),
        (Condition("region", "=", ("eu",)), {"region": "eu"}, False),
        (Condition("region", "=", ("eu",)), {}, False),
        (Condition("hour", "=", (1,)), {"hour": "01"}, False),
        (Condition("hour", "=", (1,)), {"hour": "x"}, False),
        (Condition("hour", ">", (9,)), {"hour": "10"}, False),
        (Condition("hour", "=", ("1",)), {"hour": "2"}, False),
        (Condition("day", "<", (date(2026, 1, 1),)), {"day": "2026-01-01"}, True),
        (Condition("day", "<", (date(2026, 1, 1),)), {"day": "2026-1-1"}, False),
        (Condition("region", "<", ("\U00010000",)), {"region": "\uffff"}, False),
    ],
)
def test_what_is_unclear_is_read(
    condition: Condition, values: dict[str, str], *, left_out: bool
) -> None:
    assert unwanted([[condition]], TYPES, values) is left_out


def test_a_partition_that_one_place_wants_is_read() -> None:
    eu, us = Condition("region", "=", ("eu",)), Condition("region", "=", ("us",))
    assert not unwanted([], TYPES, {"region": "eu"})
    assert not unwanted([[eu], [us]], TYPES, {"region": "us"})
    assert not unwanted([[eu], []], TYPES, {"region": "us"})
    assert unwanted([[eu], [us]], TYPES, {"region": "ap"})


REGIONS = ("eu", "us", "Ä", "")
HOURS = ("0", "7", "10")
DAYS = ("2026-01-01", "2026-01-31", "2026-02-01")
atoms = st.one_of(
    st.builds(
        "{} {} {}".format,
        st.just("region"),
        st.sampled_from(["=", "<", "<=", ">", ">=", "<>"]),
        st.sampled_from([f"'{one}'" for one in REGIONS]),
    ),
    st.builds(
        "{} {} {}".format,
        st.sampled_from(["7", "10", "-1"]),
        st.sampled_from(["=", "<", "<=", ">", ">="]),
        st.just("hour"),
    ),
    st.sampled_from(
        [
            "hour IN (0, 10)",
            "hour NOT IN (0, 10)",
            "day BETWEEN DATE '2026-01-15' AND DATE '2026-02-15'",
            "day < DATE '2026-01-31'",
            "region LIKE 'e%'",
            "region IS NULL",
            "n > 3",
        ]
    ),
)
wheres = st.recursive(
    atoms,
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["AND", "OR"]), inner),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None)
@given(wheres, st.sampled_from(["LEFT", "FULL", "INNER"]))
def test_no_row_is_lost(where: str, join: str) -> None:
    query = checked(
        f"SELECT p.n, o.region AS r FROM parts p {join} JOIN other o ON p.region = o.region "
        f"WHERE {where.replace('region', 'p.region')} ORDER BY 1, 2",
        catalog=LAKE,
    )
    whole = list(enumerate(itertools.product(DAYS, HOURS, REGIONS)))
    used = next(used for used in query.relations if used.relation is PARTS)
    left = [
        (number, values)
        for number, values in whole
        if not unwanted(
            used.wanted, TYPES, dict(zip(("day", "hour", "region"), values, strict=True))
        )
    ]
    assert _rows(query.sql, query.relations, left) == _rows(query.sql, query.relations, whole)


def _rows(sql: str, relations: Any, parts: Sequence[tuple[int, tuple[str, ...]]]) -> list[Any]:
    written = ", ".join(str((number, *values)) for number, values in parts)
    with _engine().cursor() as engine:
        engine.execute("DELETE FROM parts")
        if written:
            engine.execute(f"INSERT INTO parts VALUES {written}")
        for used in relations:
            name = used.relation.name.table
            engine.execute(f"CREATE OR REPLACE TEMP VIEW {used.alias} AS SELECT * FROM {name}")
        return engine.execute(sql).fetchall()


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    engine = duckdb.connect(":memory:")
    engine.execute("CREATE TABLE parts (n BIGINT, day DATE, hour INT, region VARCHAR)")
    engine.execute("CREATE TABLE other AS SELECT * FROM (VALUES ('eu'), ('xx')) AS t (region)")
    return engine
