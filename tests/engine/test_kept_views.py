"""A bound process keeps the views of the job before where they are the same, and no others."""

from __future__ import annotations

import pytest

from lakeveil.adapters.engine.engine import DuckDBEngine
from lakeveil.core.query.failures import QueryError
from lakeveil.ports.engine import FileGroup
from tests.engine.small_lake import SmallLake, ask, job, relation, scan

TYPES = {"id": "bigint", "ip": "string"}


def test_a_view_of_the_job_before_shows_no_more_than_the_one_of_this_job(
    lake: SmallLake, engine: DuckDBEngine
) -> None:
    table = scan(TYPES, lake.parquet("kept.parquet", {"id": [1, 2], "ip": ["a", "b"]}))
    every, some = relation(table), relation(table, columns=["id"], where='"id" > 1')
    sql = "SELECT * FROM r0"
    assert ask(engine, job(sql, every)).rows == [(1, "a"), (2, "b")]
    assert ask(engine, job(sql, every)).rows == [(1, "a"), (2, "b")]
    assert ask(engine, job(sql, some)).rows == [(2,)]
    with pytest.raises(QueryError):
        ask(engine, job("SELECT ip FROM r0", some))
    assert ask(engine, job(sql, every)).rows == [(1, "a"), (2, "b")]


def test_a_relation_of_the_job_before_is_gone(lake: SmallLake, engine: DuckDBEngine) -> None:
    one = lake.parquet("one.parquet", {"id": [1], "ip": ["a"]})
    two = lake.parquet("two.parquet", {"id": [2], "ip": ["b"]})
    apart = [relation(scan(TYPES, file), alias=f"r{n}") for n, file in enumerate((one, two))]
    both = relation(scan(TYPES, FileGroup(files=(one, two))))
    assert ask(engine, job("SELECT r0.id, r1.id FROM r0, r1", *apart)).rows == [(1, 2)]
    with pytest.raises(QueryError):
        ask(engine, job("SELECT id FROM r1", both))
    assert ask(engine, job("SELECT id FROM r0", both)).rows == [(1,), (2,)]
