"""Run the tests suite by suite, some side by side; print the minutes of each.

python tools/run_tests.py [--all] [--coverage] [SUITE...]

Coverage slows every process down by half, so it is for who asks.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from subprocess import PIPE, STDOUT

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
LONGEST = (
    "doors",
    "stack",
    "docs",
    "adapters",
    "tpc",
    "hostile",
    "demo",
    "flows",
    "engine",
    "pixels",
    "conformance",
    "wheel",
    "worker",
    "core",
    "sql",
    "cli",
    "aws_lambda",
)
"""These start first, so that none is left running alone at the end."""
JOBS = 3
"""On two cores, too: half of what the longest suites take, they wait for servers."""


def main() -> None:
    """Run each suite in a process of its own; exit 1 if any failed."""
    suites = [*sorted(p.name for p in TESTS.iterdir() if any(p.glob("test_*.py"))), "doctests"]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="the slow tests too")
    parser.add_argument("--coverage", action="store_true", help="say which lines nothing runs")
    parser.add_argument("--jobs", type=int, default=JOBS, help="suites side by side")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=" ".join(suites))
    wanted = parser.parse_args()
    unknown = set(wanted.suites) - set(suites)
    if unknown:
        parser.error(f"no such suite: {', '.join(sorted(unknown))}; there are {', '.join(suites)}")

    if wanted.coverage:
        _coverage("erase")
    started = time.monotonic()
    took: dict[str, tuple[float, bool]] = {}
    with ThreadPoolExecutor(wanted.jobs) as pool:
        running = {
            pool.submit(_run, suite, every=wanted.all, coverage=wanted.coverage): suite
            for suite in sorted(wanted.suites or suites, key=_longest_first)
        }
        for done in as_completed(running):
            suite = running[done]
            seconds, passed, output = done.result()
            took[suite] = (seconds, passed)
            print(f"\n── {suite} " + "─" * (60 - len(suite)), output.rstrip(), sep="\n", flush=True)
            left = ", ".join(sorted(set(running.values()) - set(took)))
            print(f"   {len(took)} of {len(running)} suites; left: {left or 'none'}", flush=True)
    if wanted.coverage:
        print("\n── coverage " + "─" * 52, flush=True)
        _coverage("combine", "--quiet")
        _coverage("report", "--sort=cover", "--skip-covered")
    print("\nsuite            minutes")
    for suite, (seconds, passed) in sorted(took.items()):
        print(f"{suite:<16} {seconds / 60:7.2f}{'' if passed else '   FAILED'}")
    print(f"{'wall clock':<16} {(time.monotonic() - started) / 60:7.2f}")
    sys.exit(not all(passed for _, passed in took.values()))


def _longest_first(suite: str) -> int:
    return LONGEST.index(suite) if suite in LONGEST else len(LONGEST)


def _run(suite: str, *, every: bool, coverage: bool) -> tuple[float, bool, str]:
    started = time.monotonic()
    print(f"▸ {suite}", flush=True)
    command = [sys.executable, "-m"]
    if coverage:
        command += ["coverage", "run", "-m"]
    command += ["pytest", "-q", "-p", "no:cacheprovider"]
    if suite == "doctests":
        command += ["--doctest-modules", "src/lakeveil/core", "src/lakeveil/pixels"]
    else:
        command += [str(TESTS / suite)]
    if not every:
        command += ["-m", "not slow"]
    else:
        command += ["--timeout=1200"]
    environ = dict(os.environ)
    for name in [n for n in environ if n.startswith(("LAKEVEIL_", "AWS_"))]:
        del environ[name]
    # Hundreds of processes are started; each would compile every module anew.
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    environ["TEST_EVERYTHING"] = "1" if every else "0"
    done = subprocess.run(
        command, check=False, cwd=ROOT, env=environ, stdout=PIPE, stderr=STDOUT, text=True
    )
    # 5: nothing was selected, as where every test of a suite is a slow one.
    return time.monotonic() - started, done.returncode in {0, 5}, done.stdout


def _coverage(*args: str) -> None:
    subprocess.run([sys.executable, "-m", "coverage", *args], check=False, cwd=ROOT)


if __name__ == "__main__":
    main()
