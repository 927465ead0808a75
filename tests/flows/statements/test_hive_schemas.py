"""Parquet files of one table that differ in what they hold."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import awswrangler as wr
import boto3
import pyarrow as pa
import pytest

from lakeveil.core.access.grants import DataCellsFilter, OnFilter, TableName
from lakeveil.core.access.permissions import Permission
from tests.flows.lakes import ADMIN, ANA, HOME, OWNER
from tests.flows.statements.sql_world import SqlWorld
from tests.stack_fixture import Weed


def table(world: SqlWorld, columns: str) -> None:
    """`ads.h` over `lake/h/`."""
    place = f"s3://{world.bucket}/lake/h"
    world.done(OWNER, f"CREATE EXTERNAL TABLE h ({columns}) STORED AS PARQUET LOCATION '{place}'")


def test_a_column_that_was_added_is_null_in_older_files(world: SqlWorld) -> None:
    world.done(OWNER, "ALTER TABLE events ADD COLUMNS (note string)")
    assert world.done(OWNER, "SELECT note FROM events") == ["", "", ""]
    assert world.done(OWNER, "SELECT count(*), count(note) FROM events") == ['"3","0"']
    world.put("lake/events/two.parquet", id=[4], note=["x"])
    told = world.done(OWNER, "SELECT id, note, spend FROM events ORDER BY id")
    assert told == ['"1",,"10"', '"2",,"20"', '"3",,"30"', '"4","x",']


def test_names_are_found_whatever_their_case(world: SqlWorld) -> None:
    table(world, "id bigint, name string")
    world.put("lake/h/a.parquet", ID=[1], Name=["a"])
    world.put("lake/h/b.parquet", name=["b"], id=[2], More=[dt.date(2026, 1, 1)])
    world.put("lake/h/c.parquet", nAME=["c"])
    assert world.done(OWNER, "SELECT id, name FROM h ORDER BY name") == [
        '"1","a"', '"2","b"', ',"c"',
    ]  # fmt: skip
    world.put("lake/h/d.parquet", id=[4], ID=[5])
    assert world.refused(OWNER, "SELECT id FROM h").startswith("HIVE_BAD_DATA: Column 'id'")
    assert world.done(OWNER, "SELECT count(name) FROM h") == ['"3"']


def test_types_are_cast_where_no_value_changes(world: SqlWorld) -> None:
    table(world, "n bigint, d double, s string, p decimal(12,3), t timestamp, l array<bigint>")
    world.put(
        "lake/h/a.parquet",
        n=pa.array([1], pa.int8()),
        d=pa.array([1.5], pa.float32()),
        s=pa.array(["a"]).dictionary_encode(),
        p=pa.array([7], pa.int32()),
        t=pa.array([1_767_322_800_000_000_000], pa.timestamp("ns")),
        l=pa.array([[1]], pa.list_(pa.int32())),
    )
    world.put(
        "lake/h/b.parquet",
        n=pa.array([2], pa.uint32()),
        d=pa.array([2], pa.int32()),
        s=pa.array(["b"], pa.large_string()),
        p=pa.array([8]).cast(pa.decimal128(21, 1)),
        t=pa.array([dt.date(2026, 1, 3)]),
        l=pa.array([None], pa.null()),
    )
    assert world.done(OWNER, "SELECT * FROM h ORDER BY n") == [
        '"1","1.5","a","7.000","2026-01-02 03:00:00.000","[1]"',
        '"2","2.0","b","8.000","2026-01-03 00:00:00.000",',
    ]


@pytest.mark.parametrize(
    ("kind", "held"),
    [
        ("int", ["1"]),
        ("string", [1.5]),
        ("double", pa.array([2**60])),
        ("float", [1.5]),
        ("decimal(9,1)", pa.array([1]).cast(pa.decimal128(21, 2))),
        ("date", pa.array([1], pa.timestamp("us"))),
        ("string", [b"\xff"]),
        ("array<int>", [1]),
        ("struct<a:int>", pa.array([{"b": 1}])),
    ],
)
def test_a_type_that_would_lose_something_is_refused_by_name(
    world: SqlWorld, kind: str, held: Any
) -> None:
    table(world, f"x {kind}, id bigint")
    world.put("lake/h/a.parquet", x=held, id=[1])
    assert world.refused(OWNER, "SELECT x FROM h").startswith("HIVE_BAD_DATA: Column 'x'")
    assert world.done(OWNER, "SELECT id FROM h") == ['"1"']


def test_a_whole_number_that_is_too_large_is_an_error(world: SqlWorld) -> None:
    table(world, "x int")
    world.put("lake/h/a.parquet", x=[2**40])
    said = world.refused(OWNER, "SELECT x FROM h")
    assert said.startswith(("INVALID_CAST_ARGUMENT", "NUMERIC_VALUE_OUT_OF_RANGE"))


def test_a_hidden_column_of_another_type_is_not_named(world: SqlWorld) -> None:
    table(world, "id bigint, secret int")
    world.put("lake/h/a.parquet", id=[1], secret=["text"])
    name = TableName(HOME, "ads", "h")
    rows = DataCellsFilter(table=name, name="f", named=frozenset({"id"}), rows="secret = 1")
    with world.lake.desk.lake.changing() as change:
        change.put_filter(rows)
    world.lake.grant(ADMIN, ANA.arn, OnFilter(HOME, "ads", "h", "f"), Permission.SELECT)
    world.may(ANA, world.unit_rights(ANA))
    said = world.refused(ANA, "SELECT id FROM h")
    assert said.startswith("HIVE_BAD_DATA")
    assert "secret" not in said
    assert "string" not in said


def test_what_is_no_parquet_file_is_said_without_its_content(world: SqlWorld) -> None:
    table(world, "id bigint")
    for body in (b"salary,1000", b"PAR1xxxxPAR1", b"PAR1" + b"\x00" * 8 + b"\xff\xff\xff\x7fPAR1"):
        world.s3.put_object(Bucket=world.bucket, Key="lake/h/a", Body=body)
        said = world.refused(OWNER, "SELECT * FROM h")
        assert said == "HIVE_BAD_DATA: A file of the table is no Parquet file."


@pytest.fixture
def session(weed: Weed) -> Iterator[boto3.Session]:
    key = weed.credentials.s3["admin"]
    before = wr.config.s3_endpoint_url
    wr.config.s3_endpoint_url = weed.endpoint
    yield boto3.Session(key.access_key_id, key.secret_access_key, region_name="us-east-1")
    wr.config.s3_endpoint_url = before


def test_what_awswrangler_writes_is_read(world: SqlWorld, session: boto3.Session) -> None:
    moments = [dt.datetime(2026, 1, 2, 3, 4, 5, 678_000), dt.datetime(2026, 1, 3)]  # noqa: DTZ001 - as pandas has them
    frame = pa.table(
        {
            "n": pa.array([1, 2], pa.int32()),
            "kind": pa.array(["a", "b"]).dictionary_encode(),
            "at": pa.array(moments, pa.timestamp("ns")),
            "day": [dt.date(2026, 1, 2), None],
            "ok": [True, False],
            "tags": [["x"], []],
            "x": [1.5, None],
        }
    ).to_pandas()
    assert (str(frame.dtypes["kind"]), str(frame.dtypes["at"])) == ("category", "datetime64[ns]")
    types, _ = wr.catalog.extract_athena_types(frame, index=False)
    wr.s3.to_parquet(
        frame, path=f"s3://{world.bucket}/lake/h/", dataset=True, boto3_session=session
    )
    table(world, ", ".join(f"`{name}` {kind}" for name, kind in types.items()))
    assert world.done(OWNER, "SELECT n, kind, at, day, ok, tags FROM h ORDER BY kind") == [
        '"1","a","2026-01-02 03:04:05.678","2026-01-02","true","[x]"',
        '"2","b","2026-01-03 00:00:00.000",,"false","[]"',
    ]
