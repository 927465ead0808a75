"""TPC-H and TPC-DS over a governed lake: row by row what Sail reads from the same files.

At a small scale in CI; TPC-H at scale factor 1 and TPC-DS at 0.1 where every test runs.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stack_fixture import Weed
from tests.tpc.benchmark import original_queries, spark_query, trino_query
from tests.tpc.comparing import differences, order_differs, order_of, without_limit
from tests.tpc.lake import TpcLake, tpc_lake
from tests.tpc.sail import Sail

TPCH = tuple(range(1, 23))
TPCDS = tuple(range(1, 100))
FEW_OF_TPCDS = (3, 7, 12, 19, 22, 27, 34, 42, 43, 48, 52, 55, 65, 79, 96)

Lakes = Iterator[TpcLake]


@pytest.fixture(scope="module")
def small_tpch(weed: Weed, tmp_path_factory: pytest.TempPathFactory) -> Lakes:
    with tpc_lake("tpch", 0.01, weed, tmp_path_factory.mktemp("tpch")) as lake:
        yield lake


@pytest.fixture(scope="module")
def small_tpcds(weed: Weed, tmp_path_factory: pytest.TempPathFactory) -> Lakes:
    with tpc_lake("tpcds", 0.01, weed, tmp_path_factory.mktemp("tpcds")) as lake:
        yield lake


@pytest.fixture(scope="module")
def large_tpch(weed: Weed, tmp_path_factory: pytest.TempPathFactory) -> Lakes:
    with tpc_lake("tpch", 1, weed, tmp_path_factory.mktemp("tpch")) as lake:
        yield lake


@pytest.fixture(scope="module")
def large_tpcds(weed: Weed, tmp_path_factory: pytest.TempPathFactory) -> Lakes:
    with tpc_lake("tpcds", 0.1, weed, tmp_path_factory.mktemp("tpcds")) as lake:
        yield lake


@pytest.fixture(scope="session")
def queries() -> dict[tuple[str, int], str]:
    return {
        (name, number): trino_query(name, number, original)
        for name in ("tpch", "tpcds")
        for number, original in original_queries(name).items()
    }


Queries = dict[tuple[str, int], str]


@pytest.mark.parametrize("number", TPCH)
def test_tpch_answers_as_sail_does(
    sail: Sail, small_tpch: TpcLake, queries: Queries, number: int
) -> None:
    _assert_same(small_tpch, sail, queries["tpch", number])


@pytest.mark.parametrize("number", FEW_OF_TPCDS)
def test_some_of_tpcds_answers_as_sail_does(
    sail: Sail, small_tpcds: TpcLake, queries: Queries, number: int
) -> None:
    _assert_same(small_tpcds, sail, queries["tpcds", number])


@pytest.mark.slow
@pytest.mark.parametrize("number", TPCH)
def test_tpch_at_scale_factor_1_answers_as_sail_does(
    sail: Sail, large_tpch: TpcLake, queries: Queries, number: int
) -> None:
    _assert_same(large_tpch, sail, queries["tpch", number])


@pytest.mark.slow
@pytest.mark.parametrize("number", TPCDS)
def test_tpcds_at_scale_factor_a_tenth_answers_as_sail_does(
    sail: Sail, large_tpcds: TpcLake, queries: Queries, number: int
) -> None:
    _assert_same(large_tpcds, sail, queries["tpcds", number])


def _assert_same(lake: TpcLake, sail: Sail, query: str) -> None:
    """All rows are the same, in the same order; and with its LIMIT a query gives the first ones."""
    sail.look_at(lake.locations)
    whole, limit = without_limit(query)
    ours, theirs = lake.ask(whole), sail.ask(spark_query(whole))
    assert differences(ours, theirs) == []
    keys = order_of(query, ours.column_names)
    assert order_differs(ours, theirs, keys) == ""
    if limit is not None:
        first = lake.ask(query)
        assert first.num_rows == min(limit, ours.num_rows)
        assert order_differs(first, theirs, keys) == ""
