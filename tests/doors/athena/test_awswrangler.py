"""awswrangler as a business unit's analyst uses it, and as somebody who brings data."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import awswrangler as wr
import boto3
import pandas as pd  # type: ignore[import-untyped]
import pytest

from tests.doors.athena.athena_lake import COLUMNS, AthenaLake

# awswrangler 3.17 reads with `pandas.concat(copy=False)` and writes partitions with methods that
# work `inplace`. pandas 3 takes both, and warns that a later one will not.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame"),
]

RESULTS = "s3://lake-results/tools/"
ASK: Mapping[str, Any] = {"database": "ads", "workgroup": "tools"}


def become(who: str, lake: AthenaLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let awswrangler find the endpoints, a region and somebody's key."""
    # It holds the key that it found first.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name, value in lake.environment(who).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def as_wanda(lake: AthenaLake, monkeypatch: pytest.MonkeyPatch) -> None:
    become("wanda", lake, monkeypatch)


def read(sql: str, **more: Any) -> pd.DataFrame:
    """A query's rows, by a way of reading them."""
    return wr.athena.read_sql_query(sql, **{**ASK, **more})


WAYS: Mapping[str, Mapping[str, Any]] = {
    "result": {"ctas_approach": False},
    "table": {"ctas_approach": True},
    "files": {"ctas_approach": False, "unload_approach": True, "s3_output": f"{RESULTS}unloaded/"},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.usefixtures("as_wanda")
def test_a_query_is_read_in_every_way_that_it_has(lake: AthenaLake, way: str) -> None:
    more = dict(WAYS[way])
    if "s3_output" in more:
        # An UNLOAD wants an empty place.
        more["s3_output"] = f"{more['s3_output']}{way}/"
    frame = read("SELECT id, name, price, day FROM events ORDER BY id", **more)

    assert frame["id"].tolist() == [1, 2]
    assert frame["name"][0] == 'says "no",\nreally'
    assert frame["price"][0] == Decimal("12.30")
    assert str(frame["day"][0]) == "2026-01-31"
    left = {one["Name"] for one in lake.client("admin", "glue").get_tables(DatabaseName="ads")[
        "TableList"]}  # fmt: skip
    assert left == {"events", "many", "large"}


@pytest.mark.usefixtures("as_wanda")
def test_what_is_hidden_fails_in_every_way() -> None:
    for more in WAYS.values():
        with pytest.raises(wr.exceptions.QueryFailed, match="ip_address' cannot be resolved"):
            read("SELECT ip_address FROM events", **more)


@pytest.mark.usefixtures("as_wanda")
def test_a_query_is_started_waited_for_and_read_by_its_id() -> None:
    query_id = wr.athena.start_query_execution("SELECT max(n) AS most FROM many", **ASK)
    done = wr.athena.wait_query(query_id)
    frame = wr.athena.get_query_results(query_id)

    assert done["Status"]["State"] == "SUCCEEDED"
    assert frame["most"].tolist() == [4999]


@pytest.mark.usefixtures("as_wanda")
def test_parameters_go_in_both_ways() -> None:
    sql = "SELECT id FROM events WHERE name = "
    named = read(f"{sql}:name", params={"name": ""}, ctas_approach=False)
    marked = read(f"{sql}?", params=["''"], paramstyle="qmark", ctas_approach=False)

    assert named["id"].tolist() == marked["id"].tolist() == [2]


@pytest.mark.usefixtures("as_wanda")
def test_the_catalog_tells_what_one_may_see() -> None:
    databases = wr.catalog.databases()["Database"].tolist()
    tables = wr.catalog.tables(database="ads")["Table"].tolist()
    columns = wr.catalog.table(database="ads", table="events")["Column Name"].tolist()
    types = wr.catalog.get_table_types(database="ads", table="events")

    assert databases == ["ads"]
    assert {"events", "many", "large"} <= set(tables)
    shown = {name: kind for name, kind in COLUMNS.items() if name != "ip_address"}
    assert columns == list(shown)
    assert types == shown
    assert wr.catalog.does_table_exist(database="payroll", table="salaries") is False


def test_files_written_with_a_table_are_read_back_through_athena(
    lake: AthenaLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    become("mia", lake, monkeypatch)
    frame = pd.DataFrame({"id": [1, 2, 3], "name": ["a", "b", None], "region": ["eu", "us", "eu"]})
    wr.s3.to_parquet(
        frame,
        path="s3://lake/shop/orders/",
        dataset=True,
        database="shop",
        table="orders",
        partition_cols=["region"],
        mode="overwrite",
    )
    more = pd.DataFrame({"id": [4], "name": ["d"], "region": ["asia"]})
    wr.s3.to_parquet(
        more,
        path="s3://lake/shop/orders/",
        dataset=True,
        database="shop",
        table="orders",
        partition_cols=["region"],
        mode="append",
    )
    shop = {"database": "shop", "ctas_approach": False}
    found = read("SELECT region, count(*) AS n FROM orders GROUP BY 1 ORDER BY 1", **shop)
    one = read("SELECT id, name FROM orders WHERE region = 'us'", **shop)

    assert found.to_dict("list") == {"region": ["asia", "eu", "us"], "n": [1, 2, 1]}
    assert one.to_dict("list") == {"id": [2], "name": ["b"]}
    become("wanda", lake, monkeypatch)
    with pytest.raises(wr.exceptions.QueryFailed, match="Schema 'shop' does not exist"):
        read("SELECT id FROM orders", database="shop", ctas_approach=False)
