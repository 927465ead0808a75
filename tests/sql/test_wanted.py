"""What is told of a relation before names are resolved: only what every row of it must fulfil."""

from __future__ import annotations

import pytest

from tests.sql.lake import CITIES, EVENTS, catalog, checked


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("SELECT * FROM cities WHERE city = 'Oslo'", {"city": "Oslo"}),
        ("SELECT * FROM cities WHERE 'Oslo' = City AND (country = 'no')",
         {"city": "Oslo", "country": "no"}),
        ("SELECT * FROM cities c WHERE c.city = 'Oslo' AND length(country) > 1", {"city": "Oslo"}),
        ("SELECT * FROM cities WHERE city = 'a' OR city = 'b'", {}),
        ("SELECT * FROM cities WHERE NOT city = 'a'", {}),
        ("SELECT * FROM cities WHERE city <> 'a'", {}),
        ("SELECT * FROM cities AS c (x, city) WHERE city = 'a'", {}),
        ("SELECT * FROM cities c JOIN events e ON true WHERE country = 'a'", {}),
        ("SELECT * FROM cities c, events e WHERE country = 'a'", {}),
        ("SELECT count(*) FROM cities HAVING count(*) > 1", {}),
    ],
)  # fmt: skip
def test_what_is_wanted(sql: str, wanted: dict[str, str]) -> None:
    lake = catalog(CITIES, EVENTS)
    checked(sql, catalog=lake)
    assert lake.asked[0] == wanted


def test_conditions_of_an_outer_query_are_not_those_of_an_inner_one() -> None:
    lake = catalog(CITIES, EVENTS)
    checked("SELECT * FROM events WHERE city = 'a' AND EXISTS (SELECT 1 FROM cities)", catalog=lake)
    assert lake.asked == [{"city": "a"}, {}]


def test_the_parameters_of_a_query_count() -> None:
    lake = catalog(CITIES)
    checked("SELECT * FROM cities WHERE city = ?", ["'Oslo'"], catalog=lake)
    assert lake.asked == [{"city": "Oslo"}]
