"""Hostile statements as data, and what came of trying one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from tests.hostile.canary_lake import leaks

FILE = Path(__file__).resolve().parents[2] / "conformance" / "sql" / "hostile.yaml"
_FIELDS = {"sql", "parameters", "refused", "allowed", "rows", "stopped"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement. Exactly one of `refused`, `allowed` and `stopped` is set.

    `rows` is the result where it must be a certain one. `{url}` and `{location}` stand for those of
    the file of `orders`, `{other}` for that of somebody's private result.
    """

    group: str
    sql: str
    parameters: tuple[str, ...] = ()
    refused: str = ""
    allowed: bool = False
    stopped: bool = False
    rows: list[list[Any]] | None = None

    @property
    def asked(self) -> str:
        """All that its author wrote."""
        return " ".join((self.sql, *self.parameters, *(self.sql.lower(), self.sql.upper())))

    def knowing(self, known: Mapping[str, str]) -> Statement:
        """With what its author may have learned."""
        sql = self.sql
        for mark, value in known.items():
            sql = sql.replace(mark, value)
        return replace(self, sql=sql)


def statements(*groups: str) -> list[Statement]:
    """All of the file, or some groups of it.

    Raises:
        ValueError: a field that isn't known, or not exactly one expectation.
    """
    found = list(_read(yaml.safe_load(FILE.read_text("utf-8"))))
    return [one for one in found if not groups or one.group in groups]


def _read(document: Mapping[str, list[dict[str, Any]]]) -> Iterator[Statement]:
    seen = set()
    for group, cases in document.items():
        for case in cases:
            expected = {"refused", "allowed", "stopped"} & case.keys()
            key = (case["sql"], *case.get("parameters", ()))
            if case.keys() - _FIELDS or len(expected) != 1 or key in seen:
                raise ValueError(case)
            seen.add(key)
            parameters = tuple(case.get("parameters", ()))
            yield Statement(**{**case, "group": group, "parameters": parameters})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What somebody got for a statement: rows, or an error; and all that was said besides."""

    rows: list[tuple[Any, ...]] | None = None
    columns: tuple[str, ...] = ()
    error: str = ""
    words: str = ""
    besides: str = ""

    def leaked(self, one: Statement) -> frozenset[str]:
        """What of the forbidden is in any of it."""
        said = "\n".join((repr(self.rows), repr(self.columns), self.words, self.besides))
        return leaks(said, asked=one.asked)


def sorted_rows(rows: list[tuple[Any, ...]] | None) -> list[str] | None:
    """Rows as a multiset that can be compared."""
    return None if rows is None else sorted(map(_plain, rows))


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_plain, value))})"
    if isinstance(value, dict):
        return f"({', '.join(f'{k!r}: {_plain(v)}' for k, v in sorted(value.items(), key=repr))})"
    return repr(value)
