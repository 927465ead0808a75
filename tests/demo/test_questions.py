"""The demo's queries: what it expects to be told, and that it would notice a leak."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from demo.clients import CLIENTS, Result
from demo.events import Events, events
from demo.lake import PEOPLE, PRIVATE, TABLES
from demo.query_picture import write_svg
from demo.questions import (
    ADDRESSES,
    ASKS_BY,
    EVERYTHING,
    QUESTIONS,
    Asked,
    Hashes,
    Interview,
    Question,
    problems,
)
from demo.side_by_side import table
from rich.console import Console

ROWS = 20_000


@pytest.fixture(scope="module")
def made() -> Events:
    return events(ROWS)


def hashed(value: str) -> str:
    """Something like the mask's answer."""
    return value.encode().hex().ljust(64, "0")


def honest(question: Question, person: str, made: Events) -> Result:
    """What somebody should be told."""
    if error := question.refused.get(person, ""):
        return Result(error=error, message=f"{error}: line 1:1: it is not there")
    truth = question.truth(made)
    kept = [n for n, c in enumerate(truth.columns) if person != "ana" or c != PRIVATE]

    def shown(row: tuple[Any, ...], place: int) -> Any:
        masked = person == "finn" and truth.columns[place] == PRIVATE
        return hashed(row[place]) if masked else row[place]

    return Result(
        columns=tuple(truth.columns[n] for n in kept),
        rows=tuple(tuple(shown(row, n) for n in kept) for row in truth.rows),
        scanned=1_000_000,
    )


def found(question: Question, person: str, result: Result, made: Events) -> str:
    return "; ".join(problems(question, person, result, question.truth(made), Hashes()))


@pytest.fixture
def told(made: Events) -> Interview:
    return Interview(
        asked=[
            Asked(
                question=question,
                person=person,
                client=ASKS_BY[person],
                result=honest(question, person, made),
                problems=(),
            )
            for question in QUESTIONS
            for person in PEOPLE
        ],
        price=5.0,
    )


def test_the_events_are_the_same_each_time_and_fit_the_tables(made: Events) -> None:
    again = events(ROWS)
    assert made.impressions.equals(again.impressions)
    assert made.impressions.num_rows == ROWS
    for name, table_of in (
        (("ads", "impressions"), made.impressions),
        (("ads", "clicks"), made.clicks),
        (("partner_feeds", "viewability"), made.viewability),
    ):
        assert table_of.column_names == list(TABLES[name])


def test_the_first_rows_of_a_count_are_the_same_however_it_is_asked(made: Events) -> None:
    counts = [row[1] for row in ADDRESSES.truth(made).rows]
    assert len(set(counts)) == len(counts)


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_an_honest_answer_has_no_problem(question: Question, person: str, made: Events) -> None:
    assert found(question, person, honest(question, person, made), made) == ""


def test_each_asks_by_a_client_that_there_is() -> None:
    assert set(ASKS_BY) == set(PEOPLE)
    assert set(ASKS_BY.values()) == set(CLIENTS)


def test_a_private_column_that_ana_is_shown_is_noticed(made: Events) -> None:
    leak = honest(EVERYTHING, "priya", made)
    assert PRIVATE in found(EVERYTHING, "ana", leak, made)
    assert "the answer is rows" in found(ADDRESSES, "ana", honest(ADDRESSES, "priya", made), made)


def test_a_value_that_finn_is_shown_as_it_is_is_noticed(made: Events) -> None:
    leak = honest(EVERYTHING, "priya", made)
    assert "shown as it is" in found(EVERYTHING, "finn", leak, made)


def test_hashes_that_do_not_join_are_noticed() -> None:
    hashes = Hashes()
    assert hashes.problem("192.0.2.1", "a" * 64) == ""
    assert hashes.problem("192.0.2.1", "b" * 64) == "one address has two hashes"
    assert hashes.problem("192.0.2.2", "a" * 64) == "two addresses have one hash"


def test_another_error_and_another_value_are_noticed(made: Events) -> None:
    other = Result(error="TABLE_NOT_FOUND")
    assert "not COLUMN_NOT_FOUND" in found(ADDRESSES, "ana", other, made)
    good = honest(ADDRESSES, "priya", made)
    bad = Result(columns=good.columns, rows=((good.rows[0][0], -1), *good.rows[1:]))
    assert found(ADDRESSES, "priya", bad, made) == "shown is not what was loaded"


def test_the_answers_stand_side_by_side(told: Interview) -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(table(told))
    said = console.export_text()
    (line,) = [one for one in said.splitlines() if one.startswith(PRIVATE)]
    assert "is not there" in line
    assert "0.0045" in said


def test_answers_that_went_wrong_are_shown_all_the_same(told: Interview, tmp_path: Path) -> None:
    wrong = [replace(one, result=Result(error="NOT_SUPPORTED")) for one in told.asked]
    empty = [replace(one, result=replace(one.result, rows=())) for one in told.asked]
    for asked in (wrong, empty):
        console = Console(width=120, record=True, file=io.StringIO())
        console.print(table(replace(told, asked=asked)))
        write_svg(replace(told, asked=asked), tmp_path / "queries.svg")
        said = "NOT_SUPPORTED" if asked is wrong else "no rows"
        assert said in console.export_text()
        assert said in (tmp_path / "queries.svg").read_text("utf-8")


def test_the_picture_is_well_formed_and_tells_all_three(told: Interview, tmp_path: Path) -> None:
    write_svg(told, tmp_path / "queries.svg")
    texts = [text for one in ET.parse(tmp_path / "queries.svg").iter() if (text := one.text)]
    assert texts.count("is not there") == 1
    assert "COLUMN_NOT_FOUND" in texts
    assert EVERYTHING.sql in texts
    assert ADDRESSES.sql in texts
