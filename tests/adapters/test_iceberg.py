"""Iceberg's metadata files on a real object store, and its entries in our own state."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from lakeveil.adapters.database import open_database
from lakeveil.adapters.iceberg import MAX_METADATA_BYTES, SqlIcebergCatalog
from lakeveil.adapters.iceberg_types import to_hive, to_iceberg
from lakeveil.adapters.lake import SqlLake, open_lake
from lakeveil.adapters.object_store import StoreKey
from lakeveil.core.access.grants import TableName
from lakeveil.core.access.lake import Column
from lakeveil.errors import Conflict, Unavailable, UsageError
from lakeveil.ports.iceberg import IcebergMetadata
from tests.new_database import new_database
from tests.stack_fixture import Weed

EVENTS = TableName("123456789012", "ads", "events")
COLUMNS = (Column("id", "bigint"), Column("ip_address"), Column("day", "date"))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    found = new_database(tmp_path / "state.db")
    yield found
    found.dispose()


@pytest.fixture
def lake(engine: sa.Engine) -> SqlLake:
    return open_lake(engine)


@pytest.fixture
def iceberg(engine: sa.Engine, weed: Weed) -> SqlIcebergCatalog:
    key = weed.credentials.s3["admin"]
    return SqlIcebergCatalog(
        engine,
        endpoint=weed.endpoint,
        key=StoreKey(key.access_key_id, key.secret_access_key),
        region="us-east-1",
    )


@pytest.fixture(scope="module")
def bucket(weed: Weed) -> str:
    return weed.new_bucket("iceberg")


def put(weed: Weed, bucket: str, key: str, body: bytes) -> str:
    weed.s3().put_object(Bucket=bucket, Key=key, Body=body)
    return f"s3://{bucket}/{key}"


def document(weed: Weed, found: IcebergMetadata) -> dict[str, Any]:
    """The JSON of a metadata file."""
    name, _, key = found.metadata_location.removeprefix("s3://").partition("/")
    body = weed.s3().get_object(Bucket=name, Key=key)["Body"].read()
    said: dict[str, Any] = json.loads(body)
    return said


def test_what_is_created_reads_back_with_the_numbers_of_its_columns(
    iceberg: SqlIcebergCatalog, weed: Weed, bucket: str
) -> None:
    made = iceberg.create(COLUMNS, location=f"s3://{bucket}/events", partition_by=["day"])

    assert iceberg.read(made.metadata_location) == made
    assert made.location == f"s3://{bucket}/events"
    assert made.metadata_location.startswith(f"{made.location}/metadata/00000-")
    assert made.columns == COLUMNS
    assert [field.id for field in made.fields] == [1, 2, 3]
    assert made.partitioned_by == ("day",)
    assert made.properties == {}
    assert document(weed, made)["format-version"] == 2


def test_no_secret_stands_in_a_metadata_file(
    iceberg: SqlIcebergCatalog, weed: Weed, bucket: str
) -> None:
    made = iceberg.create(COLUMNS, location=f"s3://{bucket}/events")

    said = json.dumps(document(weed, made))
    key = weed.credentials.s3["admin"]
    for secret in (key.access_key_id, key.secret_access_key, weed.endpoint):
        assert secret not in said


def test_pyiceberg_writes_to_a_table_that_was_entered_here(
    iceberg: SqlIcebergCatalog, lake: SqlLake, bucket: str
) -> None:
    made = iceberg.create(COLUMNS[:2], location=f"s3://{bucket}/events")
    with lake.changing() as change:
        change.set_iceberg_entry(EVENTS, expected=None, new=made.metadata_location)

    table = iceberg.sql_catalog(EVENTS.account).load_table(("ads", "events"))
    table.append(pa.table({"id": [1, 2], "ip_address": ["a", "b"]}))

    assert table.scan().to_arrow().num_rows == 2
    current = lake.iceberg_entry(EVENTS)
    assert current == table.metadata_location != made.metadata_location
    assert lake.iceberg_entries(EVENTS.account, "ads") == {EVENTS: current}
    assert lake.iceberg_entries(EVENTS.account, "other") == {}
    assert iceberg.read(current or "").table_uuid == made.table_uuid


def test_of_two_writers_from_the_same_file_one_gets_through(
    lake: SqlLake, engine: sa.Engine
) -> None:
    SqlIcebergCatalog(engine, endpoint=None, key=None, region="us-east-1")
    with lake.changing() as change:
        change.set_iceberg_entry(EVENTS, expected=None, new="s3://b/0")
    outcomes: list[str] = []
    barrier = threading.Barrier(6)

    def swap(number: int) -> None:
        barrier.wait()
        try:
            with lake.changing() as change:
                change.set_iceberg_entry(EVENTS, expected="s3://b/0", new=f"s3://b/{number}")
            outcomes.append(f"s3://b/{number}")
        except Conflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=swap, args=(number,)) for number in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (winner,) = (one for one in outcomes if one != "conflict")
    assert len(outcomes) == 6
    assert lake.iceberg_entry(EVENTS) == winner


def test_an_entry_is_made_once_and_can_be_removed(lake: SqlLake, engine: sa.Engine) -> None:
    SqlIcebergCatalog(engine, endpoint=None, key=None, region="us-east-1")
    with lake.changing() as change:
        change.set_iceberg_entry(EVENTS, expected=None, new="s3://b/0")
    with pytest.raises(Conflict) as refused, lake.changing() as change:
        change.set_iceberg_entry(EVENTS, expected=None, new="s3://b/1")
    assert refused.value.code == "already_exists"

    with lake.changing() as change:
        change.remove_iceberg_entry(EVENTS)
        change.remove_iceberg_entry(EVENTS)

    assert lake.iceberg_entry(EVENTS) is None


def test_migrations_leave_pyicebergs_tables_alone(engine: sa.Engine, tmp_path: Path) -> None:
    SqlIcebergCatalog(engine, endpoint=None, key=None, region="us-east-1")
    # A second process, which finds both schemas.
    other = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    SqlIcebergCatalog(other, endpoint=None, key=None, region="us-east-1")

    from lakeveil.adapters.tables.schema import metadata

    assert sa.inspect(other).has_table("iceberg_tables")
    assert "iceberg_tables" not in metadata.tables
    other.dispose()


@pytest.mark.parametrize(
    ("key", "body", "why"),
    [
        ("t/none.json", None, "no such file"),
        ("t/empty.json", b"", "does not hold"),
        ("t/other.json", b'{"format-version": 2}', "does not hold"),
        ("t/text.json", b"PAR1" * 20, "does not hold"),
        ("t/utf.json", b"\xff\xfe", "does not hold"),
        ("t/deep.json", b"[" * 100_000, "does not hold"),
        ("t/1.gz.metadata.json", b"no gzip", "does not hold"),
    ],
)
def test_what_is_no_metadata_is_refused(
    iceberg: SqlIcebergCatalog, weed: Weed, key: str, body: bytes | None, why: str
) -> None:
    bucket = weed.new_bucket("iceberg")
    if body is not None:
        put(weed, bucket, key, body)

    with pytest.raises(UsageError) as refused:
        iceberg.read(f"s3://{bucket}/{key}")
    assert why in refused.value.why


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "https://host/x", "x", "s3:///", "", "arn:aws:s3:::b/x"]
)
def test_nothing_is_read_but_objects(iceberg: SqlIcebergCatalog, location: str) -> None:
    with pytest.raises(UsageError) as refused:
        iceberg.read(location)
    assert "no object's address" in refused.value.why


def test_a_packed_file_is_read_and_a_bomb_is_not(
    iceberg: SqlIcebergCatalog, weed: Weed, bucket: str
) -> None:
    made = iceberg.create(COLUMNS, location=f"s3://{bucket}/events")
    packed = gzip.compress(json.dumps(document(weed, made)).encode())
    bomb = gzip.compress(b" " * (MAX_METADATA_BYTES + 1))

    found = iceberg.read(put(weed, bucket, "events/1.gz.metadata.json", packed))

    assert found.table_uuid == made.table_uuid
    with pytest.raises(UsageError) as refused:
        iceberg.read(put(weed, bucket, "events/2.gz.metadata.json", bomb))
    assert "more than" in refused.value.why


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("s3.endpoint", "http://evil:1"),
        ("S3.Endpoint", "http://evil:1"),
        ("py-io-impl", "os.system"),
        ("write.py-location-provider.impl", "os.system"),
        ("client.region", "x"),
        ("write.metadata.path", "s3://elsewhere/metadata"),
        ("write.data.path", "s3://elsewhere/data"),
    ],
)
def test_properties_that_lead_elsewhere_are_refused_on_the_way_in(
    iceberg: SqlIcebergCatalog, weed: Weed, bucket: str, name: str, value: str
) -> None:
    location = f"s3://{bucket}/events"
    with pytest.raises(UsageError, match="not accepted"):
        iceberg.create(COLUMNS, location=location, properties={name: value})

    said = document(weed, iceberg.create(COLUMNS, location=location))
    said["properties"][name] = value
    file = put(weed, bucket, "events/metadata/x.metadata.json", json.dumps(said).encode())
    with pytest.raises(UsageError, match="not accepted"):
        iceberg.read(file)


def test_harmless_properties_are_kept(iceberg: SqlIcebergCatalog, bucket: str) -> None:
    location = f"s3://{bucket}/events"
    given = {"write.data.path": f"{location}/data", "write.parquet.compression-codec": "zstd"}

    assert iceberg.create(COLUMNS, location=location, properties=given).properties == given


def test_two_columns_of_one_name_are_refused(
    iceberg: SqlIcebergCatalog, weed: Weed, bucket: str
) -> None:
    said = document(weed, iceberg.create(COLUMNS, location=f"s3://{bucket}/events"))
    said["schemas"][0]["fields"][0]["name"] = "IP_Address"
    file = put(weed, bucket, "events/metadata/x.metadata.json", json.dumps(said).encode())

    with pytest.raises(UsageError, match="two columns `ip_address`"):
        iceberg.read(file)


@pytest.mark.parametrize(
    ("columns", "by", "what"),
    [
        ((Column("x", "interval"),), (), "cannot be in an Iceberg table"),
        ((Column("x", "struct<>"),), (), "cannot be in an Iceberg table"),
        ((Column("x", "map<string>"),), (), "cannot be in an Iceberg table"),
        ((Column("x", "array<" * 20 + "int" + ">" * 20),), (), "cannot be in an Iceberg table"),
        (COLUMNS, ("month",), "no column to partition by"),
    ],
)
def test_what_iceberg_has_no_word_for_is_refused(
    iceberg: SqlIcebergCatalog, columns: tuple[Column, ...], by: tuple[str, ...], what: str
) -> None:
    with pytest.raises(UsageError, match=what):
        iceberg.create(columns, location="s3://nowhere/x", partition_by=by)


def test_a_store_that_is_away_is_no_missing_file(engine: sa.Engine) -> None:
    away = SqlIcebergCatalog(
        engine, endpoint="http://127.0.0.1:9", key=StoreKey("a", "b"), region="us-east-1"
    )

    with pytest.raises(Unavailable):
        away.read("s3://bucket/x.metadata.json")
    with pytest.raises(Unavailable):
        away.create(COLUMNS, location="s3://bucket/x")


@pytest.mark.parametrize(
    ("hive", "back"),
    [
        ("BIGINT", "bigint"),
        ("tinyint", "int"),
        ("varchar(20)", "string"),
        ("decimal(12, 2)", "decimal(12,2)"),
        ("timestamp with local time zone", "timestamp"),
        ("array<map<string,struct<a:int,b:decimal(3,1)>>>",) * 2,
    ],
)
def test_types_are_spelled_as_hive_does(hive: str, back: str) -> None:
    numbers = iter(range(1, 100))

    assert to_hive(to_iceberg(hive, lambda: next(numbers))) == back
