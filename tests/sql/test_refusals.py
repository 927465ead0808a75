"""What the guard refuses: everything that isn't known to be safe, by the name of the error."""

from __future__ import annotations

import pytest

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.parse import parse
from lakeveil.sql.words import MAX_BYTES
from tests.sql.lake import catalog, checked, relation

_SYNTAX, _NOT = ErrorName.SYNTAX_ERROR, ErrorName.NOT_SUPPORTED
_TABLE, _COLUMN = ErrorName.TABLE_NOT_FOUND, ErrorName.COLUMN_NOT_FOUND
_FUNCTION = ErrorName.FUNCTION_NOT_FOUND

_REFUSED = [
    # Files, and what else an engine can read from.
    ("SELECT * FROM 'events.parquet'", None),
    ("SELECT * FROM read_parquet('s3://b/k')", None),
    ("SELECT * FROM read_csv('/etc/passwd')", None),
    ("SELECT * FROM glob('/*')", None),
    ("SELECT * FROM TABLE(sequence(1, 2))", None),
    ("SELECT * FROM query('SELECT 1')", None),
    ("SELECT * FROM query_table('events')", None),
    ("SELECT * FROM duckdb_views()", None),
    ("SELECT * FROM pragma_table_info('r0')", None),
    ('SELECT * FROM "s3://bucket/key"', _TABLE),
    ("SELECT read_text('/etc/passwd')", _FUNCTION),
    ("SELECT current_setting('s3_access_key_id')", _FUNCTION),
    ("SELECT getenv('HOME')", _FUNCTION),
    ("SELECT json_execute_serialized_sql('x')", _FUNCTION),
    ("SELECT query('SELECT 1')", _FUNCTION),
    # Metadata.
    ("SELECT * FROM information_schema.tables", ErrorName.SCHEMA_NOT_FOUND),
    ("SELECT * FROM pg_catalog.pg_views", ErrorName.SCHEMA_NOT_FOUND),
    ("SELECT * FROM sqlite_master", _TABLE),
    ("SELECT * FROM duckdb_tables", _TABLE),
    ("SELECT * FROM other.db.events", ErrorName.CATALOG_NOT_FOUND),
    ("SELECT * FROM system.runtime.nodes", ErrorName.SCHEMA_NOT_FOUND),
    ('SELECT * FROM "events$files"', _NOT),
    ('SELECT * FROM "events$snapshots"', _NOT),
    ('SELECT "$path" FROM events', _COLUMN),
    ("SELECT rowid FROM events", _COLUMN),
    ("SELECT r0.id FROM events", _COLUMN),
    ("SELECT * FROM r0", _TABLE),
    ("SELECT s0 FROM events", _COLUMN),
    ("SELECT events FROM events", _COLUMN),
    # Other engines' syntax.
    ("SELECT * EXCLUDE (id) FROM events", None),
    ("SELECT * REPLACE (1 AS id) FROM events", None),
    ("SELECT COLUMNS('.*') FROM events", None),
    ("SELECT id FROM events QUALIFY row_number() OVER (ORDER BY id) = 1", _SYNTAX),
    ("SELECT id::varchar FROM events", None),
    ("SELECT id FROM events GROUP BY ALL", _NOT),
    ("SELECT DISTINCT ON (id) id FROM events", _NOT),
    ("SELECT id FROM events USING SAMPLE 10", None),
    ("SELECT * FROM events PIVOT (count(*) FOR city IN ('Oslo'))", None),
    ("SELECT * FROM events NATURAL JOIN cities", _SYNTAX),
    ("SELECT * FROM events ASOF JOIN cities USING (city)", None),
    ("SELECT * FROM events POSITIONAL JOIN cities", None),
    ("SELECT id FROM events LEFT JOIN cities", None),
    ("SELECT * FROM events SEMI JOIN cities USING (city)", None),
    ("SELECT id FROM events WHERE id = $1", None),
    ("SELECT id FROM events WHERE id = :name", None),
    ("SELECT @@version", None),
    ("SELECT $$text$$", None),
    ("SELECT id INTO other FROM events", _NOT),
    ("SELECT id FROM events FOR UPDATE", None),
    ("SELECT id FROM events LIMIT 10 PERCENT", None),
    ("SELECT id FROM events LIMIT (SELECT 1)", None),
    ("SELECT id FROM events LIMIT id", None),
    ("SELECT id FROM events FETCH FIRST 1 ROWS WITH TIES", _NOT),
    ("SELECT a FROM events MATCH_RECOGNIZE (PATTERN (a) DEFINE a AS id > 1)", None),
    ("WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x) SELECT * FROM x", _NOT),
    ("SELECT * FROM events LATERAL VIEW explode(tags) t AS tag", None),
    ("SELECT /*+ BROADCAST(x) */ id FROM events x WHERE nothing = 1", _COLUMN),
    ("SELECT id FROM events TABLESAMPLE RESERVOIR (10)", None),
    ("SELECT id FROM events UNION ALL BY NAME SELECT 1 AS id", None),
    ("SELECT {'a': 1}", None),
    ("SELECT id FROM events WHERE city COLLATE nocase = 'x'", None),
    ("SELECT count(events.*) FROM events", None),
    ("SELECT CAST(id AS hugeint) FROM events", None),
    # Names.
    ("SELECT nothing FROM events", _COLUMN),
    ("SELECT events.nothing FROM events", _COLUMN),
    ("SELECT id + 1 AS more, more FROM events", _COLUMN),
    ("SELECT id AS more FROM events WHERE more = 1", _COLUMN),
    ("SELECT count(*) AS n FROM events GROUP BY city HAVING n > 1", _COLUMN),
    ("SELECT x.id FROM events", _COLUMN),
    ("SELECT db.cities.city FROM events", _COLUMN),
    ("SELECT id.part FROM events", _COLUMN),
    ("SELECT device.nothing FROM events", _COLUMN),
    ("SELECT * FROM nowhere", _TABLE),
    ("SELECT * FROM nowhere.events", ErrorName.SCHEMA_NOT_FOUND),
    ("SELECT nothing.* FROM events", _TABLE),
    ("SELECT city FROM events, cities", ErrorName.AMBIGUOUS_NAME),
    ("SELECT id FROM events a, events a", _NOT),
    ("SELECT * FROM (SELECT 1, 2) AS t(x)", ErrorName.MISMATCHED_COLUMN_ALIASES),
    ("SELECT id FROM events ORDER BY 2", ErrorName.INVALID_COLUMN_REFERENCE),
    ("SELECT id FROM events GROUP BY 3", ErrorName.INVALID_COLUMN_REFERENCE),
    ("SELECT 1 UNION SELECT 1, 2", ErrorName.TYPE_MISMATCH),
    ("SELECT (SELECT city, country FROM cities)", ErrorName.TYPE_MISMATCH),
    ("SELECT id = city FROM events", ErrorName.TYPE_MISMATCH),
    ("SELECT * FROM UNNEST(1)", ErrorName.TYPE_MISMATCH),
    (
        "SELECT t FROM events CROSS JOIN UNNEST(tags) AS x(t, u)",
        ErrorName.MISMATCHED_COLUMN_ALIASES,
    ),
    # What the engine would cast, or read as something else.
    ("SELECT id FROM events WHERE city", ErrorName.TYPE_MISMATCH),
    ("SELECT id FROM events WHERE NOT city", ErrorName.TYPE_MISMATCH),
    ("SELECT id FROM events WHERE id > 1 OR id", ErrorName.TYPE_MISMATCH),
    ("SELECT CASE WHEN city THEN 1 END FROM events", ErrorName.TYPE_MISMATCH),
    ("SELECT id FROM events e JOIN cities c ON c.city", ErrorName.TYPE_MISMATCH),
    ("SELECT count(*) FROM events GROUP BY city HAVING city", ErrorName.TYPE_MISMATCH),
    ("SELECT -city FROM events", ErrorName.TYPE_MISMATCH),
    ("SELECT id FROM events WHERE id >= ALL (SELECT city FROM cities)", ErrorName.TYPE_MISMATCH),
    ("SELECT id FROM events WHERE id = ANY (SELECT 1, 2)", ErrorName.TYPE_MISMATCH),
    ("SELECT id FROM events WHERE id IN (SELECT city FROM cities)", ErrorName.TYPE_MISMATCH),
    ("SELECT id FROM events WHERE id IN (SELECT 1, 2)", ErrorName.TYPE_MISMATCH),
    ("SELECT id FROM events WHERE (id, city) IN ((1, 2))", ErrorName.TYPE_MISMATCH),
    ("SELECT id FROM events WHERE (id, city) = (1, 'a', 2)", ErrorName.TYPE_MISMATCH),
    ("SELECT id FROM events WHERE (SELECT city FROM cities LIMIT 1) = 1", ErrorName.TYPE_MISMATCH),
    ("SELECT ARRAY(SELECT city FROM cities)", None),
    ("SELECT (SELECT city, country FROM cities, )", None),
    ("SELECT ()", _NOT),
    ("SELECT id FROM events GROUP BY", _NOT),
    ("SELECT id FROM events GROUP BY ROLLUP ()", _NOT),
    ("SELECT id FROM events WHERE city IS 1", _NOT),
    ("SELECT id FROM events ORDER BY 0.5", _NOT),
    ("SELECT count(*) CROSS JOIN events", None),
    ("SELECT sum(id) OVER nothing FROM events", _NOT),
    ("SELECT sum(id) OVER w FROM events WINDOW w AS (v ORDER BY id)", _NOT),
    # Time travel.
    ("SELECT * FROM cities FOR VERSION AS OF 1", _NOT),
    ("SELECT * FROM seen FOR VERSION AS OF 1", _NOT),
    ("SELECT * FROM events FOR VERSION AS OF id", ErrorName.EXPRESSION_NOT_CONSTANT),
    ("SELECT * FROM events FOR VERSION AS OF (SELECT 1)", ErrorName.EXPRESSION_NOT_CONSTANT),
    ("SELECT * FROM events FOR TIMESTAMP AS OF 'x'", ErrorName.EXPRESSION_NOT_CONSTANT),
    ("SELECT * FROM events FOR TIMESTAMP AS OF TIMESTAMP 'x'", ErrorName.INVALID_LITERAL),
    ("SELECT * FROM events FOR TIMESTAMP AS OF DATE '2999-01-01'", ErrorName.INVALID_ARGUMENTS),
    # Statements.
    ("SELECT 1; SELECT 2", _SYNTAX),
    ("SELECT 1; DROP TABLE events", _SYNTAX),
    ("", _SYNTAX),
    (" ; ", _SYNTAX),
    ("-- nothing", _SYNTAX),
    ("SELECT", None),
    ("SELECT 'open", _SYNTAX),
    ("SELECT 1 /* open", None),
    ("SELECT 1 FROM `events`", _SYNTAX),
    ("FROM events", _NOT),
    ("ATTACH 'x' AS y", _NOT),
    ("COPY events TO 'x'", _NOT),
    ("INSTALL httpfs", _NOT),
    ("LOAD httpfs", _NOT),
    ("SET memory_limit = '1TB'", _NOT),
    ("PRAGMA database_list", _NOT),
    ("CALL pragma_version()", _NOT),
    ("EXPORT DATABASE 'x'", _NOT),
    ("CREATE MACRO f(x) AS x", _NOT),
    ("CREATE FUNCTION f(x int) RETURNS int RETURN x", _NOT),
    ("CREATE SECRET s (TYPE s3)", _NOT),
    ("GRANT SELECT ON events TO bob", _NOT),
    ("START TRANSACTION", _NOT),
    ("EXPLAIN EXPLAIN SELECT 1", _SYNTAX),
    ("EXPLAIN DROP TABLE events", _SYNTAX),
    ("PREPARE p FROM DROP TABLE events", _SYNTAX),
    ("TRUNCATE TABLE events", _NOT),
    ("ANALYZE events", _NOT),
    ("SUMMARIZE events", _NOT),
]


