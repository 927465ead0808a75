"""Decisions: the index against `decide`, and who sees what of a whole lake.

    python -m bench.decisions [--json] [--tables N]

Times of one decision are medians of the wall clock; those of a lake are CPU time of one core. MiB
is resident memory. One decision is everything but the list of columns: permissions and the grants
behind them, rows, and as bitmaps which columns are visible or masked, with policy and table made
ready before. "New table" makes the table ready as well; "explained" writes out every column with
its grants.

The lake is random and pessimistic: tags have nothing to do with each other, so its columns have
far more signatures than those of real lakes. It is made up one table at a time, as a store would
be read; the time that takes is measured alone and taken off the time to build.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from lakeveil.core.access.changing.changes import RemoveGrant, SetTag
from lakeveil.core.access.deciding.decide import decide
from lakeveil.core.access.grants import Grant, OnColumns, PolicyKind, TableName, TagPolicy
from lakeveil.core.access.indexing.index import PolicyIndex
from lakeveil.core.access.indexing.lake_access import LakeAccess
from lakeveil.core.access.indexing.lake_exposure import counted, difference, gains_and_losses
from lakeveil.core.access.indexing.lake_index import LakeIndex
from lakeveil.core.access.lake import Column, Policy, Table
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import Expression, LFTag, TagLayers
from lakeveil.core.identity.principal import Principal

ACCOUNT = "111111111111"
VALUES = {f"key{k}": tuple(f"value{v}" for v in range(8)) for k in range(6)}
TABLES, COLUMNS, PRINCIPALS, GRANTS = 100_000, 50, 200, 2155
NAMES = 5000
OVERRIDDEN = 0.03
"""The share of columns with tags of their own; 0.01 to 0.05 is usual."""


def main() -> None:
    """Print one row for each thing measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--tables", type=int, default=TABLES)
    wanted = parser.parse_args()
    found = {"one_table": _one_table(), "lake": _lake(wanted.tables)}
    if wanted.json:
        print(json.dumps(found))
        return
    for row in (*found["one_table"], *found["lake"]):
        print("  ".join(f"{name} {value}" for name, value in row.items()))


# --- one decision --------------------------------------------------------------------------------


def _one_table() -> list[dict[str, Any]]:
    return [_decisions(share, grants) for share in (OVERRIDDEN, 1.0) for grants in (2, 50)]


def _decisions(overridden: float, grants: int) -> dict[str, Any]:
    """A table of 1,000 columns, all grants speaking for the one who asks: 2 keys x 3 values."""
    random = Random(1)
    policy = _policy(random, {"who": grants})
    (who,) = _principals(["who"])
    table = _table(random, 0, columns=1000, overridden=overridden)
    index = PolicyIndex(policy)
    assert index.decide(who, table, now=0.0) == decide(who, table, policy, now=0.0)
    naive = _median_us(lambda: decide(who, table, policy, now=0.0), 5)
    quick = _median_us(lambda: index.deferred(who, table, now=0.0), 300)
    return {
        "columns_with_own_tags": f"{overridden:.0%}",
        "grants": grants,
        "decide_us": round(naive),
        "index_us": round(quick),
        "ratio": round(naive / quick),
        "index_new_table_us": round(
            _median_us(lambda: index.deferred(who, replace(table), now=0.0), 20)
        ),
        "index_every_column_explained_us": round(
            _median_us(lambda: index.deferred(who, table, now=0.0).columns, 20)
        ),
    }


# --- a lake --------------------------------------------------------------------------------------


