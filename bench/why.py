"""Why, in a large lake: one column with its smallest changes, a table, a database.

    python -m bench.why [--json] [--tables N]

The lake has 5,000 tables of 20 columns in 50 databases; one column in twenty is private by a tag of
its own. The analyst who is asked about holds 100 grants, 30 of them by name; 100 others hold two
each. "First" is the first question of a process, such as a command's: it reads the lake. "Later" is
the median of others to the same process, about other columns, as a server answers them. Seconds of
the wall clock, and of the CPU.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from lakeveil.adapters.database import open_database
from lakeveil.adapters.kept_lake import KeptLake
from lakeveil.adapters.lake import open_lake
from lakeveil.core.access.explaining.askers import Operator
from lakeveil.core.access.grants import (
    Grant,
    OnColumns,
    OnTable,
    PolicyKind,
    Resource,
    TableName,
    TagPolicy,
)
from lakeveil.core.access.lake import Column, Database, Table
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import Expression, LFTag
from lakeveil.core.identity import arns
from lakeveil.flows.explain_access import why, why_database
from lakeveil.flows.request_desk import RequestDesk
from lakeveil.ports.lake import (
    Assignment,
    DatabaseRecord,
    LakeWriter,
    Location,
    Place,
    TableRecord,
)
from lakeveil.settings import Settings
from lakeveil.wiring.access import access_over
from lakeveil.wiring.founding import found_account
from lakeveil.wiring.identity import identity_over

TABLES, COLUMNS, DATABASES = 5_000, 20, 50
BY_TAGS, BY_NAME, OTHERS = 70, 30, 100
OVERRIDDEN = 0.05
LATER = 10
VALUES = {
    "class": ("non-private", "private"),
    "team": tuple(f"team{number}" for number in range(8)),
    "layer": ("raw", "clean", "serving"),
}
_TYPES = ("string", "bigint", "double", "timestamp", "decimal(10,4)")


def main() -> None:
    """Print one row for each kind of question."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--tables", type=int, default=TABLES)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        account = lay_down(Path(home), tables=wanted.tables)
        found: dict[str, Any] = {
            "lake": f"{wanted.tables:,} tables x {COLUMNS} columns",
            "load": round(os.getloadavg()[0], 1),
            "questions": measured(Path(home), account, tables=wanted.tables),
        }
    if wanted.json:
        print(json.dumps(found))
        return
    for row in found["questions"]:
        print("  ".join(f"{name} {value}" for name, value in row.items()))


def measured(home: Path, account: str, *, tables: int) -> list[dict[str, Any]]:
    """One row for each kind of question, each from a desk that has read nothing yet."""
    rows = []
    for what in ("a column, with every smallest change", "a table", "a database"):
        settings = Settings(home=str(home))
        engine = open_database(settings.database_url)
        try:
            desk = access_over(engine, settings, writer="bench")
            ask = _questions(replace(desk, kept=KeptLake(engine)), account, what, tables)
            first, *later = [_timed(ask) for _ in range(LATER + 1)]
        finally:
            engine.dispose()
        rows.append(
            {
                "why": what,
                "first_s": round(first[0], 2),
                "first_cpu_s": round(first[1], 2),
                "later_s": round(statistics.median(wall for wall, _ in later), 3),
                "later_cpu_s": round(statistics.median(cpu for _, cpu in later), 3),
            }
        )
    return rows


def _questions(desk: RequestDesk, account: str, what: str, tables: int) -> Callable[[], object]:
    operator, analyst = Operator(arn="local:bench"), arns.user_arn(account, "analyst")
    private = _private(desk, account, tables)

    def ask() -> object:
        name, column = next(private)
        if what == "a database":
            return why_database(
                operator, analyst, account, name.database,
                lake=desk.lake, people=desk.people, clock=desk.clock, kept=desk.kept,
            )  # fmt: skip
        answer = why(
            operator, analyst, name, None if what == "a table" else column,
            lake=desk.lake, people=desk.people, clock=desk.clock, kept=desk.kept,
        )  # fmt: skip
        assert what == "a table" or answer.fixes
        return answer

    return ask


