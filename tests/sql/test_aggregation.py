"""Aggregates where they may not stand, and columns that no group has one value of."""

from __future__ import annotations

import pytest

from lakeveil.core.query.failures import QueryError
from tests.sql.lake import catalog, checked, relation, run

ALL = "aggregations, window functions or grouping operations"


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            "SELECT city, spend FROM events GROUP BY city",
            "EXPRESSION_NOT_AGGREGATE: 'spend' must be an aggregate expression or appear in GROUP",
        ),
        ("SELECT city FROM events HAVING id > 1", "EXPRESSION_NOT_AGGREGATE: 'id' must be"),
        ("SELECT id + count(*) FROM events", "EXPRESSION_NOT_AGGREGATE: 'id' must be"),
        ("SELECT city FROM events ORDER BY count(*)", "EXPRESSION_NOT_AGGREGATE: 'city' must be"),
        (
            "SELECT city, count(*) FROM events GROUP BY city ORDER BY spend",
            "EXPRESSION_NOT_AGGREGATE: 'spend'",
        ),
        (
            "SELECT transform(tags, x -> x || city), max(id) FROM events GROUP BY tags",
            "EXPRESSION_NOT_AGGREGATE: 'city'",
        ),
        (
            "SELECT city, sum(count(*)) OVER (PARTITION BY id) FROM events GROUP BY city",
            "EXPRESSION_NOT_AGGREGATE: 'id'",
        ),
        (
            "SELECT city FROM events WHERE sum(id) > 1",
            f"EXPRESSION_NOT_SCALAR: WHERE clause cannot contain {ALL}: [sum()]",
        ),
        (
            "SELECT id FROM events WHERE row_number() OVER () > 1",
            f"EXPRESSION_NOT_SCALAR: WHERE clause cannot contain {ALL}: [window()]",
        ),
        (
            "SELECT city FROM events GROUP BY count(*)",
            f"EXPRESSION_NOT_SCALAR: GROUP BY clause cannot contain {ALL}: [count()]",
        ),
        (
            "SELECT count(*) FROM events GROUP BY 1",
            f"EXPRESSION_NOT_SCALAR: GROUP BY clause cannot contain {ALL}: [count()]",
        ),
        (
            "SELECT 1 FROM events a JOIN cities c ON a.city = c.city AND count(*) > 1",
            f"EXPRESSION_NOT_SCALAR: JOIN clause cannot contain {ALL}: [count()]",
        ),
        (
            "SELECT sum(count(*)) FROM events",
            "NESTED_AGGREGATION: Cannot nest aggregations inside aggregation 'sum': [count()]",
        ),
        (
            "SELECT count(*) FILTER (WHERE max(id) > 2) FROM events",
            "NESTED_AGGREGATION: Cannot nest aggregations inside aggregation 'count': [max()]",
        ),
        (
            "SELECT sum(row_number() OVER ()) FROM events",
            "NESTED_WINDOW: Cannot nest window functions inside aggregation 'sum'",
        ),
        (
            "SELECT sum(sum(id) OVER ()) OVER () FROM events",
            "NESTED_WINDOW: Cannot nest window functions inside window function arguments",
        ),
        (
            "SELECT city FROM events GROUP BY city HAVING sum(count(*)) OVER () > 1",
            "NESTED_WINDOW: HAVING clause cannot contain window functions",
        ),
        (
            "SELECT DISTINCT city FROM events ORDER BY id",
            "EXPRESSION_NOT_IN_DISTINCT: For SELECT DISTINCT, ORDER BY expressions must appear",
        ),
        ("SELECT city FROM events GROUP BY 2", "INVALID_COLUMN_REFERENCE: GROUP BY position 2"),
    ],
)
def test_what_has_no_one_value_for_a_group_is_refused(sql: str, message: str) -> None:
    with pytest.raises(QueryError) as error:
        checked(sql)

    assert error.value.failure.text.startswith(message)


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT upper(city) || 'x', count(*) FROM events GROUP BY (upper(city))", 3),
        ("SELECT e.city, count(*) FROM events e GROUP BY city HAVING max(e.id) > 2", 2),
        ("SELECT device.os, count(*) FROM events GROUP BY device", 4),
        ("SELECT city, grouping(city), count(*) FROM events GROUP BY ROLLUP (city)", 4),
        ("SELECT city, id FROM events GROUP BY GROUPING SETS ((city, id), ())", 5),
        ("SELECT count(*) FILTER (WHERE id > 2), 1, max(city) FROM events", 1),
        ("SELECT city, sum(sum(id)) OVER (ORDER BY max(id)) FROM events GROUP BY 1", 3),
        ("SELECT sum(id) OVER (PARTITION BY city), spend FROM events", 4),
        ("SELECT city, max(id) OVER w FROM events WINDOW w AS (PARTITION BY city)", 4),
        ("SELECT t, count(*) FROM events CROSS JOIN UNNEST(tags) AS u (t) GROUP BY t", 3),
        ("SELECT DISTINCT upper(city) AS x FROM events ORDER BY x, upper(city), 1", 3),
        ("SELECT (SELECT max(c.country) FROM cities c WHERE c.city = e.city) FROM events e", 4),
        ("SELECT (SELECT max(c.country || e.city) FROM cities c) FROM events e GROUP BY city", 3),
    ],
)
def test_what_has_one_value_for_a_group_runs(sql: str, rows: int) -> None:
    assert len(run(sql)) == rows


def test_what_is_wrong_within_a_view_is_not_told() -> None:
    secret = relation("secret", "city:string hidden:int")
    view = relation("v", "city:string", view="SELECT city, hidden FROM secret GROUP BY city")
    with pytest.raises(QueryError, match="is stale") as error:
        checked("SELECT * FROM v", catalog=catalog(secret, view))

    assert error.value.failure.text.startswith("INVALID_VIEW")
    assert "hidden" not in error.value.failure.text
