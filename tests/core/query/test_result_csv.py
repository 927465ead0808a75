"""Athena's CSV, read exactly, also from pieces that end anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeveil.core.query.result_csv import csv_rows, text_rows

values = st.one_of(st.none(), st.text(st.sampled_from('a,"\né'), max_size=6))
tables = st.lists(st.lists(values, min_size=1, max_size=3), max_size=5)


def printed(rows: list[list[str | None]]) -> bytes:
    """The same CSV by another way."""
    quoted = ([("" if v is None else '"' + v.replace('"', '""') + '"') for v in r] for r in rows)
    return "".join(",".join(row) + "\n" for row in quoted).encode()


@given(rows=tables)
def test_what_was_written_is_read(rows: list[list[str | None]]) -> None:
    data = printed(rows)
    found = list(csv_rows(data))

    assert [row for row, _ in found] == [tuple(row) for row in rows]
    assert [end for _, end in found][-1:] == [len(data)][: len(found)]


@given(rows=tables, data=st.data())
def test_a_piece_that_ends_anywhere_gives_the_rows_that_are_complete(
    rows: list[list[str | None]], data: st.DataObject
) -> None:
    whole = printed(rows)
    cut = data.draw(st.integers(0, len(whole)))
    found = list(csv_rows(whole[:cut]))
    place = found[-1][1] if found else 0

    assert [row for row, _ in found] == [tuple(row) for row in rows[: len(found)]]
    assert [*found, *csv_rows(whole, place)] == list(csv_rows(whole))


@pytest.mark.parametrize("data", [b"abc\n", b'"a"b\n', b'"a"\r\n', b'"a" ,"b"\n', b'"a"\n,b'])
def test_what_is_no_such_csv_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no result"):
        list(csv_rows(data))


def test_lines_are_rows_of_one_value() -> None:
    assert list(text_rows(b"a\n\nb\tc\nd")) == [(("a",), 2), (("",), 3), (("b\tc",), 7)]
