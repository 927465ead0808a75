"""Columns of Iceberg tables, nested ones too: added, renamed, moved, commented and told again."""

from __future__ import annotations

import pytest

from tests.flows.lakes import OWNER
from tests.flows.statements.sql_world import SqlWorld


@pytest.fixture
def nested(world: SqlWorld) -> SqlWorld:
    """`ads.n` with an array, a map and a struct, and a row in it."""
    world.done(
        OWNER,
        "CREATE TABLE n (id bigint COMMENT 'whose', tags array<string>, seen map<string,int>, "
        "place struct<city:string,zip:struct<code:int>>, at timestamp) "
        "PARTITIONED BY (day(at), bucket(4, id)) "
        f"LOCATION 's3://{world.bucket}/lake/n' "
        "TBLPROPERTIES ('table_type' = 'ICEBERG', 'write_compression' = 'zstd')",
    )
    world.done(
        OWNER,
        "INSERT INTO n SELECT 1, ARRAY['a'], MAP(ARRAY['k'], ARRAY[7]), "
        "CAST(ROW('x', ROW(5)) AS ROW(city varchar, zip ROW(code integer))), "
        "TIMESTAMP '2026-01-02 03:04:05'",
    )
    return world


def test_a_table_with_nested_columns_changes_and_keeps_its_values(nested: SqlWorld) -> None:
    nested.done(
        OWNER,
        "ALTER TABLE n ADD COLUMNS (note string COMMENT 'new', more array<struct<a:int,b:string>>)",
    )
    nested.done(
        OWNER, "ALTER TABLE n CHANGE COLUMN place spot struct<city:string,zip:struct<code:int>>"
    )
    nested.done(OWNER, "ALTER TABLE n CHANGE COLUMN id id bigint AFTER tags")
    told = nested.done(
        OWNER, "SELECT id, tags[1], seen['k'], spot.city, spot.zip.code, note, more FROM n"
    )
    assert told == ['"1","a","7","x","5",,']
    nested.done(
        OWNER,
        "INSERT INTO n (id, more) SELECT 2, ARRAY[CAST(ROW(3, 'z') AS ROW(a integer, b varchar))]",
    )
    assert nested.done(OWNER, "SELECT more[1].a, more[1].b FROM n WHERE id = 2") == ['"3","z"']
    nested.done(OWNER, "ALTER TABLE n DROP COLUMN tags")
    lines = [line.split() for line in nested.done(OWNER, "DESCRIBE n")]
    assert [line[0] for line in lines if line][:5] == ["id", "seen", "spot", "at", "note"]
    assert lines[0][2:] == ["whose"]


def test_a_nested_type_is_not_changed_by_sql(nested: SqlWorld) -> None:
    for sql in (
        "ALTER TABLE n CHANGE COLUMN place place struct<town:string>",
        "ALTER TABLE n CHANGE COLUMN tags tags string",
        "ALTER TABLE n CHANGE COLUMN id id array<bigint>",
    ):
        assert nested.refused(OWNER, sql).startswith("NOT_SUPPORTED"), sql
    said = nested.refused(OWNER, "ALTER TABLE n ADD COLUMNS (tags int)")
    assert said.startswith("COLUMN_ALREADY_EXISTS")
    said = nested.refused(OWNER, "ALTER TABLE n CHANGE COLUMN at id timestamp")
    assert said.startswith("COLUMN_ALREADY_EXISTS")
    assert nested.refused(OWNER, "ALTER TABLE n DROP COLUMN x").startswith("COLUMN_NOT_FOUND")


def test_what_makes_a_table_again_makes_the_same_one(nested: SqlWorld) -> None:
    nested.done(OWNER, "ALTER TABLE n ADD COLUMNS (note string)")
    told = "\n".join(nested.done(OWNER, "SHOW CREATE TABLE n"))
    assert "PARTITIONED BY (day(`at`), bucket(4, `id`))" in told
    assert "`id` bigint COMMENT 'whose'" in told
    again = told.replace("`n`", "`again`").replace("/lake/n'", "/lake/again'")
    nested.done(OWNER, again)
    anew = "\n".join(nested.done(OWNER, "SHOW CREATE TABLE again"))
    assert anew == again
    assert "'write_compression'='zstd'" in anew
