"""What is made of other columns shows by tags to nobody who does not see those."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lakeveil.core.access.deriving import derived_tags, opened_keys
from lakeveil.core.access.tags import ANY, WITHHELD, Expression, matches

KEYS = ("class", "team", "region")
VALUES = ("a", "b", "c")

tags = st.dictionaries(st.sampled_from(KEYS), st.sampled_from((*VALUES, WITHHELD)))
some_tags = st.lists(tags, min_size=1, max_size=4)
expressions = st.dictionaries(
    st.sampled_from(KEYS),
    st.frozensets(st.sampled_from((*VALUES, ANY)), min_size=1),
    min_size=1,
).map(Expression.of)


@given(sources=some_tags, inherited=tags, expression=expressions)
def test_who_sees_a_derived_column_by_tags_sees_all_its_sources(
    sources: list[dict[str, str]], inherited: dict[str, str], expression: Expression
) -> None:
    carried = {**inherited, **derived_tags(sources, inherited)}
    if matches(expression, carried, KEYS):
        assert all(matches(expression, source, KEYS) for source in sources)


@given(target=tags, sources=some_tags, expression=expressions)
def test_who_sees_a_column_by_tags_sees_the_sources_that_may_go_into_it(
    target: dict[str, str], sources: list[dict[str, str]], expression: Expression
) -> None:
    if not opened_keys(target, sources) and matches(expression, target, KEYS):
        assert all(matches(expression, source, KEYS) for source in sources)


@given(source=tags, inherited=tags)
def test_a_copy_is_as_open_as_its_only_source(
    source: dict[str, str], inherited: dict[str, str]
) -> None:
    carried = {**inherited, **derived_tags([source], inherited)}
    assert {k: v for k, v in carried.items() if v != WITHHELD} == {
        k: v for k, v in source.items() if v != WITHHELD
    }


def test_what_is_made_of_nothing_inherits() -> None:
    assert derived_tags([], {"class": "a"}) == {}
