"""Tables, partitions and databases defined by SQL."""

from __future__ import annotations

from tests.flows.lakes import ADMIN, BOB, OWNER
from tests.flows.statements.sql_world import SqlWorld


def test_tables_are_made_where_their_maker_may_keep_data(world: SqlWorld) -> None:
    sql = "CREATE EXTERNAL TABLE x (a int) STORED AS PARQUET LOCATION 's3://{}/'"
    assert world.refused(ADMIN, sql.format("elsewhere/x")).startswith("PERMISSION_DENIED")
    assert world.refused(OWNER, sql.format("elsewhere/x")).startswith("PERMISSION_DENIED")
    assert world.refused(BOB, sql.format(f"{world.bucket}/lake/x")).startswith("SCHEMA_NOT_FOUND")
    unknown = sql.format(f"{world.bucket}/lake/x").replace("int", "money")
    assert world.refused(OWNER, unknown).startswith("TYPE_NOT_FOUND")
    made = sql.format(f"{world.bucket}/lake/x")
    world.done(OWNER, made)
    assert world.refused(OWNER, made).startswith("TABLE_ALREADY_EXISTS")
    world.done(OWNER, made.replace("TABLE x", "TABLE IF NOT EXISTS x"))
    world.done(OWNER, "DROP TABLE IF EXISTS y")


def test_columns_and_properties_change(world: SqlWorld) -> None:
    world.done(OWNER, "ALTER TABLE events ADD COLUMNS (note string)")
    world.done(OWNER, "ALTER TABLE events SET TBLPROPERTIES ('typeOfData' = 'file')")
    assert world.done(OWNER, "SHOW TBLPROPERTIES events('typeOfData')") == ["file"]
    assert world.done(OWNER, "DESCRIBE events note")[0].split() == ["note", "string"]
    assert world.refused(OWNER, "ALTER TABLE events ADD COLUMNS (id string)").startswith("INVALID")
    world.sees(BOB, **{"class": "public"})
    # Whether a hidden column is in the way is not told to who may not change anything.
    for name in ("ip_address", "other"):
        said = world.refused(BOB, f"ALTER TABLE events ADD COLUMNS ({name} string)")
        assert "Required Alter" in said


def test_partitions_are_found_in_folders(world: SqlWorld) -> None:
    world.put("lake/days/day=1/x.parquet", n=[1])
    world.put("lake/days/day=a%2Fb/x.parquet", n=[2])
    world.put("lake/days/other/x.parquet", n=[3])
    world.put("lake/days/_temporary/day=7/x.parquet", n=[4])
    world.put("lake/days/.day=8/x.parquet", n=[5])
    world.done(
        OWNER,
        "CREATE EXTERNAL TABLE days (n bigint) PARTITIONED BY (day string) STORED AS PARQUET "
        f"LOCATION 's3://{world.bucket}/lake/days'",
    )
    told = world.done(OWNER, "MSCK REPAIR TABLE days")
    assert told[1:] == [
        "Repair: Added partition to metastore days:day=1",
        "Repair: Added partition to metastore days:day=a%2Fb",
    ]
    assert world.done(OWNER, "SELECT n, day FROM days ORDER BY n") == ['"1","1"', '"2","a/b"']
    assert world.done(OWNER, "MSCK REPAIR TABLE days") == []
    world.done(OWNER, "ALTER TABLE days DROP PARTITION (day = '1')")
    assert world.done(OWNER, "SHOW PARTITIONS days") == ["day=a%2Fb"]
    world.done(OWNER, "ALTER TABLE days ADD PARTITION (day = '1')")
    assert world.refused(OWNER, "ALTER TABLE days ADD PARTITION (day = '1')").startswith(
        "ALREADY_EXISTS"
    )
    elsewhere = "ALTER TABLE days ADD PARTITION (day = '3') LOCATION 's3://elsewhere/'"
    assert world.refused(OWNER, elsewhere).startswith("INVALID_ARGUMENTS")
    world.sees(BOB, **{"class": "public"})
    for sql in ("MSCK REPAIR TABLE days", "ALTER TABLE days DROP PARTITION (day = '1')"):
        assert world.refused(BOB, sql).startswith("PERMISSION_DENIED")


def test_folders_that_begin_with_an_underscore_or_a_dot_are_no_partitions(world: SqlWorld) -> None:
    for folder in ("_day=1/hour=1", ".day=1/hour=1", "day=1/_hour=1", "day=1/hour=2"):
        world.put(f"lake/hours/{folder}/x.parquet", n=[1])
    place = f"s3://{world.bucket}/lake/hours"
    assert world.desk.folders.folders(place, depth=1, most=9) == ["day=1"]
    assert world.desk.folders.folders(place, depth=2, most=9) == ["day=1/hour=2"]


def test_databases_are_made_and_dropped_empty(world: SqlWorld) -> None:
    assert world.refused(BOB, "CREATE DATABASE mine").startswith("PERMISSION_DENIED")
    world.done(ADMIN, "CREATE DATABASE mine COMMENT 'x'")
    world.done(ADMIN, "CREATE DATABASE IF NOT EXISTS mine")
    assert world.refused(ADMIN, "CREATE DATABASE mine").startswith("SCHEMA_ALREADY_EXISTS")
    world.done(ADMIN, "ALTER DATABASE mine SET DBPROPERTIES ('a' = 'b')")
    world.done(ADMIN, "CREATE VIEW mine.v AS SELECT 1 AS one")
    assert world.refused(ADMIN, "DROP DATABASE mine").startswith("SCHEMA_NOT_EMPTY")
    assert world.refused(BOB, "DROP DATABASE mine CASCADE").startswith("SCHEMA_NOT_FOUND")
    world.done(ADMIN, "DROP DATABASE mine CASCADE")
    world.done(ADMIN, "DROP DATABASE IF EXISTS mine")
