"""Rows that a view holds back do not decide whether a query fails, nor what it says."""

from __future__ import annotations

import pytest

from lakeveil.adapters.engine import sources
from lakeveil.adapters.engine.engine import DuckDBEngine
from lakeveil.adapters.engine.failures import ON_DATA, classify, query_error
from lakeveil.core.query.failures import ErrorName, QueryError
from lakeveil.ports.engine import EngineRelation, FileGroup
from tests.engine.small_lake import SmallLake, ask, job, relation, scan

COLUMNS = {"id": "bigint", "region": "string", "n": "string"}
GENERIC = "GENERIC_USER_ERROR: The query failed on a value of the data"


@pytest.fixture(scope="module")
def filtered(lake: SmallLake) -> EngineRelation:
    """Row 2 is held back, and its `n` is no number."""
    file = lake.parquet(
        "filtered.parquet",
        {"id": [1, 2, 3], "region": ["EU", "US", "EU"], "n": ["1", "hidden", "3"]},
    )
    return relation(scan(COLUMNS, file), columns=["id", "n"], where="\"region\" = 'EU'")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT sum(CAST(n AS BIGINT)) FROM r0",
        "SELECT id FROM r0 WHERE CAST(n AS BIGINT) > 0",
        "SELECT id FROM r0 WHERE id = 2 AND CAST(n AS BIGINT) > 0",
        "SELECT CASE WHEN n = 'hidden' THEN error('x') END FROM r0",
        "SELECT id FROM r0 ORDER BY CAST(n AS BIGINT)",
        "SELECT count(*) FROM r0 a JOIN r0 b ON CAST(a.n AS BIGINT) = b.id",
    ],
)
def test_a_hidden_row_on_which_an_expression_fails_is_no_failure(
    engine: DuckDBEngine, filtered: EngineRelation, sql: str
) -> None:
    ask(engine, job(sql, filtered))


def test_a_row_filter_that_fails_itself_does_not_say_how(
    engine: DuckDBEngine, lake: SmallLake
) -> None:
    file = lake.parquet("late.parquet", {"id": [1, 2, 3], "n": ["1", "hidden", "3"]})
    late = relation(
        scan({"id": "bigint", "n": "string"}, file),
        columns={"id": '"id"', "n": '"n"'},
        where='CAST("n" AS BIGINT) > 0',
    )
    with pytest.raises(QueryError) as failed:
        ask(engine, job("SELECT id FROM r0", late))
    assert str(failed.value) == GENERIC


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT CAST(n || 'x' AS BIGINT) FROM r0",
        "SELECT error('DIVISION_BY_ZERO') FROM r0 WHERE n = '3'",
        "SELECT CAST(9223372036854775807 AS BIGINT) + id FROM r0",
        "SELECT (SELECT n FROM r0) FROM r0",
    ],
)
def test_failures_over_filtered_rows_are_all_the_same(
    engine: DuckDBEngine, filtered: EngineRelation, sql: str
) -> None:
    with pytest.raises(QueryError) as failed:
        ask(engine, job(sql, filtered))
    assert str(failed.value) == GENERIC
    assert failed.value.code == "generic_user_error"


def test_nothing_of_a_filtered_result_is_handed_out_before_it_is_complete(
    engine: DuckDBEngine, lake: SmallLake
) -> None:
    rows = 200_000
    values = ["1"] * (rows - 1) + ["bad"]
    file = lake.parquet("last.parquet", {"id": list(range(rows)), "n": values})
    whole = scan({"id": "bigint", "n": "string"}, file)
    sql = "SELECT CAST(n AS BIGINT) FROM r0"
    late = job(sql, relation(whole, where='"id" >= 0'))
    with engine.run(late) as running, pytest.raises(QueryError):
        _ = running.schema
    shown = relation(whole, where=f'"id" < {rows - 1}')
    assert ask(engine, job(sql, shown)).table.num_rows == rows - 1


def test_a_deleted_row_is_no_failure(engine: DuckDBEngine, lake: SmallLake) -> None:
    file = lake.parquet("deleted.parquet", {"n": ["1", "gone", "3"]})
    group = FileGroup(files=(file,), deleted_rows={file.location: (1,)})
    left = relation(scan({"n": "string"}, group))
    assert ask(engine, job("SELECT sum(CAST(n AS BIGINT)) FROM r0", left)).rows == [(4,)]


def test_a_mask_that_fails_does_not_say_how(engine: DuckDBEngine, lake: SmallLake) -> None:
    file = lake.parquet("masked.parquet", {"n": ["1", "secret"]})
    masked = relation(scan({"n": "string"}, file), columns={"n": 'CAST("n" AS BIGINT) % 10'})
    assert sources.masks(masked)
    assert not sources.holds_rows_back(masked)
    with pytest.raises(QueryError) as failed:
        ask(engine, job("SELECT n FROM r0", masked))
    assert str(failed.value) == GENERIC


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("SELECT CAST(n AS BIGINT) FROM r0", ErrorName.INVALID_CAST_ARGUMENT),
        ("SELECT error('DIVISION_BY_ZERO') FROM r0", ErrorName.DIVISION_BY_ZERO),
        (
            "SELECT error('INVALID_FUNCTION_ARGUMENT: bad') FROM r0",
            ErrorName.INVALID_FUNCTION_ARGUMENT,
        ),
        ("SELECT error('PERMISSION_DENIED: made up') FROM r0", ErrorName.INVALID_FUNCTION_ARGUMENT),
        (
            "SELECT CAST(9223372036854775807 AS BIGINT) + id FROM r0",
            ErrorName.NUMERIC_VALUE_OUT_OF_RANGE,
        ),
        ("SELECT (SELECT n FROM r0)", ErrorName.SUBQUERY_MULTIPLE_ROWS),
        ("SELECT id + DATE '2024-01-01' - n FROM r0", ErrorName.TYPE_MISMATCH),
    ],
)
def test_a_table_that_is_seen_whole_has_trinos_errors(
    engine: DuckDBEngine, lake: SmallLake, sql: str, name: ErrorName
) -> None:
    file = lake.parquet(
        "whole.parquet", {"id": [1, 2], "region": ["a", "b"], "n": ["1", "x-secret"]}
    )
    whole = relation(scan(COLUMNS, file))
    before = set(engine.processes)
    with pytest.raises(QueryError) as failed:
        ask(engine, job(sql, whole, binding="whole"))
    assert failed.value.failure.name is name
    assert "secret" not in str(failed.value)
    assert "made up" not in str(failed.value)
    assert before <= set(engine.processes), "the process lives on"


def test_an_error_that_a_worker_makes_up_is_an_internal_one() -> None:
    assert query_error("NO_SUCH", collapse=False).failure.name is ErrorName.GENERIC_INTERNAL_ERROR
    made_up = query_error("TABLE_NOT_FOUND", collapse=False)
    assert made_up.failure.name is ErrorName.GENERIC_INTERNAL_ERROR


def test_what_is_not_known_is_an_internal_error() -> None:
    assert classify(RuntimeError("http://store/key?X-Amz-Signature=1")) not in ON_DATA
    assert classify(MemoryError()) is ErrorName.EXCEEDED_LOCAL_MEMORY_LIMIT
