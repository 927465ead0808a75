"""Parameters are values: whatever is in them, it stays one constant."""

# ruff: noqa: E501 - in tables, a case is a line

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.core.query.failures import ErrorKind, ErrorName, QueryError
from lakeveil.sql.parameters import literal
from tests.sql.lake import checked, run

_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


@given(_TEXTS)
def test_any_text_arrives_as_it_is(text: str) -> None:
    assert run("SELECT ?", [literal(text)]) == [(text,)]
    quoted = text.replace("'", "''")
    assert run(f"SELECT '{quoted}'") == [(text,)]


@given(_TEXTS.filter(bool))
def test_any_name_arrives_as_it_is(text: str) -> None:
    quoted = text.replace('"', '""')
    query = checked(f'SELECT id AS "{quoted}" FROM events')
    assert query.columns[0].name == text
    assert run(f'SELECT "{quoted}" FROM (SELECT id AS "{quoted}" FROM events WHERE id = 1)') == [
        (1,)
    ]


@given(_TEXTS)
def test_no_text_can_be_more_than_one_constant(text: str) -> None:
    try:
        found = run("SELECT id FROM events WHERE city = CAST(? AS varchar) AND id = 99", [text])
    except QueryError as refused:
        found = [] if refused.failure.name.kind is ErrorKind.USER_ERROR else [(refused,)]
    assert found == []


@pytest.mark.parametrize(
    ("constant", "value"),
    [
        ("12", 12),
        ("-4", -4),
        ("-4.5", Decimal("-4.5")),
        ("'it''s'", "it's"),
        ("NULL", None),
        ("true", True),
        ("DATE '2026-01-31'", date(2026, 1, 31)),
        ("CAST('7' AS integer)", 7),
        ("CAST(1 AS decimal(10,2))", Decimal("1.00")),
        ("  'x'  ", "x"),
    ],
)
def test_a_constant_is_bound(constant: str, value: object) -> None:
    assert run("SELECT ?", [constant]) == [(value,)]


@pytest.mark.parametrize(
    "text",
    [
        "", "1 OR 1 = 1", "id", "(SELECT 1)", "1, 2", "1; DROP TABLE events", "'a' || 'b'", "'a' --",
        "now()", "?", "CAST((SELECT 1) AS int)", "CAST(id AS int)", "ARRAY[1]", "1)", "- id", "-'a'",
        "DATE", "DATE 1", "interval '1' day", "CAST(1 AS row(a int))", "*", '"id"', "$1", "1 --\n",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    if text in {"'a' --", "1 --\n"}:
        # A comment behind a constant is none of it.
        assert run("SELECT ? + 1" if text[0] == "1" else "SELECT ?", [text]) in ([("a",)], [(2,)])
        return
    with pytest.raises(QueryError):
        checked("SELECT id FROM events WHERE id = ?", [text])


@pytest.mark.parametrize("values", [[], ["1", "2"]])
def test_there_must_be_as_many_values_as_question_marks(values: list[str]) -> None:
    with pytest.raises(QueryError) as refused:
        checked("SELECT id FROM events WHERE id = ?", values)
    assert refused.value.failure.name is ErrorName.INVALID_PARAMETER_USAGE


def test_a_question_mark_in_a_text_or_comment_is_none() -> None:
    assert run("SELECT '?' /* ? */ -- ?") == [("?",)]


def test_values_go_where_their_question_marks_are() -> None:
    sql = "WITH x AS (SELECT ? AS a) SELECT a, ?, ? - ? FROM x WHERE ? = 'w' ORDER BY 1 LIMIT ?"
    assert run(sql, ["'one'", "2", "3", "-4", "'w'", "5"]) == [("one", 2, 7)]


@pytest.mark.parametrize("sql", ["SELECT DATE ?", "SELECT 'a' ?", "SELECT INTERVAL ? DAY"])
def test_a_value_is_no_part_of_another_constant(sql: str) -> None:
    with pytest.raises(QueryError):
        checked(sql, ["'2026-01-01'"])
