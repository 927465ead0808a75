"""Row filters are read strictly, written anew the same, and mean what SQL says they mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.core.access.tables.row_filter import (
    MAX_CANONICAL,
    MAX_CHARACTERS,
    And,
    Between,
    Comparison,
    Constant,
    In,
    IsNull,
    Like,
    Not,
    Or,
    Predicate,
    RowFilter,
    canonical,
    columns_of,
    parse,
)
from lakeveil.core.access.tables.row_filter_rows import check, evaluate
from lakeveil.errors import UsageError

TYPES = {"t": "string", "v": "varchar(20)", "n": "int", "x": "decimal(10,2)", "b": "boolean"}
ALPHABET = "aAbBé%_'\"\\ "


def _constants(kind: str) -> st.SearchStrategy[Constant]:
    kinds: dict[str, st.SearchStrategy[Constant]] = {
        "text": st.text(ALPHABET, max_size=4),
        "integer": st.integers(-9, 9),
        # Quarters are exact in SQLite's binary numbers, too.
        "number": st.integers(-9, 9)
        | st.sampled_from([Decimal("0.25"), Decimal("-1.5"), Decimal("2.75")]),
        "boolean": st.booleans(),
    }
    return kinds[kind]


KINDS = {"t": "text", "v": "text", "n": "integer", "x": "number", "b": "boolean"}


def _predicates(column: str) -> st.SearchStrategy[Predicate]:
    values, name = _constants(KINDS[column]), st.just(column)
    ordered = KINDS[column] != "boolean"
    signs = ["=", "<>", "<", ">", "<=", ">="] if ordered else ["=", "<>"]
    some = st.lists(values, min_size=1, max_size=3).map(tuple)
    choices: list[st.SearchStrategy[Predicate]] = [
        st.builds(Comparison, name, st.sampled_from(signs), values),
        st.builds(In, name, some, st.booleans()),
        st.builds(IsNull, name, st.booleans()),
    ]
    if ordered:
        choices.append(st.builds(Between, name, values, values, st.booleans()))
    if KINDS[column] == "text":
        choices.append(st.builds(Like, name, values, st.booleans()))
    return st.one_of(choices)


def _compound(below: st.SearchStrategy[RowFilter]) -> st.SearchStrategy[RowFilter]:
    parts = st.lists(below, min_size=2, max_size=3).map(tuple)
    return st.builds(And, parts) | st.builds(Or, parts) | st.builds(Not, below)


EXPRESSIONS: st.SearchStrategy[RowFilter] = st.recursive(
    st.one_of(list(map(_predicates, KINDS))), _compound, max_leaves=8
)
ROWS = st.fixed_dictionaries({name: st.none() | _constants(kind) for name, kind in KINDS.items()})


@given(EXPRESSIONS)
def test_what_is_written_canonically_reads_back_as_the_same(expression: RowFilter) -> None:
    text = canonical(expression)
    again = parse(text, longest=MAX_CANONICAL)
    assert again == expression
    assert canonical(again) == text


@pytest.fixture(scope="module")
def sqlite() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.execute("PRAGMA case_sensitive_like = ON")
    connection.execute("CREATE TABLE r (t TEXT, v TEXT, n INTEGER, x NUMERIC, b INTEGER)")
    yield connection
    connection.close()


@given(EXPRESSIONS, st.lists(ROWS, min_size=1, max_size=4))
def test_sqlite_agrees_about_which_rows_an_expression_is_true_of(
    sqlite: sqlite3.Connection, expression: RowFilter, rows: list[dict[str, Any]]
) -> None:
    sqlite.execute("DELETE FROM r")
    numbered = [
        tuple(float(v) if isinstance(v, Decimal) else v for v in map(row.get, KINDS))
        for row in rows
    ]
    sqlite.executemany(f"INSERT INTO r ({', '.join(KINDS)}) VALUES (?, ?, ?, ?, ?)", numbered)
    answers = sqlite.execute(f"SELECT {canonical(expression)} FROM r ORDER BY rowid").fetchall()
    theirs = [None if answer is None else bool(answer) for (answer,) in answers]
    assert theirs == [evaluate(expression, row) for row in rows]


@given(EXPRESSIONS)
def test_an_expression_fits_the_columns_that_it_was_made_for(expression: RowFilter) -> None:
    check(expression, TYPES)
    assert columns_of(expression) <= set(TYPES)


@given(st.text(alphabet="abn01'\"()=<>!,.- %_\n\0ANDORTINLKEUS", max_size=40))
def test_any_text_is_either_read_or_refused_in_our_own_words(text: str) -> None:
    try:
        found = parse(text)
    except UsageError as refused:
        explained = bool(refused.code == "invalid_row_filter" and refused.why and refused.fix)
    else:
        explained = parse(canonical(found), longest=MAX_CANONICAL) == found
    assert explained


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("region = 'us'", Comparison("region", "=", "us")),
        ("Region != 'it''s'", Comparison("region", "<>", "it's")),
        ('"Date" = DATE \'2026-01-31\'', Comparison("date", "=", date(2026, 1, 31))),
        ('"a""b"<=-4.50', Comparison('a"b', "<=", Decimal("-4.5"))),
        ("n = 5.0", Comparison("n", "=", 5)),
        ("b = TRUE", Comparison("b", "=", True)),
        ("n between 1 and 2", Between("n", 1, 2)),
        ("n not between 1 and 2 and b=false",
         And((Between("n", 1, 2, negated=True), Comparison("b", "=", False)))),
        ("r in ('us','eu')", In("r", ("us", "eu"))),
        ("country like '%ited%'", Like("country", "%ited%")),
        ("r is not null", IsNull("r", negated=True)),
        ("not r is null", Not(IsNull("r"))),
        (
            "t > TIMESTAMP '2026-01-31 23:59:59.5'",
            Comparison("t", ">", datetime(2026, 1, 31, 23, 59, 59, 500_000)),  # noqa: DTZ001
        ),
        (
            "a = 1 or b = 2 and c = 3",
            Or(
                (
                    Comparison("a", "=", 1),
                    And((Comparison("b", "=", 2), Comparison("c", "=", 3))),
                )
            ),
        ),
        (
            "not a = 1 and b = 2",
            And((Not(Comparison("a", "=", 1)), Comparison("b", "=", 2))),
        ),
        ("((((a = 1))))", Comparison("a", "=", 1)),
    ],
)  # fmt: skip
def test_an_expression_is_read(text: str, expected: RowFilter) -> None:
    assert parse(text) == expected
    assert parse(canonical(expected)) == expected


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 1),
        ("region", 7),
        ("TRUE", 1),
        ("1 = 1", 1),
        ("'us' = region", 1),
        ("a = b", 5),
        ("a = NULL", 5),
        ("a = lower('x')", 5),
        ("lower(a) = 'x'", 6),
        ("a = (SELECT 1)", 5),
        ("a IN (SELECT b FROM c)", 7),
        ("a IN ()", 7),
        ("a = 'x' -- comment", 9),
        ("a = 'x' /* */", 9),
        ("a = 'x'; DROP TABLE t", 8),
        ("a = 'x' 'y'", 9),
        ("a = 'x", 5),
        ('a" = 1', 1),
        ('a = "x"', 5),
        ("a == 1", 4),
        ("a = 1e9", 5),
        ("a = 1.", 5),
        ("a = 0x10", 5),
        ("a = + 1", 5),
        ("a.b = 1", 1),
        ("a || 'x' = 'y'", 3),
        ("a LIKE 5", 8),
        ("a LIKE 'x' ESCAPE '!'", 12),
        ("a NOT = 1", 7),
        ("a IS 1", 6),
        ("a = 1 AND", 10),
        ("(a = 1", 7),
        ("a = 1)", 6),
        ("a = DATE '2026-02-30'", 10),
        ("a = DATE '26-1-1'", 10),
        ("a = TIMESTAMP '2026-01-31 25:00:00'", 15),
        ("a = TIMESTAMP '2026-01-31 23:00:00Z'", 15),
        ("a = '\0'", 5),
        ("date = '2026-01-31'", 1),
        ("é = 1", 1),
        ("a = ٣", 5),
    ],
)
def test_what_is_not_understood_is_refused_at_its_position(text: str, position: int) -> None:
    with pytest.raises(UsageError) as refused:
        parse(text)
    assert f"at character {position} " in refused.value.why


def test_a_refusal_repeats_no_more_than_eight_characters() -> None:
    with pytest.raises(UsageError) as refused:
        parse("salary = secret_of_somebody")
    assert "secret_o" in refused.value.why
    assert "secret_of" not in str(refused.value.as_dict())


def test_an_expression_has_fewer_than_2048_characters() -> None:
    longest = "a = '" + "x" * (MAX_CHARACTERS - 6) + "'"
    assert parse(longest)
    with pytest.raises(UsageError, match="not valid"):
        parse(longest + " ")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 900 + "a = 1" + ")" * 900,
        "NOT " * 400 + "a = 1",
        "(a=1 or b=1 and " * 17 + "c=1" + ")" * 17,
    ],
)
def test_an_expression_that_nests_too_deep_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


def test_the_canonical_text_of_the_longest_expression_can_be_read() -> None:
    found = parse(("a<1 or " * 300)[: MAX_CHARACTERS - 3].rsplit(" or", 1)[0])
    assert parse(canonical(found), longest=MAX_CANONICAL) == found


@pytest.mark.parametrize(
    ("expression", "types"),
    [
        ("z = 1", {"a": "int"}),
        ("a = '1'", {"a": "int"}),
        ("a = 1.5", {"a": "bigint"}),
        ("a = TRUE", {"a": "int"}),
        ("a = 1", {"a": "boolean"}),
        ("a < TRUE", {"a": "boolean"}),
        ("a BETWEEN TRUE AND FALSE", {"a": "boolean"}),
        ("a = 1", {"a": "string"}),
        ("a LIKE '1%'", {"a": "int"}),
        ("a IN (1, 'x')", {"a": "int"}),
        ("a BETWEEN 1 AND 'x'", {"a": "int"}),
        ("a = '2026-01-31'", {"a": "date"}),
        ("a = DATE '2026-01-31'", {"a": "timestamp"}),
        ("a = TIMESTAMP '2026-01-31 00:00:00'", {"a": "timestamp with time zone"}),
        ("a = TIMESTAMP '2026-01-31 00:00:00'", {"a": "timestamptz"}),
        ("a = 'x'", {"a": "binary"}),
        ("a = 'x'", {"a": "array<string>"}),
        ("a IS NULL", {"a": "struct<b:int>"}),
        ("NOT (b = 1 OR a = 'x')", {"a": "int", "b": "int"}),
    ],
)
def test_a_filter_that_does_not_fit_its_table_is_refused(
    expression: str, types: Mapping[str, str]
) -> None:
    with pytest.raises(UsageError, match="does not fit"):
        check(parse(expression), types)


@pytest.mark.parametrize(
    ("expression", "types"),
    [
        ("a = 1 and b = 1.5 and c = 1", {"a": "BIGINT", "b": "decimal(10, 2)", "c": "double"}),
        ("a LIKE 'x%' and b = 'x'", {"a": "char(3)", "b": "string"}),
        ("a = DATE '2026-01-31' and a is not null", {"a": "date"}),
        ("a = TIMESTAMP '2026-01-31 00:00:00'", {"a": "timestamp(6)"}),
    ],
)
def test_a_filter_that_fits_its_table_is_accepted(
    expression: str, types: Mapping[str, str]
) -> None:
    check(parse(expression), types)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("a = 1", "1"),
        ("a <> 1", "1"),
        ("a = 1", True),
        ("not a = 'x'", 5),
        ("a > 1", float("nan")),
        ("a <> 1", float("nan")),
        ("a < DATE '2026-01-31'", datetime(2026, 1, 1, tzinfo=UTC)),
        ("a < TIMESTAMP '2026-01-31 00:00:00'", datetime(2026, 1, 1, tzinfo=UTC)),
        ("a < TIMESTAMP '2026-01-31 00:00:00'", date(2026, 1, 1)),
        ("a not like 'x'", b"y"),
        ("a not in (1, 2)", "3"),
        ("a not in (1, 2)", None),
    ],
)
def test_what_cannot_be_compared_is_unknown_and_so_not_shown(expression: str, value: Any) -> None:
    assert evaluate(parse(expression), {"a": value}) is None


def test_a_row_without_the_column_is_no_row_of_the_table() -> None:
    with pytest.raises(KeyError):
        evaluate(parse("a is null"), {"b": 1})


def test_a_like_that_could_match_in_many_ways_is_quick() -> None:
    assert evaluate(parse("a like '" + "%a" * 500 + "b'"), {"a": "a" * 1000}) is False
