"""Names resolved: what a query means afterwards, shown by running it, and what it reads."""

# ruff: noqa: E501, ISC004 - in tables, a case is a line

from __future__ import annotations

from decimal import Decimal

import pytest

from lakeveil.core.access.grants import TableName
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.relations import AsOf, CheckedQuery
from tests.sql.lake import LAKE, NOW, catalog, checked, relation, run

_RUN = [
    ("SELECT id FROM events ORDER BY id", [(1,), (2,), (3,), (4,)]),
    ("SELECT E.ID FROM awsdatacatalog.DB.Events AS e ORDER BY 1 LIMIT 1", [(1,)]),
    ('SELECT db.events.id FROM db.events WHERE "events"."ID" = 2', [(2,)]),
    ("SELECT id FROM events WHERE city = 'Rome'", [(2,)]),
    # An alias in ORDER BY comes before a column of the same name.
    ("SELECT -id AS id FROM events ORDER BY id LIMIT 1", [(-4,)]),
    ("SELECT id AS x, -id AS id FROM events ORDER BY id + 0, 1 LIMIT 1", [(4, -4)]),
    ("SELECT city FROM events ORDER BY id DESC LIMIT 1", [(None,)]),
    ("SELECT id, id FROM events ORDER BY 2 DESC LIMIT 1", [(4, 4)]),
    ("SELECT q.* FROM (SELECT id, -id FROM events) AS q(a, b) ORDER BY b LIMIT 1", [(4, -4)]),
    ("SELECT * FROM (SELECT id, -id AS id FROM events WHERE id = 1) q", [(1, -1)]),
    # Common table expressions: none of their names gets between us and a table.
    ("WITH r0 AS (SELECT 9 AS id) SELECT r0.id, e.id FROM r0, events e WHERE e.id = 1", [(9, 1)]),
    ("WITH events AS (SELECT 7 AS id) SELECT id FROM events", [(7,)]),
    ("WITH a(x) AS (SELECT 1), b AS (SELECT x + 1 AS y FROM a) SELECT * FROM b, a", [(2, 1)]),
    ("WITH a AS (SELECT 1 AS x) SELECT * FROM (WITH a AS (SELECT 2 AS x) SELECT x FROM a)", [(2,)]),
    ("SELECT s0.id FROM events AS s0, cities AS r0 WHERE s0.city = r0.city AND s0.id = 2", [(2,)]),
    # Joins.
    ("SELECT city, country, id FROM events JOIN cities USING (city) WHERE id < 3 ORDER BY id",
     [("Oslo", "no", 1), ("Rome", "it", 2)]),
    ("SELECT * FROM (SELECT id, city FROM events) JOIN cities USING (city) WHERE id = 1",
     [("Oslo", 1, "no")]),
    ("SELECT count(city) FROM (SELECT city FROM events) e FULL JOIN cities USING (city)", [(4,)]),
    ("SELECT city FROM (SELECT 'x' AS city) a RIGHT JOIN cities USING (city) ORDER BY 1 LIMIT 1",
     [("Bern",)]),
    ("SELECT count(*) FROM events CROSS JOIN (cities a JOIN cities b ON a.city = b.city)", [(12,)]),
    ("SELECT e.id, c.country FROM events e LEFT JOIN cities c ON e.city = c.city AND e.id > 1 "
     "ORDER BY 1 LIMIT 2", [(1, None), (2, "it")]),
    ("SELECT id FROM events WHERE (id, city) IN (SELECT 1, 'Oslo' UNION SELECT 2, 'x')", [(1,)]),
    ("SELECT id FROM events WHERE (id, city) = (2, 'Rome')", [(2,)]),
    ("SELECT id FROM ((events)) WHERE id = 1", [(1,)]),
    ("SELECT CASE city WHEN 'Oslo' THEN 1 END FROM events WHERE id = 1 AND city LIKE 'O!slo' ESCAPE '!'",
     [(1,)]),
    # Subqueries see the outer query, and their own first.
    ("SELECT (SELECT count(*) FROM events i WHERE i.city = o.city) FROM events o ORDER BY id LIMIT 1",
     [(2,)]),
    ("SELECT id FROM events e WHERE EXISTS (SELECT 1 FROM cities e WHERE e.country = 'no') "
     "AND id = 1", [(1,)]),
    ("SELECT id FROM events WHERE city IN (SELECT city FROM cities WHERE country = 'it')", [(2,)]),
    ("SELECT id FROM events WHERE id >= ALL (SELECT id FROM events)", [(4,)]),
    ("SELECT id, more FROM events CROSS JOIN LATERAL (SELECT id + 10 AS more) WHERE id = 1",
     [(1, 11)]),
    # Grouping and windows.
    ("SELECT city, count(*) FROM events GROUP BY 1 HAVING count(*) > 1", [("Oslo", 2)]),
    ("SELECT city, sum(id) FROM events WHERE city IS NOT NULL GROUP BY ROLLUP (city) ORDER BY 2",
     [("Rome", 2), ("Oslo", 4), (None, 6)]),
    ("SELECT id, sum(id) OVER w FROM events WINDOW w AS (ORDER BY id) ORDER BY 1 LIMIT 2",
     [(1, 1), (2, 3)]),
    ("SELECT DISTINCT city FROM events WHERE city IS NOT NULL ORDER BY city", [("Oslo",), ("Rome",)]),
    # Set operations and VALUES.
    ("SELECT 1 AS x UNION SELECT 2 ORDER BY x DESC", [(2,), (1,)]),
    ("(SELECT id FROM events ORDER BY id LIMIT 1) UNION ALL SELECT 9 ORDER BY 1", [(1,), (9,)]),
    ("SELECT id FROM events EXCEPT SELECT 1 ORDER BY 1 LIMIT 1", [(2,)]),
    ("VALUES (1, 'a'), (2, 'b') ORDER BY 1 DESC", [(2, "b"), (1, "a")]),
    ("SELECT t.y FROM (VALUES (1, 'a'), (2, 'b')) AS t(x, y) WHERE x = 2", [("b",)]),
    ("SELECT id FROM events ORDER BY id OFFSET 1 LIMIT 1", [(2,)]),
    ("SELECT id FROM events ORDER BY id OFFSET 2 ROWS FETCH NEXT 1 ROW ONLY", [(3,)]),
    ("TABLE cities ORDER BY 1 LIMIT 1", [("Bern", "ch")]),
    # Rows, arrays, maps.
    ("SELECT device.version, e.device.OS FROM events e WHERE id = 1", [(3, "ios")]),
    ("SELECT tag FROM events CROSS JOIN UNNEST(tags) AS t(tag) ORDER BY tag", [("a",), ("b",), ("c",)]),
    ("SELECT id, tag, n FROM events, UNNEST(tags) WITH ORDINALITY AS t(tag, n) WHERE id = 1 "
     "ORDER BY n", [(1, "a", 1), (1, "b", 2)]),
    ("SELECT id, k, v FROM events CROSS JOIN UNNEST(attrs) AS t(k, v) WHERE id = 2", [(2, "k", 7)]),
    ("SELECT id, x, y FROM events CROSS JOIN UNNEST(clicks) WHERE id = 3 ORDER BY x",
     [(3, 3, 4), (3, 5, 6)]),
    ("SELECT id, p + q FROM events CROSS JOIN UNNEST(clicks) AS c(p, q) WHERE id = 1", [(1, 3)]),
    ("SELECT id, tag FROM events LEFT JOIN UNNEST(tags) AS t(tag) ON true WHERE id > 2 ORDER BY 1",
     [(3, None), (4, None)]),
    ("SELECT * FROM UNNEST(ARRAY[1, 2], ARRAY['a']) AS t(n, s) ORDER BY n", [(1, "a"), (2, None)]),
    ("SELECT n FROM UNNEST(ARRAY[7, 8]) WITH ORDINALITY AS t(x, n) ORDER BY n", [(1,), (2,)]),
    # Views.
    ("SELECT n FROM seen WHERE city = 'Oslo'", [(2,)]),
    ("SELECT s.n, c.country FROM db.seen s JOIN cities c ON c.city = s.city ORDER BY 1 LIMIT 1",
     [(1, "it")]),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "rows"), _RUN)
