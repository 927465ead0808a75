"""The pictures in the documentation are those that the demo draws."""

from __future__ import annotations

from pathlib import Path

from demo.access_picture import write_svg
from demo.lake import NEAR_MISS, PEOPLE, TABLES, Answer, Lake, expected
from demo.questions import ADDRESSES, EVERYTHING

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "images" / "access.svg"
QUERIES = ROOT / "docs" / "images" / "queries.svg"


def test_the_picture_of_who_sees_what_shows_what_the_demo_expects(tmp_path: Path) -> None:
    tables = {
        name: [*columns, *([NEAR_MISS] if name == ("ads", "clicks") else [])]
        for name, columns in TABLES.items()
    }
    answers = [
        Answer(
            person=person,
            seen={
                name: {column: expected(person, name, column) for column in columns}
                for name, columns in tables.items()
            },
        )
        for person in PEOPLE
    ]

    write_svg(Lake(answers=answers, why="", tables=tables), tmp_path / "access.svg")

    drawn = (tmp_path / "access.svg").read_text("utf-8")
    assert PICTURE.read_text("utf-8") == drawn, (
        "copy it anew: demo-output/access.svg of `make demo`"
    )


def test_the_picture_of_the_queries_shows_what_the_demo_asks_and_hides() -> None:
    # Hashes and bytes differ from run to run, so the rest is compared.
    drawn = QUERIES.read_text("utf-8")
    assert EVERYTHING.sql in drawn
    assert ADDRESSES.sql in drawn
    assert drawn.count("is not there") == 1
    assert drawn.count(ADDRESSES.refused["ana"]) == 1