@pytest.mark.parametrize(("sql", "name"), _REFUSED)
def test_it_is_refused(sql: str, name: ErrorName | None) -> None:
    with pytest.raises(QueryError) as refused:
        checked(sql)
    assert refused.value.failure.name.kind.name == "USER_ERROR"
    if name is not None:
        assert refused.value.failure.name is name


def test_a_hidden_column_is_refused_in_the_words_of_one_that_is_not_there() -> None:
    lake = catalog(relation("people", "name:string"))
    words = []
    for column in ("salary", "nothing"):
        with pytest.raises(QueryError) as refused:
            checked(f"SELECT name,\n  {column} FROM people", catalog=lake)
        words.append(str(refused.value).replace(column, "x"))
    assert words == ["COLUMN_NOT_FOUND: line 2:3: Column 'x' cannot be resolved"] * 2


def test_a_refusal_says_where() -> None:
    with pytest.raises(QueryError) as refused:
        checked("SELECT id\nFROM events\nJOIN nowhere ON true")
    assert (refused.value.failure.line, refused.value.failure.column) == (3, 6)


def test_a_statement_may_be_as_long_as_athenas_and_no_longer() -> None:
    text = "SELECT 1 -- "
    parse(text + "x" * (MAX_BYTES - len(text)))
    with pytest.raises(QueryError) as refused:
        parse(text + "é" * (MAX_BYTES // 2))
    assert refused.value.failure.name is ErrorName.QUERY_TEXT_TOO_LARGE


_DEEP = 40_000
_BOMBS = {
    "parentheses": "SELECT " + "(" * _DEEP + "1" + ")" * _DEEP,
    "subqueries": "SELECT * FROM " + "(SELECT * FROM " * 15_000 + "t" + ")" * 15_000,
    "relations": "SELECT * FROM " + "(" * _DEEP + "t" + ")" * _DEEP,
    "types": "SELECT CAST(a AS " + "array(" * _DEEP + "int" + ")" * _DEEP + ")",
    "hive types": "CREATE EXTERNAL TABLE t (a " + "array<" * _DEEP + "int" + ">" * _DEEP + ")",
    "joins": "SELECT * FROM t" + " JOIN t" * 30,
    "arrays": "SELECT " + "ARRAY[" * 30 + "1" + "]" * 30,
    "subscripts": "SELECT a" + "[1]" * 3_000,
    "negations": "SELECT " + "NOT " * _DEEP + "a",
    "signs": "SELECT " + "- " * _DEEP + "1",
    "cases": "SELECT " + "CASE WHEN a THEN " * 10_000 + "1" + " END" * 10_000,
    "mixed": "SELECT " + "(CASE WHEN a THEN f(" * 5_000,
    "equalities": "SELECT " + "NOT a = " * 20_000 + "b",
    "members": "SELECT a" + ".a" * 20_000,
    "tests": "SELECT a" + " IN (1)" * 20_000,
    "unclosed": "SELECT " + "(" * _DEEP,
    "views": "SELECT " + "EXISTS(SELECT " * 10_000,
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", _BOMBS)
def test_a_statement_that_would_break_the_parser_is_refused_at_once(name: str) -> None:
    with pytest.raises(QueryError):
        parse(_BOMBS[name])


def test_long_chains_are_no_bombs() -> None:
    many = " OR ".join(f"id = {n}" for n in range(3_000))
    assert checked(f"SELECT id FROM events WHERE {many}").columns
    listed = ", ".join(map(str, range(10_000)))
    assert checked(f"SELECT id FROM events WHERE id IN ({listed})").columns