def test_a_query_means_what_trino_means(sql: str, rows: list[tuple[object, ...]]) -> None:
    assert run(sql) == rows


def _named(query: CheckedQuery) -> list[str]:
    return [column.name for column in query.columns]


def test_columns_without_a_name_are_counted_as_athena_counts_them() -> None:
    assert _named(checked("SELECT id, id + 1, id AS x, 'a' FROM events")) == [
        "id",
        "_col1",
        "x",
        "_col3",
    ]
    assert _named(checked("SELECT ID AS Big, Device.OS FROM events")) == ["Big", "os"]


def test_a_star_is_the_columns_that_are_shown_in_order() -> None:
    assert _named(checked("SELECT c.*, e.id FROM events e, cities c")) == ["city", "country", "id"]


def test_types_of_a_result_are_trinos() -> None:
    found = checked("SELECT id, spend, seen_at, tags, attrs, device FROM events").columns
    assert [column.type for column in found] == [
        "integer",
        "decimal(12,2)",
        "timestamp",
        "array(varchar)",
        "map(varchar, integer)",
        "row(os varchar, Version integer)",
    ]


def test_only_what_is_read_of_a_table_is_told() -> None:
    query = checked("SELECT id FROM events e JOIN cities c ON e.city = c.city ORDER BY spend")
    read = {used.relation.name.table: used.columns for used in query.relations}
    assert read == {"events": {"id", "city", "spend"}, "cities": {"city"}}
    assert checked("SELECT count(*) FROM events").relations[0].columns == frozenset()