def _private(desk: RequestDesk, account: str, tables: int) -> Iterator[tuple[TableName, str]]:
    """Private columns, each of another table; which they are is looked up before it is asked."""
    found = []
    for number in itertools.cycle(range(tables)):
        record = desk.lake.table(_name(account, number))
        assert record is not None
        own = [name for name, tags in record.table.tags.columns.items() if "class" in tags]
        found += [(record.table.name, own[0])] if own else []
        if len(found) > LATER:
            return iter(found)
    return iter(found)


def _timed(ask: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    ask()
    return time.perf_counter() - wall, time.process_time() - cpu


def lay_down(home: Path, *, tables: int) -> str:
    """Make an installation in `home` with the lake in it; its account."""
    settings = Settings(home=str(home))
    engine = open_database(settings.database_url)
    try:
        account = found_account(engine, settings).account
        directory = identity_over(engine, settings, writer="bench").store.directory
        others = [f"other{number}" for number in range(OTHERS)]
        for name in ("analyst", *others):
            directory.create_user(account, name)
        with open_lake(engine).changing() as change:
            _define(change, account, tables, Random(1))
            random = Random(2)
            for resource in _resources(account, tables, random):
                change.put_grant(_grant(account, "analyst", resource))
            for name in others:
                for _ in range(2):
                    change.put_grant(_grant(account, name, _narrow(account, random)))
        return account
    finally:
        engine.dispose()


def _define(change: LakeWriter, account: str, tables: int, random: Random) -> None:
    for key, values in VALUES.items():
        change.put_tag(LFTag(account=account, key=key, values=frozenset(values)))
    change.put_location(Location(account=account, location="s3://lake"))
    for number in range(DATABASES):
        database = f"database{number:02d}"
        change.put_database(DatabaseRecord(database=Database(account=account, name=database)))
        place = Place(account, database)
        change.assign(Assignment(place=place, key="class", value="non-private"))
    for number in range(tables):
        name = _name(account, number)
        columns = tuple(
            Column(f"column{n}_{number % 97}", _TYPES[n % len(_TYPES)]) for n in range(COLUMNS)
        )
        location = f"s3://lake/{name.database}/{name.table}"
        table = Table(name=name, columns=columns)
        change.put_table(TableRecord(table=table, location=location))
        place = Place(account, name.database, name.table)
        for key in ("team", "layer"):
            change.assign(Assignment(place=place, key=key, value=random.choice(VALUES[key])))
        for column in columns:
            if random.random() < OVERRIDDEN:
                at = replace(place, column=column.name)
                change.assign(Assignment(place=at, key="class", value="private"))


def _resources(account: str, tables: int, random: Random) -> Iterator[Resource]:
    everything_open = Expression.of({"class": ["non-private"]})
    yield TagPolicy(account, PolicyKind.TABLE, everything_open)
    for _ in range(BY_TAGS - 1):
        yield _narrow(account, random)
    for number in range(BY_NAME):
        # Not of those that are asked about.
        chosen = random.randrange(tables // 2, tables)
        name = _name(account, chosen)
        if number % 2:
            yield OnTable(account, name.database, name.table)
        else:
            column = f"column{number % COLUMNS}_{chosen % 97}"
            yield OnColumns(account, name.database, name.table, frozenset({column}))


def _narrow(account: str, random: Random) -> TagPolicy:
    teams, layers = random.sample(VALUES["team"], 3), random.sample(VALUES["layer"], 2)
    narrow = Expression.of({"class": ["non-private"], "team": teams, "layer": layers})
    return TagPolicy(account, PolicyKind.TABLE, narrow)


def _grant(account: str, name: str, resource: Resource) -> Grant:
    return Grant(
        id="",
        account=account,
        principal=arns.user_arn(account, name),
        resource=resource,
        permissions=frozenset({Permission.SELECT}),
    )


def _name(account: str, number: int) -> TableName:
    return TableName(account, f"database{number % DATABASES:02d}", f"table{number:05d}")


if __name__ == "__main__":
    main()
