"""Run the tests suite by suite, with coverage over all; print the minutes of each.

python tools/run_tests.py [--all] [SUITE...]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"


def main() -> None:
    """Run each suite in a process of its own; exit 1 if any failed."""
    suites = [*sorted(p.name for p in TESTS.iterdir() if any(p.glob("test_*.py"))), "doctests"]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="the slow tests too")
    parser.add_argument("--no-coverage", action="store_true")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=" ".join(suites))
    wanted = parser.parse_args()
    unknown = set(wanted.suites) - set(suites)
    if unknown:
        parser.error(f"no such suite: {', '.join(sorted(unknown))}; there are {', '.join(suites)}")

    if not wanted.no_coverage:
        _coverage("erase")
    took: dict[str, tuple[float, bool]] = {}
    for suite in wanted.suites or suites:
        print(f"\n── {suite} " + "─" * (60 - len(suite)), flush=True)
        started = time.monotonic()
        passed = _run(suite, every=wanted.all, coverage=not wanted.no_coverage)
        took[suite] = (time.monotonic() - started, passed)
    if not wanted.no_coverage:
        print("\n── coverage " + "─" * 52, flush=True)
        _coverage("combine", "--quiet")
        _coverage("report", "--format=total")
        _coverage("report", "--sort=cover", "--skip-covered")
    print("\nsuite            minutes")
    for suite, (seconds, passed) in took.items():
        print(f"{suite:<16} {seconds / 60:7.2f}{'' if passed else '   FAILED'}")
    print(f"{'all':<16} {sum(s for s, _ in took.values()) / 60:7.2f}")
    sys.exit(not all(passed for _, passed in took.values()))


def _run(suite: str, *, every: bool, coverage: bool) -> bool:
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
    done = subprocess.run(command, check=False, cwd=ROOT, env=environ)
    # 5: nothing was selected, as where every test of a suite is a slow one.
    return done.returncode in {0, 5}


def _coverage(*args: str) -> None:
    subprocess.run([sys.executable, "-m", "coverage", *args], check=False, cwd=ROOT)


if __name__ == "__main__":
    main()
