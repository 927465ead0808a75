"""A query from the queue to its end, and statements that only show something."""

from __future__ import annotations

from lakeveil.core.access.grants import OnColumns
from lakeveil.core.access.masks import Mask, MaskKind
from lakeveil.core.access.permissions import Permission
from lakeveil.core.audit import AuditOutcome
from lakeveil.core.query.execution import QueryState, StatementType
from lakeveil.flows.asked_grants import Asked
from lakeveil.flows.change_grants import grant_masked
from lakeveil.flows.statements.run import execute
from tests.flows.lakes import ADMIN, ANA, BOB, HOME, OWNER
from tests.flows.statements.sql_world import SqlWorld


def test_a_query_leaves_its_rows_at_its_output(world: SqlWorld) -> None:
    assert world.done(OWNER, "SELECT id, spend FROM events ORDER BY id") == [
        '"1","10"',
        '"2","20"',
        '"3","30"',
    ]


def test_what_is_hidden_is_not_there_in_any_statement(world: SqlWorld) -> None:
    world.sees(ANA, **{"class": "public"})
    assert world.done(ANA, "SHOW DATABASES") == ["ads"]
    assert world.done(ANA, "SHOW TABLES") == ["events"]
    assert [line.split()[0] for line in world.done(ANA, "SHOW COLUMNS IN events")] == [
        "id",
        "spend",
    ]
    described = world.done(ANA, "DESCRIBE FORMATTED events")
    assert not [line for line in described if "ip_address" in line or "s3://" in line]
    assert world.refused(ANA, "SELECT ip_address FROM events").startswith("COLUMN_NOT_FOUND")
    assert world.refused(ANA, "DESCRIBE events ip_address").startswith("COLUMN_NOT_FOUND")
    assert world.refused(ANA, "SHOW CREATE TABLE events").startswith("PERMISSION_DENIED")
    assert "ip_address" not in "".join(world.done(ANA, "EXPLAIN SELECT * FROM events"))


def test_who_may_know_nothing_is_told_that_nothing_is_there(world: SqlWorld) -> None:
    assert world.done(BOB, "SHOW DATABASES") == []
    for sql in ("SHOW TABLES", "DESCRIBE events", "DROP TABLE events", "SELECT 1 FROM events"):
        assert world.refused(BOB, sql).startswith(("SCHEMA_NOT_FOUND", "TABLE_NOT_FOUND")), sql
    records = [entry.record for entry in world.lake.trail.entries() if entry.record]
    refused = [one for one in records if one.event.outcome is AuditOutcome.REFUSED]
    assert len([one for one in refused if one.event.principal == BOB.arn]) == 4


def test_the_owner_is_shown_how_to_make_the_table_again(world: SqlWorld) -> None:
    lines = world.done(OWNER, "SHOW CREATE TABLE events")
    assert lines[0] == "CREATE EXTERNAL TABLE `ads.events`("
    assert any(f"s3://{world.bucket}/lake/events" in line for line in lines)
    assert world.done(OWNER, "DROP TABLE events") == []
    world.done(OWNER, " ".join(lines).replace("`ads.events`", "ads.events"))
    assert world.done(OWNER, "SELECT count(*) FROM events") == ['"3"']


def test_patterns_choose_tables(world: SqlWorld) -> None:
    world.done(OWNER, "CREATE VIEW sums AS SELECT sum(spend) AS total FROM events")
    assert world.done(OWNER, "SHOW TABLES 'ev*|x'") == ["events"]
    assert world.done(OWNER, "SHOW TABLES LIKE '*s'") == ["events", "sums"]
    assert world.done(OWNER, "SHOW VIEWS") == ["sums"]


def test_a_failed_statement_is_on_record_with_its_kind(world: SqlWorld) -> None:
    ended = world.ask(OWNER, "DROP TABLE nothing")
    assert ended.state is QueryState.FAILED
    assert (ended.statement, ended.substatement) == (StatementType.DDL, "DROP_TABLE")
    assert world.refused(OWNER, "GRANT ALL ON x TO y").startswith("NOT_SUPPORTED")


