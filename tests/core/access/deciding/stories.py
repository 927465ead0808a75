"""Reads the stories of `conformance/`: what is done, in order, and what is expected then.

Whatever a story says and this file does not know is an error: an expectation that nobody reads
would be a test that cannot fail. The vocabulary is described in `conformance/README.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lakeveil.core.access.permissions import Permission, Permissions
from lakeveil.core.access.rows import ALL, NONE, Rows

FOLDER = Path(__file__).parents[4] / "conformance"


class StoryError(ValueError):
    """A story says something that is not in the vocabulary."""


class Fields:
    """A mapping from which every member must be taken."""

    def __init__(self, given: Any, where: str) -> None:
        if not isinstance(given, Mapping):
            raise StoryError(f"{where}: a mapping is needed, not {given!r}")
        self._left = dict(given)
        self._where = where

    def take(self, name: str, *default: Any) -> Any:
        """A member; an error where there is none and no default."""
        if name not in self._left and not default:
            raise StoryError(f"{self._where}: `{name}` is missing")
        return self._left.pop(name, *default)

    def done(self) -> None:
        """Refuse members that nobody took."""
        if self._left:
            raise StoryError(f"{self._where}: unknown {sorted(map(str, self._left))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One story: what is done, in order, and what is then expected of whom."""

    id: str
    sentence: str
    steps: tuple[Any, ...]
    then: Mapping[str, Mapping[str, Any]]
    now: float
    decided: str
    """Where Lake Formation's documents are silent: the name of our decision."""


def stories() -> list[Story]:
    """Every story of every file."""
    lakes = _load(FOLDER / "lakes.yaml", "lakes")
    if not isinstance(lakes, Mapping):
        raise StoryError("lakes.yaml: a mapping is needed")
    return [
        read_story(entry, lakes, path.name)
        for path in sorted(FOLDER.glob("*.yaml"))
        if path.name != "lakes.yaml"
        for entry in _load(path, "stories")
    ]


def read_story(entry: Any, lakes: Mapping[str, Any], where: str) -> Story:
    """One story, with the steps of the lake it is set in put before its own."""
    fields = Fields(entry, where)
    lake = fields.take("lake")
    if lake not in lakes:
        raise StoryError(f"{where}: there is no lake `{lake}`")
    story = Story(
        id=fields.take("id"),
        sentence=fields.take("story"),
        steps=(*lakes[lake], *fields.take("steps", [])),
        then=fields.take("then"),
        now=float(fields.take("now", 0)),
        decided=fields.take("decided", ""),
    )
    fields.done()
    if not story.then or not all(story.then.values()):
        raise StoryError(f"{where}: `{story.id}` expects nothing")
    return story


def _load(path: Path, member: str) -> Any:
    fields = Fields(yaml.load(path.read_text("utf-8"), _NoRepetition), path.name)
    found = fields.take(member)
    fields.done()
    return found


class _NoRepetition(yaml.SafeLoader):
    """YAML would let the last of two equal keys win, and the first would never be read."""


def _mapping(loader: _NoRepetition, node: yaml.MappingNode) -> dict[Any, Any]:
    pairs = [
        (loader.construct_object(key, deep=True), loader.construct_object(value, deep=True))
        for key, value in node.value
    ]
    if len(dict(pairs)) != len(pairs):
        raise StoryError(f"a key is given twice {node.start_mark}")
    return dict(pairs)


_NoRepetition.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def permissions(given: Iterable[str]) -> Permissions:
    return frozenset(Permission(one) for one in given)


def rows(given: Any) -> Rows:
    """`all`, `none`, one filter, or a list: an "or" over filters and lists, which are an "and"."""
    if given in ("all", "none"):
        return ALL if given == "all" else NONE
    if isinstance(given, str):
        return Rows.where(given)
    found = NONE
    for clause in given:
        part = ALL
        for text in [clause] if isinstance(clause, str) else clause:
            part &= Rows.where(text)
        found |= part
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedTable:
    """What is expected of one principal and one table; columns left out are hidden."""

    shown: Mapping[str, tuple[tuple[str, Rows], ...]]
    """Column -> (`visible` or a mask, rows), the one that shows most first."""
    rows: Rows
    allow: Permissions
    pass_on: Permissions
    pass_on_columns: frozenset[str]
    because: Mapping[str, frozenset[str]] | None


def expected_table(given: Any, where: str) -> ExpectedTable:
    """Read what is expected of a table."""
    fields = Fields(given, where)
    columns = fields.take("columns", [])
    shown = dict(_shown(columns))
    because = fields.take("because", None)
    found = ExpectedTable(
        shown=shown,
        rows=rows(fields.take("rows", "all" if shown else "none")),
        allow=permissions(fields.take("allow", [])),
        pass_on=permissions(fields.take("pass on", [])),
        pass_on_columns=frozenset(fields.take("pass on columns", [])),
        because=None if because is None else {c: frozenset(ids) for c, ids in because.items()},
    )
    fields.done()
    return found


def _shown(columns: Any) -> Iterator[tuple[str, tuple[tuple[str, Rows], ...]]]:
    if isinstance(columns, list):
        columns = dict.fromkeys(columns, "visible")
    for name, how in columns.items():
        through = {how: "all"} if isinstance(how, str) else how
        yield name, tuple((mask, rows(which)) for mask, which in through.items())


def expected_permissions(given: Any, where: str) -> tuple[Permissions, Permissions]:
    """Read what is expected of a database or a catalog: allowed, and may be passed on."""
    fields = Fields(given, where)
    found = permissions(fields.take("allow", [])), permissions(fields.take("pass on", []))
    fields.done()
    return found
