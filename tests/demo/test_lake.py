"""The demo's lake: what it expects of it, that it would notice a leak, and its picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from demo.access_picture import write_page, write_svg
from demo.lake import NEAR_MISS, PEOPLE, PRIVATE, TABLES, Answer, Lake, answer, expected

CLICKS, FEED = ("ads", "clicks"), ("partner_feeds", "viewability")


def honest(person: str) -> Answer:
    """Somebody who sees what they should."""
    seen = {
        name: {column: expected(person, name, column) for column in columns}
        for name, columns in TABLES.items()
    }
    return Answer(person=person, seen=seen)


@pytest.fixture
def lake() -> Lake:
    tables = {name: list(columns) for name, columns in TABLES.items()}
    why = "ana may not see <it>"
    return Lake(answers=[honest(person) for person in PEOPLE], why=why, tables=tables)


def test_the_two_rules_leave_out_the_private_column_and_the_partners_table() -> None:
    assert expected("ana", CLICKS, "campaign") == "visible"
    assert expected("ana", CLICKS, PRIVATE) == "hidden"
    assert {expected("ana", FEED, column) for column in TABLES[FEED]} == {"hidden"}
    assert expected("finn", CLICKS, PRIVATE) == "masked"
    assert expected("priya", CLICKS, PRIVATE) == "visible"


def test_the_near_miss_is_hidden_from_everybody() -> None:
    assert {expected(person, CLICKS, NEAR_MISS) for person in PEOPLE} == {"hidden"}


@pytest.mark.parametrize(
    ("listed", "masked", "problem"),
    [
        (["event_time", "campaign"], [], ""),
        (["event_time", "campaign", PRIVATE], [], "ads.clicks.ip_address is visible, not hidden"),
        (["event_time", "campaign", PRIVATE], [PRIVATE], "is masked, not hidden"),
        (["event_time"], [], "ads.clicks.campaign is hidden, not visible"),
        (["event_time", "campaign", "salary"], [], "ads.clicks shows salary"),
        ([], [], "is hidden, not visible"),
    ],
)
def test_a_column_too_many_or_too_few_is_a_problem(
    listed: list[str], masked: list[str], problem: str
) -> None:
    columns = list(TABLES[CLICKS])

    found = answer("ana", {CLICKS: columns}, {CLICKS: listed}, {CLICKS: set(masked)})

    assert (problem in "; ".join(found.problems)) if problem else not found.problems


def test_the_picture_says_every_outcome_in_words_and_is_well_formed(
    lake: Lake, tmp_path: Path
) -> None:
    write_svg(lake, tmp_path / "access.svg")

    texts = [text for one in ET.parse(tmp_path / "access.svg").iter() if (text := one.text)]

    said: dict[str, Any] = {word: texts.count(word) for word in PEOPLE}
    assert said == dict.fromkeys(PEOPLE, 1)
    outcomes = [one for a in lake.answers for row in a.seen.values() for one in row.values()]
    for outcome in ("visible", "masked", "hidden"):
        assert sum(outcome in text for text in texts) == outcomes.count(outcome)


def test_the_page_holds_the_explanation_as_text(lake: Lake, tmp_path: Path) -> None:
    write_page(lake, tmp_path / "access.html")

    page = (tmp_path / "access.html").read_text("utf-8")
    assert "ana may not see &lt;it&gt;" in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
