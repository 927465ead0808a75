"""Random lakes, random policies, random queries; every value tells the cell that it comes from.

`random_world` makes tables whose cells are all different, and a policy over them for one principal.
`Queries` writes SELECTs over them from a grammar, some of which name what is hidden. `judged` runs
one in the product's way, compares it with the same over a copy of what may be seen, and looks at
every value that came out.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import duckdb

from lakeveil.adapters.engine import sources
from lakeveil.adapters.engine.hive_types import duckdb_type
from lakeveil.core.access.grants import (
    DataCellsFilter,
    Grant,
    OnColumns,
    OnFilter,
    OnTable,
    TableName,
)
from lakeveil.core.access.lake import Column, Policy, Table
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.core.access.permissions import Permission
from lakeveil.core.query.failures import QueryError
from lakeveil.sql.guard import check_query
from lakeveil.sql.relations import CheckedQuery
from tests.hostile.attempts import Outcome, sorted_rows
from tests.hostile.decided import HOME, NOW, DecidedLake, Stored, principal
from tests.hostile.grammar import Queries, Query
from tests.hostile.in_process import Permitted, opened, outcome_of

_TYPES = ("bigint", "string", "date", "array<string>")
_MASKS = (MaskKind.HASH, MaskKind.FIXED, MaskKind.NULL, MaskKind.LAST_FOUR, MaskKind.YEAR)
Run = Callable[[CheckedQuery], Outcome]
_TOKEN = re.compile(r"v\d{9}x")


@dataclass(slots=True, kw_only=True)
class World:
    """A lake with its principal, all of its rows in an engine, and the copy of what may be seen."""

    lake: DecidedLake
    engine: duckdb.DuckDBPyConnection
    permitted: Permitted
    forbidden: frozenset[Any]
    """Cells that the principal may not see."""
    hidden: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Table -> its hidden columns; a table that is hidden as a whole has all of them."""


def random_world(dice: random.Random) -> World:
    """Two or three tables of up to eighteen rows."""
    who = principal("mallory")
    tables = [_table(dice, number) for number in range(dice.randint(2, 3))]
    stored = [Stored(table=t, rows=list(_rows(dice, t)), iceberg=False) for t in tables]
    filters: dict[tuple[TableName, str], DataCellsFilter] = {}
    grants: list[Grant] = []
    for table in tables:
        for _ in range(dice.choice([0, 1, 1, 2, 2, 3])):
            grants.append(_grant(dice, table, f"g{len(grants)}", who.arn, filters))
    lake = DecidedLake(stored=stored, policy=Policy(grants=tuple(grants), filters=filters), who=who)
    engine = opened()
    for one in stored:
        _load(engine, one)
    return World(
        lake=lake,
        engine=engine,
        permitted=Permitted(lake),
        forbidden=_forbidden(lake),
        hidden={one.table.name.table: _hidden(lake, one) for one in stored},
    )


def _table(dice: random.Random, number: int) -> Table:
    own = [Column(f"c{number}{at}", dice.choice(_TYPES)) for at in range(dice.randint(2, 5))]
    columns = (Column("id", "bigint"), Column("k", "bigint"), Column("region", "string"), *own)
    return Table(name=TableName(HOME, "lake", f"t{number}"), columns=columns)


def _rows(dice: random.Random, table: Table) -> Iterator[dict[str, Any]]:
    taken: set[int] = set()
    for _ in range(dice.randint(3, 18)):
        yield {
            **{c.name: _cell(dice, c.type, taken) for c in table.columns},
            "k": dice.choice([0, 1, 2, 3, None]),
            "region": dice.choice(["eu", "us", "uk", None]),
        }


def _cell(dice: random.Random, kind: str, taken: set[int]) -> Any:
    if dice.random() < 0.08:
        return None
    unique = dice.randrange(10**8, 10**9)
    while unique in taken:
        unique = dice.randrange(10**8, 10**9)
    taken.add(unique)
    if kind == "bigint":
        return unique * 1_000_003
    if kind == "date":
        return date.fromordinal(500_000 + unique % 2_000_000)
    text = f"v{unique}x"
    return text if kind == "string" else [text, f"v{dice.randrange(10**8, 10**9)}x"]


def _grant(
    dice: random.Random,
    table: Table,
    number: str,
    to: str,
    filters: dict[tuple[TableName, str], DataCellsFilter],
) -> Grant:
    name = table.name
    columns = [c.name for c in table.columns]
    named = frozenset(dice.sample(columns, dice.randint(1, len(columns))))
    resource: Any
    kind = dice.random()
    if kind < 0.15:
        resource = OnTable(HOME, name.database, name.table)
    elif kind < 0.4:
        excluding = dice.random() < 0.4
        resource = OnColumns(HOME, name.database, name.table, named, excluding)
    else:
        filters[(name, number)] = DataCellsFilter(
            table=name, name=number, named=named, rows=_filter(dice), excluding=False
        )
        resource = OnFilter(HOME, name.database, name.table, number)
    mask = Mask(dice.choice(_MASKS)) if dice.random() < 0.35 else None
    if mask is not None and mask.kind is MaskKind.FIXED:
        mask = Mask(MaskKind.FIXED, "***")
    return Grant(
        id=number,
        account=HOME,
        principal=to,
        resource=resource,
        permissions=frozenset({Permission.SELECT}),
        mask=mask,
    )


