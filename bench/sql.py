"""Governed SQL against DuckDB alone: TPC-H over the same objects of a real store.

    python -m bench.sql [--json] [--scale S] [--pairs N] [--queries 1,6,...] [--modes warm,cold]

Every pair is a governed query and the same one in DuckDB alone (`bench.raw_duckdb`), in turn and
in changing order, each in the same state of caches:

- warm: the process is bound already, its instance has the objects in its cache, the query was
  checked before. DuckDB alone: the same instance as before, its views made.
- cold: a new instance of DuckDB in a process that was started before. DuckDB alone: the same, with
  a secret and views of the query's tables.

Governed means checked, decided, planned, on record in the audit log, run, and received as Arrow in
the process that serves doors. `whole` runs from taking a query to its end on record with its result
as CSV on the store; DuckDB alone writes one there, too. `strict` is warm. What a process takes to
start is told apart. Seconds; a total is the sum over queries of medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import sqlglot
from tests.flows.lakes import ANA, HOME
from tests.stack_fixture import Weed, running_weed
from tests.tpc.benchmark import original_queries, trino_query
from tests.tpc.lake import TpcLake

from bench.sql_lake import data_files, tpch_lake
from bench.sql_parts import Parts, taken_apart
from lakeveil.adapters.engine.pool import extension_path
from lakeveil.flows import run_query
from lakeveil.flows.run_query import Asked, govern, reading
from lakeveil.flows.statements.run import execute
from lakeveil.ports.engine import JobLimits

LIMITS = JobLimits(seconds=600.0, memory_bytes=2 * 2**30, threads=2)
SETTLE_S = 0.15
"""After a job its process opens the next blank instance; neither side's clock runs meanwhile."""
SCANNED_TABLES = (
    "lineitem", "orders", "customer", "part", "partsupp", "supplier", "nation", "region",
)  # fmt: skip


@dataclass(slots=True)
class Took:
    """Seconds of the clock and of the CPU."""

    s: float = 0.0
    cpu_s: float = 0.0


@dataclass(kw_only=True)
class Sides:
    """Both of them, and how often each was asked."""

    lake: TpcLake
    raw: RawDuckDB
    queries: dict[int, str]
    tables: dict[int, list[str]]
    asked: int = 0
    parts: dict[str, Parts] = field(default_factory=dict)

    def governed(self, number: int, mode: str) -> Took:
        """One governed query."""
        self.asked += 1
        asked = self._asked(number, mode)
        with taken_apart(self.lake.world.desk) as parts, self._timed() as took:
            governed = govern(self.queries[number], asked)
            with reading(governed, asked, run_query.Took()) as running:
                for _ in running.batches():
                    pass
                done = running.statistics()
        parts.ended(took.s, done)
        self.parts.setdefault(mode, Parts()).add(parts)
        return took

    def whole(self, number: int) -> Took:
        """One query from taking it to its end."""
        world = self.lake.world
        with self._timed() as took:
            queued = world.start(ANA, self.queries[number])
            execute(HOME, queued.id, world.desk)
        ended = world.desk.log.get(HOME, queued.id)
        assert ended is not None
        assert ended.failure is None, ended.failure
        return took

    def alone(self, number: int, mode: str) -> Took:
        """The same in DuckDB alone."""
        output = f"s3://{self.lake.world.bucket}/results/raw.csv" if mode == "whole" else ""
        sql = sqlglot.transpile(self.queries[number], read="trino", write="duckdb")[0]
        found = self.raw.ask(sql, self.tables[number], cold=mode == "cold", output=output)
        whole = "whole_" if output else ""
        return Took(s=found[f"{whole}s"], cpu_s=found[f"{whole}cpu_s"])

    @contextmanager
    def _timed(self) -> Iterator[Took]:
        """The time in here, and the CPU's of this process and those of the engine."""
        took = Took()
        began, cpu = time.perf_counter(), time.process_time() + self._engines_cpu()
        yield took
        took.s = time.perf_counter() - began
        took.cpu_s = time.process_time() + self._engines_cpu() - cpu

    def _engines_cpu(self) -> float:
        engine: Any = self.lake.world.desk.engine
        return sum(map(_cpu_of, engine.processes))

    def _asked(self, number: int, mode: str) -> Asked:
        asked = self.lake.asked(self.queries[number])
        limits = LIMITS
        if mode == "cold":
            # Another state of things by a KiB: no instance of before fits.
            limits = replace(limits, memory_bytes=limits.memory_bytes - 1024 * self.asked)
        workgroup = replace(asked.workgroup, strict=mode == "strict")
        return replace(asked, workgroup=workgroup, desk=replace(asked.desk, limits=limits))