def test_a_table_that_is_read_twice_is_one_relation() -> None:
    query = checked("SELECT a.id FROM events a JOIN events b ON a.id = b.id WHERE b.city = 'x'")
    assert [(used.alias, used.columns) for used in query.relations] == [
        ("r0", frozenset({"id", "city"}))
    ]


def _sources(query: CheckedQuery) -> list[set[str]]:
    return [{f"{table.table}.{name}" for table, name in c.sources} for c in query.columns]


def test_a_column_knows_what_it_is_made_of() -> None:
    query = checked(
        "WITH x AS (SELECT id, spend * 2 AS twice FROM events) "
        "SELECT twice, (SELECT max(country) FROM cities WHERE cities.city = 'x'), "
        "CASE WHEN id > 1 THEN 'a' END, sum(id) OVER (PARTITION BY twice), 1 FROM x"
    )
    assert _sources(query) == [
        {"events.spend"},
        {"cities.country", "cities.city"},
        {"events.id"},
        {"events.id", "events.spend"},
        set(),
    ]


def test_a_column_of_a_union_is_made_of_both_sides() -> None:
    query = checked("SELECT id FROM events UNION ALL SELECT n FROM seen")
    assert _sources(query) == [{"events.id", "seen.n"}]


def test_a_column_of_a_view_is_the_views_and_its_tables() -> None:
    query = checked("SELECT city FROM seen")
    assert _sources(query) == [{"events.city", "seen.city"}]
    assert query.views == {TableName("111111111111", "db", "seen")}
    assert [used.relation.name.table for used in query.relations] == ["events"]


def test_unnested_columns_are_made_of_the_array() -> None:
    query = checked("SELECT tag FROM events CROSS JOIN UNNEST(tags) AS t(tag)")
    assert _sources(query) == [{"events.tags"}]
    assert query.relations[0].columns == {"tags"}


