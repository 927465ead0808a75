"""A strict job's query runs where there is no store: it gets what the views show, and no more."""

from __future__ import annotations

import pyarrow as pa
import pytest

from lakeveil.adapters.engine.engine import DuckDBEngine
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.ports.engine import EngineRelation
from tests.engine.small_lake import SmallLake, ask, job, relation, scan


@pytest.fixture(scope="module")
def people(lake: SmallLake) -> EngineRelation:
    """`ip` is hidden, and so are the rows of the US."""
    rows = 50_000
    file = lake.parquet(
        "strict.parquet",
        {
            "id": pa.array(range(rows), pa.int64()),
            "region": ["EU", "US"] * (rows // 2),
            "ip": [f"10.0.0.{n % 250}" for n in range(rows)],
        },
    )
    columns = {"id": "bigint", "region": "string", "ip": "string"}
    return relation(scan(columns, file), columns=["id", "region"], where="\"region\" = 'EU'")


def test_a_strict_job_gives_the_same_rows(
    lake: SmallLake, engine: DuckDBEngine, people: EngineRelation
) -> None:
    names = relation(
        scan(
            {"id": "bigint", "name": "string"},
            lake.parquet("n.parquet", {"id": [2, 3], "name": ["b", "c"]}),
        ),
        alias="r1",
    )
    sql = "SELECT r0.id, r1.name FROM r0 JOIN r1 ON r0.id = r1.id"
    loose = ask(engine, job(sql, people, names))
    strict = ask(engine, job(sql, people, names, strict=True))
    assert strict.rows == loose.rows == [(2, "b")]
    assert strict.statistics.scanned_bytes > 0
    assert strict.table.schema.equals(loose.table.schema)


def test_a_strict_job_runs_again_in_the_same_processes(
    engine: DuckDBEngine, people: EngineRelation
) -> None:
    for _ in range(3):
        counted = ask(engine, job("SELECT count(*), max(region) FROM r0", people, strict=True))
        assert counted.rows == [(25_000, "EU")]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ip FROM r0",
        "SELECT * FROM duckdb_views() WHERE sql LIKE '%http%' AND error('a URL')",
        "SELECT * FROM read_parquet('{url}')",
        "COPY r0 TO '/tmp/lakeveil-strict.parquet'",
    ],
)
def test_raw_sql_in_a_strict_job_finds_nothing_more(
    lake: SmallLake, engine: DuckDBEngine, people: EngineRelation, sql: str
) -> None:
    location = people.scan.groups[0].files[0].location
    url = lake.presign(location, version="", seconds=60)
    try:
        found = ask(engine, job(sql.replace("{url}", url), people, strict=True))
    except QueryError:
        return
    assert found.rows == []


def test_a_failure_of_the_feeding_process_says_nothing(
    lake: SmallLake, engine: DuckDBEngine
) -> None:
    file = lake.parquet("bad.parquet", {"n": ["1", "secret"]})
    masked = relation(scan({"n": "string"}, file), columns={"n": 'CAST("n" AS BIGINT)'})
    with pytest.raises(QueryError) as failed:
        ask(engine, job("SELECT n FROM r0", masked, strict=True))
    assert failed.value.failure.name is ErrorName.GENERIC_USER_ERROR


def test_a_failure_of_a_strict_query_is_trinos(
    engine: DuckDBEngine, people: EngineRelation
) -> None:
    with pytest.raises(QueryError) as failed:
        ask(engine, job("SELECT CAST(region AS BIGINT) FROM r0", people, strict=True))
    assert failed.value.failure.name is ErrorName.INVALID_CAST_ARGUMENT


def test_limits_hold_for_what_is_fed(engine: DuckDBEngine, people: EngineRelation) -> None:
    limited = job("SELECT 1", people, strict=True, binding="fed", scanned_bytes=1_000)
    with pytest.raises(QueryError) as failed:
        ask(engine, limited)
    assert failed.value.failure.name is ErrorName.EXCEEDED_SCAN_LIMIT
    little = job(
        "SELECT 1", people, strict=True, binding="fed", memory_bytes=2**20, temporary_bytes=2**10
    )
    with pytest.raises(QueryError):
        ask(engine, little)
    assert ask(engine, job("SELECT min(id) FROM r0", people, strict=True, binding="fed")).rows == [
        (0,)
    ]
