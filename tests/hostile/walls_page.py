"""The page that says what each wall alone does not stop: `python -m tests.hostile.walls_page`.

It is written from a run of all statements; a test compares it with another.
"""

# ruff: noqa: E501 - a page's lines are wider than a program's

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.hostile.attempts import Outcome, Statement, statements
from tests.hostile.canary_lake import canary_lake
from tests.hostile.in_process import GuardAlone
from tests.hostile.raw_workers import Raw, raw_workers
from tests.hostile.real_walls import RealWalls, real_walls
from tests.stack_fixture import running_weed

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "sql-walls.md"
Leaks = Mapping[Statement, frozenset[str]]
_HEAD = """\
<!-- Written by `python -m tests.hostile.walls_page` from a run; a test compares it. -->

# What each wall of governed SQL stops

Every statement of [hostile.yaml](../../conformance/sql/hostile.yaml) is tried at each wall alone and at all of them,
over one lake with a hidden table, a hidden database, hidden and masked columns, a row filter, and somebody else's
results. Whatever may not be seen holds a mark. A statement leaks if a mark, a path, a URL or words of the policy are
in its rows, its error, its plan, its statistics or the log. Its author is taken to know the URLs.

| wall | what it is | leaking statements |
|---|---|---|
| guard | SQL regenerated from the checked tree, over governed views, in an engine without any lock over whole files | {guard} of {total} |
| engine | the statement's own text in a worker process, locked and confined, with files by URL | {lock} of {total} |
| strict | the statement's own text in a process without network, fed what the views show | {strict} of {total} |
| all | as it runs | {all} of {total} |

The engine's walls alone keep out every other file, address and setting. They do not hide a column, a masked value or a
row of a file that the query reads, as a URL gives the whole file; nor the views, in which the policy stands; nor
the names in a file's footer. Hence the guard, and strict workgroups for those to whom one wall there is too few.

The guard alone does not limit time and memory: a query that never ends is stopped by the engine, which kills its
process. It does not keep a query from failing on rows that a filter holds back, as an engine may evaluate it before the
filter: the engine runs such a query once more over the permitted rows. Nor does it stand between the engine
and files, should the engine itself have a fault.

## What the engine's walls alone do not stop

| statement | leaks |
|---|---|
"""


def page(*, guard: Leaks, lock: Leaks, strict: Leaks, every: Leaks, total: int) -> str:
    """The page."""
    counts = {"guard": guard, "lock": lock, "strict": strict, "all": every}
    head = _HEAD.format(total=total, **{name: len(found) for name, found in counts.items()})
    lines = [
        f"| `{one.sql.replace('|', chr(92) + '|')}` | {', '.join(sorted(what))} |"
        for one, what in lock.items()
    ]
    return head + "\n".join(lines) + "\n"


def leaking() -> dict[str, frozenset[str]]:
    """What the page has: statement -> what it leaks past the engine's walls alone."""
    lines = PAGE.read_text("utf-8").partition("| statement | leaks |")[2].splitlines()[2:]
    found = {}
    for line in lines:
        sql, _, what = line.removeprefix("| `").removesuffix(" |").rpartition("` | ")
        found[sql.replace(chr(92) + "|", "|")] = frozenset(what.split(", "))
    return found


def tried() -> list[Statement]:
    """Those that end by themselves, whatever the wall."""
    return [one for one in statements() if not one.stopped]


def leaked(attempt: Callable[[Statement], Outcome], known: Mapping[str, str]) -> Leaks:
    """What each statement got out, as it stands in the file."""
    found = {}
    for plain in tried():
        one = plain.knowing(known)
        what = attempt(one).leaked(one)
        if what:
            found[plain] = what
    return found


def page_of(guard: GuardAlone, walls: RealWalls, raw: Raw) -> str:
    """The page of a run."""
    return page(
        guard=leaked(guard.tried, guard.known),
        lock=leaked(raw.lock_alone, walls.known),
        strict=leaked(raw.strict_alone, walls.known),
        every=leaked(walls.all_walls, walls.known),
        total=len(tried()),
    )


def main() -> None:
    """Write it."""
    lake = canary_lake()
    with (
        tempfile.TemporaryDirectory() as directory,
        running_weed() as weed,
        real_walls(lake, weed, Path(directory)) as walls,
        raw_workers(walls, Path(directory)) as raw,
    ):
        text = page_of(GuardAlone(lake, Path(directory) / "guard"), walls, raw)
    PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