class RawDuckDB:
    """The process of `bench.raw_duckdb`."""

    def __init__(self, process: subprocess.Popen[str], setup: dict[str, Any]) -> None:
        self._process = process
        self._say(setup)

    def ask(self, sql: str, tables: list[str], *, cold: bool, output: str) -> dict[str, Any]:
        """One query; what it took."""
        return self._say({"sql": sql, "tables": tables, "cold": cold, "output": output})

    def _say(self, what: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--queries", default=",".join(map(str, range(1, 23))))
    parser.add_argument("--modes", default="warm,cold,whole,strict")
    wanted = parser.parse_args()
    numbers = [int(number) for number in wanted.queries.split(",")]
    with (
        tempfile.TemporaryDirectory(prefix="bench-sql-") as directory,
        running_weed() as weed,
        _sides(wanted.scale, numbers, weed, Path(directory)) as sides,
    ):
        found = _measured(sides, wanted.modes.split(","), wanted.pairs)
    found["scale"] = wanted.scale
    found["pairs"] = wanted.pairs
    found["numbers"] = ", ".join(map(str, numbers))
    if wanted.json:
        print(json.dumps(found))
        return
    for name, rows in found.items():
        print(f"\n{name}")
        for row in rows if isinstance(rows, list) else [{name: rows}]:
            print("  ".join(f"{key} {value}" for key, value in row.items()))


@contextmanager
def _sides(scale: float, numbers: list[int], weed: Weed, directory: Path) -> Iterator[Sides]:
    state = directory / "state"
    state.mkdir(mode=0o700)
    with tpch_lake(scale, weed, state) as lake:
        originals = original_queries("tpch")
        queries = {n: trino_query("tpch", n, originals[n]) for n in numbers}
        tables = {n: [t for t in SCANNED_TABLES if t in queries[n]] for n in numbers}
        key = weed.credentials.s3["admin"]
        setup = {
            "endpoint": weed.endpoint.removeprefix("http://"),
            "key": key.access_key_id,
            "secret": key.secret_access_key,
            "memory_bytes": LIMITS.memory_bytes,
            "threads": LIMITS.threads,
            "directory": str(directory / "raw"),
            "extension": extension_path(),
            "files": {table: data_files(lake, table) for table in SCANNED_TABLES},
        }
        command = [sys.executable, "-m", "bench.raw_duckdb"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                yield Sides(
                    lake=lake, raw=RawDuckDB(process, setup), queries=queries, tables=tables
                )
            finally:
                process.kill()


def _measured(sides: Sides, modes: list[str], pairs: int) -> dict[str, Any]:
    load = [os.getloadavg()[0]]
    totals, slowest = [], []
    for mode in modes:
        found = {number: _pairs(sides, number, mode, pairs) for number in sides.queries}
        load.append(os.getloadavg()[0])
        totals.append(_total(mode, found))
        slowest += [_one(mode, number, took) for number, took in found.items()]
    return {
        "totals": totals,
        "parts": [{"mode": mode, **parts.shown()} for mode, parts in sides.parts.items()],
        "queries": slowest,
        "process_start_ms": _process_start(sides),
        "load": f"{min(load):.1f} to {max(load):.1f}",
    }


Pairs = list[tuple[Took, Took]]


def _pairs(sides: Sides, number: int, mode: str, pairs: int) -> Pairs:
    governed: Callable[[], Took] = (
        (lambda: sides.whole(number)) if mode == "whole" else (lambda: sides.governed(number, mode))
    )
    if mode != "cold":
        governed()
        sides.alone(number, mode)
        # What the first of them took apart is of another state of caches.
        before = sides.parts.get(mode)
        if before is not None:
            before.forget_last()
    found = []
    for turn in range(pairs):
        first = turn % 2 == 0
        ours = governed() if first else None
        time.sleep(SETTLE_S if mode == "cold" else 0.0)
        theirs = sides.alone(number, mode)
        time.sleep(SETTLE_S if mode == "cold" else 0.0)
        found.append((ours or governed(), theirs))
        if not first:
            time.sleep(SETTLE_S if mode == "cold" else 0.0)
    print(
        f"{mode} {number}: {_median(found, 0) / _median(found, 1):.2f}", file=sys.stderr, flush=True
    )
    return found


def _total(mode: str, found: dict[int, Pairs]) -> dict[str, Any]:
    ours, theirs = (sum(_median(pairs, side) for pairs in found.values()) for side in (0, 1))
    cpu = [
        sum(statistics.median(pair[side].cpu_s for pair in pairs) for pairs in found.values())
        for side in (0, 1)
    ]
    turns = [
        sum(one[0].s for one in turn) / sum(one[1].s for one in turn)
        for turn in zip(*found.values(), strict=True)
    ]
    quickest = [
        sum(min(pair[side].s for pair in pairs) for pairs in found.values()) for side in (0, 1)
    ]
    return {
        "mode": mode,
        "governed_s": f"{ours:.2f}",
        "DuckDB_alone_s": f"{theirs:.2f}",
        "ratio": f"{ours / theirs:.3f}",
        "ratio_of_each_turn": f"{min(turns):.2f} to {max(turns):.2f}",
        "ratio_of_the_quickest": f"{quickest[0] / quickest[1]:.3f}",
        "governed_cpu_s": f"{cpu[0]:.2f}",
        "alone_cpu_s": f"{cpu[1]:.2f}",
        "cpu_ratio": f"{cpu[0] / cpu[1]:.3f}",
    }


def _one(mode: str, number: int, pairs: Pairs) -> dict[str, Any]:
    return {
        "mode": mode,
        "query": number,
        "governed_ms": round(1000 * _median(pairs, 0), 1),
        "alone_ms": round(1000 * _median(pairs, 1), 1),
        "ratio": f"{_median(pairs, 0) / _median(pairs, 1):.2f}",
    }


def _median(pairs: Pairs, side: int) -> float:
    return statistics.median(pair[side].s for pair in pairs)


def _cpu_of(pid: int) -> float:
    """CPU seconds of a process so far; to a hundredth."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text("ascii")
    except FileNotFoundError:
        return 0.0
    user, system = line.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _process_start(sides: Sides) -> int:
    """From nothing to a process that stands by; milliseconds, the median of three."""
    pool = sides.lake.world.desk.engine._pool  # type: ignore[attr-defined]  # noqa: SLF001
    times = []
    for _ in range(3):
        began = time.perf_counter()
        worker = pool._start(network=True)  # noqa: SLF001
        worker.wait_ready()
        times.append(time.perf_counter() - began)
        worker.bury()
    return round(1000 * statistics.median(times))


if __name__ == "__main__":
    main()