def test_a_key_that_is_good_no_more_runs_nothing(world: SqlWorld) -> None:
    queued = world.start(OWNER, "SELECT 1")
    world.people[OWNER.arn] = BOB
    execute(HOME, queued.id, world.desk)
    ended = world.desk.log.get(HOME, queued.id)
    assert ended is not None
    assert ended.failure is not None
    assert ended.failure.name == "PERMISSION_DENIED"
    assert not [key for key in world.keys("results/") if queued.id in key]


def test_prepared_statements_take_values(world: SqlWorld) -> None:
    world.done(OWNER, "PREPARE big FROM SELECT id FROM events WHERE spend > ?")
    assert world.done(OWNER, "EXECUTE big USING 15") == ['"2"', '"3"']
    world.done(OWNER, "DEALLOCATE PREPARE big")
    assert world.refused(OWNER, "EXECUTE big USING 15").startswith("NOT_FOUND")


def test_only_the_partitions_that_a_query_wants_are_listed(world: SqlWorld) -> None:
    for day in ("2026-01-01", "2026-01-02"):
        world.put(f"lake/days/day={day}/x.parquet", n=[1, 2])
    world.done(
        OWNER,
        "CREATE EXTERNAL TABLE days (n bigint) PARTITIONED BY (day date) STORED AS PARQUET "
        f"LOCATION 's3://{world.bucket}/lake/days/'",
    )
    world.done(OWNER, "MSCK REPAIR TABLE days")
    every = world.ask(OWNER, "SELECT sum(n) FROM days")
    one = world.ask(OWNER, "SELECT sum(n) FROM days WHERE day = DATE '2026-01-02'")
    none = world.ask(OWNER, "SELECT sum(n) FROM days WHERE day > DATE '2026-01-02'")
    # What is no partition's file any more does not fail a query that does not want it.
    world.put("lake/days/day=2026-01-01/x.parquet", other=["x"])
    world.s3.put_object(Bucket=world.bucket, Key="lake/days/day=2026-01-01/y.parquet", Body=b"x")
    again = world.ask(OWNER, "SELECT sum(n) FROM days WHERE day = DATE '2026-01-02'")

    assert [world.get(q.output).decode().splitlines()[1] for q in (every, one, none, again)] == [
        '"6"',
        '"3"',
        "",
        '"3"',
    ]
    assert world.ask(OWNER, "SELECT sum(n) FROM days").failure is not None


def test_partitions_are_not_left_out_by_values_that_their_reader_sees_masked(
    world: SqlWorld,
) -> None:
    for region in ("eu", "us"):
        world.put(f"lake/parts/region={region}/x.parquet", n=[1, 2])
    world.done(
        OWNER,
        "CREATE EXTERNAL TABLE parts (n bigint) PARTITIONED BY (region string) STORED AS PARQUET "
        f"LOCATION 's3://{world.bucket}/lake/parts/'",
    )
    world.done(OWNER, "MSCK REPAIR TABLE parts")
    world.tag("parts", "region", **{"class": "private"})
    world.sees(BOB, **{"class": "public"})
    masked = Asked(
        principal=BOB.arn,
        resource=OnColumns(HOME, "ads", "parts", frozenset({"region"})),
        permissions=frozenset({Permission.SELECT}),
    )
    grant_masked(masked, Mask(MaskKind.HASH), call=world.lake.call(ADMIN), desk=world.lake.desk)

    [one, other] = world.done(BOB, "SELECT DISTINCT region FROM parts ORDER BY 1")

    assert one != other
    mask = one.strip('"')
    assert world.done(BOB, f"SELECT count(*) FROM parts WHERE region = '{mask}'") == ['"2"']
    assert world.done(BOB, "SELECT count(*) FROM parts WHERE region = 'eu'") == ['"0"']
    assert world.done(OWNER, "SELECT count(*) FROM parts WHERE region = 'eu'") == ['"2"']