@pytest.mark.parametrize(
    "view",
    [
        "SELECT hidden FROM events",
        "SELECT city FROM round",
        "SELECT city FROM nowhere",
        "SELECT 1",
        "SELECT city, city FROM events",
        "DROP TABLE events",
        "SELECT city FROM read_csv('x')",
        "not sql",
    ],
)
def test_a_view_that_cannot_be_read_tells_nothing_of_why(view: str) -> None:
    broken = relation("round", "city:string", view=view)
    lake = catalog(*LAKE.relations.values(), broken)
    with pytest.raises(QueryError) as refused:
        checked("SELECT city FROM round", catalog=lake)
    assert str(refused.value) == (
        "INVALID_VIEW: line 1:18: View 'awsdatacatalog.db.round' is stale or in invalid state"
    )


def test_a_view_is_expanded_in_its_own_database_and_names() -> None:
    view = relation("shown", "city:string", view="SELECT city FROM events", view_database="db")
    lake = catalog(*LAKE.relations.values(), view)
    sql = "WITH events AS (SELECT 'other' AS city) SELECT s.city FROM db.shown s WHERE s.city = 'Rome'"
    assert run(sql, catalog=lake, database="") == [("Rome",)]


def test_views_that_double_are_stopped() -> None:
    views = [relation("v0", "id:int", view="SELECT id FROM events")]
    for n in range(1, 14):
        text = f"SELECT a.id FROM v{n - 1} a JOIN v{n - 1} b ON a.id = b.id"
        views.append(relation(f"v{n}", "id:int", view=text))
    with pytest.raises(QueryError) as refused:
        checked("SELECT id FROM v13", catalog=catalog(*LAKE.relations.values(), *views))
    assert refused.value.failure.name is ErrorName.INVALID_VIEW


def test_a_hidden_column_of_a_view_is_not_there() -> None:
    view = relation("some", "city:string", view="SELECT id, city FROM events")
    lake = catalog(*LAKE.relations.values(), view)
    assert _named(checked("SELECT * FROM some", catalog=lake)) == ["city"]
    with pytest.raises(QueryError) as refused:
        checked("SELECT id FROM some", catalog=lake)
    assert refused.value.failure.name is ErrorName.COLUMN_NOT_FOUND


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("VERSION AS OF 42", AsOf(snapshot=42)),
        ("TIMESTAMP AS OF TIMESTAMP '2026-01-01 00:00:00 UTC'", AsOf(timestamp_ms=1767225600000)),
        ("TIMESTAMP AS OF TIMESTAMP '2026-01-01 00:00:00'", AsOf(timestamp_ms=1767225600000)),
        ("TIMESTAMP AS OF TIMESTAMP '2026-01-01 02:00:00.5 +02:00'", AsOf(timestamp_ms=1767225600500)),
        ("TIMESTAMP AS OF DATE '2026-01-01'", AsOf(timestamp_ms=1767225600000)),
        ("TIMESTAMP AS OF (current_timestamp - interval '1' day)",
         AsOf(timestamp_ms=int((NOW - 86400) * 1000))),
    ],
)  # fmt: skip
def test_time_travel_is_told_of_the_relation(when: str, expected: AsOf) -> None:
    query = checked(
        f"SELECT now.id FROM events now JOIN events FOR {when} AS old ON old.id = now.id"
    )
    assert {used.as_of: used.alias for used in query.relations} == {None: "r0", expected: "r1"}


def test_a_regenerated_query_is_all_quoted_and_says_nothing_of_its_author() -> None:
    query = checked('SELECT Id AS "we""ird" /* who */ FROM events -- why')
    assert query.sql == 'SELECT "s0"."id" AS "we""ird" FROM "r0" AS "s0"'
    assert run('SELECT spend AS "a;b\'c" FROM events WHERE id = 1') == [(Decimal("10.50"),)]
