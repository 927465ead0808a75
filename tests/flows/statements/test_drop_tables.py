"""DROP TABLE: whose files go with it, and whose stay."""

from __future__ import annotations

import time

import pytest

from lakeveil.core.access.grants import OnTable, TableName
from lakeveil.core.access.lake import Column, Table
from lakeveil.core.access.permissions import Permission
from lakeveil.flows.commit_iceberg import register_iceberg_table
from lakeveil.ports.lake import Location, TableRecord
from tests.flows.lakes import ADMIN, BOB, HOME, OTHER, OWNER
from tests.flows.statements.sql_world import SqlWorld


@pytest.fixture
def made(world: SqlWorld) -> SqlWorld:
    """`ads.t`, an Iceberg table that was changed since it was made."""
    world.done(
        OWNER,
        f"CREATE TABLE t WITH (table_type = 'ICEBERG', location = 's3://{world.bucket}/lake/t', "
        "is_external = false) AS SELECT id FROM events",
    )
    world.done(OWNER, "ALTER TABLE t ADD COLUMNS (note string)")
    world.done(OWNER, "INSERT INTO t VALUES (9, 'x')")
    world.put("lake/t2/beside.parquet", id=[1])
    return world


def test_an_iceberg_table_takes_its_files_along(made: SqlWorld) -> None:
    assert len(made.keys("lake/t/")) > 3
    made.done(OWNER, "DROP TABLE t")
    assert made.keys("lake/t/") == []
    assert made.keys("lake/t2/") == ["lake/t2/beside.parquet"]
    assert made.refused(OWNER, "DROP TABLE t").startswith("TABLE_NOT_FOUND")
    made.done(OWNER, "DROP TABLE IF EXISTS t")


def test_a_table_over_files_leaves_them(world: SqlWorld) -> None:
    world.done(OWNER, "DROP TABLE events")
    assert world.keys("lake/events/") == ["lake/events/one.parquet"]


def test_files_stay_where_another_table_lies_among_them(made: SqlWorld) -> None:
    inner = TableName(HOME, "ads", "inner")
    with made.lake.desk.lake.changing() as change:
        change.put_table(
            TableRecord(
                table=Table(name=inner, columns=(Column("id", "bigint"),)),
                location=f"s3://{made.bucket}/lake/t/data",
            )
        )
    made.done(OWNER, "OPTIMIZE t REWRITE DATA USING BIN_PACK")
    made.lake.clock.sleep(time.time() + 10 * 86_400 - made.lake.clock.now())
    files = made.keys("lake/t/data/")
    made.done(OWNER, "VACUUM t")
    assert made.keys("lake/t/data/") == files
    with made.lake.desk.lake.changing() as change:
        change.remove_table(inner)
    made.done(OWNER, "VACUUM t")
    left = made.keys("lake/t/data/")
    assert len(left) == 1 < len(files)
    assert made.done(OWNER, "SELECT count(*) FROM t") == ['"4"']


def test_a_table_around_it_keeps_a_tables_files(made: SqlWorld) -> None:
    around = TableRecord(
        table=Table(name=TableName(OTHER, "x", "around"), columns=(Column("id", "bigint"),)),
        location=f"s3://{made.bucket}/lake",
    )
    with made.lake.desk.lake.changing() as change:
        change.put_location(Location(account=OTHER, location="s3://elsewhere/x"))
        change.put_table(around)
    there = made.keys("lake/t/")
    made.done(OWNER, "DROP TABLE t")
    assert made.keys("lake/t/") == there


def test_who_may_drop_and_not_delete_leaves_the_files(made: SqlWorld) -> None:
    made.sees(BOB, **{"class": "public"})
    assert made.refused(BOB, "DROP TABLE t").startswith("PERMISSION_DENIED")
    assert made.keys("lake/t/")
    made.lake.grant(ADMIN, BOB.arn, OnTable(HOME, "ads", "t"), Permission.DROP)
    made.done(BOB, "DROP TABLE t")
    assert made.keys("lake/t/")


def test_a_table_that_a_client_brought_leaves_its_files(made: SqlWorld) -> None:
    record = made.lake.desk.lake.table(TableName(HOME, "ads", "t"))
    assert record is not None
    with made.lake.desk.lake.changing() as change:
        change.remove_table(record.table.name)
        change.remove_iceberg_entry(record.table.name)
    document = {
        "Parameters": {"table_type": "ICEBERG", "metadata_location": record.metadata_location},
        "StorageDescriptor": {"Location": record.location},
    }
    register_iceberg_table(
        record.table.name, document, call=made.lake.call(OWNER), desk=made.desk.catalog
    )
    assert made.done(OWNER, "SELECT count(*) FROM t") == ['"3"']
    made.done(OWNER, "DROP TABLE t")
    assert made.keys("lake/t/")
