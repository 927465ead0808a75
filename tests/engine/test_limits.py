"""Beyond a limit a query ends, is told so, and is charged for what it read."""

from __future__ import annotations

import threading
import time
from typing import Any

import pyarrow as pa
import pytest

from lakeveil.adapters.engine.engine import DuckDBEngine
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.ports.engine import EngineRelation
from tests.engine.small_lake import SmallLake, ask, job, relation, scan

ENDLESS = (
    "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE hash(a.range, b.range) = 1"
)
DEAF = "SELECT length(repeat('x', 2000000000) || repeat('y', 2000000000))"
"""It hears no interrupt."""


@pytest.fixture(scope="module")
def big(lake: SmallLake) -> EngineRelation:
    """About 32 MB in 40 row groups."""
    rows = 1_000_000
    ids = pa.array(range(rows), pa.int64())
    file = lake.parquet(
        "big.parquet",
        dict.fromkeys("abcd", ids),
        row_group_size=25_000,
        compression="none",
        use_dictionary=False,
    )
    assert file.size > 30_000_000
    return relation(scan(dict.fromkeys("abcd", "bigint"), file))


def failure(engine: DuckDBEngine, sql: str, *of: EngineRelation, **limits: Any) -> ErrorName:
    """How a job fails."""
    with pytest.raises(QueryError) as failed:
        ask(engine, job(sql, *of, binding="limits", **limits))
    return failed.value.failure.name


@pytest.mark.parametrize("sql", [ENDLESS, DEAF])
def test_a_query_that_takes_too_long_is_killed(engine: DuckDBEngine, sql: str) -> None:
    started = time.monotonic()
    assert failure(engine, sql, seconds=1.0) is ErrorName.EXCEEDED_TIME_LIMIT
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("sql", [ENDLESS, DEAF])
def test_stopping_from_another_thread_kills_the_process_at_once(
    engine: DuckDBEngine, sql: str
) -> None:
    before = set(engine.processes)
    with engine.run(job(sql, binding="stopped")) as running:
        threading.Timer(0.5, running.stop).start()
        started = time.monotonic()
        with pytest.raises(QueryError) as stopped:
            list(running.batches())
        assert time.monotonic() - started < 3
    assert stopped.value.failure.name is ErrorName.USER_CANCELED
    assert before - set(engine.processes), "its process is gone"


def test_memory_is_limited_where_nothing_can_be_spilled(engine: DuckDBEngine) -> None:
    sql = "SELECT length(list(hash(i))::VARCHAR) FROM range(100000000) t(i)"
    name = failure(engine, sql, memory_bytes=100 * 2**20)
    assert name is ErrorName.EXCEEDED_LOCAL_MEMORY_LIMIT


def test_private_memory_is_limited_beside_the_engines_own_count(engine: DuckDBEngine) -> None:
    wide = [f"repeat(repeat('{letter}', 1000000), 900)" for letter in "abcdef"]
    sql = f"SELECT {' || '.join(wide)}"
    name = failure(engine, sql, memory_bytes=100 * 2**20)
    assert name is ErrorName.EXCEEDED_LOCAL_MEMORY_LIMIT


SORTED = "SELECT max(h) FROM (SELECT hash(i) AS h FROM range(8000000) t(i) ORDER BY h OFFSET 1)"


def test_a_query_spills_under_the_lock(engine: DuckDBEngine) -> None:
    found = ask(engine, job(SORTED, binding="spill", memory_bytes=48 * 2**20))
    assert found.table.num_rows == 1


def test_temporary_space_is_limited(engine: DuckDBEngine) -> None:
    name = failure(engine, SORTED, memory_bytes=48 * 2**20, temporary_bytes=2**20)
    assert name is ErrorName.EXCEEDED_SPILL_LIMIT


