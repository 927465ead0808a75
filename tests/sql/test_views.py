"""Views as Athena keeps them in the catalog."""

from __future__ import annotations

import base64
import json

import pytest

from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.sql.guard import check_query
from lakeveil.sql.parse import parse
from lakeveil.sql.statements import CreateView
from lakeveil.sql.views import ViewDefinition, decode, encode, view_text
from tests.sql.lake import LAKE, NOW, catalog, relation, run


def test_a_view_that_was_written_is_read_back() -> None:
    view = ViewDefinition(sql="SELECT 'é' AS x", database="db", columns=(("x", "varchar"),))
    assert decode(encode(view)) == view
    assert encode(view).startswith("/* Presto View: ")


def test_a_view_of_athenas_is_read() -> None:
    document = {
        "originalSql": "SELECT 1 a",
        "catalog": "awsdatacatalog",
        "schema": "sales",
        "columns": [{"name": "A", "type": "integer"}],
        "owner": "x",
        "runAsInvoker": False,
    }
    text = f"/* Presto View: {base64.b64encode(json.dumps(document).encode()).decode()} */"
    assert decode(text) == ViewDefinition(
        sql="SELECT 1 a", database="sales", columns=(("a", "integer"),)
    )


@pytest.mark.parametrize(
    "text",
    [
        "", "SELECT 1", "/* Presto View: ??? */", "/* Presto View: bm90IGpzb24= */",
        "/* Presto View: W10= */", "/* Presto View: e30= */", "/* Presto View: bnVsbA== */",
        "/* Presto View: " + "x" * 2_000_000 + " */",
    ],
)  # fmt: skip
def test_anything_else_is_no_view(text: str) -> None:
    with pytest.raises(QueryError) as refused:
        decode(text)
    assert refused.value.failure.name is ErrorName.INVALID_VIEW


def _text(sql: str) -> str:
    statement = parse(sql)
    assert isinstance(statement, CreateView)
    columns = check_query(statement.query, catalog=LAKE, database="db", now=NOW).columns
    return view_text(statement, columns)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE VIEW v AS SELECT id AS a, city AS b FROM events",
        'CREATE VIEW v ("a", B) AS SELECT id, upper(city) FROM events -- last',
    ],
)
def test_a_view_that_is_stored_can_be_queried(sql: str) -> None:
    view = relation("v", "a:int b:string", view=_text(sql))
    lake = catalog(*LAKE.relations.values(), view)
    assert [len(row) for row in run("SELECT * FROM v WHERE a = 2", catalog=lake)] == [2]


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("CREATE VIEW v AS SELECT id + 1 FROM events", ErrorName.MISSING_COLUMN_NAME),
        ("CREATE VIEW v AS SELECT id, id FROM events", ErrorName.DUPLICATE_COLUMN_NAME),
        ("CREATE VIEW v (a) AS SELECT id, city FROM events", ErrorName.MISMATCHED_COLUMN_ALIASES),
    ],
)
def test_a_view_needs_a_name_for_each_column(sql: str, name: ErrorName) -> None:
    with pytest.raises(QueryError) as refused:
        _text(sql)
    assert refused.value.failure.name is name
