"""Every story of `conformance/` ends as it says."""

from __future__ import annotations

from typing import Any

import pytest

from lakeveil.core.access.deciding.database import catalog_permissions, database_permissions
from lakeveil.core.access.deciding.decide import decide, passable
from lakeveil.core.access.deciding.decision import ColumnDecision
from lakeveil.core.access.permissions import Permissions
from lakeveil.core.access.rows import Rows
from tests.core.access.deciding.stories import (
    FOLDER,
    Story,
    StoryError,
    expected_permissions,
    expected_table,
    read_story,
    stories,
)
from tests.core.access.deciding.story_world import HOME, World, act_out

STORIES = stories()


@pytest.mark.parametrize("story", STORIES, ids=[story.id for story in STORIES])
def test_a_story_ends_as_it_says(story: Story) -> None:
    world = act_out(story)
    for principal, expectations in story.then.items():
        for resource, expected in expectations.items():
            if resource in world.tables:
                _check_table(world, story, principal, resource, expected)
            else:
                found = _permissions(world, principal, resource, story.now)
                where = f"{story.id}: {principal} on {resource}"
                assert found == expected_permissions(expected, where), where


def _check_table(world: World, story: Story, principal: str, name: str, given: Any) -> None:
    where, now = f"{story.id}: {principal} on {name}", story.now
    who, table, policy = world.principals[principal], world.table(name), world.policy()
    expected = expected_table(given, where)
    found = decide(who, table, policy, now=now)
    assert set(expected.shown) <= {c.name for c in table.columns}, where
    assert [c.name for c in found.columns] == [c.name for c in table.columns], where
    assert {c.name: _shown(c) for c in found.shown()} == dict(expected.shown), where
    assert found.rows == expected.rows, where
    assert found.permissions == expected.allow, where
    assert found.grantable == expected.pass_on, where
    may = passable(who, table, policy, now=now)
    assert frozenset(may.cells) == expected.pass_on_columns, where
    if expected.because is not None:
        because = {c.name: frozenset(c.grants) for c in found.columns if c.grants}
        assert because == dict(expected.because), where


def _shown(column: ColumnDecision) -> tuple[tuple[str, Rows], ...]:
    visible = [("visible", column.visible)] if column.visible else []
    return (*visible, *((str(mask), rows) for mask, rows in column.masked))


def _permissions(
    world: World, principal: str, resource: str, now: float
) -> tuple[Permissions, Permissions]:
    who, policy = world.principals[principal], world.policy()
    if resource == "catalog":
        return catalog_permissions(who, HOME, policy, now=now)
    return database_permissions(who, world.database(resource), policy, now=now)


def test_every_story_has_a_name_and_a_sentence_of_its_own() -> None:
    assert len({story.id for story in STORIES}) == len(STORIES)
    assert len({story.sentence for story in STORIES}) == len(STORIES)
    assert len(STORIES) >= 90


def test_what_is_decided_where_lake_formation_is_silent_is_on_record() -> None:
    record = (FOLDER.parent / "docs/adr/0012-where-lake-formation-is-silent.md").read_text("utf-8")
    named = {line.split("|")[1].strip() for line in record.splitlines() if line.startswith("| ")}
    assert {story.decided for story in STORIES if story.decided} == named - {"name"}


LAKE = {"little": [{"create principal": {"name": "ana"}}, {"create database": {"name": "d"}}]}
GOOD: dict[str, Any] = {
    "id": "x",
    "story": "nothing is nothing",
    "lake": "little",
    "steps": [{"create table": {"name": "d.t", "columns": {"a": "int"}}}],
    "then": {"ana": {"d.t": {}}},
}


@pytest.mark.parametrize(
    "change",
    [
        {"steps": [{"create table": {"name": "d.t", "columns": {"a": "int"}, "colour": "red"}}]},
        {"steps": [{"drop everything": {}}]},
        {"steps": [{"create tag": {"key": "k", "values": ["v"]}, "delete tag": {"key": "k"}}]},
        {"steps": [{"grant": {"id": "g", "to": "ana", "resource": {"tabel": "d.t"}, "allow": []}}]},
        {"then": {"ana": {"d": {"columns": ["a"]}}}},
        {"then": {"ana": {"d": {"alow": []}}}},
        {"then": {"ana": {}}},
        {"then": {}},
        {"because": "I say so"},
        {"lake": "elsewhere"},
    ],
)
def test_a_story_that_says_something_unknown_is_refused(change: dict[str, Any]) -> None:
    test_a_story_ends_as_it_says(read_story(GOOD, LAKE, "here"))
    with pytest.raises(StoryError):
        test_a_story_ends_as_it_says(read_story(GOOD | change, LAKE, "here"))


@pytest.mark.parametrize(
    "expected",
    [{"columns": ["a"]}, {"allow": ["DESCRIBE"]}, {"rows": "all"}, {"pass on": ["SELECT"]},
     {"pass on columns": ["a"]}, {"because": {"a": ["g"]}}, {"columns": {"a": "hash"}}],
)  # fmt: skip
def test_a_story_that_ends_otherwise_fails(expected: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        test_a_story_ends_as_it_says(
            read_story(GOOD | {"then": {"ana": {"d.t": expected}}}, LAKE, "here")
        )
