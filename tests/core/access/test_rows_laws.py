"""Rows are an algebra: what it says of filters is true for every row, NULLs included."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from hypothesis import given
from hypothesis import strategies as st

from lakeveil.core.access.rows import ALL, NONE, Rows
from lakeveil.core.access.tables.row_filter import canonical, parse
from lakeveil.core.access.tables.row_filter_rows import evaluate

ATOMS = ["a = 1", "b = 1", "c = 1", "d = 1"]
ROWS = st.recursive(
    st.sampled_from([ALL, NONE, *map(Rows.where, ATOMS)]),
    lambda below: st.tuples(below, below, st.booleans()).map(
        lambda made: made[0] | made[1] if made[2] else made[0] & made[1]
    ),
    max_leaves=8,
)
Row = Mapping[str, int | None]


def _every_row() -> Iterator[Row]:
    for values in itertools.product([1, 0, None], repeat=len(ATOMS)):
        yield dict(zip("abcd", values, strict=True))


EVERY_ROW = list(_every_row())


def _true_in(rows: Rows, row: Row) -> bool:
    """By brute force, clause by clause, with no word of the algebra."""
    return any(all(row[filter_[0]] == 1 for filter_ in clause) for clause in rows.clauses)


def _meaning(rows: Rows) -> list[bool]:
    return [_true_in(rows, row) for row in EVERY_ROW]


@given(ROWS, ROWS)
def test_or_and_and_mean_what_they_say_in_every_row(one: Rows, other: Rows) -> None:
    pairs = list(zip(_meaning(one), _meaning(other), strict=True))
    assert _meaning(one | other) == [a or b for a, b in pairs]
    assert _meaning(one & other) == [a and b for a, b in pairs]


@given(ROWS, ROWS, ROWS)
def test_rows_are_a_distributive_lattice(one: Rows, other: Rows, third: Rows) -> None:
    assert one | other == other | one
    assert one & other == other & one
    assert (one | other) | third == one | (other | third)
    assert (one & other) & third == one & (other & third)
    assert one | one == one == one & one
    assert one | (one & other) == one == one & (one | other)
    assert one & (other | third) == (one & other) | (one & third)
    assert one | (other & third) == (one | other) & (one | third)
    assert one | NONE == one == one & ALL
    assert one | ALL == ALL
    assert one & NONE == NONE


@given(ROWS, ROWS)
def test_one_covers_the_other_exactly_where_it_is_true_in_all_its_rows(
    one: Rows, other: Rows
) -> None:
    implied = all(a or not b for a, b in zip(_meaning(one), _meaning(other), strict=True))
    assert one.covers(other) == implied


@given(ROWS, ROWS)
def test_rows_of_the_same_meaning_are_equal(one: Rows, other: Rows) -> None:
    assert (one == other) == (_meaning(one) == _meaning(other))
    assert bool(one) == any(_meaning(one))
    assert one.every == all(_meaning(one))


@given(ROWS)
def test_the_text_of_rows_is_an_expression_of_the_same_meaning(rows: Rows) -> None:
    if rows.every or not rows:
        assert rows.text() == ("TRUE" if rows.every else "FALSE")
        return
    read = parse(rows.text())
    assert [evaluate(read, row) is True for row in EVERY_ROW] == _meaning(rows)
    assert parse(canonical(read)) == read


def test_filters_of_the_same_text_are_one() -> None:
    assert Rows.where(" a = 1 ") == Rows.where("a = 1")
    assert Rows.where("a = 1") != Rows.where("a  =  1")


def test_a_filter_cannot_break_out_of_its_parentheses_once_it_was_read() -> None:
    tricky = Rows.where(canonical(parse("a = ') OR (TRUE'")))
    assert parse((tricky & Rows.where("b = 1")).text()) == parse("(a = ') OR (TRUE') and (b = 1)")
