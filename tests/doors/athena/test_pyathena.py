"""PyAthena as a business unit's analyst uses it: cursors, pandas, and SQLAlchemy's inspector."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyathena
import pytest
import sqlalchemy as sa
from pyathena.async_cursor import AsyncCursor
from pyathena.error import OperationalError
from pyathena.pandas.cursor import PandasCursor
from sqlalchemy.exc import NoSuchTableError

from tests.doors.athena.athena_lake import COLUMNS, HEAVY, AthenaLake

SHOWN = [name for name in COLUMNS if name != "ip_address"]


@pytest.fixture
def environment(lake: AthenaLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """What PyAthena finds of AWS: the endpoints, a region and a key."""
    for name, value in lake.environment("wanda").items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def connection(environment: None) -> Iterator[Any]:
    del environment
    with pyathena.connect(work_group="tools", schema_name="ads", poll_interval=0.05) as opened:
        yield opened


def test_a_cursor_reads_values_of_their_types(connection: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("SELECT id, name, price, seen, day, score, tags, spot, raw FROM events "
                   "ORDER BY id")  # fmt: skip
    first, second = cursor.fetchall()

    assert first[:6] == (
        1,
        'says "no",\nreally',
        Decimal("12.30"),
        datetime(2026, 1, 31, 12, 34, 56, 789_012),  # noqa: DTZ001 - the column has no zone
        date(2026, 1, 31),
        0.5,
    )
    assert first[8] == b"\x00\xff"
    assert second == (2, "", *[None] * 7)
    assert [column[0] for column in cursor.description][:2] == ["id", "name"]
    assert cursor.state == "SUCCEEDED"
    assert cursor.output_location.startswith("s3://lake-results/tools/")


def test_parameters_go_in_both_ways(connection: Any) -> None:
    cursor = connection.cursor()

    named = cursor.execute("SELECT id FROM events WHERE name = %(name)s", {"name": ""}).fetchall()
    marked = cursor.execute(
        "SELECT id FROM events WHERE id = ? OR name = ?", ["1", "'x'"], paramstyle="qmark"
    ).fetchall()

    assert (named, marked) == ([(2,)], [(1,)])


def test_many_rows_come_page_by_page(connection: Any) -> None:
    rows = connection.cursor().execute("SELECT n FROM many ORDER BY n").fetchall()
    assert rows == [(n,) for n in range(5_000)]


def test_a_failure_is_raised_with_its_reason(connection: Any) -> None:
    with pytest.raises(OperationalError, match="Column 'ip_address' cannot be resolved"):
        connection.cursor().execute("SELECT ip_address FROM events")


def test_queries_run_beside_each_other_and_are_cancelled(connection: Any) -> None:
    cursor = connection.cursor(AsyncCursor)
    heavy_id, heavy = cursor.execute(HEAVY)
    _, quick = cursor.execute("SELECT 1")

    assert quick.result().fetchall() == [(1,)]
    cursor.cancel(heavy_id).result()
    assert heavy.result().state == "CANCELLED"


def test_a_frame_of_pandas_is_read_from_the_result_file(connection: Any) -> None:
    frame = (
        connection.cursor(PandasCursor)
        .execute("SELECT id, name, price, day FROM events ORDER BY id")
        .as_pandas()
    )
    assert frame["id"].tolist() == [1, 2]
    assert frame["price"][0] == Decimal("12.30")
    assert list(frame.columns) == ["id", "name", "price", "day"]


def test_metadata_are_those_that_one_may_see(connection: Any) -> None:
    cursor = connection.cursor()
    names = {one.name for one in cursor.list_table_metadata()}
    columns = [one.name for one in cursor.get_table_metadata("events").columns]

    assert {"events", "many", "large"} <= names
    assert columns == SHOWN
    assert [one.name for one in cursor.list_databases("AwsDataCatalog")] == ["ads"]


@pytest.fixture
def engine(environment: None) -> Iterator[sa.Engine]:
    del environment
    url = "awsathena+rest://@athena.us-east-1.amazonaws.com:443/ads?work_group=tools"
    made = sa.create_engine(f"{url}&poll_interval=0.05")
    yield made
    made.dispose()


def test_sqlalchemy_inspects_what_one_may_see(engine: sa.Engine) -> None:
    inspector = sa.inspect(engine)

    assert inspector.get_schema_names() == ["ads"]
    assert {"events", "many", "large"} <= set(inspector.get_table_names("ads"))
    assert [one["name"] for one in inspector.get_columns("events", "ads")] == SHOWN
    assert inspector.has_table("events", "ads")
    assert not inspector.has_table("salaries", "payroll")
    with pytest.raises(NoSuchTableError):
        inspector.get_columns("salaries", "payroll")


def test_sqlalchemy_selects_with_a_reflected_table(engine: sa.Engine) -> None:
    events = sa.Table("events", sa.MetaData(), schema="ads", autoload_with=engine)
    chosen = (
        sa.select(events.c.id, sa.func.length(events.c.name).label("size"))
        .where(events.c.name != sa.bindparam("other", "x"))
        .order_by(events.c.id)
        .limit(5)
    )
    with engine.connect() as opened:
        rows = opened.execute(chosen).fetchall()

    assert [tuple(row) for row in rows] == [(1, 17), (2, 0)]
    assert "ip_address" not in events.c