def test_scanned_bytes_are_exact_and_nothing_is_read_twice(
    engine: DuckDBEngine, big: EngineRelation
) -> None:
    cold = ask(engine, job("SELECT sum(a) FROM r0", big, binding="scan"))
    warm = ask(engine, job("SELECT sum(a) FROM r0", big, binding="scan"))
    assert 8_000_000 <= cold.statistics.scanned_bytes < 8_200_000
    assert warm.statistics.scanned_bytes == 0
    assert cold.rows == warm.rows == [(499_999_500_000,)]


def test_a_query_stops_soon_after_its_limit_of_bytes_and_is_charged(
    engine: DuckDBEngine, big: EngineRelation
) -> None:
    limited = job(
        "SELECT sum(a), sum(b), sum(c), sum(d) FROM r0",
        big,
        binding="charged",
        scanned_bytes=2_000_000,
        threads=1,
    )
    with engine.run(limited) as running:
        with pytest.raises(QueryError) as failed:
            list(running.batches())
        scanned = running.statistics().scanned_bytes
    assert failed.value.failure.name is ErrorName.EXCEEDED_SCAN_LIMIT
    assert 2_000_000 < scanned < 20_000_000
    assert running.statistics().scanned_bytes == scanned


def test_a_limit_that_is_only_just_exceeded_is_exceeded(
    engine: DuckDBEngine, big: EngineRelation
) -> None:
    sql = "SELECT sum(a) FROM r0"
    exact = ask(engine, job(sql, big, binding="exact")).statistics.scanned_bytes
    within = job(sql, big, binding="within", scanned_bytes=exact)
    assert ask(engine, within).statistics.scanned_bytes == exact
    assert failure(engine, sql, big, scanned_bytes=exact - 1) is ErrorName.EXCEEDED_SCAN_LIMIT


def test_a_query_that_was_stopped_is_charged_for_what_it_read(
    engine: DuckDBEngine, big: EngineRelation
) -> None:
    sql = "SELECT count(*) FROM r0 x, r0 y WHERE hash(x.a, y.a) = 1"
    with engine.run(job(sql, big, binding="halfway")) as running:
        while running.statistics().scanned_bytes < 5_000_000:
            time.sleep(0.01)
        running.stop()
        with pytest.raises(QueryError):
            list(running.batches())
    assert 5_000_000 <= running.statistics().scanned_bytes < 40_000_000


def test_the_size_of_a_result_is_limited(engine: DuckDBEngine, big: EngineRelation) -> None:
    name = failure(engine, "SELECT a FROM r0", big, result_bytes=100_000)
    assert name is ErrorName.EXCEEDED_LOCAL_MEMORY_LIMIT


def test_very_wide_rows_come_in_small_batches(engine: DuckDBEngine) -> None:
    sql = "SELECT repeat('x', 100000) AS wide FROM range(1000)"
    with engine.run(job(sql, binding="wide")) as running:
        batches = list(running.batches())
    assert sum(batch.num_rows for batch in batches) == 1000
    assert max(batch.nbytes for batch in batches) < 40 * 2**20


def test_memory_stays_bounded_while_five_million_rows_stream(engine: DuckDBEngine) -> None:
    sql = "SELECT i, i * 2 AS twice, 'row ' || i AS word FROM range(5000000) t(i)"
    before, rows = pa.total_allocated_bytes(), 0
    with engine.run(job(sql, binding="stream")) as running:
        (pid,) = [p for p in engine.processes if _is_running(p)][:1] or engine.processes[:1]
        for batch in running.batches():
            rows += batch.num_rows
            assert pa.total_allocated_bytes() - before < 50 * 2**20
        peak = max(_peak(p) for p in engine.processes)
    assert pid
    assert rows == 5_000_000
    assert peak < 1.5 * 2**30


def _is_running(pid: int) -> bool:
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
        return file.read().rpartition(")")[2].split()[0] == "R"


def _peak(pid: int) -> int:
    with open(f"/proc/{pid}/status") as file:  # noqa: PTH123
        return int(next(line for line in file if line.startswith("VmHWM")).split()[1]) * 1024
