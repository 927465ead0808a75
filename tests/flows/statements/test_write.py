"""CTAS, INSERT and UNLOAD: where they may write, and as what."""

from __future__ import annotations

from dataclasses import replace

from lakeveil.core.access.grants import OnDatabase
from lakeveil.core.access.permissions import Permission
from lakeveil.core.access.tags import WITHHELD
from lakeveil.core.query.execution import QueryState
from lakeveil.flows.statements.run import execute
from tests.flows.lakes import ADMIN, ANA, BOB, HOME, OWNER
from tests.flows.statements.sql_world import SqlWorld, allowing


def unit(world: SqlWorld) -> None:
    """Ana as a business unit: she sees what is public, and may make tables in `ads`."""
    world.sees(ANA, **{"class": "public"})
    world.lake.grant(ADMIN, ANA.arn, OnDatabase(HOME, "ads"), Permission.CREATE_TABLE)
    world.may(ANA, world.unit_rights(ANA))


def test_a_units_temporary_table_is_its_own_and_nobody_elses(world: SqlWorld) -> None:
    unit(world)
    world.sees(BOB, **{"class": "public"})
    place = f"{world.output(ANA)}temp_table_1"
    made = world.ask(
        ANA,
        f'CREATE TABLE "ads"."temp_table_1" WITH (external_location = \'{place}\', '
        "format = 'PARQUET', write_compression = 'SNAPPY') AS SELECT * FROM events",
    )
    assert made.failure is None
    assert made.update_count == 3
    listed = world.get(made.manifest).decode().splitlines()
    assert listed
    assert all(file.startswith(f"{place}/") for file in listed)
    assert world.done(ANA, "SELECT count(*) FROM temp_table_1") == ['"3"']
    assert "ip_address" not in "".join(world.done(ANA, "DESCRIBE temp_table_1"))
    assert world.refused(BOB, "SELECT * FROM temp_table_1").startswith("TABLE_NOT_FOUND")
    assert world.done(BOB, "SHOW TABLES") == ["events"]
    world.done(ANA, "DROP TABLE temp_table_1")


def test_without_a_location_a_table_lies_beside_the_results(world: SqlWorld) -> None:
    unit(world)
    made = world.ask(ANA, "CREATE TABLE t AS SELECT id FROM events")
    assert made.failure is None
    assert world.keys(f"results/ana/tables/{made.id}/")
    assert made.manifest == f"{world.output(ANA)}tables/{made.id}-manifest.csv"


def test_tables_and_unloads_go_to_places_of_ones_own(world: SqlWorld) -> None:
    unit(world)
    for place in ("results/bob/x", "lake/events/x", "lake/new", "lake"):
        where = f"s3://{world.bucket}/{place}"
        for sql in (
            f"CREATE TABLE t WITH (external_location = '{where}') AS SELECT id FROM events",
            f"UNLOAD (SELECT id FROM events) TO '{where}' WITH (format = 'PARQUET')",
        ):
            assert world.refused(ANA, sql).startswith("PERMISSION_DENIED"), sql
    assert world.keys("results/bob/") == world.keys("lake/new") == []
    assert world.keys("lake/") == ["lake/events/one.parquet"]


def test_a_deny_within_a_place_takes_it_away(world: SqlWorld) -> None:
    unit(world)
    rights = world.unit_rights(ANA)
    inside = f"arn:aws:s3:::{world.bucket}/results/ana/x/*/secret*"
    deny = allowing(deny=(("s3:PutObject", inside),))
    world.may(ANA, rights.joined([deny]))
    place = f"{world.output(ANA)}x/"
    sql = f"UNLOAD (SELECT id FROM events) TO '{place}' WITH (format = 'JSON')"
    assert world.refused(ANA, sql).startswith("PERMISSION_DENIED")


def test_nothing_is_written_where_something_lies(world: SqlWorld) -> None:
    unit(world)
    place = f"{world.output(ANA)}there/"
    sql = f"UNLOAD (SELECT id FROM events) TO '{place}' WITH (format = 'JSON')"
    first = world.ask(ANA, sql)
    assert first.failure is None
    assert world.get(first.manifest).decode().splitlines()
    said = world.refused(ANA, sql)
    assert said.startswith("HIVE_PATH_ALREADY_EXISTS: Target directory already exists")


def test_columns_carry_what_all_their_sources_carry(world: SqlWorld) -> None:
    world.done(
        OWNER,
        f"CREATE TABLE made WITH (external_location = 's3://{world.bucket}/lake/made') AS "
        "SELECT id, ip_address AS address, concat(ip_address, cast(id AS varchar)) AS both, "
        "count(*) OVER () AS n, 1 AS one FROM events",
    )
    assert world.tags("made", "id") == {"class": "public"}
    assert world.tags("made", "address") == {"class": "private"}
    assert world.tags("made", "both") == {"class": WITHHELD}
    assert world.tags("made", "n") == {"class": WITHHELD}
    world.sees(BOB, **{"class": "public"})
    assert world.done(BOB, "SELECT * FROM made ORDER BY id") == ['"1"', '"2"', '"3"']


def test_a_view_shows_nothing_that_its_reader_may_not_read(world: SqlWorld) -> None:
    world.done(OWNER, "CREATE VIEW v AS SELECT id, ip_address AS x FROM events")
    world.done(OWNER, "CREATE VIEW w AS SELECT id FROM events")
    world.sees(BOB, **{"class": "public"})
    assert (world.tags("v", "id"), world.tags("v", "x")) == (
        {"class": "public"},
        {"class": "private"},
    )
    assert world.done(BOB, "SELECT * FROM w ORDER BY id") == ['"1"', '"2"', '"3"']
    # A view is read with its reader's rights: what it is made of is not there for Bob.
    assert world.refused(BOB, "SELECT * FROM v").startswith("INVALID_VIEW")
    assert world.done(BOB, "DESCRIBE v")[0].split()[:1] == ["id"]
    assert len(world.done(BOB, "DESCRIBE v")) == 1
    assert world.refused(BOB, "SHOW CREATE VIEW v").startswith("PERMISSION_DENIED")


