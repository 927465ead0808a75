"""Iceberg tables: made, written, changed row by row, and cleaned, by SQL."""

from __future__ import annotations

import pytest

from lakeveil.core.access.grants import OnTable
from lakeveil.core.access.permissions import Permission
from tests.flows.lakes import ADMIN, BOB, HOME, OWNER
from tests.flows.statements.sql_world import SqlWorld


@pytest.fixture
def rows(world: SqlWorld) -> SqlWorld:
    """`ads.t` with three rows."""
    world.done(
        OWNER,
        "CREATE TABLE t (id bigint, name string, day date) PARTITIONED BY (month(day)) "
        f"LOCATION 's3://{world.bucket}/lake/t' TBLPROPERTIES ('table_type' = 'ICEBERG')",
    )
    world.done(
        OWNER,
        "INSERT INTO t VALUES (1, 'a', DATE '2026-01-01'), (2, 'b', DATE '2026-02-01'), "
        "(3, NULL, NULL)",
    )
    return world


def listed(world: SqlWorld) -> list[str]:
    """Ids and names."""
    return world.done(OWNER, "SELECT id, name FROM t ORDER BY id")


def test_rows_are_deleted_and_updated(rows: SqlWorld) -> None:
    gone = rows.ask(OWNER, "DELETE FROM t WHERE name = 'a'")
    assert (gone.failure, gone.update_count) == (None, 1)
    assert listed(rows) == ['"2","b"', '"3",']
    done = rows.ask(
        OWNER, "UPDATE t SET name = concat('x', cast(id AS varchar)) WHERE name IS NULL"
    )
    assert (done.failure, done.update_count) == (None, 1)
    assert listed(rows) == ['"2","b"', '"3","x3"']
    assert rows.ask(OWNER, "DELETE FROM t WHERE id = 99").update_count == 0
    assert rows.refused(OWNER, "UPDATE t SET id = 'x'").startswith("TYPE_MISMATCH")
    assert rows.refused(OWNER, "DELETE FROM events").startswith("NOT_SUPPORTED")


def test_rows_are_merged(rows: SqlWorld) -> None:
    merged = rows.ask(
        OWNER,
        "MERGE INTO t USING (SELECT id, spend FROM events UNION ALL SELECT 9, 90) AS s "
        "ON t.id = s.id WHEN MATCHED AND s.spend = 10 THEN DELETE "
        "WHEN MATCHED AND t.name IS NULL THEN UPDATE SET name = 'new' "
        "WHEN NOT MATCHED THEN INSERT (id, name) VALUES (s.id, 'added')",
    )
    assert merged.failure is None, merged.failure.text
    assert merged.update_count == 3
    assert listed(rows) == ['"2","b"', '"3","new"', '"9","added"']
    twice = (
        "MERGE INTO t USING (SELECT 2 AS id UNION ALL SELECT 2) AS s ON t.id = s.id "
        "WHEN MATCHED THEN DELETE"
    )
    assert "matched more than one" in rows.refused(OWNER, twice)


def test_who_reads_a_part_of_it_changes_none_of_it(rows: SqlWorld) -> None:
    rows.tag("t", "name", **{"class": "private"})
    rows.sees(BOB, **{"class": "public"})
    on = OnTable(HOME, "ads", "t")
    rows.lake.grant(ADMIN, BOB.arn, on, Permission.INSERT, Permission.DELETE)
    for sql in ("DELETE FROM t", "UPDATE t SET id = 1", "OPTIMIZE t REWRITE DATA USING BIN_PACK"):
        assert rows.refused(BOB, sql).startswith("PERMISSION_DENIED"), sql
    # What is hidden from Bob is not there for him, and gets no value of his.
    rows.done(BOB, "INSERT INTO t VALUES (4, DATE '2026-01-01')")
    assert rows.refused(BOB, "INSERT INTO t (name) VALUES ('x')").startswith("COLUMN_NOT_FOUND")
    assert listed(rows)[-1] == '"4",'


def test_private_values_do_not_move_into_public_columns(rows: SqlWorld) -> None:
    sql = (
        "MERGE INTO t USING events AS s ON t.id = s.id "
        "WHEN MATCHED THEN UPDATE SET name = s.ip_address"
    )
    assert rows.refused(OWNER, sql).startswith("PERMISSION_DENIED")


def test_files_become_one_and_the_past_is_forgotten(rows: SqlWorld) -> None:
    rows.done(OWNER, "INSERT INTO t VALUES (4, 'd', DATE '2026-01-02')")
    rows.done(OWNER, "OPTIMIZE t REWRITE DATA USING BIN_PACK")
    assert len(listed(rows)) == 4
    rows.done(OWNER, "VACUUM t")
    assert rows.refused(BOB, "VACUUM t").startswith(("TABLE_NOT_FOUND", "SCHEMA_NOT_FOUND"))


def test_columns_change_and_values_stay(rows: SqlWorld) -> None:
    rows.done(OWNER, "ALTER TABLE t ADD COLUMNS (extra int)")
    rows.done(OWNER, "ALTER TABLE t CHANGE COLUMN name title string")
    assert rows.done(OWNER, "SELECT title, extra FROM t WHERE id = 1") == ['"a",']
    rows.done(OWNER, "ALTER TABLE t DROP COLUMN extra")
    assert rows.refused(OWNER, "SELECT extra FROM t").startswith("COLUMN_NOT_FOUND")
    # The number that `extra` had is not given again.
    rows.done(OWNER, "ALTER TABLE t ADD COLUMNS (more string)")
    assert rows.done(OWNER, "SELECT title, more FROM t WHERE id = 1") == ['"a",']


def test_a_query_becomes_an_iceberg_table_with_its_sources_tags(world: SqlWorld) -> None:
    made = world.ask(
        OWNER,
        f"CREATE TABLE i WITH (table_type = 'ICEBERG', location = 's3://{world.bucket}/lake/i/', "
        "is_external = false, partitioning = ARRAY['bucket(id, 2)']) AS "
        "SELECT id, ip_address FROM events",
    )
    assert made.failure is None, made.failure.text
    assert made.update_count == 3
    assert world.tags("i", "ip_address") == {"class": "private"}
    assert world.done(OWNER, "SELECT count(*) FROM i") == ['"3"']