def _filter(dice: random.Random) -> str:
    one = dice.choice(
        [
            "region = 'eu'",
            "region <> 'us'",
            "region IN ('uk', 'us')",
            "region IS NOT NULL",
            "k > 1",
            "k BETWEEN 1 AND 2",
            "NOT (k = 0)",
            "k IS NULL",
            "region LIKE 'u%'",
        ]
    )
    if dice.random() < 0.3:
        return f"({one}) {dice.choice(['AND', 'OR'])} ({_filter(dice)})"
    return one


def _load(engine: duckdb.DuckDBPyConnection, one: Stored) -> None:
    name = one.table.name.table
    columns = ", ".join(f'"{c.name}" {duckdb_type(c.type)}' for c in one.table.columns)
    engine.execute(f"CREATE TABLE full_{name} ({columns})")
    marks = ", ".join("?" for _ in one.table.columns)
    engine.executemany(
        f"INSERT INTO full_{name} VALUES ({marks})", [[*r.values()] for r in one.rows]
    )


def _hidden(lake: DecidedLake, one: Stored) -> list[str]:
    shown = {column.name for column in lake.decision(one).shown()}
    return [column.name for column in one.table.columns if column.name not in shown]


def _forbidden(lake: DecidedLake) -> frozenset[Any]:
    there = {v for one in lake.stored for row in one.rows for v in _values(row.values())}
    seen = {v for one in lake.stored for row in lake.permitted(one) for v in _values(row.values())}
    return frozenset(v for v in there - seen if _tells(v))


def _tells(value: Any) -> bool:
    """Whether it is of one cell alone."""
    return (isinstance(value, int) and value > 10**12) or (
        isinstance(value, str) and _TOKEN.search(value) is not None
    )


def _values(values: Any) -> Iterator[Any]:
    """What a result holds, taken apart: texts into the cells that they are made of."""
    for value in values:
        if isinstance(value, dict):
            yield from _values([*value.keys(), *value.values()])
        elif isinstance(value, list | tuple):
            yield from _values(value)
        elif isinstance(value, str):
            yield from _TOKEN.findall(value) or [value]
        elif value is not None:
            yield value


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a query: `refused`, `failed` or `ran`; and what is wrong with that."""

    became: str
    wrong: str = ""


def judged(  # noqa: PLR0911 - one for each thing that can be wrong
    world: World, query: Query, run: Run | None = None
) -> Verdict:
    """Run a query and judge it. `run` takes a checked query; by default it runs in this process."""
    lake = world.lake
    try:
        checked = check_query(query.sql, catalog=lake, database="lake", now=NOW)
    except QueryError as error:
        words = str(error)
        if any(str(v) in words for v in world.forbidden):
            return Verdict(became="refused", wrong="the refusal holds a value")
        return Verdict(became="refused")
    if query.names_hidden:
        return Verdict(became="ran", wrong="what is hidden has a name")
    got = run(checked) if run is not None else _answered(world, checked)
    wanted = world.permitted.answered(checked)
    came_out = set(_values(got.rows or ()))
    leaked = {value for value in came_out if value in world.forbidden}
    if leaked:
        return Verdict(
            became="ran", wrong=f"cells that may not be seen: {sorted(map(str, leaked))}"
        )
    if (got.rows is None) != (wanted.rows is None):
        return Verdict(became="failed", wrong=f"it fails by what is hidden: {got.error}")
    if sorted_rows(got.rows) != sorted_rows(wanted.rows):
        return Verdict(became="ran", wrong="the permitted copy says otherwise")
    return Verdict(became="failed" if got.rows is None else "ran")


def _answered(world: World, checked: CheckedQuery) -> Outcome:
    with world.engine.cursor() as cursor:
        for used, stored in world.lake.used(checked):
            view = sources._shown(world.lake.view(used), f"FROM full_{stored.table.name.table}")
            cursor.execute(f'CREATE OR REPLACE TEMP VIEW "{used.alias}" AS {view}')
        return outcome_of(cursor, checked, barrier=True)


@dataclass(slots=True)
class Campaign:
    """Many queries over many worlds, from one seed."""

    seed: int
    ran: int = 0
    refused: int = 0
    failed: int = 0
    hidden: int = 0
    wrong: list[str] = field(default_factory=list)

    def go(self, count: int, *, a_world: int = 50) -> None:
        """`a_world` queries in each world; what is wrong is kept with how to see it again."""
        for world_number in range(-(-count // a_world)):
            world = random_world(random.Random(f"{self.seed}/{world_number}"))
            for number in range(min(a_world, count - world_number * a_world)):
                self.one(world, world_number, number)

    def one(self, world: World, world_number: int, number: int, run: Run | None = None) -> None:
        """One query, judged and counted."""
        dice = random.Random(f"{self.seed}/{world_number}/{number}")
        query = Queries(dice, world.lake, world.hidden).query()
        verdict = judged(world, query, run)
        self.ran += verdict.became == "ran"
        self.refused += verdict.became == "refused"
        self.failed += verdict.became == "failed"
        self.hidden += query.names_hidden
        if verdict.wrong:
            self.wrong.append(
                f"seed {self.seed} world {world_number} query {number}: {verdict.wrong}\n"
                f"{smallest(world, query).sql}"
            )


def smallest(world: World, query: Query) -> Query:
    """The same fault with fewer parts: cuts that leave it are kept."""
    found = query
    for cut in (
        r" ORDER BY [^()]*$",
        r" LIMIT \d+$",
        r" WHERE .*?(?= GROUP BY| ORDER BY|$)",
        r" HAVING .*?(?= ORDER BY|$)",
    ):
        shorter = Query(sql=re.sub(cut, "", found.sql), names_hidden=False)
        if shorter.sql != found.sql and not query.names_hidden and judged(world, shorter).wrong:
            found = shorter
    return found