def test_replacing_a_view_opens_nothing_that_was_closed(world: SqlWorld) -> None:
    world.done(OWNER, "CREATE VIEW v AS SELECT id FROM events")
    world.tag("v", "id", team="a")
    world.done(OWNER, "CREATE OR REPLACE VIEW v AS SELECT ip_address AS id FROM events")
    assert world.tags("v", "id") == {"class": "private", "team": WITHHELD}
    assert world.refused(OWNER, "CREATE VIEW v AS SELECT 1 AS x").startswith("TABLE_ALREADY")
    assert world.refused(OWNER, "DROP TABLE v").startswith("NOT_SUPPORTED")
    assert world.refused(OWNER, "DROP VIEW events").startswith("NOT_SUPPORTED")
    world.sees(BOB, **{"class": "private"})
    assert world.refused(BOB, "DROP VIEW v").startswith("PERMISSION_DENIED")
    assert world.refused(BOB, "CREATE OR REPLACE VIEW v AS SELECT 1 AS x").startswith(
        "PERMISSION_DENIED"
    )
    world.done(OWNER, "DROP VIEW v")


def test_private_rows_do_not_go_into_public_columns(world: SqlWorld) -> None:
    place = f"s3://{world.bucket}/lake/open"
    world.done(OWNER, f"CREATE EXTERNAL TABLE open (a string) STORED AS PARQUET LOCATION '{place}'")
    said = world.refused(OWNER, "INSERT INTO open SELECT ip_address FROM events")
    assert said.startswith("PERMISSION_DENIED")
    assert world.keys("lake/open") == []
    world.tag("open", "a", **{"class": "private"})
    done = world.ask(OWNER, "INSERT INTO open SELECT ip_address FROM events WHERE id < 3")
    assert done.failure is None
    assert done.update_count == 2
    world.done(OWNER, "INSERT INTO open VALUES ('x')")
    assert world.done(OWNER, "SELECT count(*) FROM open") == ['"3"']


def test_inserts_are_cast_ordered_and_partitioned(world: SqlWorld) -> None:
    place = f"s3://{world.bucket}/lake/days"
    world.done(
        OWNER,
        "CREATE EXTERNAL TABLE days (n bigint, s string) PARTITIONED BY (day string) "
        f"STORED AS PARQUET LOCATION '{place}'",
    )
    world.done(OWNER, "INSERT INTO days (day, n) VALUES ('2026-01-01', 1), ('2026-01-02', 2)")
    assert world.done(OWNER, "SELECT n, s, day FROM days ORDER BY n") == [
        '"1",,"2026-01-01"',
        '"2",,"2026-01-02"',
    ]
    assert world.done(OWNER, "SHOW PARTITIONS days") == ["day=2026-01-01", "day=2026-01-02"]
    said = world.refused(OWNER, "INSERT INTO days (n, day) VALUES ('x', 'y')")
    assert said.startswith("TYPE_MISMATCH")
    assert world.refused(ANA, "INSERT INTO days VALUES (1, 'a', 'b')").startswith(
        ("TABLE_NOT_FOUND", "SCHEMA_NOT_FOUND")
    )
    world.sees(BOB, **{"class": "public"})
    said = world.refused(BOB, "INSERT INTO days VALUES (1, 'a', 'b')")
    assert said.startswith("PERMISSION_DENIED")


def test_a_stopped_statement_leaves_nothing_behind(world: SqlWorld) -> None:
    unit(world)
    queued = world.start(ANA, "CREATE TABLE t AS SELECT id FROM events")
    real = world.desk.log.finish

    class Stopped:
        """The log, of a query that is cancelled just before it ends."""

        def __getattr__(self, name: str) -> object:
            return getattr(world.desk.log, name)

        def finish(self, execution: object) -> bool:
            world.desk.log.cancel(HOME, queued.id, now=world.lake.clock.now())
            return real(execution)  # type: ignore[arg-type]

    execute(HOME, queued.id, replace(world.desk, log=Stopped()))  # type: ignore[arg-type]
    ended = world.desk.log.get(HOME, queued.id)
    assert ended is not None
    assert ended.state is QueryState.CANCELLED
    assert world.keys("results/ana/") == []
    assert world.refused(ANA, "SELECT * FROM t").startswith("TABLE_NOT_FOUND")


def test_what_is_inserted_fits_its_column_or_is_refused(world: SqlWorld) -> None:
    world.done(
        OWNER,
        "CREATE EXTERNAL TABLE sizes (price decimal(10,4), code varchar(3)) STORED AS PARQUET "
        f"LOCATION 's3://{world.bucket}/lake/sizes/'",
    )
    world.done(OWNER, "INSERT INTO sizes VALUES (DECIMAL '1.5', 'abc  '), (2.25, 'd')")
    assert world.done(OWNER, "SELECT * FROM sizes ORDER BY price") == [
        '"1.5000","abc"',
        '"2.2500","d"',
    ]
    assert world.refused(OWNER, "INSERT INTO sizes VALUES (1.5, 'abcd')").startswith(
        "INVALID_CAST_ARGUMENT"
    )
    assert "mismatched column types" in world.refused(
        OWNER, "INSERT INTO sizes VALUES (DECIMAL '1.23456', 'a')"
    )
