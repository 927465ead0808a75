"""Processes: whose they are, how long they live, what becomes of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lakeveil.adapters.engine.engine import DuckDBEngine
from lakeveil.adapters.engine.landlock import support
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.errors import Unavailable
from tests.engine.small_lake import SmallLake, ask, engine_spec, job, relation, scan

WHO = "SELECT 1"
SLOW = (
    "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE hash(a.range, b.range) = 1"
)
ROOT = Path(__file__).resolve().parents[2]


def until(condition: Callable[[], bool]) -> None:
    """Wait for it; the test's own time limit ends the wait."""
    while not condition():
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether the process runs: not gone, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_binding_finds_its_process_warm_and_another_never_gets_it(
    lake: SmallLake, tmp_path: Path
) -> None:
    file = lake.parquet("warm.parquet", {"id": list(range(1000))})
    same = relation(scan({"id": "bigint"}, file))
    with DuckDBEngine(engine_spec(lake, tmp_path, spares=1), presign=lake.presign) as engine:
        first = ask(engine, job("SELECT sum(id) FROM r0", same, binding="anna"))
        assert first.statistics.scanned_bytes > 0
        anna = bound(engine)
        again = ask(engine, job("SELECT max(id) FROM r0", same, binding="anna"))
        assert again.statistics.scanned_bytes == 0
        assert bound(engine) == anna
        other = ask(engine, job("SELECT sum(id) FROM r0", same, binding="berta"))
        assert other.statistics.scanned_bytes > 0
        assert len(bound(engine)) == 2


def bound(engine: DuckDBEngine) -> set[int]:
    """Processes that serve somebody."""
    return {worker.pid for worker in engine._pool._idle}


def test_idle_processes_are_killed_after_a_while(lake: SmallLake, tmp_path: Path) -> None:
    spec = engine_spec(lake, tmp_path, idle_s=0.2)
    with DuckDBEngine(spec, presign=lake.presign) as engine:
        ask(engine, job(WHO))
        (pid,) = bound(engine)
        until(lambda: not alive(pid))
        assert not bound(engine)


def test_there_are_never_more_processes_than_allowed(lake: SmallLake, tmp_path: Path) -> None:
    spec = engine_spec(lake, tmp_path, processes=1, wait_s=0.2)
    with DuckDBEngine(spec, presign=lake.presign) as engine:
        ask(engine, job(WHO, binding="anna"))
        (pid,) = bound(engine)
        with engine.run(job(WHO, binding="berta")):
            assert not alive(pid), "an idle one of another binding makes room"
            with pytest.raises(Unavailable, match="busy"), engine.run(job(WHO, binding="anna")):
                pass


def test_a_result_that_is_not_read_to_its_end_ends_the_process(
    lake: SmallLake, tmp_path: Path
) -> None:
    with DuckDBEngine(engine_spec(lake, tmp_path), presign=lake.presign) as engine:
        with engine.run(job("FROM range(10000000)")) as running:
            next(running.batches())
        assert not bound(engine)


def test_a_process_that_dies_fails_its_query_and_no_other(lake: SmallLake, tmp_path: Path) -> None:
    with DuckDBEngine(engine_spec(lake, tmp_path), presign=lake.presign) as engine:
        with engine.run(job(SLOW)) as running:
            (worker,) = engine._pool._busy
            threading.Timer(0.3, os.kill, (worker.pid, signal.SIGKILL)).start()
            with pytest.raises(QueryError) as failed:
                list(running.batches())
        assert failed.value.failure.name is ErrorName.GENERIC_INTERNAL_ERROR
        assert ask(engine, job(WHO)).rows == [(1,)]


def test_a_dead_spare_is_replaced(lake: SmallLake, tmp_path: Path) -> None:
    with DuckDBEngine(engine_spec(lake, tmp_path), presign=lake.presign) as engine:
        (spare,) = engine._pool._spares[True]
        os.kill(spare.pid, signal.SIGKILL)
        until(lambda: not spare.alive)
        assert ask(engine, job(WHO)).rows == [(1,)]


def test_closing_ends_queries_and_leaves_nothing(lake: SmallLake, tmp_path: Path) -> None:
    engine = DuckDBEngine(engine_spec(lake, tmp_path), presign=lake.presign)
    with engine.run(job(SLOW)) as running:
        pids = engine.processes
        threading.Timer(0.3, engine.close).start()
        with pytest.raises(QueryError) as failed:
            list(running.batches())
    assert failed.value.failure.name is ErrorName.SERVER_SHUTTING_DOWN
    until(lambda: not any(map(alive, pids)))
    until(lambda: not list(tmp_path.iterdir()))
    with pytest.raises(Unavailable), engine.run(job(WHO)):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_processes_and_their_files_do_not_outlive_a_killed_server(
    lake: SmallLake, tmp_path: Path
) -> None:
    code = f"""
import pathlib, sys, time
from lakeveil.adapters.engine.engine import DuckDBEngine
from lakeveil.adapters.engine.pool import EngineSpec
spec = EngineSpec(directory=pathlib.Path({str(tmp_path)!r}), port=1)
engine = DuckDBEngine(spec, presign=None)
print(*engine.processes, flush=True)
time.sleep(60)
"""
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT)
    with server:
        assert server.stdout is not None
        pids = [int(pid) for pid in server.stdout.readline().split()]
        assert pids
        assert all(map(alive, pids))
        server.kill()
    until(lambda: not any(map(alive, pids)))
    (left,) = tmp_path.glob("engine-*")
    with DuckDBEngine(engine_spec(lake, tmp_path), presign=lake.presign):
        assert not left.exists()


@pytest.mark.skipif(not support().enough, reason="the kernel has no Landlock for ports")
def test_the_engine_says_that_it_is_confined(engine: DuckDBEngine) -> None:
    assert engine.confined


def test_many_queries_at_once_keep_apart(lake: SmallLake, tmp_path: Path) -> None:
    found: dict[int, object] = {}
    spec = engine_spec(lake, tmp_path, processes=3)
    with DuckDBEngine(spec, presign=lake.presign) as engine:

        def one(number: int) -> None:
            found[number] = ask(engine, job(f"SELECT {number}", binding=f"b{number % 4}")).rows

        threads = [threading.Thread(target=one, args=(n,)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {n: [(n,)] for n in range(12)}