def _lake(tables: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []

    def timed(what: str, act: Callable[[], Any], unit: str = "s", runs: int = 1) -> Any:
        result: Any = None
        times = []
        for _ in range(runs):
            began = time.process_time()
            result = act()
            times.append(time.process_time() - began)
        scale = {"s": 1, "ms": 1000}[unit]
        spent = f"{statistics.median(times) * scale:.3g} {unit}"
        rows.append({"what": what, "took": spent, "resident_mib": _resident_mib()})
        return result

    began = time.process_time()
    for _ in _tables(tables):
        pass
    making = time.process_time() - began
    began = time.process_time()
    index = LakeIndex(_tables(tables))
    building = time.process_time() - began - making
    index.pairs()
    what = f"build: {tables:,} tables x {COLUMNS} columns, {len(index.signatures):,} signatures"
    rows.append({"what": what, "took": f"{building:.3g} s", "resident_mib": _resident_mib()})
    policy, principals = _many_grants()
    access = LakeAccess(index, policy, principals, now=0.0)
    timed(
        f"{PRINCIPALS} principals, {len(policy.grants):,} grants against every signature",
        lambda: LakeAccess(index, policy, principals, now=0.0).bits(),
        runs=3,
    )
    access.bits()
    timed("the whole matrix, columns visible and masked", access.visible_counts, runs=3)
    _changes(access, timed)
    rows[-1]["peak_mib"] = _peak_mib()
    return rows


def _changes(access: LakeAccess, timed: Callable[..., Any]) -> None:
    index, random = access.index, Random(5)
    names = [index.name(number) for number in random.sample(index.numbers().tolist(), 200)]
    picked = iter(names * 2)

    def retag() -> object:
        name = next(picked)
        column = index.table(name).columns[7].name
        place = OnColumns(ACCOUNT, name.database, name.table, frozenset({column}))
        value = random.choice(VALUES["key0"])
        return gains_and_losses(access, [SetTag(place, "key0", value)])

    def put() -> None:
        table = index.table(next(picked))
        column = table.columns[7].name
        tags = {**table.tags.of_column(column), "key0": random.choice(VALUES["key0"])}
        index.put(replace(table, tags=replace(table.tags, columns={column: tags})))
        access.bits()

    timed("one column tagged anew: who gains and loses it", retag, "ms", 200)
    timed("one column tagged anew: index and bitmaps follow", put, "ms", 200)
    timed("the matrix after that", access.visible_counts)
    policy = access.policy
    fewer = replace(policy, grants=policy.grants[1:])
    lost = timed(
        "one grant less: who loses what, in the whole lake",
        lambda: difference(access, fewer, access.principals).losses,
    )
    grant = RemoveGrant(policy.grants[0].id)
    timed(
        f"the same, counted: {len(lost):,} columns",
        lambda: counted(access, [grant]),
    )


def _tables(count: int) -> Iterator[Table]:
    random = Random(2)
    return (_table(random, number, COLUMNS, OVERRIDDEN) for number in range(count))


def _table(random: Random, number: int, columns: int, overridden: float) -> Table:
    # Names recur from table to table, as they do in life.
    names = [f"column{(number * 7 + i) % NAMES}" for i in range(columns)]
    own = {
        name: {key: random.choice(VALUES[key]) for key in random.sample(sorted(VALUES), 2)}
        for name in names
        if random.random() < overridden
    }
    return Table(
        name=TableName(ACCOUNT, f"database{number // 200}", f"table{number}"),
        columns=tuple(Column(name) for name in names),
        tags=TagLayers(
            table={key: random.choice(values) for key, values in VALUES.items()}, columns=own
        ),
    )


def _many_grants() -> tuple[Policy, list[Principal]]:
    random = Random(3)
    names = [f"principal{i}" for i in range(PRINCIPALS)]
    shares = {
        name: GRANTS // PRINCIPALS + (i < GRANTS % PRINCIPALS) for i, name in enumerate(names)
    }
    return _policy(random, shares), _principals(names)


def _policy(random: Random, grants: dict[str, int]) -> Policy:
    return Policy(
        tags={
            (ACCOUNT, key): LFTag(account=ACCOUNT, key=key, values=frozenset(values))
            for key, values in VALUES.items()
        },
        grants=tuple(
            Grant(
                id=f"{who}-{number}",
                account=ACCOUNT,
                principal=who,
                resource=TagPolicy(ACCOUNT, PolicyKind.TABLE, _expression(random)),
                permissions=frozenset({Permission.SELECT}),
            )
            for who, count in grants.items()
            for number in range(count)
        ),
    )


def _expression(random: Random) -> Expression:
    keys = random.sample(sorted(VALUES), 2)
    return Expression.of({key: random.sample(VALUES[key], 3) for key in keys})


def _principals(names: list[str]) -> list[Principal]:
    return [Principal(arn=name, account=ACCOUNT, identities=frozenset({name})) for name in names]


# --- measuring -----------------------------------------------------------------------------------


def _median_us(act: Callable[[], object], runs: int) -> float:
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        act()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6


def _resident_mib() -> int:
    return _status("VmRSS:")


def _peak_mib() -> int:
    return _status("VmHWM:")


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) // 1024
    return 0


if __name__ == "__main__":
    main()
