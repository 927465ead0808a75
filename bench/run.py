"""Run the benchmarks of photos, decisions, doors, SQL; write docs/benchmarks.md: `make bench`.

    python -m bench.run [--data DIR]

DIR is an annotated set of photos; with one, recall and CPU against deface are measured too and
printed (their figures live in docs/benchmarks-detector.md).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
DEFACE_PYTHON = ROOT / ".venv-deface" / "bin" / "python"


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="an annotated set, for recall and CPU")
    wanted = parser.parse_args()
    latency = _measure("latency")
    throughput = _measure("throughput")
    work = _measure("image_work")
    decisions = _measure("decisions")
    doors = _measure("doors")
    whys = _measure("why")
    queries = _measure("sql")
    page = (
        _page(latency, throughput, work)
        + _governed(decisions, doors)
        + _explained(whys)
        + _queried(queries)
    )
    PAGE.write_text(page, "utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    if wanted.data is None:
        print("recall and CPU against deface are left out: give --data DIR")
        return
    deface = ["--deface-python", str(DEFACE_PYTHON)]
    for name, folder in (("recall", "--data"), ("cpu_vs_deface", "--photos")):
        print(f"\n{name}", flush=True)
        command = [sys.executable, "-m", f"bench.{name}", folder, str(wanted.data), *deface]
        subprocess.run(command, check=True, cwd=ROOT)


def _measure(name: str) -> Any:
    print(f"measuring {name.replace('_', ' ')} ...", flush=True)
    command = [sys.executable, "-m", f"bench.{name}", "--json"]
    done = subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def _page(
    latency: dict[str, Any],
    throughput: list[dict[str, Any]],
    work: list[dict[str, Any]],
) -> str:
    stages = latency["idle_stages_ms"]
    idle, busy = latency["idle_ms"], latency["busy_ms"]
    return f"""# Benchmarks

Written by `make bench`. Measured once on {os.cpu_count()} cores ({_processor()}): read ratios and
orders of magnitude, not seconds. Recall, and CPU against another tool, are in
[Detector: figures](benchmarks-detector.md); what each style gives away in
[Redaction](concepts/redaction.md).

## From put to release

`python -m bench.latency`: a photo of {latency["megapixels"]:g} MP with some ten faces, as a client
sees it, from before the put until the release can be listed.

| | p50 | p99 | photos |
|---|---|---|---|
| idle stack | {idle["p50"]} ms | {idle["p99"]} ms | {idle["n"]} |
| {busy["n"]} photos put at once | {busy["p50"]} ms | {busy["p99"]} ms | {busy["n"]} |

Where an idle photo's time goes (medians, ms). `elsewhere` is the store's put, its event, the
queue, three `HEAD`s, the ledger and the client's polling.

{_table([stages])}

## Photos a second, and memory

`python -m bench.throughput`: photos with some ten faces through the process that a worker uses for
them; CPU seconds of both processes. Peaks are resident memory.

{_table(throughput)}

A whole worker, its photo process included, peaks at {latency["worker_mib_at_24_mp"]} MiB after
photos of 24 MP.

## Image work around detection

`python -m bench.image_work`: milliseconds by stage, and the sum of all but the two looks against
plainly decoding and encoding the same file with Pillow, in one process in turn.

{_table(work)}
"""


def _governed(decisions: dict[str, list[dict[str, Any]]], doors: dict[str, Any]) -> str:
    """What tables cost: the decision itself, and the doors that ask for it."""
    shares = doors["shares"]
    return f"""
## Decisions

`python -m bench.decisions`: who may see what of one table of 1,000 columns, all grants by tags and
all to the one who asks, `decide` against the index (policy and table made ready before). A
decision is everything but the list of columns: permissions, rows, the grants behind them, and as
bitmaps which columns are visible or masked. "New table" makes the table ready as well, "explained"
writes out each column with its grants. Medians, in microseconds.

{_table(decisions["one_table"])}

A whole lake, random and pessimistic: far more signatures than real ones have. CPU time of one core.

{_table(decisions["lake"])}

## Governed doors

`python -m bench.doors`: `lakeveil serve` over a lake on disk (SQLite, audit on) of {doors["lake"]};
signed requests over connections that are kept, from other processes, signing aside. One connection,
otherwise idle: milliseconds as the client sees them, and the server's CPU for each; then requests a
second over four connections. The quietest of three turns; the machine's load was {doors["load"]}.
By then each table had been asked about before; the first time adds some 0.3 ms.

{_table(doors["operations"])}

Where the server's time goes, sampled: state database with the audit log and SQLAlchemy (`SQL`), the
decision and what is shown by it, the operation itself, signatures and AWS's forms (`wire`), HTTP
server with threads and event loop, log and metrics.

{_table(shares)}
"""


def _explained(whys: dict[str, Any]) -> str:
    """What questions about a large lake cost."""
    return f"""
## Why

`python -m bench.why`: the operator asks about an analyst with 100 grants, among a hundred others,
in a lake of {whys["lake"]}. "First" reads the lake, as a command does; "later" is the
median of questions about other columns to the same process, as a server answers them: it sees what
was written meanwhile. Seconds of the clock and of the CPU; the machine's load was {whys["load"]}.

{_table(whys["questions"])}
"""


def _queried(queries: dict[str, Any]) -> str:
    """What governed SQL costs beside DuckDB alone."""
    return f"""
## Governed SQL

`python -m bench.sql`: TPC-H at scale factor {queries["scale"]:g}, queries {queries["numbers"]}, as
Iceberg tables on a real store, one column private, asked by an analyst with grants by tags; state
and audit log in SQLite that waits for the disk. Beside it DuckDB alone: the same objects, threads,
memory, settings and statements in a process of its own, without check, views, lock or audit log.
{queries["pairs"]} pairs of each query, in turn, in the same state of caches; two threads each. The
machine's load was {queries["load"]}.

"Warm" is a process that is bound already, with its cache and a query that was checked before;
"cold" a new instance of DuckDB in a process that was started before; "whole" runs from taking a
query to its end on record with its result as a file on the store (DuckDB alone writes one, too);
"strict" feeds the query's process from another one. A process takes
{queries["process_start_ms"]} ms to start, which no query waits for while there is a spare.
Seconds are sums of the queries' medians, and ratios those of these sums; "of the quickest" takes
the quickest run of each. CPU is that of server and engine against that of DuckDB alone, without the
store's: it says more than the clock where others use the machine.

{_table(queries["totals"])}

Where a governed query's time goes, in milliseconds (means): the parts add up to all of it.
`execution` is DuckDB's, to the last batch; `transfer` the way of Arrow batches to the server, with
checking them.

{_table(queries["parts"])}

Query by query, in milliseconds (medians):

{_table(queries["queries"])}
"""


def _table(rows: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [f"| {' | '.join(n.replace('_', ' ') for n in names)} |", "|---" * len(names) + "|"]
    lines += [f"| {' | '.join(str(row.get(n, '')) for n in names)} |" for row in rows]
    return "\n".join(lines)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    main()
